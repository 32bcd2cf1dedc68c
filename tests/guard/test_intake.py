"""The reader's loop: it looks again by itself after a save, and lets itself be woken in a storm."""

import pytest

from releve.detect.ransom.limits import Limits
from releve.flow.guard.read.intake import Intake
from releve.sense.fanotify import MODIFY, Change

LIMITS = Limits()


class Steps:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def steady(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Queue:
    """Answers what was put there; notes when it was let block."""

    def __init__(self, clock: Steps, batches: list[int]) -> None:
        self.clock, self.batches = clock, batches
        self.blocked_at: list[float] = []

    def read(self, wait_s: float) -> list[Change]:
        if wait_s:
            self.blocked_at.append(self.clock.now)
            self.clock.sleep(0.06)
        if not self.batches or not wait_s:
            return []
        return [Change(mask=MODIFY, pid=1, file=b"f")] * self.batches.pop(0)

    def is_behind(self) -> bool:
        return False


def gaps(batches: list[int], *, in_haste: bool = False) -> list[float]:
    """How long after each batch the loop let itself block again."""
    clock = Steps()
    queue = Queue(clock, list(batches))
    routed: list[float] = []
    intake = Intake(queue, clock, LIMITS)
    intake.loop(
        lambda changes: routed.append(clock.now) if changes else None,
        lambda: len(queue.blocked_at) > len(batches),
        lambda error: pytest.fail(str(error)),
        in_haste=lambda: in_haste,
    )
    return [after - at for at, after in zip(routed, queue.blocked_at[1:], strict=True)]


def test_after_a_save_it_looks_again_for_a_moment_before_it_lets_itself_be_woken() -> None:
    waited = gaps([3, 12])
    assert all(LIMITS.read_awake_s <= gap < 2 * LIMITS.read_awake_s for gap in waited)


def test_in_a_storm_it_lets_a_little_come_together_and_blocks() -> None:
    half = LIMITS.read_calm // 2 + 1
    assert gaps([LIMITS.read_calm + 1]) == [pytest.approx(LIMITS.read_collect_s)]
    assert gaps([half, half])[1] == pytest.approx(LIMITS.read_collect_s)


def test_in_haste_it_blocks_at_once() -> None:
    assert gaps([LIMITS.read_calm + 1], in_haste=True) == [0.0]


def test_a_tenth_of_a_second_after_a_storm_it_is_calm_again() -> None:
    _, soon, later = gaps([LIMITS.read_calm + 1, 1, 1])
    assert soon == pytest.approx(LIMITS.read_collect_s)
    assert later >= LIMITS.read_awake_s
