import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyotp
import pytest

from releve.adapters.sql.store import SqlStore
from releve.flow.server import signin
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import Person, Session
from tests.server.world import T0

T = TypeVar("T")
PASSWORD = "une phrase assez longue"


def new_secret() -> bytes:
    import os

    return os.urandom(32)


def at_once(times: int, work: Callable[[int], T]) -> list[T]:
    """What comes of the same work done by so many threads that begin together."""
    ready = threading.Barrier(times)

    def begin(number: int) -> T:
        ready.wait(20)
        return work(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(begin, range(times)))


def person_in(store: SqlStore) -> Person:
    owner = ensure_structure(store, "Cabinet", "s1", T0)
    person = signin.create_person(store, owner, "Claire", PASSWORD, "p1", T0)
    assert person is not None
    return person


def confirmed(store: SqlStore) -> tuple[Person, Session, tuple[str, ...]]:
    person = person_in(store)
    session = signin.open_session(store, person, "enrol", new_secret, T0).session
    code = pyotp.TOTP(person.totp_secret).at(T0)
    done = signin.confirm_second(store, session, code, new_secret, T0)
    assert done is not None
    return done[0], session, done[1]


def test_only_the_right_password_passes_and_the_login_s_case_does_not_matter(
    store: SqlStore,
) -> None:
    person_in(store)
    assert signin.check_password(store, "CLAIRE", PASSWORD) is not None
    assert signin.check_password(store, "claire", PASSWORD + "x") is None
    assert signin.check_password(store, "nobody", PASSWORD) is None


def test_a_login_belongs_to_one_person(store: SqlStore) -> None:
    person_in(store)
    owner = ensure_structure(store, "Other", "s2", T0)
    assert signin.create_person(store, owner, "claire", PASSWORD, "p2", T0) is None


def test_a_code_of_the_second_factor_is_good_once(store: SqlStore) -> None:
    person, session, _ = confirmed(store)
    totp = pyotp.TOTP(person.totp_secret)
    assert signin.check_second(store, session, totp.at(T0), T0) is None
    later = T0 + dt.timedelta(seconds=60)
    assert signin.check_second(store, session, totp.at(later), later) is not None
    assert signin.check_second(store, session, totp.at(later), later) is None


def test_a_code_of_other_letters_is_wrong_and_no_error(store: SqlStore) -> None:
    _, session, _ = confirmed(store)
    assert signin.check_second(store, session, "é23456", T0) is None


def test_an_old_code_is_not_good(store: SqlStore) -> None:
    person, session, _ = confirmed(store)
    later = T0 + dt.timedelta(minutes=10)
    code = pyotp.TOTP(person.totp_secret).at(later - dt.timedelta(minutes=2))
    assert signin.check_second(store, session, code, later) is None


def test_a_recovery_code_stands_in_once(store: SqlStore) -> None:
    _, session, codes = confirmed(store)
    assert len(set(codes)) == signin.RECOVERY_CODES
    assert signin.check_second(store, session, codes[0].upper(), T0) is not None
    assert signin.check_second(store, session, codes[0], T0) is None
    assert signin.check_second(store, session, codes[1], T0) is not None


def test_the_second_factor_is_set_up_once(store: SqlStore) -> None:
    person, session, _ = confirmed(store)
    later = T0 + dt.timedelta(seconds=60)
    code = pyotp.TOTP(person.totp_secret).at(later)
    assert signin.confirm_second(store, session, code, new_secret, later) is None


def test_codes_shown_by_many_at_once_open_one_session(store: SqlStore) -> None:
    person, session, recovery = confirmed(store)
    for n in range(1, 11):
        at = T0 + dt.timedelta(seconds=90 * n)
        code = pyotp.TOTP(person.totp_secret).at(at)
        found = at_once(8, lambda _: signin.check_second(store, session, code, at))  # noqa: B023
        assert sum(one is not None for one in found) == 1
    for code in recovery:
        found = at_once(8, lambda _: signin.check_second(store, session, code, T0))  # noqa: B023
        assert sum(one is not None for one in found) == 1
    with store.unit("s1", writes=False) as unit:
        used = [entry for entry in unit.trail() if entry.verb == "use_recovery_code"]
        left = unit.person("p1")
    assert len(used) == signin.RECOVERY_CODES
    assert left is not None
    assert left.recovery_hashes == ()


def test_many_who_confirm_at_once_are_told_one_set_of_recovery_codes(store: SqlStore) -> None:
    person = person_in(store)
    session = signin.open_session(store, person, "enrol", new_secret, T0).session
    code = pyotp.TOTP(person.totp_secret).at(T0)
    done = at_once(8, lambda _: signin.confirm_second(store, session, code, new_secret, T0))
    told = [one for one in done if one is not None]
    assert len(told) == 1
    assert signin.check_second(store, session, told[0][1][0], T0) is not None


def test_tries_at_once_are_no_more_tries(store: SqlStore) -> None:
    keys, looked = (*signin.try_keys("claire", "10.0.0.1"), signin.second_key("claire")), []

    def guess(number: int) -> bool:
        def check() -> None:
            looked.append(number)

        try:
            signin.tried(store, keys, T0, check)
        except signin.TooManyTries:
            return False
        return True

    assert sum(at_once(60, guess)) == len(looked) == 5
    counted = [store.attempts(key) for key in keys]
    assert [one.count for one in counted if one is not None] == [5, 5, 5]


