import datetime as dt
import os

import pytest

from releve.adapters.sql.store import SqlStore
from releve.flow.server import access, break_glass, sessions, signin
from releve.flow.server.ports import Person
from releve.model.access import Role
from tests.server.test_passkeys import new, person_in, session_of
from tests.server.world import T0

HERE = "10.0.0.7"


def sheet_of(store: SqlStore, person: Person, name: str = "sheet") -> tuple[str, ...]:
    codes = break_glass.new_codes(lambda: os.urandom(32))
    break_glass.keep(store, person, name, codes, actor="admin", now=T0)
    return codes


def tried(store: SqlStore, login: str, code: str, at: dt.datetime = T0) -> break_glass.Used | None:
    return break_glass.try_code(store, login, code, signin.try_keys(login, HERE), HERE, at)


def test_a_code_opens_once_however_it_is_typed(store: SqlStore) -> None:
    person = person_in(store)
    codes = sheet_of(store, person)
    assert len(set(codes)) == break_glass.CODES
    found = tried(store, " Claire ", codes[0].replace("-", " ").upper())
    assert found is not None
    assert (found.person.id, found.sheet) == (person.id, "sheet")
    assert tried(store, "claire", codes[0]) is None
    assert tried(store, "claire", codes[1]) is not None


def test_only_digests_are_kept(store: SqlStore) -> None:
    codes = sheet_of(store, person_in(store))
    with store.unit("s1", writes=False) as unit:
        kept = repr(unit.break_glass()) + repr(unit.trail())
    assert not [c for c in codes if c in kept or signin.typed(c) in kept]


def test_a_code_is_worth_nothing_with_another_login(store: SqlStore) -> None:
    codes = sheet_of(store, person_in(store))
    other = ensure_other(store)
    assert tried(store, other.login, codes[0]) is None
    person_in(store, "dora", "s2")
    assert tried(store, "dora", codes[0]) is None
    assert tried(store, "nobody", codes[0]) is None
    assert tried(store, "claire", codes[0]) is not None


def ensure_other(store: SqlStore) -> Person:
    return person_in(store, "bea")


def test_wrong_codes_wait_as_wrong_passwords_do_and_share_their_count(store: SqlStore) -> None:
    codes = sheet_of(store, person_in(store))
    keys = signin.try_keys("claire", HERE)
    for _ in range(3):
        assert tried(store, "claire", "aaaa-bbbb-cccc-dddd") is None
    for _ in range(2):
        assert signin.try_password(store, "claire", "wrong", keys, T0) is None
    with pytest.raises(signin.TooManyTries):
        tried(store, "claire", codes[0])
    assert signin.slowness(store, "claire", T0) == 0
    for number in range(6):
        place = f"10.1.{number}.1"
        far = signin.try_keys("claire", place)
        assert break_glass.try_code(store, "claire", "x", far, place, T0) is None
    assert signin.slowness(store, "claire", T0) > 0


def test_a_session_by_a_code_is_short_and_its_use_is_told_until_somebody_else_knows(
    store: SqlStore,
) -> None:
    person = person_in(store)
    codes = sheet_of(store, person)
    assert tried(store, "claire", codes[0]) is not None
    opened = signin.open_session(store, person, "full", new, T0, by="break_glass").session
    assert opened.expires_at - T0 == dt.timedelta(hours=4)
    known, _ = session_of(store, person)
    with store.unit(person.structure) as unit:
        (use,) = unit.break_glass_unseen()
        assert (use.login, use.used_from, use.used_at) == ("claire", HERE, T0)
        assert "BREAK_GLASS_USED" in [e.verb for e in unit.trail()]
        assert not break_glass.acknowledge(unit, opened, T0)
        assert len(unit.break_glass_unseen()) == 1
        assert break_glass.acknowledge(unit, known, T0)
        assert unit.break_glass_unseen() == []
    assert tried(store, "claire", codes[0]) is None  # told of, and still used up


def test_a_revoked_sheet_opens_nothing_and_the_other_sheet_still_does(store: SqlStore) -> None:
    person = person_in(store)
    first, second = sheet_of(store, person, "one"), sheet_of(store, person, "two")
    assert tried(store, "claire", first[0]) is not None
    opened = signin.open_session(store, person, "full", new, T0, by="break_glass").secret
    _, own = session_of(store, person)
    home = person.structure
    assert break_glass.revoke(store, home, "one", actor="admin", now=T0) == break_glass.CODES - 1
    assert break_glass.revoke(store, home, "three", actor="admin", now=T0) is None
    with store.unit(home, writes=False) as unit:
        assert len(unit.break_glass_unseen()) == 1  # what was used stays told
    assert signin.session_of(store, opened, T0) is None
    assert signin.session_of(store, own, T0) is not None
    assert tried(store, "claire", first[1]) is None
    assert tried(store, "claire", second[0]) is not None


def test_own_sessions_are_listed_and_ended_one_by_one_or_all_others(store: SqlStore) -> None:
    person = person_in(store)
    opened = [signin.open_session(store, person, "full", new, T0) for _ in range(4)]
    other = signin.open_session(store, ensure_other(store), "full", new, T0)
    mine, secret = opened[0].session, opened[0].secret
    listed = sessions.own_sessions(store, mine, secret, T0)
    assert [own.is_this for own in listed].count(True) == 1
    assert len(listed) == 4
    one = next(own for own in listed if not own.is_this)
    assert sessions.end(store, mine, secret, one.name, T0) == 1
    assert sessions.end(store, mine, secret, signin.digest(other.secret)[:16], T0) == 0
    assert sessions.end(store, mine, secret, "", T0) == 0
    assert sessions.end(store, mine, secret, "others", T0) == 2
    assert len(sessions.own_sessions(store, mine, secret, T0)) == 1
    assert signin.session_of(store, secret, T0) is not None
    assert signin.session_of(store, other.secret, T0) is not None
    assert signin.session_of(store, opened[3].secret, T0) is None
    with store.unit(person.structure, writes=False) as unit:
        told = [e.detail for e in unit.trail() if e.verb == "end_sessions"]
    assert told == ["2 (others)", f"1 ({one.name})"]
    assert sessions.own_sessions(store, mine, secret, mine.expires_at) == []


def test_own_sessions_in_another_structure_are_listed_with_its_name_and_ended(
    store: SqlStore,
) -> None:
    person, far = person_in(store), person_in(store, "dora", "s2").structure
    with store.unit(far) as unit:
        access.give(unit, person, Role.AUDITOR, actor="dora", now=T0)
    mine, secret = session_of(store, person)
    there, used = session_of(store, person)
    gone, _ = access.go_to(store, there, used, far, "", new_secret=new, identity="a1", now=T0)
    listed = sessions.own_sessions(store, mine, secret, T0)
    assert [own.elsewhere for own in listed if not own.is_this] == ["s2"]
    assert sessions.end(store, mine, secret, "others", T0) == 1
    assert signin.session_of(store, gone, T0) is None
    assert signin.session_of(store, secret, T0) is not None
