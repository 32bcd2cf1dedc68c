"""Who is on call at an instant, and when nobody will be. Wall-clock time, so that DST changes nothing.

A shift is a rule about the clock on the wall. Every instant has one reading of that clock, so asking
"does the rule cover this reading" needs no arithmetic on local times: a night in which the clock jumps
is an hour shorter or longer, and nobody is forgotten or counted twice.
"""

import datetime as dt
from collections.abc import Iterable
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from releve.model.help import Hole, Responder, Rota, Shift

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LANGUAGES = ("fr", "en")
_DAY = dt.timedelta(days=1)
_MINUTES_A_DAY = 24 * 60


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the same people are on call, in the order in which they are rung."""

    since: dt.datetime
    until: dt.datetime
    people: tuple[Responder, ...]


class RotaError(ValueError):
    """A rota that contradicts itself; the words are for whoever wrote it."""


def check(rota: Rota) -> None:
    """Raises: RotaError."""
    ids = [person.id for person in rota.people]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise RotaError(f"people: twice: {', '.join(sorted(twice))}")
    for person in rota.people:
        names = [channel.name for channel in person.channels]
        if len(set(names)) < len(names):
            raise RotaError(f"people.{person.id}: a channel's name twice")
        if person.language not in LANGUAGES:
            raise RotaError(f"people.{person.id}: language is fr or en")
    for what, whose in (("shifts", rota.shifts), ("absences", rota.absences)):
        if unknown := {one.person for one in whose} - set(ids):
            raise RotaError(f"{what}: nobody is called {min(unknown)}")
    for shift in rota.shifts:
        if unknown_days := set(shift.days) - set(DAYS):
            raise RotaError(f"shifts: no such day: {min(unknown_days)} (mon, tue … sun)")


def on_call(rota: Rota, at: dt.datetime, zone: ZoneInfo) -> tuple[Responder, ...]:
    """In the order in which they are rung; everybody once."""
    local = at.astimezone(zone)
    minute = local.hour * 60 + local.minute
    covering = [s for s in rota.shifts if _covers(s, local.date(), minute)]
    away = {a.person for a in rota.absences if a.since <= local.date() <= a.until}
    found: dict[str, Responder] = {}
    for shift in sorted(covering, key=lambda s: s.rank):
        person = rota.person(shift.person)
        if person is not None and person.id not in away:
            found.setdefault(person.id, person)
    return tuple(found.values())


def plan(rota: Rota, since: dt.datetime, days: int, zone: ZoneInfo) -> tuple[Watch, ...]:
    """Who is on call from `since` on, without a gap: one watch until somebody comes or goes."""
    until = since + days * _DAY
    edges = sorted(_edges(rota, since, until, zone) | {since, until})
    found: list[Watch] = []
    for start, end in pairwise(edges):
        people = on_call(rota, start, zone)
        if found and found[-1].people == people:
            found[-1] = msgspec.structs.replace(found[-1], until=end)
        else:
            found.append(Watch(since=start, until=end, people=people))
    return tuple(found)


def holes(watches: Iterable[Watch]) -> tuple[Hole, ...]:
    """Every time with nobody on call, exact to the minute."""
    return tuple(Hole(since=w.since, until=w.until) for w in watches if not w.people)


def covered_share(found: Iterable[Hole], days: int) -> float:
    """The share of so many days in which somebody is on call."""
    gone = sum(((hole.until - hole.since).total_seconds() for hole in found), 0.0)
    return 1 - gone / (days * _DAY).total_seconds()


def _covers(shift: Shift, day: dt.date, minute: int) -> bool:
    start, end = _minutes(shift.hours)
    if start < end:
        return start <= minute < end and _begins(shift, day)
    return (minute >= start and _begins(shift, day)) or (
        minute < end and _begins(shift, day - _DAY)
    )


def _begins(shift: Shift, day: dt.date) -> bool:
    if shift.days and DAYS[day.weekday()] not in shift.days:
        return False
    return (shift.since is None or shift.since <= day) and (
        shift.until is None or day <= shift.until
    )


def _minutes(hours: str) -> tuple[int, int]:
    start, end = ((int(part[:2]) * 60 + int(part[3:])) for part in hours.split("-"))
    return start, end


def _edges(rota: Rota, since: dt.datetime, until: dt.datetime, zone: ZoneInfo) -> set[dt.datetime]:
    """Every instant between at which somebody may come or go: by the wall clock, or because it jumps."""
    marks = {0} | {m % _MINUTES_A_DAY for s in rota.shifts for m in _minutes(s.hours)}
    day, last = since.astimezone(zone).date() - _DAY, until.astimezone(zone).date() + _DAY
    found: set[dt.datetime] = set()
    while day <= last:
        midnight = dt.datetime.combine(day, dt.time(), zone)
        for mark in marks:
            wall = midnight.replace(hour=mark // 60, minute=mark % 60)
            found |= {wall.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
        found |= _jumps(midnight.astimezone(dt.UTC), zone)
        day += _DAY
    return {edge for edge in found if since < edge < until}


def _jumps(start: dt.datetime, zone: ZoneInfo) -> set[dt.datetime]:
    """The instant in the day after `start` at which the offset changes, to the minute."""
    low, high = start, start + _DAY
    if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
        return set()
    while high - low > dt.timedelta(minutes=1):
        middle = low + dt.timedelta(minutes=(high - low) // dt.timedelta(minutes=2))
        if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset():
            low = middle
        else:
            high = middle
    return {high}
