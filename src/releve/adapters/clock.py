"""The machine's clocks."""

import time
from typing import Final

# Counts while the machine sleeps, which the monotonic clock does not; elsewhere than on Linux absent.
_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """The guard's time, the wall clock, a steady clock, and waiting.

    The guard's time is the wall clock's at the start, and then runs on evenly: when somebody, or
    NTP, sets the clock, what came first stays first. What people read, and what is compared with
    the times of files, is the wall clock.
    """

    def __init__(self) -> None:
        self._from = self.wall_ns() - _elapsed_ns()

    def now_ns(self) -> int:
        """The guard's time: for order and durations, also across restarts (see `not_before`)."""
        return self._from + _elapsed_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def not_before(self, ns: int) -> None:
        """At a start: what happens from now on is later than what was noted up to `ns`."""
        self._from = max(self._from, ns - _elapsed_ns())

    def steady(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _elapsed_ns() -> int:
    return time.monotonic_ns() if _ELAPSED is None else time.clock_gettime_ns(_ELAPSED)
