"""What lies on the server's disk: second factors sealed, old events gone, nothing of open cases."""

import datetime as dt
import stat
from pathlib import Path

import msgspec
import pyotp
import pytest
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import enter
from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.seal import Seal, SecondFactorKeyError, seal_of
from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server import signin
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ingest import take
from releve.flow.server.ports import Person
from releve.flow.server.retention import KEEP_DAYS, forget_old_events
from tests.server.world import T0, Postgres, add_host, batch, rolled_back, stopped

PASSWORD = "une phrase assez longue"
KEEP = dt.timedelta(days=KEEP_DAYS)
DAY = dt.timedelta(days=1)


def person_in(store: SqlStore) -> Person:
    owner = ensure_structure(store, "Cabinet", "s1", T0)
    person = signin.create_person(store, owner, "claire", PASSWORD, "p1", T0)
    assert person is not None
    return person


def all_bytes(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.glob("releve.db*"))


def test_a_second_factor_is_not_in_the_database_and_still_works(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    store = make_store(home)
    person = person_in(store)
    assert len(person.totp_secret) == 32
    assert person.totp_secret.encode() not in all_bytes(tmp_path)
    assert stat.S_IMODE(home.totp_key.stat().st_mode) == 0o600
    again = make_store(home).person_by_login("claire")
    assert again == person
    session = signin.open_session(store, person, "enrol", lambda: b"x" * 32, T0).session
    code = pyotp.TOTP(person.totp_secret).at(T0)
    assert signin.confirm_second(store, session, code, lambda: b"y" * 32, T0) is not None


def put_clear(engine: sa.Engine, person: Person) -> None:
    """As a server of before kept it."""
    with engine.execution_options(writes=True).begin() as connection:
        enter(connection, person.structure)
        body = msgspec.json.encode(person)
        connection.execute(sa.update(t.person).values(body=body))


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_secrets_of_before_are_sealed_at_the_next_start(
    tmp_path: Path, postgres: Postgres, engine: str
) -> None:
    home = Home(tmp_path)
    home.make()
    url = sqlite_url(tmp_path) if engine == "sqlite" else postgres.new_url()
    person = person_in(make_store(home, url))
    home.totp_key.unlink()
    opened = open_engine(url)
    put_clear(opened, person)
    opened.dispose()
    if engine == "sqlite":
        assert person.totp_secret.encode() in all_bytes(tmp_path)
    store = make_store(home, url)
    assert store.person_by_login("claire") == person
    if engine == "sqlite":
        assert person.totp_secret.encode() not in all_bytes(tmp_path)
    with store.unit(person.structure, writes=False) as unit:
        (body,) = unit._connection.execute(sa.select(t.person.c.body)).scalars()
    assert person.totp_secret.encode() not in bytes(body)


def test_without_its_key_the_server_says_so_and_makes_no_new_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    person_in(make_store(home))
    kept = home.totp_key.read_bytes()
    home.totp_key.unlink()
    with pytest.raises(SecondFactorKeyError):
        make_store(home)
    assert not home.totp_key.exists()
    home.totp_key.write_bytes(b"z" * 32)
    with pytest.raises(SecondFactorKeyError):
        make_store(home)
    home.totp_key.write_bytes(kept)
    assert make_store(home).person_by_login("claire") is not None


def test_a_secret_put_into_another_persons_row_does_not_open(tmp_path: Path) -> None:
    store = make_store(home := _home(tmp_path))
    person = person_in(store)
    seal = Seal(home.totp_key.read_bytes())
    stolen = msgspec.json.decode(seal.closed(person), type=Person).totp_secret
    thief = msgspec.structs.replace(person, id="p2", totp_secret=stolen)
    with pytest.raises(SecondFactorKeyError):
        seal.opened(msgspec.json.encode(thief))


def _home(folder: Path) -> Home:
    home = Home(folder)
    home.make()
    return home


def test_old_events_go_and_those_of_an_open_incident_stay(store: SqlStore) -> None:
    now, old = T0 + KEEP + DAY, T0
    busy, quiet = add_host(store, "busy"), add_host(store, "quiet")
    for host, program in ((busy, "gpg"), (quiet, "openssl")):  # two attacks, not one
        first, second = (
            msgspec.structs.replace(stopped(family, at), program=program)
            for family, at in (("f1", old), ("f2", now))
        )
        take(store, host.structure, host.id, batch(first, rolled_back("f1", old)), old)
        take(store, host.structure, host.id, batch(second, first=3, spool="s2"), now)
    with store.unit(quiet.structure) as unit:
        for incident in unit.open_incidents(quiet.id):
            unit.put_incident(msgspec.structs.replace(incident, closed_at=now, closed_by="c"))
        assert unit.count_events() == 6
    assert forget_old_events(store, quiet.structure, now, KEEP) > 0
    assert forget_old_events(store, quiet.structure, now, KEEP) == 0
    with store.unit(quiet.structure) as unit:
        assert unit.count_events() == 4  # both of the open incident, and the two of today
        assert unit.trail_is_whole()
        assert [(e.actor, e.verb) for e in unit.trail(most=1)] == [("server", "forget")]
        assert len(unit.incidents()) >= 2  # the cases themselves stay
        mark = unit.watermark(quiet.id, "sp")
    assert mark == 2
    take(store, quiet.structure, quiet.id, batch(stopped("f1", old)), now)  # sent again: not new
    with store.unit(quiet.structure) as unit:
        assert unit.count_events() == 4


def test_nothing_younger_than_the_retention_goes_and_bites_are_small(store: SqlStore) -> None:
    host = add_host(store, "h")
    for n in range(5):
        at = T0 + n * DAY
        take(store, host.structure, host.id, batch(rolled_back("f", at), first=n + 1), at)
    with store.unit(host.structure) as unit:
        for incident in unit.open_incidents():
            unit.put_incident(msgspec.structs.replace(incident, closed_at=T0))
        limit = T0 + 3 * DAY
        assert [unit.forget_events(host.id, limit, most=2) for _ in range(3)] == [2, 1, 0]
        assert unit.count_events() == 2


def test_a_database_of_before_gets_the_index(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX event_by_time")
    engine.dispose()
    again = open_engine(sqlite_url(tmp_path))
    assert seal_of(again, tmp_path / "totp.key", b"k" * 32)
    names = [i["name"] for i in sa.inspect(again).get_indexes("event")]
    assert "event_by_time" in names
    again.dispose()
