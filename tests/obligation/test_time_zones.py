"""Every clock of the content, in every zone of France: changes of the clocks, leap days, years without."""

import calendar
import datetime as dt
import zoneinfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from releve.model.law import Duty
from releve.model.obligation import Decision, Obligation, State
from releve.model.structure import Profile, StructureKind
from releve.obligation import clocks
from releve.obligation.times import instant
from tests.obligation.declared import LAW, told

# Métropole and overseas France; then two whose clocks jump in the other half of the year, one by half an hour.
ZONES = (
    "Europe/Paris", "Indian/Reunion", "Indian/Mayotte", "America/Guadeloupe", "America/Martinique",
    "America/Cayenne", "Pacific/Noumea", "Pacific/Tahiti", "Pacific/Marquesas", "Pacific/Gambier",
    "Pacific/Wallis", "America/Miquelon", "Indian/Kerguelen",
    "Australia/Lord_Howe", "Pacific/Apia",
)  # fmt: skip
HOUR = dt.timedelta(hours=1)
zones = st.sampled_from(ZONES).map(zoneinfo.ZoneInfo)
walls = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2060, 12, 31))  # noqa: DTZ001
SPRING, AUTUMN = dt.datetime(2027, 3, 28, 2, 30), dt.datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001
LEAP = dt.datetime(2028, 2, 29, 23, 59)  # noqa: DTZ001
PARIS, NOUMEA = zoneinfo.ZoneInfo("Europe/Paris"), zoneinfo.ZoneInfo("Pacific/Noumea")


def all_of(zone: zoneinfo.ZoneInfo, at: dt.datetime) -> tuple[Obligation, ...]:
    """Every clock that the content has, started: what follows a sending, by its sending at `at`."""
    profile = Profile(
        kind=StructureKind.HOSPITAL, legal_name="H", is_ose=True, has_nis2_on=True,
        timezone=zone.key,
    )  # fmt: skip
    answers = {q.id: "high" if q.id == "risk" else "yes" for q in LAW.question}
    said = told(first_signal=at, aware_at=at, significant_at=at, answers=answers)
    said = msgspec.structs.replace(said, at=at)
    found: tuple[Obligation, ...] = ()
    for _ in range(3):  # a sending starts another, which may start a third
        found = clocks.started(LAW, profile, said, found)
        sent = Decision(state=State.PARTIAL, by="x", at=at, sent_at=at)
        found = tuple(clocks.decide(o, sent) if o.state is State.RUNNING else o for o in found)
    return found


def duty_of(clock: Obligation) -> Duty:
    duty = LAW.find(clock.duty, clock.law_from)
    assert duty is not None
    return duty


def test_all_clocks_of_the_content_are_in_these_tests() -> None:
    started = {clock.duty for clock in all_of(PARIS, dt.datetime(2027, 1, 5, tzinfo=dt.UTC))}
    assert started == {d.id for d in LAW.duty if d.only != "provider"}


@settings(deadline=None)
@given(zones, walls)
@example(PARIS, SPRING)
@example(PARIS, AUTUMN)
@example(PARIS, LEAP)
@example(NOUMEA, dt.datetime(2027, 1, 31, 2, 0))  # noqa: DTZ001
@example(zoneinfo.ZoneInfo("Pacific/Apia"), LEAP)
def test_hours_are_elapsed_and_months_are_the_wall_s(
    zone: zoneinfo.ZoneInfo, wall: dt.datetime
) -> None:
    at = instant(wall.isoformat(), zone)
    assert at is not None
    for clock in all_of(zone, at):
        duty = duty_of(clock)
        assert clock.started_at == at
        if duty.hours is not None:
            assert clock.due_at is not None
            assert (clock.due_at - at).total_seconds() == duty.hours * 3600
        elif duty.months is not None:
            assert clock.due_at is not None
            check_months(at.astimezone(zone), clock.due_at.astimezone(zone), duty.months)
        else:
            assert clock.due_at is None


