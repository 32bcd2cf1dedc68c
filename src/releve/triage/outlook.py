"""Hosts and incidents -> the one state that people see first, and the totals of an incident."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.model.finding import Severity
from releve.model.help import HelpRequest
from releve.model.host import BackupState, DrillState, Host
from releve.model.incident import Incident, Rest
from releve.model.obligation import Obligation, State
from releve.triage.stops import HOLDS, NOBODY_STOPPED, UNSTOPPED
from releve.triage.vaults import ToldVault
from releve.triage.vaults import concerns as of_vaults

BACKUP_LATE_AFTER = dt.timedelta(
    hours=24
)  # hourly backups that fail a night are told in the morning
DRILL_LATE_AFTER = dt.timedelta(days=8)  # weekly, and a day for a machine that was off
SILENT_AFTER = dt.timedelta(minutes=3)  # six missed heartbeats


# Beside an open incident, which says itself how urgent it is.
_BESIDE = frozenset({"attack_ringing", "attack_unheard", "attack_unmanned"})
# What is looked at in the course of the day; everything else wants somebody now.
_TODAY = frozenset(
    {
        "never",
        "silent",  # a machine that is switched off; while an attack is open it wants somebody now
        "drill_failed",
        "drill_late",
        "vault_copy_late",
        "vault_job_late",
        "vault_disk",
        "vault_full",
    }
)
_GRAVE = (Severity.CRITICAL, Severity.SERIOUS)


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a person; `kind` has its text in the console."""

    kind: str
    host: str = ""
    incident: str = ""
    count: int = 0


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What a structure's people see first.

    `state`: "empty" (no host yet), "setup", "well", "stopped" (an attack was), "action" (somebody is
    needed now), "today" (somebody in the course of the day), "ended".

    "setup": nothing is wrong, and something that protects is not there yet. "ended": a
    demonstration that is over, nothing is guarded.

    `mood`: the same among many structures: "down" (now), "watching" (today), "setup" (not all is
    there) or "well".
    """

    state: str
    mood: str
    is_held: bool = False  # attacks are open, and every one of them was stopped with nothing lost
    concerns: tuple[Concern, ...] = ()
    lacks: tuple[Concern, ...] = ()  # of "setup": what is not there yet, on how many hosts


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """An incident in figures. `pending`: stops whose rollback is not told yet.

    Of the stops two kinds stopped nobody: `over`, for the attack had ended before it was judged, and
    `unstopped`, for its author was not found. `halted` are the others.
    """

    stops: int
    over: int
    unstopped: int
    touched: int
    restored: int
    lost: int
    newest_save_lost: int
    quarantined: int
    pending: int
    slowest_stop_ms: float | None
    rollback_ms: float | None

    @property
    def halted(self) -> int:
        return self.stops - self.over - self.unstopped


def totals(incident: Incident) -> Totals:
    return totals_of((incident,))


def totals_of(incidents: Sequence[Incident]) -> Totals:
    stops = [stop for incident in incidents for stop in incident.stops]
    rest = [incident.rest for incident in incidents]
    slowest = [s.stop_ms for s in stops if s.action not in NOBODY_STOPPED]
    slowest += [r.slowest_stop_ms for r in rest if r.stops > r.over + r.unstopped]
    rollbacks = [s.rollback_ms for s in stops if s.rollback_ms is not None]
    rollbacks += [r.rollback_ms for r in rest if r.restored or r.lost]
    return Totals(
        stops=len(stops) + sum(r.stops for r in rest),
        over=sum(s.action == "over" for s in stops) + sum(r.over for r in rest),
        unstopped=sum(s.action == UNSTOPPED for s in stops) + sum(r.unstopped for r in rest),
        touched=sum(s.files_touched for s in stops) + sum(r.touched for r in rest),
        restored=sum(s.restored or 0 for s in stops) + sum(r.restored for r in rest),
        lost=sum(s.lost or 0 for s in stops) + sum(r.lost for r in rest),
        newest_save_lost=sum(s.newest_save_lost or 0 for s in stops)
        + sum(r.newest_save_lost for r in rest),
        quarantined=sum(s.quarantined or 0 for s in stops) + sum(r.quarantined for r in rest),
        pending=sum(s.restored is None for s in stops),
        slowest_stop_ms=max(slowest, default=None),
        rollback_ms=sum(rollbacks) if rollbacks else None,
    )


def is_silent(host: Host, now: dt.datetime) -> bool:
    """Whether no word came for minutes; one that never spoke is so at once."""
    return host.last_seen_at is None or now - host.last_seen_at > SILENT_AFTER


def outlook(
    hosts: Sequence[Host],
    open_: Sequence[Incident],
    waiting: int,
    now: dt.datetime,
    vaults: Sequence[ToldVault] = (),
    broken_glass: int = 0,
    calls: Sequence[HelpRequest] = (),
    clocks: Sequence[Obligation] = (),
) -> Outlook:
    """The gravest thing decides the state, on the structure's own page and among many.

    Args:
        waiting: proposals that wait for a decision.
        broken_glass: sign-ins by a printed code that nobody said they know of.
        calls: for help, open; those that nobody took are a concern, and care at a standstill is.
        clocks: legal ones; those that run and are late are a concern.
    """
    concerns = [*_of_calls(calls), *_of_attack_calls(calls)]
    concerns += [*_of_clocks(clocks, now), *_of_incidents(open_)]
    concerns += _of_hosts(hosts, now)
    concerns += [
        Concern(kind=kind, host=vault, count=count) for kind, vault, count in of_vaults(vaults, now)
    ]
    if broken_glass:
        concerns.insert(0, Concern(kind="break_glass", count=broken_glass))
    if waiting:
        concerns.append(Concern(kind="waiting", count=waiting))
    told = tuple(concerns)
    is_held = _is_held(open_)
    if any(is_urgent(concern, open_) for concern in told):
        return Outlook(state="action", mood="down", concerns=told, is_held=is_held)
    if any(incident.severity in _GRAVE for incident in open_):
        return Outlook(state="stopped", mood="down", concerns=told, is_held=is_held)
    if told:
        return Outlook(state="today", mood="watching", concerns=told)
    return _quiet(hosts, open_)


def is_urgent(concern: Concern, open_: Sequence[Incident] = ()) -> bool:
    """Whether it wants somebody now; else today. `open_`: the structure's open incidents."""
    if concern.kind == "alert":
        grave = {incident.id for incident in open_ if incident.severity in _GRAVE}
        return concern.incident in grave
    if concern.kind.startswith("backup_") or concern.kind in _BESIDE:
        return False
    return concern.kind not in _TODAY or (concern.kind == "silent" and bool(open_))


