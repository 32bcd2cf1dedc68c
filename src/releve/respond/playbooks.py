"""A playbook in one incident: started, steps done, skipped or taken back, actions proposed."""

from collections.abc import Collection, Sequence

import msgspec

from releve.model.incident import Incident, Stop
from releve.model.order import AnyTask, Isolate, Release, RestoreFile, StopFamily
from releve.model.playbook import Playbook, PlaybookRun, Playbooks, PlaybookStep, StepWord
from releve.respond.orders import undo

_STATES = ("done", "skipped", "undone")
_WAITS = ("frozen", "none")  # stops that nobody ended


class PlaybookError(ValueError):
    """What was said makes no sense of this playbook; `why` has its text in the console."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Proposal(msgspec.Struct, frozen=True):
    """What a host is to be asked."""

    host: str
    task: AnyTask


def proposed(content: Playbooks, incident: Incident) -> Playbook | None:
    """The playbook that the incident's findings speak for; None: none of them does."""
    kinds = {entry.kind for entry in incident.timeline}
    if incident.stops or incident.rest.stops:
        kinds.add("stopped")  # its line may be older than those that are kept in the incident
    fitting = (row.playbook for row in content.proposed if not kinds.isdisjoint(row.findings))
    return content.named(next(fitting, ""))


def to_start(
    content: Playbooks, incident: Incident, runs: Sequence[PlaybookRun]
) -> Playbook | None:
    """The proposed playbook, until it is one of `runs` or the incident is closed."""
    found = None if incident.closed_at else proposed(content, incident)
    return None if found and any(run.playbook == found.id for run in runs) else found


def say(run: PlaybookRun, playbook: Playbook, word: StepWord) -> PlaybookRun:
    """The run with a person's word on a step. Raises: PlaybookError."""
    step = playbook.step(word.step)
    before = run.word(word.step)
    if step is None or word.state not in _STATES:
        raise PlaybookError("step")
    if word.state != "done" and not word.why.strip():
        raise PlaybookError("reason")
    if word.state == "undone" and (before is None or before.state not in ("done", "proposed")):
        raise PlaybookError("not_done")
    return with_word(run, word)


def with_word(run: PlaybookRun, word: StepWord) -> PlaybookRun:
    """It takes the place of the word before on the same step; the timeline keeps both."""
    others = tuple(w for w in run.words if w.step != word.step)
    return msgspec.structs.replace(run, words=(*others, word))


def proposals(
    step: PlaybookStep, incident: Incident, hosts: Collection[str]
) -> tuple[Proposal, ...]:
    """What an automatic step asks of the incident's hosts. `hosts`: those that can be asked."""
    touched = [host for host in incident.hosts if host in hosts]
    match step.action:
        case "isolate":
            return tuple(Proposal(host, Isolate()) for host in touched)
        case "release":
            return tuple(Proposal(host, Release()) for host in touched)
        case "stop":
            return _of_stops(incident, touched)
        case "restore":
            return _of_lost(incident, touched)
        case _:
            return ()


def undoing(step: PlaybookStep, incident: Incident, hosts: Collection[str]) -> tuple[Proposal, ...]:
    """What takes the step's actions back; empty when nothing does."""
    if step.action == "release" and step.undo is not None:
        return tuple(Proposal(h, Isolate()) for h in incident.hosts if h in hosts)
    asked = proposals(step, incident, hosts)
    backs = [(p.host, undo(p.task)) for p in asked]
    return tuple(Proposal(host, back) for host, back in backs if back is not None)


def _of_stops(incident: Incident, touched: list[str]) -> tuple[Proposal, ...]:
    asked: dict[tuple[str, str], Proposal] = {}
    for stop in incident.stops:
        host = stop.host or incident.host
        if host in touched and stop.action in _WAITS and _is_known(stop):
            task = StopFamily(family=stop.family, is_frozen=stop.action == "frozen")
            asked[host, stop.family] = Proposal(host, task)
    return tuple(asked.values())


def _is_known(stop: Stop) -> bool:
    """Of an author whom nobody saw there is no program to end."""
    is_named = stop.program != "" and not stop.program.startswith("(")
    return stop.action == "frozen" or is_named


def _of_lost(incident: Incident, touched: list[str]) -> tuple[Proposal, ...]:
    asked: dict[tuple[str, str], Proposal] = {}
    for stop in incident.stops:
        host = stop.host or incident.host
        if host in touched:
            for path in stop.lost_paths:
                task = RestoreFile(token=path.token, as_of=stop.at)
                asked.setdefault((host, path.token), Proposal(host, task))
    return tuple(asked.values())
