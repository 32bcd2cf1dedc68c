"""Verdict, RTO, RPO and schedule of drills."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.model.drill import (
    Check,
    Done,
    Moment,
    Opened,
    Outcome,
    Schedule,
    StepName,
    Stretch,
    Verified,
    Work,
)
from releve.model.sources import TableRows
from releve.recover import drill

T0 = dt.datetime(2026, 11, 22, 3, 0, tzinfo=dt.UTC)


def at(seconds: float, boot: str = "a", wall: float | None = None) -> Moment:
    now = T0 + dt.timedelta(seconds=seconds if wall is None else wall)
    return Moment(at=now, steady_s=1000 + seconds, boot=boot)


def step(
    name: StepName, ended: Moment, stretch: int = 1, outcome: Outcome = Outcome.PASSED
) -> Done:
    work = Work(checks=(Check(name=name, outcome=outcome),))
    return Done(name=name, stretch=stretch, began=ended, ended=ended, work=work)


def test_the_four_marks_count_from_the_order() -> None:
    names = (StepName.FIRST_FILE, StepName.PATIENT_LIST, StepName.DATABASES, StepName.ALL_LOCAL)
    done = [step(name, at(2.0 * n)) for n, name in enumerate(names, 1)]
    marks = drill.rto(at(0), done, [Stretch(number=1, began=at(0), alive=at(8))])
    assert [mark.elapsed_s for mark in marks] == [2, 4, 6, 8]
    assert [mark.worked_s for mark in marks] == [2, 4, 6, 8]
    assert not any(mark.is_interrupted for mark in marks)


def test_an_interruption_is_marked_and_its_idle_time_told_apart() -> None:
    """Killed at 5 s (last sign of life at 4), taken up at 100 s, all local at 110 s."""
    done = [step(StepName.FIRST_FILE, at(2)), step(StepName.ALL_LOCAL, at(110), stretch=2)]
    lives = [
        Stretch(number=1, began=at(0), alive=at(4)),
        Stretch(number=2, began=at(100), alive=at(110)),
    ]
    marks = {mark.name: mark for mark in drill.rto(at(0), done, lives)}
    assert not marks["first_file"].is_interrupted
    assert marks["first_file"].worked_s == 2
    assert marks["all_local"].is_interrupted
    assert (marks["all_local"].elapsed_s, marks["all_local"].worked_s) == (110, 14)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ABSENT, Outcome.NOT_DONE])
def test_a_mark_whose_step_did_not_pass_was_not_reached(outcome: Outcome) -> None:
    marks = drill.rto(at(0), [step(StepName.FIRST_FILE, at(1), outcome=outcome)], [])
    assert all(mark.elapsed_s is None for mark in marks)


def test_a_clock_that_is_set_changes_no_duration_within_one_start_of_the_machine() -> None:
    assert drill.elapsed(at(0), at(5, wall=-3600)) == 5
    assert drill.elapsed(at(0), at(5, boot="b", wall=60)) == 60
    assert drill.elapsed(at(0), at(5, boot="b", wall=-60)) == 0


def test_the_rpo_counts_from_the_newest_snapshot_that_was_verified_and_is_clean() -> None:
    hour = dt.timedelta(hours=1)
    good = Verified(at=T0 - 5 * hour, is_verified=True, is_clean=True)
    torn = Verified(at=T0 - 1 * hour, is_verified=False, is_clean=True)
    foul = Verified(at=T0 - 2 * hour, is_verified=True, is_clean=False)
    assert drill.rpo(T0, [torn, good, foul]) == (5 * 3600, good)
    assert drill.rpo(T0, [torn, foul]) is None
    early = Verified(at=T0 + hour, is_verified=True, is_clean=True)
    assert drill.rpo(T0, [early]) == (0, early)


def test_a_verified_snapshot_is_clean_by_the_catalogue_where_that_judged_it() -> None:
    judged = {"a": True, "b": False}
    assert drill.cleanness(True, judged, "a", T0).is_clean
    assert not drill.cleanness(True, judged, "b", T0).is_clean
    assert not drill.cleanness(False, judged, "a", T0).is_clean, "a witness was changed since"
    unjudged = drill.cleanness(True, judged, "c", T0)
    assert (unjudged.is_clean, unjudged.is_judged) == (True, False)


def test_the_verdict_hides_nothing() -> None:
    passed, absent = (Check(name="x", outcome=o) for o in (Outcome.PASSED, Outcome.ABSENT))
    assert drill.verdict([passed, absent]) == "passed"
    assert drill.verdict([absent]) == "failed", "nothing was examined"
    assert drill.verdict([]) == "failed"
    for outcome in (Outcome.FAILED, Outcome.NOT_DONE):
        assert drill.verdict([passed, Check(name="y", outcome=outcome)]) == "failed"


def opened(path: str = "/p.db", newest: str = "", **tables: int) -> Opened:
    return Opened(path=path, kind="sqlite", tables=tables, newest=newest)


def reasons(now: list[Opened], before: list[Opened]) -> tuple[Outcome, list[str]]:
    check = drill.judge_databases("databases", now, {one.path: one for one in before})
    return check.outcome, [reason.kind for reason in check.reasons]


def test_rows_are_judged_against_the_last_drill_that_passed() -> None:
    before = [opened(newest="2026-11-20T00:00:00+00:00", patient=400, settings=5)]
    same = opened(newest="2026-11-21T00:00:00+00:00", patient=370, settings=3)
    assert reasons([same], before) == (Outcome.PASSED, [])
    assert reasons([opened(patient=300, settings=5, newest="2027")], before)[1] == ["rows_lost"]
    assert reasons([opened(patient=400, settings=0, newest="2027")], before)[1] == ["rows_lost"]
    assert reasons([opened(patient=400, newest="2027")], before)[1] == ["table_gone"]
    old = opened(newest="2026-01-01T00:00:00+00:00", patient=400, settings=5)
    assert reasons([old], before) == (Outcome.FAILED, ["newest_older"])
    assert reasons([], before) == (Outcome.FAILED, ["database_gone"])


def test_an_empty_database_is_no_proof() -> None:
    assert reasons([opened(patient=0)], []) == (Outcome.FAILED, ["database_empty_new", "all_empty"])
    beside = [opened("/a", patient=3), opened("/b", cache=0)]
    assert reasons(beside, []) == (Outcome.PASSED, ["database_empty_new"])
    assert reasons([], []) == (Outcome.ABSENT, [])


def test_a_dump_has_at_least_the_rows_that_were_counted_while_it_was_made() -> None:
    made = Opened(path="s#dump", kind="postgresql", tables={'public."Visite"': 9, "public.a": 4})
    assert not drill.is_short(made, {"public.Visite": TableRows(low=8, high=10)})
    assert not drill.is_short(made, {"a": TableRows(low=4, high=4)})
    assert drill.is_short(made, {"public.a": TableRows(low=5, high=5)})
    assert drill.is_short(made, {"public.gone": TableRows(low=1, high=1)})


@given(st.integers(0, 23), st.integers(0, 24 * 60), st.integers(1, 60))
def test_a_drill_is_due_at_its_hour_about_its_days_after_the_last_one(
    hour: int, minutes: int, days: int
) -> None:
    plan = Schedule(every_days=days, hour=hour)
    last = T0 + dt.timedelta(minutes=minutes)
    due = drill.next_due(last, plan, last)
    assert due.hour == hour
    assert abs(due - last - dt.timedelta(days=days)) <= dt.timedelta(hours=12)


def test_the_first_drill_starts_when_its_hour_has_come() -> None:
    plan = Schedule(hour=20)
    assert drill.next_due(None, plan, T0) > T0
    evening = T0.replace(hour=20, minute=7)
    assert drill.next_due(None, plan, evening) <= evening
    assert drill.next_due(T0 + dt.timedelta(days=9), plan, evening) <= evening, "clock put back"