def _quiet(hosts: Sequence[Host], open_: Sequence[Incident]) -> Outlook:
    """Of a structure that needs nobody now."""
    if not hosts:
        return Outlook(state="empty", mood="setup")
    if open_:
        return Outlook(state="stopped", mood="watching")
    if all(h.state.guard == "ended" for h in hosts):
        return Outlook(state="ended", mood="setup")
    lacking = tuple(_lacks(hosts))
    state = "setup" if lacking else "well"
    return Outlook(state=state, mood=state, lacks=lacking)


def _of_clocks(clocks: Sequence[Obligation], now: dt.datetime) -> list[Concern]:
    due = [c.due_at for c in clocks if c.state is State.RUNNING and c.due_at is not None]
    late = sum(at <= now for at in due)
    return [Concern(kind="clocks_late", count=late)] if late else []


def _of_calls(calls: Sequence[HelpRequest]) -> list[Concern]:
    """Those that nobody took, with care at a standstill and the others; where somebody came and it still stands."""
    calls = [call for call in calls if not call.attacks]
    nobody = [call for call in calls if call.course.acknowledged_at is None]
    blocked = sum(call.is_blocked for call in nobody)
    still = sum(call.is_blocked for call in calls) - blocked
    counts = (("help_blocked", blocked), ("help", len(nobody) - blocked), ("help_still", still))
    return [Concern(kind=kind, count=count) for kind, count in counts if count]


