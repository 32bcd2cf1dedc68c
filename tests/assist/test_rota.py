"""Who is on call: nights, absences, and the two nights in which the clock jumps."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releve.assist.rota import RotaError, check, covered_share, holes, on_call, plan
from releve.model.help import Absence, Hole, Rota, Shift
from tests.assist.people import person

PARIS = ZoneInfo("Europe/Paris")
PEOPLE = (person("ali"), person("bea"), person("cyr"))
MINUTE = dt.timedelta(minutes=1)


def rota(*shifts: Shift, absences: tuple[Absence, ...] = ()) -> Rota:
    return Rota(people=PEOPLE, shifts=shifts, absences=absences)


def who(known: Rota, *local: int, fold: int = 0) -> list[str]:
    at = dt.datetime(*local, tzinfo=PARIS, fold=fold)
    return [p.id for p in on_call(known, at.astimezone(dt.UTC), PARIS)]


def test_the_chain_is_in_order_of_rank_and_names_everybody_once() -> None:
    known = rota(
        Shift(person="bea", rank=2), Shift(person="ali", rank=1), Shift(person="bea", rank=3)
    )
    assert who(known, 2026, 11, 22, 3) == ["ali", "bea"]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    known = rota(Shift(person="ali", days=("fri",), hours="20:00-08:00"))
    assert who(known, 2026, 11, 20, 19, 59) == []  # a Friday
    assert who(known, 2026, 11, 20, 20, 0) == ["ali"]
    assert who(known, 2026, 11, 21, 7, 59) == ["ali"]
    assert who(known, 2026, 11, 21, 8, 0) == []
    assert who(known, 2026, 11, 21, 20, 0) == []


def test_dates_and_absences_are_whole_days_both_included() -> None:
    day = dt.date(2026, 11, 20)
    known = rota(
        Shift(person="ali", since=day, until=day),
        Shift(person="bea"),
        absences=(Absence(person="bea", since=day, until=day),),
    )
    assert who(known, 2026, 11, 19, 23, 59) == ["bea"]
    assert who(known, 2026, 11, 20, 0, 0) == ["ali"]
    assert who(known, 2026, 11, 20, 23, 59) == ["ali"]
    assert who(known, 2026, 11, 21, 0, 0) == ["bea"]


def test_the_hour_that_comes_twice_is_covered_twice() -> None:
    known = rota(Shift(person="ali", hours="02:00-02:30"))
    for fold in (0, 1):
        assert who(known, 2026, 10, 25, 2, 15, fold=fold) == ["ali"]
        assert who(known, 2026, 10, 25, 2, 45, fold=fold) == []
    found = holes(plan(known, dt.datetime(2026, 10, 25, 0, tzinfo=dt.UTC), 1, PARIS))
    # 00:00 UTC is 02:00 in summer time; 01:00 UTC is 02:00 again.
    assert [(h.since.hour, h.since.minute, h.until.hour) for h in found][:2] == [
        (0, 30, 1),
        (1, 30, 0),
    ]


def test_a_shift_that_begins_in_the_hour_that_is_left_out_begins_when_the_clock_has_jumped() -> (
    None
):
    known = rota(Shift(person="ali", hours="02:30-08:00"))
    before = dt.datetime(2027, 3, 28, 0, 59, tzinfo=dt.UTC)
    assert on_call(known, before, PARIS) == ()
    assert [p.id for p in on_call(known, before + MINUTE, PARIS)] == ["ali"]
    found = holes(plan(known, dt.datetime(2027, 3, 28, tzinfo=dt.UTC), 1, PARIS))
    assert found[0] == Hole(since=dt.datetime(2027, 3, 28, tzinfo=dt.UTC), until=before + MINUTE)


@pytest.mark.parametrize(
    ("known", "word"),
    [
        (rota(Shift(person="nobody")), "nobody"),
        (rota(Shift(person="ali", days=("lun",))), "lun"),
        (Rota(people=(*PEOPLE, PEOPLE[0]), shifts=()), "ali"),
        (Rota(people=(person("ali", "sms", "sms"),), shifts=()), "ali"),
    ],
)
def test_a_rota_that_contradicts_itself_is_refused_with_its_place(known: Rota, word: str) -> None:
    with pytest.raises(RotaError, match=word):
        check(known)


@pytest.mark.parametrize("hours", ["8:00-20:00", "08:00-24:30", "24:00-08:00", "08:00"])
def test_hours_that_cannot_be_are_refused_at_the_door(hours: str) -> None:
    body = msgspec.json.encode({"person": "ali", "hours": hours})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=Shift)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


SHIFTS = st.builds(
    lambda p, rank, days, start, end: Shift(
        person=p, rank=rank, days=tuple(sorted(days)), hours=f"{clock(start)}-{clock(end)}"
    ),
    st.sampled_from(["ali", "bea", "cyr"]),
    st.integers(1, 3),
    st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), max_size=4),
    st.integers(0, 1439),
    st.integers(0, 1440),
).filter(lambda s: not s.hours.startswith(s.hours[6:]))
ZONES = st.sampled_from(
    ["Europe/Paris", "America/Cayenne", "Indian/Reunion", "Australia/Lord_Howe", "Pacific/Noumea"]
)
# Weeks with a jump of the clock in both directions, a leap day, and a plain one.
WEEKS = st.sampled_from(
    [(2026, 10, 22), (2027, 3, 25), (2028, 2, 27), (2026, 4, 2), (2026, 11, 20)]
)


@settings(max_examples=60, deadline=None)
@given(shifts=st.lists(SHIFTS, max_size=5), zone=ZONES, week=WEEKS, offset=st.integers(0, 1439))
def test_the_plan_says_of_every_minute_what_asking_then_says(
    shifts: list[Shift], zone: str, week: tuple[int, int, int], offset: int
) -> None:
    known, place = rota(*shifts), ZoneInfo(zone)
    since, days = dt.datetime(*week, tzinfo=dt.UTC) + offset * MINUTE, 5
    watches = plan(known, since, days, place)
    assert watches[0].since == since
    assert watches[-1].until == since + dt.timedelta(days=days)
    assert all(a.until == b.since and a.people != b.people for a, b in pairwise(watches))
    for watch in watches:
        at = watch.since
        while at < watch.until:
            assert on_call(known, at, place) == watch.people, at
            at += 7 * MINUTE
        assert on_call(known, watch.until - MINUTE, place) == watch.people
    gone = sum((h.until - h.since).total_seconds() for h in holes(watches))
    assert covered_share(holes(watches), days) == pytest.approx(1 - gone / (days * 86400))
