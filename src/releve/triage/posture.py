"""A situation -> how the structure stands, and the worst of a day."""

import datetime as dt

from releve.model.posture import Posture
from releve.model.situation import Situation
from releve.triage.outlook import DRILL_LATE_AFTER
from releve.triage.situation import backup_is_late

_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)


def standing(situation: Situation, day: dt.date, now: dt.datetime) -> Posture:
    """Silent hosts are left out of it: a server that was off itself has heard nobody."""
    backup, drill = situation.backup_at, situation.drill_at
    return Posture(
        day=day,
        hosts=situation.hosts,
        guarded=situation.guarded,
        watching=situation.watching,
        down=situation.guard_down,
        incidents=situation.incidents,
        backup_hours=None if backup is None else max((now - backup) // _HOUR, 0),
        drill_days=None if drill is None else max((now - drill) // _DAY, 0),
        is_backup_late=bool(situation.no_backup) or backup_is_late(situation, now),
        is_drill_late=drill is not None and now - drill > DRILL_LATE_AFTER,
    )


def step(known: Posture | None, seen: Posture) -> Posture:
    """The day with what is seen now: the worst of each."""
    if known is None or known.day != seen.day:
        return seen
    return Posture(
        day=seen.day,
        hosts=seen.hosts,
        guarded=min(known.guarded, seen.guarded) if known.hosts else seen.guarded,
        watching=max(known.watching, seen.watching),
        down=max(known.down, seen.down),
        incidents=max(known.incidents, seen.incidents),
        backup_hours=_oldest(known.backup_hours, seen.backup_hours),
        drill_days=_oldest(known.drill_days, seen.drill_days),
        is_backup_late=known.is_backup_late or seen.is_backup_late,
        is_drill_late=known.is_drill_late or seen.is_drill_late,
    )


def _oldest(*ages: int | None) -> int | None:
    return max((age for age in ages if age is not None), default=None)
