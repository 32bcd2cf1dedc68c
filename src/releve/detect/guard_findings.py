"""Events of guard and agent -> findings. One row per kind of alert says how grave it is."""

import hashlib

from releve.model import event as ev
from releve.model.finding import Finding, Severity
from releve.model.indicator import sound

# Alerts of the guard: the row says how grave; an unknown one is a notice, never silence.
ALERTS: dict[str, Severity] = {
    "store_full": Severity.SERIOUS,
    "mass_deletion": Severity.SERIOUS,
    "slow_score": Severity.SERIOUS,
    "volume_score": Severity.SERIOUS,
    "user_score": Severity.SERIOUS,
    "rollback_failed": Severity.CRITICAL,
    "rollback_incomplete": Severity.CRITICAL,
    "put_back_failed": Severity.CRITICAL,
    "quarantine_failed": Severity.NOTICE,
    "read_only": Severity.CRITICAL,
    "kept_shut": Severity.SERIOUS,
    "no_room": Severity.CRITICAL,
    "client_not_blocked": Severity.CRITICAL,
    "client_not_unblocked": Severity.NOTICE,
    "writer_unknown": Severity.SERIOUS,
    "deletion_undone": Severity.NOTICE,
    "frozen": Severity.SERIOUS,
    "internal_error": Severity.SERIOUS,
    "lineage_lost": Severity.NOTICE,
    "overflow": Severity.NOTICE,
    "family_ended": Severity.INFO,
    "enforcing": Severity.INFO,
    "approved": Severity.INFO,
}
_STOPS: dict[str, Severity] = {
    "killed": Severity.SERIOUS,
    "client_blocked": Severity.SERIOUS,
    "frozen": Severity.CRITICAL,  # a person must say what becomes of the service
    "none": Severity.CRITICAL,  # the writer is unknown or gone: it may come back
    "would_stop": Severity.NOTICE,  # watch mode: told, not acted on
}


def finding_id(host: str, spool: str, seq: int) -> str:
    """The same event gives the same finding, however often it is read."""
    return hashlib.sha256(f"{host}\0{spool}\0{seq}".encode()).hexdigest()[:24]


def find(  # noqa: C901, PLR0911  # one row per event is the point
    event: ev.AnyEvent, *, host: str, identity: str
) -> Finding | None:
    """What the event means; None when it only tells the host's state."""
    match event:
        case ev.FamilyStopped():
            return _stopped(event, host, identity)
        case ev.FamilyRolledBack():
            return _rolled_back(event, host, identity)
        case ev.GuardAlerted():
            return _alert(event, host, identity)
        case ev.GuardWentDown():
            # A notice: the agent starts it again; a host that stays silent is graver.
            return _counted(event, host, identity, "guard_down", event.restarts)
        # It is at the vault all the same.
        case ev.BackupRan(ok=False, verdict=verdict) if verdict in ev.HARMED:
            return _plain(event, host, identity, "backup_harmed", Severity.NOTICE)
        case ev.BackupRan(ok=False):
            return _plain(event, host, identity, "backup_failed", Severity.NOTICE)
        case ev.DrillRan(ok=False):
            return _plain(event, host, identity, "drill_failed", Severity.NOTICE)
        case ev.OrderEnded():
            severity = Severity.INFO if event.ok else Severity.NOTICE
            kind = "order_done" if event.ok else "order_failed"
            return _plain(event, host, identity, kind, severity)
        case ev.EventsDropped():
            return _counted(event, host, identity, "events_dropped", event.count)
        case ev.LinesUnreadable():
            return _counted(event, host, identity, "lines_unreadable", event.count)
        case (
            ev.HostIsolated()
            | ev.HostReleased()
            | ev.BackupRan()
            | ev.DrillRan()
            | ev.PaperKeyTold()
            | ev.FileRestored()
            | ev.RecoveryTold()
            | ev.BaselineAdvanced()
            | ev.GuardReady()
            | ev.WindowMeasured()
        ):
            return None


def _alert(event: ev.GuardAlerted, host: str, identity: str) -> Finding:
    return Finding(
        id=identity,
        host=host,
        kind=event.alert,
        severity=ALERTS.get(event.alert, Severity.NOTICE),
        seen_at=event.seen_at,
        family=event.family,
        why=event.why,
        why_en=event.why_en,
    )


def _counted(event: ev.AnyEvent, host: str, identity: str, kind: str, count: int) -> Finding:
    return Finding(
        id=identity,
        host=host,
        kind=kind,
        severity=Severity.NOTICE,
        seen_at=event.seen_at,
        figures={"count": count},
    )


def _plain(
    event: ev.BackupRan | ev.DrillRan | ev.OrderEnded,
    host: str,
    identity: str,
    kind: str,
    severity: Severity,
) -> Finding:
    return Finding(
        id=identity,
        host=host,
        kind=kind,
        severity=severity,
        seen_at=event.seen_at,
        why=event.detail,
    )


def _stopped(event: ev.FamilyStopped, host: str, identity: str) -> Finding:
    return Finding(
        id=identity,
        host=host,
        kind="would_stop" if event.action == "would_stop" else "stopped",
        severity=_STOPS.get(event.action, Severity.CRITICAL),
        seen_at=event.seen_at,
        family=event.family,
        action=event.action,
        reasons=event.reasons,
        figures={"stop_ms": event.first_write_to_stop_ms, "files_touched": event.files_touched},
        program=event.program,
        user=event.user,
        client=event.client,
        indicators=sound(event.indicators),
    )


def _rolled_back(event: ev.FamilyRolledBack, host: str, identity: str) -> Finding:
    return Finding(
        id=identity,
        host=host,
        kind="rolled_back",
        severity=Severity.CRITICAL if event.lost else Severity.SERIOUS,
        seen_at=event.seen_at,
        family=event.family,
        figures={
            "restored": event.restored,
            "lost": event.lost,
            "newest_save_lost": event.newest_save_lost,
            "quarantined": event.quarantined,
            "kept_both": event.kept_both,
            "left": event.left,
            "rollback_ms": event.rollback_ms,
        },
        lost_paths=event.lost_paths,
        newest_save_lost_paths=event.newest_save_lost_paths,
        indicators=sound(event.indicators),
    )