def _of_attack_calls(calls: Sequence[HelpRequest]) -> list[Concern]:
    """Incidents that people are rung for, or were in vain."""
    return [
        Concern(kind=_how_far(call), incident=attack.incident, count=1)
        for call in calls
        if call.course.acknowledged_at is None
        for attack in call.attacks
    ]


def _how_far(call: HelpRequest) -> str:
    if call.course.phase == "ringing":
        return "attack_ringing"
    return "attack_unheard" if call.course.rung else "attack_unmanned"


def lacks_backup(host: Host) -> bool:
    """It never made a good one; a demonstration tells of none."""
    told = host.state.backup
    return _proves(host) and (told is None or told.last_good_at is None)


def lacks_drill(host: Host) -> bool:
    """Its backups were never proved."""
    told = host.state.drill
    return _proves(host) and (told is None or told.last_good_at is None)


def _proves(host: Host) -> bool:
    """Backups and drills are expected of it."""
    return not (host.state.is_demonstration or host.state.has_no_folders)


def _lacks(hosts: Sequence[Host]) -> list[Concern]:
    """A host that was taken in without folders is all there once it was heard; one at least has some."""
    keeping = [h for h in hosts if not (h.state.has_no_folders and h.state.guard == "unknown")]
    hosts = keeping or hosts
    found = {
        "observing": sum(h.state.guard == "watching" for h in hosts),
        "starting": sum(h.state.guard in ("starting", "unknown") for h in hosts),
        "no_backup": sum(map(lacks_backup, hosts)),
        "no_drill": sum(map(lacks_drill, hosts)),
    }
    return [Concern(kind=kind, count=count) for kind, count in found.items() if count]


def _is_held(open_: Sequence[Incident]) -> bool:
    sums = totals_of(open_)
    return bool(sums.stops) and not sums.pending and not _of_incidents(open_)


def _of_incidents(open_: Sequence[Incident]) -> list[Concern]:
    found = []
    for incident in open_:
        sums = totals(incident)
        free = sum(s.action not in HOLDS for s in incident.stops) + incident.rest.not_held
        alone = free - sums.unstopped
        if sums.lost:
            found.append(Concern(kind="lost", incident=incident.id, count=sums.lost))
        if alone:
            found.append(Concern(kind="not_stopped", incident=incident.id, count=alone))
        if sums.unstopped:
            found.append(Concern(kind="unstopped", incident=incident.id, count=sums.unstopped))
        if not incident.stops and incident.rest == Rest():
            found.append(Concern(kind="alert", incident=incident.id, count=1))
    return found


def _of_hosts(hosts: Sequence[Host], now: dt.datetime) -> list[Concern]:
    found = []
    for host in hosts:
        if is_silent(host, now):
            kind = "never" if host.last_seen_at is None else "silent"
            found.append(Concern(kind=kind, host=host.id))
        elif host.state.guard == "down":
            found.append(Concern(kind="guard_down", host=host.id))
        backup = host.state.backup
        if backup is not None and backup.folder_missing:
            found.append(Concern(kind="backup_folder", host=host.id))
        elif backup is not None and backup.source_lack:
            found.append(Concern(kind=f"backup_{backup.source_lack}", host=host.id))
        elif backup is not None and _is_late(backup, now):
            found.append(Concern(kind="backup_late", host=host.id))
        if host.state.drill is not None:
            found += _of_drills(host.id, host.state.drill, now)
    return found


def _of_drills(host: str, drill: DrillState, now: dt.datetime) -> list[Concern]:
    """One that failed is told at once; one that did not come, after its week and a day."""
    if not drill.ok:
        return [Concern(kind="drill_failed", host=host)]
    return [Concern(kind="drill_late", host=host)] if drill_is_late(drill, now) else []


def drill_is_late(drill: DrillState, now: dt.datetime) -> bool:
    """No good one for a week and a day."""
    return now - (drill.last_good_at or drill.since) > DRILL_LATE_AFTER


def _is_late(backup: BackupState, now: dt.datetime) -> bool:
    return backup.last_good_at is None or now - backup.last_good_at > BACKUP_LATE_AFTER
