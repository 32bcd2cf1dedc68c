"""Keeps the summary row of each structure: when something was found, soon after news, and as time passes."""

import datetime as dt
from collections.abc import Iterable

import msgspec

from releve.flow.server import duties
from releve.flow.server.incidents import weighed
from releve.flow.server.live import Live
from releve.flow.server.ports import Store, Unit
from releve.model.help import HelpRequest
from releve.model.situation import Situation
from releve.model.standing import Standing
from releve.triage.outlook import Outlook, outlook
from releve.triage.situation import backup_is_late, rank, sum_up
from releve.triage.vaults import ToldVault

# A structure whose hosts talk all the time is summed up this often; what was found does not wait.
PACE = dt.timedelta(seconds=5)
# They come newest first: a flood of calls is not to hide who waits the longest.
_MOST_CALLS = 1000
_standing = msgspec.json.Decoder(Standing).decode


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A structure among others, by its name."""

    name: str
    situation: Situation
    mood: str
    is_backup_late: bool


def row_of(name: str, situation: Situation, now: dt.datetime) -> Row:
    late = backup_is_late(situation, now)
    return Row(name=name, situation=situation, mood=situation.mood, is_backup_late=late)


def worst_first(found: Iterable[tuple[str, Situation]], now: dt.datetime) -> tuple[Row, ...]:
    """Structures by name, as they are to be looked at."""
    ranked = sorted(found, key=lambda pair: rank(pair[1], pair[0], now))
    return tuple(row_of(name, situation, now) for name, situation in ranked)


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
    found = sum_up(
        unit.structure,
        unit.hosts(),
        weighed(unit, unit.open_incidents(), now),
        _calls(unit),
        unit.obligations(),
        now,
        outlook_of(unit, now),
    )
    return msgspec.structs.replace(found, undeclared=len(duties.undeclared(unit, now)))


def outlook_of(unit: Unit, now: dt.datetime) -> Outlook:
    """What the structure's own page says first; its row among many has the same mood."""
    return outlook(
        unit.hosts(),
        weighed(unit, unit.open_incidents(), now),
        len(unit.actions(state="proposed")),
        now,
        told_vaults(unit),
        len(unit.break_glass_unseen()),
        _calls(unit),
        unit.obligations(),
    )


def told_vaults(unit: Unit) -> tuple[ToldVault, ...]:
    """The structure's vaults with the last standing of each; those that were removed too."""
    records = [unit.vault(vault.id) for vault in unit.vaults()]
    return tuple(
        ToldVault(vault=r.vault, standing=_standing(r.standing) if r.standing else None)
        for r in records
        if r is not None
    )


def _calls(unit: Unit) -> list[HelpRequest]:
    return unit.help_requests(is_open=True, most=_MOST_CALLS)
