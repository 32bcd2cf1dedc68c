"""What bench/timers.py works on: hospitals whose legal clocks run, and what became of every timer."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import sqlalchemy as sa

from releve.adapters.content import law
from releve.adapters.sql import tables as t
from releve.adapters.sql.engine import engine_to_read
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.flow.server import obligations
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.reminding import remind_some
from releve.model.finding import Severity
from releve.model.incident import Incident
from releve.model.structure import Profile, StructureKind

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
RULES = law()
_HOSPITALS = 20
_AT_ONCE = 5  # incidents declared in one transaction
_APART = dt.timedelta(minutes=7)  # the clocks of two incidents never run out at one moment
Effects = Counter[tuple[str, str, str]]  # (incident, duty, mark)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`early`: reminders told before their time. `to_ring`: what somebody had to be rung for."""

    reminders: Effects
    lines: Effects
    rung: Effects
    to_ring: set[tuple[str, str, str]]
    early: int
    trails_whole: bool


@contextmanager
def opened(url: str) -> Iterator[SqlStore]:
    """Of this process alone: what is forked meanwhile would share its connections."""
    store = SqlStore(engine_to_read(url), Seal(b"k" * 32))
    yield store
    store.close()


def fill(store: SqlStore, timers: int) -> int:
    """At least so many timers wait when it returns; how many."""
    count, number = 0, 0
    hospital = Profile(
        kind=StructureKind.HOSPITAL, legal_name="Hôpital", is_ose=True, has_nis2_on=True
    )
    owners = [ensure_structure(store, f"Hôpital {n}", f"s{n}", T0).id for n in range(_HOSPITALS)]
    while count < timers:
        with store.unit(owners[number // _AT_ONCE % _HOSPITALS]) as unit:
            unit.put_profile(hospital)
            for identity in range(number, number + _AT_ONCE):
                incident = _incident(unit.structure, f"i{identity}")
                unit.put_incident(incident)
                aware = T0 + (identity // _HOSPITALS) * _APART
                said = obligations.Said(by="Directrice", first_signal=T0, aware_at=aware)
                obligations.declare(unit, RULES, incident.id, said, login="claire", now=aware)
                mine = t.obligation_timer.c.incident == incident.id
                waiting = sa.select(sa.func.count()).where(mine)
                count += int(unit._connection.execute(waiting).scalar_one())  # noqa: SLF001
        number += _AT_ONCE
    return count


def fire(url: str, now: dt.datetime) -> None:
    """As the server's housekeeping does, until it is killed."""
    with opened(url) as store:
        while True:
            if not any(remind_some(store, s.id, RULES, now) for s in store.structures()):
                now += dt.timedelta(hours=3)


def waiting(store: SqlStore, now: dt.datetime) -> bool:
    for structure in store.structures():
        with store.unit(structure.id, writes=False) as unit:
            if unit.due_timers(now, most=1):
                return True
    return False


def told(store: SqlStore) -> Told:
    """Every effect, by the timer that it is of."""
    reminders, lines, rung, to_ring = Counter(), Counter(), Counter(), set()
    early, is_whole = 0, True
    for structure in store.structures():
        with store.unit(structure.id, writes=False) as unit:
            for clock in unit.obligations():
                for one in clock.reminders:
                    key = (clock.incident, clock.duty, one.mark)
                    reminders[key] += 1
                    early += one.told_at < one.at
                    if one.mark in RULES.ring:
                        to_ring.add(key)
            for entry in unit.trail_after(0):
                if entry.verb == "remind":
                    _, incident, duty = entry.object.split("/")
                    lines[incident, duty, entry.detail] += 1
            for call in unit.help_requests(most=1_000_000):
                rung.update((c.incident, c.duty, c.mark) for c in call.clocks)
            is_whole &= unit.trail_is_whole()
    return Told(
        reminders=reminders, lines=lines, rung=rung, to_ring=to_ring, early=early,
        trails_whole=is_whole,
    )  # fmt: skip


def _incident(structure: str, identity: str) -> Incident:
    return Incident(
        id=identity, structure=structure, host="h1", opened_at=T0, last_at=T0,
        severity=Severity.CRITICAL,
    )  # fmt: skip
