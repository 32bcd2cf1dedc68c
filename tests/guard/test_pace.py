"""Whose turn on the processor it is, on a clock that the test moves."""

from typing import cast

import pytest

from releve.detect.ransom.limits import Limits
from releve.flow.guard.pace import Pace
from releve.flow.guard.work import Job
from releve.flow.ports import Clock, Share
from tests.guard.test_intake import Steps

LIMITS = Limits()


class Hand(Steps):
    """The same with the time of day."""

    def now_ns(self) -> int:
        return int(self.now * 1e9)


class Waiting:
    """A piece of work as far as its time goes."""

    def __init__(self, seen_ns: int) -> None:
        self.seen_ns = seen_ns


@pytest.fixture
def clock() -> Hand:
    return Hand()


def stormy(pace: Pace, clock: Hand) -> None:
    """So much honest work waits that a stage leaves a gap."""
    job = cast("Job", Waiting(clock.now_ns()))
    pace.rest(job, 0.0001, LIMITS.pace_queue)


def test_while_somebody_is_halted_the_guard_comes_first_and_then_gives_it_back(
    clock: Hand,
) -> None:
    asked: list[Share] = []
    pace = Pace(cast("Clock", clock), LIMITS, asked.append)
    stormy(pace, clock)
    pace.wake()
    stormy(pace, clock)  # it does not rest, and does not give the processor up
    assert asked == [Share.LEAST, Share.AWAITED]
    pace.let_go()
    assert asked == [Share.LEAST, Share.AWAITED, Share.LEAST]
    assert not pace.is_hurried


def test_after_the_first_destroyed_file_it_stays_first_when_nobody_is_halted(clock: Hand) -> None:
    asked: list[Share] = []
    pace = Pace(cast("Clock", clock), LIMITS, asked.append)
    pace.wake()
    pace.press()
    pace.hurry()
    pace.let_go()
    stormy(pace, clock)
    assert (asked, pace.is_hurried) == ([Share.AWAITED, Share.MOST], True)
    clock.now += LIMITS.hurry_s + 1
    pace.look()
    assert asked == [Share.AWAITED, Share.MOST, Share.USUAL]


def test_who_is_halted_for_too_long_keeps_the_guard_first_no_longer(clock: Hand) -> None:
    asked: list[Share] = []
    pace = Pace(cast("Clock", clock), LIMITS, asked.append)
    pace.wake()
    pace.look()
    assert asked == [Share.AWAITED]
    clock.now += LIMITS.suspect_s * 2
    pace.look()
    assert asked == [Share.AWAITED, Share.USUAL]


def test_a_halt_during_an_attack_takes_nothing_back(clock: Hand) -> None:
    asked: list[Share] = []
    pace = Pace(cast("Clock", clock), LIMITS, asked.append)
    pace.press()
    pace.hurry()
    pace.wake()
    pace.let_go()
    assert asked == [Share.MOST]
