"""The machine's clocks."""

import time


class SystemClock:
    """Wall clock in ns, steady clock in seconds, and waiting."""

    def now_ns(self) -> int:
        return time.time_ns()

    def steady(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
