"""A structure's rows -> its situation, and which structure is to be looked at first."""

import datetime as dt
from collections.abc import Sequence

from releve.model.finding import Severity
from releve.model.help import HelpRequest
from releve.model.host import Host
from releve.model.incident import Incident
from releve.model.obligation import Obligation, State
from releve.model.situation import Situation
from releve.triage.outlook import BACKUP_LATE_AFTER, Outlook, is_silent, lacks_backup, lacks_drill

_GRAVITY = list(Severity)
# What the other figures of a row do not tell.
_REASONS = {
    "break_glass": "break_glass",
    "waiting": "waiting",
    "backup_folder": "backup_source",
    "backup_source_missing": "backup_source",
    "backup_source_empty": "backup_source",
    "backup_hook_failed": "backup_source",
    "drill_failed": "drill",
    "drill_late": "drill",
    "vault_broken": "vault",
    "vault_silent": "vault",
    "vault_bad": "vault",
    "vault_copy_late": "vault",
    "vault_copy_broken": "vault",
    "vault_job_late": "vault",
    "vault_disk": "vault",
    "vault_full": "vault",
}
_MOODS = ("down", "watching", "setup", "well")
Rank = tuple[float, float, bool, bool, int, int, int, bool, int, str]


def sum_up(
    structure: str,
    hosts: Sequence[Host],
    incidents: Sequence[Incident],
    calls: Sequence[HelpRequest],
    clocks: Sequence[Obligation],
    now: dt.datetime,
    seen: Outlook,
) -> Situation:
    """From what is open: incidents, calls for help; and all hosts and legal clocks.

    `seen`: the structure's outlook, so that its own page and this row never disagree.
    """
    nobody = [c for c in calls if c.course.acknowledged_at is None]
    waiting = [c.course.opened_at for c in nobody]
    due = [c.due_at for c in clocks if c.state is State.RUNNING and c.due_at is not None]
    gone = [is_silent(host, now) for host in hosts]
    unheard = sum(host.last_seen_at is None for host in hosts)
    told = [h.state.backup for h in hosts if h.state.backup is not None]
    drills = [h.state.drill.last_good_at for h in hosts if h.state.drill is not None]
    return Situation(
        structure=structure,
        mood=seen.mood,
        reasons=_reasons(seen),
        incidents=len(incidents),
        severity=max((i.severity for i in incidents), key=_GRAVITY.index, default=None),
        first_sign=min((i.opened_at for i in incidents), default=None),
        hosts=len(hosts),
        silent=sum(gone) - unheard,
        unheard=unheard,
        guard_down=sum(
            h.state.guard == "down" and not is_gone for h, is_gone in zip(hosts, gone, strict=True)
        ),
        guarded=sum(h.state.guard == "enforcing" for h in hosts),
        watching=sum(h.state.guard == "watching" for h in hosts),
        help_waiting=len(waiting),
        help_since=min(waiting, default=None),
        care_blocked=sum(c.is_blocked for c in calls),
        blocked_since=min((c.course.opened_at for c in nobody if c.is_blocked), default=None),
        clocks=sum(c.state is State.RUNNING for c in clocks),
        clocks_late=sum(at <= now for at in due),
        clock_next=min((at for at in due if at > now), default=None),
        clocks_at_once=sum(c.state is State.RUNNING and c.due_at is None for c in clocks),
        backup_at=min((b.last_good_at for b in told if b.last_good_at is not None), default=None),
        no_backup=sum(b.last_good_at is None for b in told),
        unsaved=sum(h.state.backup is None and lacks_backup(h) for h in hosts),
        undrilled=sum(map(lacks_drill, hosts)),
        drill_at=min((at for at in drills if at is not None), default=None),
    )


def _reasons(seen: Outlook) -> tuple[str, ...]:
    """Each once, in the outlook's order."""
    found = (_REASONS.get(concern.kind, "") for concern in seen.concerns)
    return tuple(dict.fromkeys(filter(None, found)))


def backup_is_late(situation: Situation, now: dt.datetime) -> bool:
    return situation.backup_at is not None and now - situation.backup_at > BACKUP_LATE_AFTER


def rank(situation: Situation, name: str, now: dt.datetime) -> Rank:
    """The smallest is looked at first.

    Who waits for help with care at a standstill, then who waits for help, each time the longest wait
    first; where somebody came and care still stands; late legal clocks; what wants somebody now, the
    gravest attack first; the rest.
    """
    gravity = -1 if situation.severity is None else _GRAVITY.index(situation.severity)
    return (
        _waited(situation.blocked_since, now),
        _waited(situation.help_since, now),
        not situation.care_blocked,
        not situation.clocks_late,
        _MOODS.index(situation.mood),
        -gravity,
        -situation.guard_down - situation.silent - situation.unheard,
        not (situation.no_backup or backup_is_late(situation, now)),
        -situation.incidents,
        name.casefold(),
    )


def _waited(since: dt.datetime | None, now: dt.datetime) -> float:
    """The longer, the smaller; who does not wait comes after all who do, whatever clocks say."""
    return 1.0 if since is None else min((since - now).total_seconds(), 0.0)
