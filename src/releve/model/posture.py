"""How a structure stood on a day: figures only, no host, person or file is named."""

import datetime as dt

import msgspec


class Posture(msgspec.Struct, frozen=True, kw_only=True):
    """The worst of what was seen on that day, by the clock on the structure's wall."""

    day: dt.date
    hosts: int = 0
    guarded: int = 0  # hosts whose guard stops attacks; of those seen on that day the fewest
    watching: int = 0  # hosts whose guard only watches
    down: int = 0  # hosts whose guard is down
    incidents: int = 0  # open ones
    backup_hours: int | None = None  # age of the last good one, host that is furthest behind
    drill_days: int | None = None
    is_backup_late: bool = False
    is_drill_late: bool = False
