"""Nobody is singled out: neither in one sheet, nor by subtracting one from another."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.collective import sums
from releve.collective.cohorts import FEWEST, REST, shown, step
from releve.model.circle import Cohort
from releve.model.posture import Posture

DAY = dt.date(2026, 11, 23)
WEEK = dt.timedelta(weeks=1)
NAMES = [f"s{n:02d}" for n in range(16)]
MADE = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


@given(st.lists(st.sets(st.sampled_from(NAMES)), max_size=30))
def test_two_sheets_of_a_quarter_differ_by_whole_cohorts_or_not_at_all(
    weeks: list[set[str]],
) -> None:
    cohorts: tuple[Cohort, ...] = ()
    sheets: list[tuple[dt.date, frozenset[str]]] = []
    for number, consenting in enumerate(weeks):
        day = DAY + number * WEEK
        cohorts = step(cohorts, sorted(consenting), day)
        of = shown(cohorts)
        assert len(of) == len(set(of))
        assert set(of) <= consenting
        assert not of or len(of) >= FEWEST
        for earlier, before in sheets:
            if day - earlier < REST:
                for alone in (before - set(of), set(of) - before):
                    assert not alone or len(alone) >= FEWEST
        sheets.append((day, frozenset(of)))


def test_five_make_a_cohort_and_four_wait() -> None:
    assert shown(step((), NAMES[:4], DAY)) == ()
    assert shown(step((), NAMES[:9], DAY)) == tuple(NAMES[:9])
    eleven = step((), NAMES[:11], DAY)
    assert [len(cohort.members) for cohort in eleven] == [5, 6]


def test_who_withdraws_takes_the_cohort_along_and_the_others_rest_for_a_quarter() -> None:
    ten = step((), NAMES[:10], DAY)
    left = step(ten, NAMES[1:10], DAY + WEEK)
    assert shown(left) == tuple(NAMES[5:10])
    # With a newcomer in place of the one who left, the others would show what they were without it.
    swapped = step(left, [*NAMES[1:10], "s12"], DAY + 2 * WEEK)
    assert shown(swapped) == tuple(NAMES[5:10])
    rested = step(swapped, [*NAMES[1:10], "s12"], DAY + WEEK + REST)
    assert set(shown(rested)) == {*NAMES[1:10], "s12"}


@pytest.mark.parametrize("of", range(FEWEST, 40))
def test_none_looks_like_one_and_all_like_all_but_one(of: int) -> None:
    def calm(count: int) -> tuple[int, int]:
        standings = [Posture(day=DAY, incidents=int(n >= count)) for n in range(of)]
        made = sums.sheet("2026-W48", MADE, standings)
        share = made.shares[0]
        assert (made.structures, share.name) == (of, "calm")
        return share.low, share.high

    assert calm(0) == calm(1) == (0, 25)
    assert calm(of) == calm(of - 1) == (75, 100)


def test_a_sheet_over_fewer_than_five_holds_no_figure_and_no_number() -> None:
    made = sums.sheet("2026-W48", MADE, [Posture(day=DAY)] * (FEWEST - 1))
    assert (made.structures, made.shares) == (0, ())
