"""Incidents in their database: what a fold or a person's word changed, kept in one transaction."""

import datetime as dt
from collections.abc import Callable, Sequence

import msgspec

from releve.flow.server.ports import Unit
from releve.model.finding import Finding
from releve.model.incident import Change, Entry, Incident
from releve.model.playbook import AfterTask
from releve.triage import care, handling, incidents
from releve.triage.aftercare import watch
from releve.triage.handling import HandlingError, Word
from releve.triage.outlook import totals
from releve.triage.stops import decided


class OpenIncidents:
    """A structure's open incidents while findings are folded into them; written once, at the end.

    It holds them (`Unit.hold`): make it before anything is written.

    Args:
        host: only those of this one.
    """

    def __init__(self, unit: Unit, host: str = "") -> None:
        unit.hold()
        self._unit = unit
        self._open = {i.id: i for i in unit.open_incidents(host)}
        self._known = frozenset(self._open)
        self._changed: dict[str, Incident] = {}
        self._lines: dict[str, list[Entry]] = {}
        self._grave: set[str] = set()

    @property
    def graver(self) -> tuple[Incident, ...]:
        """Those that a grave finding opened, lengthened or made one; what somebody may be called for."""
        return tuple(one for one in self._open.values() if one.id in self._grave)

    def take(self, finding: Finding) -> None:
        """Keep the finding with the incident that it opens or lengthens."""
        open_ = tuple(self._open.values())
        change = incidents.step(open_, finding, structure=self._unit.structure)
        self._unit.put_finding(finding, change.incidents[0].id if change else "")
        if change is None:
            return
        for incident in change.incidents:
            self._put(incident)
        if incidents.is_grave(finding.severity) or len(change.incidents) > 1:
            self._grave.add(change.incidents[0].id)
        for incident_id, lines in change.entries.items():
            self._lines.setdefault(incident_id, []).extend(lines)

    def decided(self, host: str, family: str, action: str) -> None:
        """A person's word on a family that waited for it was carried out on this host."""
        for incident in tuple(self._open.values()):
            if host in incident.hosts:
                self._put(decided(incident, host, family, action))

    def keep(self, now: dt.datetime) -> None:
        lines = {incident: tuple(told) for incident, told in self._lines.items()}
        keep(self._unit, Change(incidents=tuple(self._changed.values()), entries=lines))
        for incident in self._changed.values():
            if incident.id not in self._known:
                about = f"incident/{incident.id}"
                self._unit.record(now, "server", about, "open", incident.severity.value)

    def _put(self, incident: Incident) -> None:
        self._changed[incident.id] = incident
        if incident.closed_at is None:
            self._open[incident.id] = incident
        else:
            self._open.pop(incident.id, None)


def keep(unit: Unit, change: Change) -> None:
    for told, lines in change.entries.items():
        unit.add_entries(told, lines)
    for incident in change.incidents:
        unit.put_incident(incident)
    if change.moved_hosts:
        fresh, old = change.incidents
        unit.move_entries((old.id, *old.merged), change.moved_hosts, fresh.id)


def add_lines(unit: Unit, incident: Incident, lines: Sequence[Entry]) -> None:
    """Add to its timeline. After `Unit.hold`."""
    told = incidents.with_lines(incident, tuple(lines))
    keep(unit, Change(incidents=(told,), entries={told.id: tuple(lines)}))


def whole(unit: Unit, identity: str) -> Incident | None:
    """The incident; the one that it became part of, as it is now, however often they were joined."""
    found = unit.incident(identity)
    # It ends: what became part of another never becomes whole again.
    while found is not None and found.merged_into:
        found = unit.incident(found.merged_into)
    return found


def lines_of(
    unit: Unit, incident: Incident, *, most: int | None = None, skip: int = 0
) -> list[Entry]:
    """The timeline, newest first, with what the incidents had that became part of this one."""
    return unit.entries((incident.id, *incident.merged), most=most, skip=skip)


def merge(unit: Unit, kept: str, other: str, word: Word) -> Incident | None:
    """None: the structure has no such incident. Raises: HandlingError."""
    unit.hold()
    absorbed = unit.incident(other)
    if absorbed is None:
        return None
    return _change(unit, kept, word, "merge", lambda i: handling.merge(i, absorbed, word), other)


def split(unit: Unit, incident: str, hosts: tuple[str, ...], word: Word) -> Incident | None:
    """The new incident; None: the structure has no such incident. Raises: HandlingError."""

    def part(old: Incident) -> Change:
        return handling.split(old, hosts, lines_of(unit, old), word)

    return _change(unit, incident, word, "split", part, ",".join(hosts))


def close(
    unit: Unit, incident: str, word: Word, after: Sequence[AfterTask] = ()
) -> Incident | None:
    """Close it, and begin the raised watch; None: no such incident. Raises: HandlingError."""
    shut = _change(unit, incident, word, "close", lambda i: handling.close(i, word), word.why)
    if shut is not None:
        for task in watch(shut, after, unit.tasks((shut.id, *shut.merged))):
            unit.put_task(task)
    return shut


def reopen(unit: Unit, incident: str, word: Word) -> Incident | None:
    """None: the structure has no such incident. Raises: HandlingError."""
    return _change(unit, incident, word, "reopen", lambda i: handling.reopen(i, word), word.why)


def resume(
    unit: Unit, incident: str, service: str, at: dt.datetime, word: Word, *, is_back: bool = True
) -> Incident | None:
    """Care goes on since `at` (or not after all); None: no such incident, or it touches no such service.

    Raises: HandlingError.
    """
    unit.hold()
    known = unit.incident(incident)
    clock = next((c for c in clocks_of(unit, known, word.at) if c.service.id == service), None)
    if known is None or clock is None:
        return None
    verb = "care_resumed" if is_back else "care_stopped"
    told = clock
    return _change(
        unit,
        incident,
        word,
        verb,
        lambda i: care.resume(i, told, at, word, is_back=is_back),
        f"{service} {at.isoformat(timespec='seconds')}",
    )


def clocks_of(
    unit: Unit, incident: Incident | None, now: dt.datetime
) -> tuple[care.CareClock, ...]:
    """One of each service of care that it touches; none while the structure told no services."""
    profile = unit.profile()
    if incident is None or profile is None:
        return ()
    names = {host.id: host.name for host in unit.hosts()}
    return care.clocks(incident, profile.services, names, now)


def weighed(unit: Unit, found: Sequence[Incident], now: dt.datetime) -> list[Incident]:
    """Each as grave as its own page says: what it did counts (hosts, care, files), not only what was found."""
    profile = unit.profile()
    services = profile.services if profile else ()
    names = {host.id: host.name for host in unit.hosts()} if found and services else {}
    told = []
    for incident in found:
        clocks = care.clocks(incident, services, names, now)
        severity = care.severity(care.reasons(incident, clocks, totals(incident)))
        told.append(msgspec.structs.replace(incident, severity=severity))
    return told


def _change(
    unit: Unit,
    incident: str,
    word: Word,
    verb: str,
    work: Callable[[Incident], Change],
    detail: str,
) -> Incident | None:
    unit.hold()
    known = unit.incident(incident)
    if known is None:
        return None
    change = work(known)
    keep(unit, change)
    unit.record(word.at, word.by, f"incident/{incident}", verb, detail)
    return change.incidents[0]


__all__ = [
    "HandlingError",
    "OpenIncidents",
    "Word",
    "clocks_of",
    "close",
    "keep",
    "lines_of",
    "merge",
    "reopen",
    "resume",
    "split",
    "weighed",
    "whole",
]
