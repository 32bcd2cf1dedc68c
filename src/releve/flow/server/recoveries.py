"""What is linked to an incident: recoveries that were begun for it, calls for help during it."""

import datetime as dt
import hashlib

import msgspec

from releve.flow.server.incidents import add_lines, whole
from releve.flow.server.ports import Unit
from releve.model.event import RecoveryTold
from releve.model.finding import Severity
from releve.model.help import HelpRequest
from releve.model.incident import Entry, Incident

_MOST_CALLS = 200
_STEPS = ("open", "all_local", "verified")


class IncidentRecovery(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery as its host told it last."""

    host: str
    told: RecoveryTold


def note(unit: Unit, host: str, told: RecoveryTold) -> None:
    """Write the steps that are new into the incident that it names; nothing if there is no such.

    After `Unit.hold`. A host can lengthen a timeline by these lines only, each of them once.
    """
    incident = whole(unit, told.incident)
    if incident is None:
        return
    kept = {entry.key for entry in incident.timeline}
    lines = tuple(e for e in _lines(incident, host, told) if e.key not in kept)
    if lines:
        add_lines(unit, incident, lines)


def recoveries_of(unit: Unit, incident: Incident) -> tuple[IncidentRecovery, ...]:
    """The newest order first."""
    ids = {incident.id, *incident.merged}
    found = [
        IncidentRecovery(host=host.id, told=told)
        for host in unit.hosts()
        for told in host.state.recoveries
        if told.incident in ids
    ]
    return tuple(sorted(found, key=lambda one: one.told.ordered_at, reverse=True))


def calls_of(unit: Unit, incident: Incident) -> tuple[HelpRequest, ...]:
    """Calls for help that came while it was open, and its own; the first one first."""
    ids = {incident.id, *incident.merged}
    recent = {r.id: r for r in (*unit.attack_calls(), *unit.help_requests(most=_MOST_CALLS))}
    found = [r for r in recent.values() if ids & _named_by(r)]
    return tuple(sorted(found, key=lambda r: r.course.opened_at))


def _named_by(request: HelpRequest) -> set[str]:
    """A call of another attack is not this one's, though both were open."""
    if request.attacks:
        return {attack.incident for attack in request.attacks}
    return {known.id for known in request.context.incidents}


def _lines(incident: Incident, host: str, told: RecoveryTold) -> list[Entry]:
    return [
        Entry(
            at=_moment(incident, told, told.seconds[step]),
            kind=f"recovery_{step}",
            finding="",
            id=_key(host, told.recovery, step),
            severity=Severity.INFO,
            figures={"seconds": told.seconds[step]},
            host=host,
        )
        for step in _STEPS
        if step in told.seconds and (step != "verified" or told.phase == "done")
    ]


def _key(host: str, recovery: str, step: str) -> str:
    """Of the host's own: no other can take the line's place."""
    return hashlib.sha256(f"{host}\0{recovery}\0{step}".encode()).hexdigest()[:24]


def _moment(incident: Incident, told: RecoveryTold, seconds: float) -> dt.datetime:
    """When the step was reached; never before the incident, nor after it was told."""
    at = told.ordered_at + dt.timedelta(seconds=seconds)
    return max(incident.opened_at, min(at, told.seen_at))