def test_right_tries_at_once_and_after_wrong_ones_count_nothing(store: SqlStore) -> None:
    """A practice that comes in by one address, where one more wrong try would make all wait."""
    place = signin.try_keys("", "10.0.0.1")[1:]
    assert at_once(8, lambda n: signin.tried(store, place, T0, lambda: n + 1)) == [*range(1, 9)]
    assert store.attempts(place[0]) is None
    for _ in range(29):
        signin.count_try(store, place, T0)
    for _ in range(3):
        assert signin.tried(store, place, T0, lambda: True)
    counted = store.attempts(place[0])
    assert counted is not None
    assert (counted.count, counted.until) == (29, T0)
    assert signin.tried(store, place, T0, lambda: None) is None
    with pytest.raises(signin.TooManyTries):
        signin.tried(store, place, T0, lambda: True)


def test_who_came_a_moment_earlier_and_is_counted_later_need_not_wait(store: SqlStore) -> None:
    earlier = T0 - dt.timedelta(milliseconds=20)
    signin.count_try(store, ("pair:x",), T0)
    assert signin.tried(store, ("pair:x",), earlier, lambda: True)


def test_a_try_that_ends_in_an_error_stays_counted(store: SqlStore) -> None:
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        signin.tried(store, ("pair:x",), T0, fail)
    counted = store.attempts("pair:x")
    assert counted is not None
    assert counted.count == 1


def test_what_is_counted_at_once_is_counted_whole(store: SqlStore) -> None:
    at_once(20, lambda _: signin.count_slow(store, "claire", T0))
    assert signin.slowness(store, "claire", T0) == 5.0

    def begin(_: int) -> bool:
        try:
            signin.count_begun(store, "address:10.0.0.1", T0)
        except signin.TooManyTries:
            return False
        return True

    assert sum(at_once(signin.MOST_BEGUN + 10, begin)) == signin.MOST_BEGUN


def test_wrong_tries_wait_longer_and_longer(store: SqlStore) -> None:
    keys, now, waits = ("login:claire",), T0, []
    for _ in range(14):
        signin.count_try(store, keys, now)
        attempts = store.attempts(keys[0])
        assert attempts is not None
        waits.append((attempts.until - now).total_seconds())
        now = attempts.until
    assert waits[:4] == [0, 0, 0, 0]
    assert waits[4:7] == [5, 10, 20]
    assert waits[-1] == 15 * 60
    with pytest.raises(signin.TooManyTries):
        signin.check_tries(store, keys, now - dt.timedelta(seconds=1))


def test_a_session_ends_with_its_shift_and_at_sign_out(store: SqlStore) -> None:
    person = person_in(store)
    opened = signin.open_session(store, person, "full", new_secret, T0)
    assert signin.session_of(store, opened.secret, T0) == opened.session
    assert signin.session_of(store, opened.secret, T0 + dt.timedelta(hours=12)) is None
    signin.close_session(store, opened.secret, opened.session, T0)
    assert signin.session_of(store, opened.secret, T0) is None
    assert signin.session_of(store, "", T0) is None


def test_what_is_kept_of_a_session_does_not_open_one(store: SqlStore) -> None:
    person = person_in(store)
    opened = signin.open_session(store, person, "full", new_secret, T0)
    assert signin.session_of(store, signin.digest(opened.secret), T0) is None


def test_who_signed_in_is_forgiven_and_a_network_of_addresses_is_one_place(
    store: SqlStore,
) -> None:
    keys = signin.try_keys("claire", "2001:db8::1")
    assert keys == signin.try_keys("Claire ", "2001:db8::ffff")
    assert keys != signin.try_keys("claire", "2001:db8:1::1")
    assert signin.try_keys("a", "::ffff:10.0.0.1") == signin.try_keys("a", "10.0.0.1")
    assert all("claire" not in key for key in keys)
    second = (signin.second_key("claire"),)
    for _ in range(5):
        signin.count_try(store, (keys[0], *second), T0)
        signin.count_try(store, second, T0)
    for _ in range(12):
        signin.count_slow(store, "claire", T0)
    assert signin.slowness(store, "claire", T0) == 1.0
    with pytest.raises(signin.TooManyTries):
        signin.check_tries(store, keys, T0)
    assert signin.slowness(store, "claire", T0 + dt.timedelta(minutes=16)) == 0
    signin.forgive(store, "claire", "2001:db8::1")
    signin.check_tries(store, (*keys, signin.second_key("claire")), T0)
    assert signin.slowness(store, "claire", T0) == 0


def test_wrong_codes_are_counted_over_all_addresses(store: SqlStore) -> None:
    """They cost the password first: only who has it can make its owner wait."""
    for n in range(10):
        keys = (*signin.try_keys("claire", f"10.0.0.{n}"), signin.second_key("claire"))
        signin.count_try(store, keys, T0)
    with pytest.raises(signin.TooManyTries):
        signin.check_tries(store, (signin.second_key("claire"),), T0)
