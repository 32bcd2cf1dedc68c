"""Days of a structure -> what the chart draws: a row of bars for each figure, the worst of each day."""

import datetime as dt
from collections.abc import Callable, Sequence

import msgspec

from releve.apps.web.terminal import as_word
from releve.flow.server.ports import Unit
from releve.flow.server.profiles import zone_of
from releve.flow.server.situations import summed
from releve.model.posture import Posture
from releve.triage.posture import standing

DAYS = 90
STEP = 8  # one day, in units of the drawing
HEIGHT = 40
_FEWEST = 2  # days, before a chart says more than their figures
_LEAST = 3  # a bar that is there can be seen
# What fills the height: more is not told apart.
_MOST_INCIDENTS, _MOST_HOURS, _MOST_DAYS = 3, 72, 30
_COMMANDS = {
    "host": "releve server token create --structure {structure}",
    "guard": "releve agent run --guard '--protect … --enforce'",
    "backup": "releve backup run",
    "drill": "releve drill run",
}


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """`paths`: the bars of each level ("well", "watching", "down") as one SVG path."""

    name: str
    paths: dict[str, str]

    @property
    def is_empty(self) -> bool:
        return not self.paths


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A day without a row has no bar: nothing was heard then.

    `begins`: the day that makes a line of it; None when two days are there to compare.
    `lacks`: what nothing can be drawn of yet, for somebody to see to.
    """

    since: dt.date
    until: dt.date
    width: int
    height: int
    lanes: tuple[Lane, ...]
    days: tuple[Posture, ...]  # newest first
    begins: dt.date | None
    lacks: tuple[str, ...]


def drawn(unit: Unit, now: dt.datetime) -> Chart:
    """By the clock on the structure's wall."""
    today = now.astimezone(zone_of(unit)).date()
    latest = standing(summed(unit, now), today, now)
    return chart(unit.postures(today - dt.timedelta(days=DAYS)), today, latest)


def commands(structure: str) -> dict[str, str]:
    """By what lacks; `structure`: its name."""
    return {w: c.format(structure=as_word(structure)) for w, c in _COMMANDS.items()}


def chart(days: Sequence[Posture], until: dt.date, latest: Posture | None) -> Chart:
    """`latest`: how it stands; None while no host is known."""
    since = until - dt.timedelta(days=DAYS - 1)
    drawn = [posture for posture in days if since <= posture.day <= until]
    return Chart(
        since=since,
        until=until,
        width=DAYS * STEP,
        height=HEIGHT,
        lanes=tuple(_lane(name, of, drawn, since) for name, of in _LANES.items()),
        days=tuple(reversed(drawn)),
        begins=until + dt.timedelta(days=1) if len(drawn) < _FEWEST else None,
        lacks=_lacks(latest),
    )


def _lacks(latest: Posture | None) -> tuple[str, ...]:
    if latest is None or not latest.hosts:
        return ("host",)
    found = {
        "guard": latest.guarded < latest.hosts,
        "backup": latest.backup_hours is None,
        "drill": latest.drill_days is None,
    }
    return tuple(name for name, is_lacking in found.items() if is_lacking)


_Drawn = tuple[float, str] | None


def _lane(
    name: str, of: Callable[[Posture], _Drawn], days: Sequence[Posture], since: dt.date
) -> Lane:
    paths: dict[str, str] = {}
    for posture in days:
        drawn = of(posture)
        if drawn is not None:
            share, level = drawn
            x = (posture.day - since).days * STEP + STEP // 2
            height = max(round(min(share, 1) * HEIGHT), _LEAST)
            paths[level] = paths.get(level, "") + f"M{x} {HEIGHT}v-{height}"
    return Lane(name=name, paths=paths)


def _incidents(p: Posture) -> _Drawn:
    return p.incidents / _MOST_INCIDENTS, "down" if p.incidents else "well"


def _guard(p: Posture) -> _Drawn:
    level = "down" if p.down else "well" if p.guarded == p.hosts else "watching"
    return (p.guarded / p.hosts, level) if p.hosts else None


def _backup(p: Posture) -> _Drawn:
    if p.backup_hours is None:
        return (1, "down") if p.is_backup_late else None
    return p.backup_hours / _MOST_HOURS, "down" if p.is_backup_late else "well"


def _drill(p: Posture) -> _Drawn:
    if p.drill_days is None:
        return None
    return p.drill_days / _MOST_DAYS, "watching" if p.is_drill_late else "well"


_LANES = {"incidents": _incidents, "guard": _guard, "backup": _backup, "drill": _drill}
