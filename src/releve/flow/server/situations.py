"""Keeps the summary row of each structure: when something was found, soon after news, and as time passes."""

import datetime as dt

from releve.flow.server.live import Live
from releve.flow.server.ports import Store, Unit
from releve.model.situation import Situation
from releve.triage.situation import sum_up

# A structure whose hosts talk all the time is summed up this often; what was found does not wait.
PACE = dt.timedelta(seconds=5)
# They come newest first: a flood of calls is not to hide who waits the longest.
_MOST_CALLS = 1000


def keep(unit: Unit, now: dt.datetime) -> None:
    """The row as the unit's rows say it now, in their own transaction."""
    unit.put_situation(summed(unit, now))


def renew(store: Store, structure: str, now: dt.datetime) -> bool:
    """Whether the row had to change. It is written only then: readers do not wait for nothing."""
    with store.unit(structure, writes=False) as unit:
        if unit.situation() == summed(unit, now):
            return False
    with store.unit(structure) as unit:
        keep(unit, now)
    return True


class News:
    """Which structures had news since they were summed up. One server's own; not for threads."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._summed: dict[str, tuple[int, dt.datetime]] = {}

    def due(self, structures: list[str], now: dt.datetime) -> list[str]:
        """Those to sum up now; they count as summed up from here on."""
        found = []
        for structure in structures:
            version = self._live.version(structure)
            known, at = self._summed.get(structure, (-1, now - PACE))
            if version != known and now - at >= PACE:
                self._summed[structure] = (version, now)
                found.append(structure)
        return found


def summed(unit: Unit, now: dt.datetime) -> Situation:
    """As the rows say it now."""
    return sum_up(
        unit.structure,
        unit.hosts(),
        unit.open_incidents(),
        unit.help_requests(is_open=True, most=_MOST_CALLS),
        unit.obligations(),
        now,
    )
