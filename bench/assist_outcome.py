"""What became of the calls of a bench, read from the proof alone."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.adapters.sql.store import SqlStore
from releve.model.help import HelpRequest, Step
from releve.report.assistance import answers
from releve.report.figures import percentile

_ENDS = ("end_of_chain", "nobody_on_call")


Outage = tuple[dt.datetime, dt.datetime]  # killed, and seen to answer again


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`lags`: seconds from when an escalation was due, or its server was back, to when it was made."""

    requests: int
    acknowledged: int
    ended: int
    forgotten: int
    kills: int
    rings: int
    sent_again: int
    failed: int
    lags: tuple[float, ...]
    lag_with_outage_worst_s: float
    in_time: int

    def figures(self, part: str) -> dict[str, float | int | str | None]:
        """Those of one part, under its name."""
        names = ("requests", "acknowledged", "ended", "kills", "rings", "sent_again", "failed")
        found: dict[str, float | int | str | None] = {
            f"{part}_{name}": getattr(self, name) for name in names
        }
        found |= {
            f"{part}_lag_p50_s": round(percentile(self.lags, 0.5), 3),
            f"{part}_lag_p99_s": round(percentile(self.lags, 0.99), 3),
            f"{part}_lag_worst_s": round(max(self.lags), 3),
            f"{part}_lag_with_outage_worst_s": round(self.lag_with_outage_worst_s, 3),
            f"{part}_answered_within_3_min": self.in_time,
        }
        return found


def outcome(
    store: SqlStore, ids: Sequence[str], outages: Sequence[Outage], sent_again: int
) -> Outcome:
    """Of the calls with these ids."""
    known: dict[str, tuple[HelpRequest, list[Step]]] = {}
    names: set[str] = set()
    for structure in store.structures():
        with store.unit(structure.id, writes=False) as unit:
            rota = unit.rota()
            names |= {person.name for person in rota.people} if rota else set()
            for request in unit.help_requests(most=100_000):
                known[request.id] = (request, unit.help_steps(request.id))
    lags, raw = [], []
    everything = [step for _, steps in known.values() for step in steps]
    returns = [back(outage, everything) for outage in outages]
    for step in everything:
        if step.due_at is not None and step.kind != "opened":
            since = max((r for r in returns if r <= step.at), default=step.due_at)
            lags.append((step.at - max(step.due_at, since)).total_seconds())
            raw.append((step.at - step.due_at).total_seconds())
    requests = [request for request, _ in known.values()]
    level = answers(requests)
    return Outcome(
        requests=len(ids),
        acknowledged=sum(r.course.acknowledged_at is not None for r in requests),
        ended=sum(r.course.phase == "ended" for r in requests),
        forgotten=sum(one not in known or not is_proved(*known[one], names) for one in ids),
        kills=len(outages),
        rings=sum(s.kind == "ring" for s in everything),
        sent_again=sent_again,
        failed=sum(s.kind == "failed" for s in everything),
        lags=tuple(lags),
        lag_with_outage_worst_s=max(raw),
        in_time=level.in_time,
    )


def back(outage: Outage, steps: Sequence[Step]) -> dt.datetime:
    """When the server was back: it answered, or it did something."""
    killed_at, answered_at = outage
    return min([answered_at, *(s.at for s in steps if s.at > killed_at)])


def is_proved(request: HelpRequest, steps: Sequence[Step], names: set[str]) -> bool:
    """Whether the proof is whole and ends in a named person's acknowledgement, or the chain's end."""
    if [s.number for s in steps] != list(range(1, len(steps) + 1)) or request.course.number != len(
        steps
    ):
        return False
    taken = next((s for s in steps if s.kind == "acknowledged"), None)
    if taken is not None:
        return taken.name in names and request.course.name == taken.name
    rung = {s.person for s in steps if s.kind == "ring"}
    return any(s.kind in _ENDS and bool(rung) == (s.kind == "end_of_chain") for s in steps)
