"""The course of an incident as it is drawn: what was reached how long after the first hostile write."""

import datetime as dt
import math
from collections.abc import Iterator, Sequence

import msgspec

from releve.flow.server.recoveries import IncidentRecovery
from releve.model.help import HelpRequest
from releve.model.incident import Incident
from releve.model.playbook import PlaybookRun
from releve.report.assistance import PROMISE_S
from releve.triage.care import CareClock
from releve.triage.stops import HOLDS, first_hostile_write

_RECOVERY = ("open", "all_local", "verified")


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """`share`: how far along the bar, 0 to 100; long spans are drawn ever more tightly."""

    kind: str
    name: str = ""
    at: dt.datetime
    seconds: float
    share: float


class CallClock(msgspec.Struct, frozen=True, kw_only=True):
    """A call for help against the promise; `share` and `promise` are places on the bar, 0 to 100."""

    request: HelpRequest
    seconds: float  # until a named person came, or until now
    is_late: bool
    is_running: bool
    share: float
    promise: float


class _Reached(msgspec.Struct, frozen=True):
    kind: str
    at: dt.datetime
    name: str = ""


def milestones(
    incident: Incident,
    calls: Sequence[HelpRequest],
    runs: Sequence[PlaybookRun],
    recoveries: Sequence[IncidentRecovery],
    care: Sequence[CareClock],
) -> tuple[Milestone, ...]:
    """In the order in which they were reached."""
    start = first_hostile_write(incident)
    reached = [*_of_attack(incident), *_of_calls(calls), *_of_recoveries(recoveries)]
    reached += [_Reached("playbook", run.started_at) for run in runs[:1]]
    reached += [_Reached("care", c.resumed.at, c.service.name) for c in care if c.resumed]
    if incident.closed_at and not incident.merged_into:
        reached.append(_Reached("closed", incident.closed_at))
    reached = sorted((r for r in reached if r.at >= start), key=lambda r: r.at)
    longest = (reached[-1].at - start).total_seconds() if reached else 0.0
    return tuple(_drawn(one, start, longest) for one in reached)


def call_clocks(calls: Sequence[HelpRequest], now: dt.datetime) -> tuple[CallClock, ...]:
    return tuple(_call(request, now) for request in calls)


def _drawn(one: _Reached, start: dt.datetime, longest: float) -> Milestone:
    seconds = (one.at - start).total_seconds()
    share = 100 * (math.log1p(seconds) / math.log1p(longest)) if longest else 0.0
    return Milestone(kind=one.kind, name=one.name, at=one.at, seconds=seconds, share=share)


def _of_attack(incident: Incident) -> Iterator[_Reached]:
    held = [s.at for s in incident.stops if s.action in HOLDS]
    if held:
        if len(held) == 1:
            yield _Reached("stopped", held[0])
        else:
            yield _Reached("last_stopped", max(held), str(len(held)))
    undone = [e.at for e in incident.timeline if e.kind == "rolled_back"]
    if undone:
        yield _Reached("rolled_back", max(undone))


def _of_calls(calls: Sequence[HelpRequest]) -> Iterator[_Reached]:
    for call in calls:
        if not call.attacks:
            yield _Reached("asked", call.course.opened_at)
        elif call.course.rung or call.course.round > 1:  # else nobody was on call
            yield _Reached("called", call.course.opened_at)
        if call.course.acknowledged_at:
            yield _Reached("answered", call.course.acknowledged_at, call.course.name)


def _of_recoveries(recoveries: Sequence[IncidentRecovery]) -> Iterator[_Reached]:
    for one in recoveries:
        told = one.told
        for step in _RECOVERY:
            if step in told.seconds and (step != "verified" or told.phase == "done"):
                at = told.ordered_at + dt.timedelta(seconds=told.seconds[step])
                yield _Reached(f"recovery_{step}", at)


def _call(request: HelpRequest, now: dt.datetime) -> CallClock:
    until = request.course.acknowledged_at or request.course.ended_at or now
    seconds = max(0.0, (until - request.course.opened_at).total_seconds())
    whole = max(seconds, PROMISE_S * 4 / 3)
    return CallClock(
        request=request,
        seconds=seconds,
        is_late=seconds > PROMISE_S or request.course.ended_at is not None,
        is_running=until is now,
        share=100 * seconds / whole,
        promise=100 * PROMISE_S / whole,
    )
