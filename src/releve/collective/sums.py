"""The standing of several structures -> what is told of all of them together."""

import datetime as dt
from collections.abc import Callable, Sequence

from releve.collective.cohorts import FEWEST
from releve.model.circle import Share, Sheet
from releve.model.posture import Posture

_QUARTER = 25

# What an insurer learns, and nothing else; the consent page says each in words.
SHARES: dict[str, Callable[[Posture], bool]] = {
    "calm": lambda p: not p.incidents,
    "backed_up": lambda p: p.backup_hours is not None and not p.is_backup_late,
    "drilled": lambda p: p.drill_days is not None and not p.is_drill_late,
    "guarded": lambda p: bool(p.hosts) and p.guarded == p.hosts,
}


def sheet(week: str, made_at: dt.datetime, standings: Sequence[Posture]) -> Sheet:
    """No figure at all over fewer than five."""
    if len(standings) < FEWEST:
        return Sheet(week=week, made_at=made_at)
    shares = (
        _share(name, sum(map(holds, standings)), len(standings)) for name, holds in SHARES.items()
    )
    return Sheet(week=week, made_at=made_at, structures=len(standings), shares=tuple(shares))


def _share(name: str, count: int, of: int) -> Share:
    """As a quarter: of five or more, none looks like one, and all like all but one."""
    low = min(count * 4 // of, 3) * _QUARTER
    return Share(name=name, low=low, high=low + _QUARTER)