def check_months(begun: dt.datetime, due: dt.datetime, months: int) -> None:
    """The same hour on the wall of the same day, or of the last one; an hour later where that hour is not."""
    year, month = divmod(begun.month - 1 + months, 12)
    year, month = begun.year + year, month + 1
    day = min(begun.day, calendar.monthrange(year, month)[1])
    wall = begun.replace(tzinfo=None, year=year, month=month, day=day, fold=0)
    assert dt.timedelta() <= due.replace(tzinfo=None) - wall <= HOUR


@settings(deadline=None)
@given(zones, walls)
@example(PARIS, SPRING)
@example(PARIS, AUTUMN)
def test_the_same_instant_told_in_any_zone_starts_the_same_hours(
    zone: zoneinfo.ZoneInfo, wall: dt.datetime
) -> None:
    at = instant(wall.isoformat(), zone)
    assert at is not None
    here, there = all_of(zone, at), all_of(zone, at.astimezone(NOUMEA))
    assert [(c.duty, c.started_at, c.due_at) for c in here] == [
        (c.duty, c.started_at, c.due_at) for c in there
    ]


@settings(deadline=None)
@given(zones, walls, st.lists(st.floats(-5000, 5000), min_size=1, max_size=20))
def test_a_clock_shows_no_negative_time_and_each_moment_has_one_colour(
    zone: zoneinfo.ZoneInfo, wall: dt.datetime, steps: list[float]
) -> None:
    """However the server's own clock steps: what it shows depends on the moment alone."""
    at = instant(wall.isoformat(), zone)
    assert at is not None
    for clock in all_of(zone, at):
        running = msgspec.structs.replace(clock, state=State.RUNNING, decisions=())
        now, shown = at, {}
        for step in [*steps, *(-step for step in reversed(steps))]:
            now += step * HOUR
            look = clocks.look(running, duty_of(clock), now)
            assert look.elapsed_s >= 0
            if look.left_s is not None:
                assert (look.left_s < 0) == (now > clock.due_at)
            shown.setdefault(now, look)
            assert shown[now] == look
        timers = clocks.timers(running, duty_of(clock))
        assert [t.at for t in timers] == sorted(t.at for t in timers)
        assert all(t.at > at for t in timers)
        if clock.due_at is not None:
            assert timers[-1].at == clock.due_at


@pytest.mark.parametrize(
    ("zone", "begun", "due"),
    [
        # The last of January in Nouméa, still the 30th by UTC: by UTC it would end a day late.
        ("Pacific/Noumea", "2027-01-31T02:00", "2027-02-28T02:00"),
        # The 30th in Fort-de-France, the 31st by UTC: by UTC it would end a day early.
        ("America/Martinique", "2027-01-30T22:00", "2027-02-28T22:00"),
        ("Indian/Reunion", "2028-01-31T01:00", "2028-02-29T01:00"),
        ("Europe/Paris", "2027-02-28T02:30", "2027-03-28T03:30"),  # an hour that is not
        ("Europe/Paris", "2027-09-30T02:30", "2027-10-30T02:30"),
    ],
)
def test_a_month_ends_where_the_structure_lives(zone: str, begun: str, due: str) -> None:
    wall = zoneinfo.ZoneInfo(zone)
    at = instant(begun, wall)
    assert at is not None
    (clock,) = [c for c in all_of(wall, at) if duty_of(c).months == 1]
    assert clock.due_at is not None
    assert clock.due_at.astimezone(wall).strftime("%Y-%m-%dT%H:%M") == due


def test_a_law_that_changes_at_midnight_changes_at_the_structure_s_midnight() -> None:
    """Half past midnight in Paris is the day before by UTC: the new wording counts."""
    old = next(d for d in LAW.duty if d.id == "L1")
    day = dt.date(2027, 7, 1)
    ended = msgspec.structs.replace(old, valid_to=day)
    fresh = msgspec.structs.replace(old, valid_from=day, hours=96)
    law = msgspec.structs.replace(LAW, duty=(ended, fresh))
    for minute, hours in ((-30, 72), (30, 96)):
        at = dt.datetime(2027, 7, 1, tzinfo=PARIS) + dt.timedelta(minutes=minute)
        said = told(first_signal=at, aware_at=at, significant_at=at)
        profile = Profile(kind=StructureKind.PRACTICE, legal_name="C")
        (clock,) = clocks.started(law, profile, said)
        assert clock.due_at - clock.started_at == hours * HOUR
