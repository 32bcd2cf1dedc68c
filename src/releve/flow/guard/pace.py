"""Whose turn on the processor it is: the people who work, or the guard.

While nothing is destroyed, bursts of work are taken in and not fought over: holding and judging
rest between pieces and catch up within seconds. (Without it a storm of small files ran 1.8 times as
long on two quiet cores and 3 times on busy ones.) From the first destroyed file on, the guard comes
first and the judge first of all.
"""

import threading
from collections.abc import Callable

from releve.detect.ransom.limits import Limits
from releve.flow.guard.work import Job
from releve.flow.ports import Clock, Share

_MOST_S = 0.01  # at a time: the next piece may be an original
_LOOK_S = 0.002
_FIRST = (Share.AWAITED, Share.MOST)  # no other program comes first


class Pace:
    """Tells each stage when to rest.

    Args:
        share: asks the system for more or less of the processor; may be slow, called on changes.
    """

    def __init__(self, clock: Clock, limits: Limits, share: Callable[[Share], None]) -> None:
        self._clock, self._limits, self._set = clock, limits, share
        self._lock, self._awake = threading.Lock(), threading.Event()
        self._share = self._before = Share.USUAL
        self._hurried_at = self._pressed_until = self._rested_at = self._halted_at = -1e9

    def press(self) -> None:
        """Something was destroyed: the judge has the floor for a moment."""
        now = self._clock.steady()
        self._hurried_at = now
        if now - self._pressed_until > self._limits.press_every_s:
            self._pressed_until = now + self._limits.press_s

    def hurry(self) -> None:
        """From now on, and for a while, no other program comes first."""
        self._take(Share.MOST)

    @property
    def is_hurried(self) -> bool:
        """Something was destroyed lately, or somebody is halted."""
        return self._share in _FIRST

    def leaves_the_floor(self) -> bool:
        """Whether holding has to wait a moment for the judge; waits for it."""
        if self._clock.steady() >= self._pressed_until:
            return False
        self._clock.sleep(_LOOK_S)
        return True

    def rest(self, job: Job, worked_s: float, waiting: int) -> None:
        """Rest after a piece of work, in proportion to its time: the busier the machine, the longer."""
        now, late_s = self._clock.steady(), (self._clock.now_ns() - job.seen_ns) / 1e9
        if waiting < self._limits.pace_queue or late_s >= self._limits.pace_late_s:
            return
        if self._is_calm(now):
            self._rested_at = now
            self._take(Share.LEAST)
            self._awake.clear()
            self._awake.wait(min(_MOST_S, worked_s * self._limits.pace_share))

    def wake(self) -> None:
        """Somebody is halted until he was looked at, which no other program must keep waiting."""
        self._halted_at = self._clock.steady()
        if self._share not in _FIRST:
            self._before = self._share
            self._take(Share.AWAITED)
        self._awake.set()

    def let_go(self) -> None:
        """Nobody is halted any more: the share is what it was."""
        self._halted_at = -1e9
        if self._is_calm(self._clock.steady()):
            self._take(self._before)

    def look(self) -> None:
        """Take the usual share again some time after a storm or an attack; called now and then."""
        now = self._clock.steady()
        if self._is_calm(now) and now - self._rested_at > self._limits.pace_over_s:
            self._take(Share.USUAL)

    def _is_calm(self, now: float) -> bool:
        hurries = now - self._hurried_at <= self._limits.hurry_s
        return not hurries and now - self._halted_at > self._limits.suspect_s

    def _take(self, share: Share) -> None:
        if share is self._share:
            return
        with self._lock:
            self._share = share
            self._set(share)
