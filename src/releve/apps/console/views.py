"""What the pages show, read from one structure's state."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.flow.server import situations
from releve.flow.server.ports import ActionRecord, BreakGlassCode, Store, Unit
from releve.model.casework import CaseTask
from releve.model.finding import Finding
from releve.model.host import Host, Isolation
from releve.model.incident import Incident
from releve.model.order import Isolate, Release, RestoreFile, StopFamily, ThawFamily
from releve.model.structure import CareService
from releve.triage.aftercare import due
from releve.triage.outlook import Outlook, Totals, is_silent, totals, totals_of

_NAMED = 3  # hosts in a title
_TASKS = {
    Isolate: "isolate",
    Release: "release",
    StopFamily: "stop",
    ThawFamily: "thaw",
    RestoreFile: "restore",
}


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    host: Host
    silent: bool
    mood: str  # "well", "watching", "starting", "down", "silent", "never", "ended"
    care: str  # "said", "presumed" (nobody said; it is treated as one that does), "none"
    isolation: Isolation | None  # None too once its end has passed: a silent host tells nothing
    held_bytes: int
    worst_p99_ms: float | None
    saves: int


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    incident: Incident
    host_name: str
    sums: Totals


class ActionView(msgspec.Struct, frozen=True, kw_only=True):
    record: ActionRecord
    host_name: str
    care: str  # as of HostView
    task: str


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    structure_name: str
    outlook: Outlook
    hosts: tuple[HostView, ...]
    names: dict[str, str]
    open_incidents: tuple[IncidentView, ...]
    sums: Totals | None  # over all open incidents
    would_stop: tuple[Finding, ...]
    approved: tuple[Finding, ...]
    waiting: tuple[ActionView, ...]
    under_way: tuple[ActionView, ...]
    last_closed: IncidentView | None
    due: tuple[CaseTask, ...]  # of the watch after incidents, and others whose day has come
    broken_glass: tuple[BreakGlassCode, ...]  # used, and nobody said yet that they know


def overview(store: Store, structure: str, now: dt.datetime) -> Overview:
    name = structure_name(store, structure)
    with store.unit(structure, writes=False) as unit:
        hosts = unit.hosts()
        open_ = unit.open_incidents()
        would_stop = unit.findings("would_stop", most=50)
        approved = unit.findings("approved", most=10)
        waiting = unit.actions(state="proposed")
        vaults = unit.vaults()
        seen = situations.outlook_of(unit, now)
        under_way = unit.actions(state="sent", most=10)
        recent = unit.incidents(most=5)
        tasks = unit.waiting_tasks()
        profile = unit.profile()
        broken_glass = unit.break_glass_unseen()
    services = profile.services if profile else ()
    names = {h.id: h.name for h in hosts} | {v.id: v.name for v in vaults}
    closed = next((i for i in recent if i.closed_at is not None), None)
    return Overview(
        structure_name=name,
        outlook=seen,
        hosts=tuple(host_view(h, now, services) for h in hosts),
        names=names,
        open_incidents=tuple(incident_view(i, names) for i in open_),
        sums=totals_of(open_) if open_ else None,
        would_stop=tuple(would_stop),
        approved=tuple(approved),
        waiting=tuple(_action_view(r, hosts, services) for r in waiting),
        under_way=tuple(_action_view(r, hosts, services) for r in under_way),
        last_closed=incident_view(closed, names) if closed else None,
        due=due(tasks, now),
        broken_glass=tuple(broken_glass),
    )


def names_of(unit: Unit) -> dict[str, str]:
    """Of hosts and vaults: an incident is of either."""
    return {h.id: h.name for h in unit.hosts()} | {v.id: v.name for v in unit.vaults()}


def structure_name(store: Store, structure: str) -> str:
    return next((s.name for s in store.structures() if s.id == structure), "")


def host_view(host: Host, now: dt.datetime, services: Sequence[CareService] = ()) -> HostView:
    folders = host.state.folders
    windows = [f.p99_ms for f in folders if f.p99_ms is not None]
    silent = is_silent(host, now)
    guard = host.state.guard
    mood = {"enforcing": "well", "watching": "watching", "starting": "starting",
            "unknown": "starting", "ended": "ended"}.get(guard, "down")  # fmt: skip
    if guard == "unknown" and host.state.has_no_folders:
        mood = "no_folders"
    return HostView(
        host=host,
        silent=silent,
        mood=("silent" if host.last_seen_at else "never") if silent else mood,
        care=care_of(host, services),
        isolation=isolation_now(host, now),
        held_bytes=sum(f.held_bytes for f in folders),
        worst_p99_ms=max(windows, default=None),
        saves=sum(f.saves for f in folders),
    )


def isolation_now(host: Host, now: dt.datetime) -> Isolation | None:
    """The isolation that still holds: the kernel ends it in time, with or without word of it."""
    told = host.state.isolation
    return told if told is not None and told.until > now else None


def incident_view(incident: Incident, names: dict[str, str]) -> IncidentView:
    named = [names.get(host, host) for host in incident.hosts]
    name = ", ".join(named[:_NAMED]) + (f" +{len(named) - _NAMED}" if len(named) > _NAMED else "")
    return IncidentView(incident=incident, host_name=name, sums=totals(incident))


def task_name(record: ActionRecord) -> str:
    return _TASKS[type(record.action.task)]


def care_of(host: Host, services: Sequence[CareService]) -> str:
    """Whether care depends on the host, and whether anybody said so."""
    if not host.carries_care:
        return "none"
    named = {name.lower() for service in services for name in service.hosts}
    is_said = host.care_role or host.name.lower() in named
    return "said" if is_said else "presumed"


def _action_view(
    record: ActionRecord, hosts: list[Host], services: Sequence[CareService]
) -> ActionView:
    host = next((h for h in hosts if h.id == record.action.host), None)
    return ActionView(
        record=record,
        host_name=host.name if host else record.action.host,
        care=care_of(host, services) if host else "presumed",
        task=task_name(record),
    )
