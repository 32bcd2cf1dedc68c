"""Takes notifications in, and tells when all that was made by now was read."""

from collections.abc import Callable, Sequence

from releve.detect.ransom.limits import Limits
from releve.flow.ports import Clock, Watcher
from releve.sense.fanotify import Change

_WAIT_S = 0.02
_COUNTED_S = 0.1
_FIRST_S, _LOOK_S = 0.0008, 0.00005


class Intake:
    """One loop that reads, on its own thread; everybody else may wait for it.

    A save is a dozen notifications within milliseconds. A reader that blocks after each of them is
    woken by each, and the one who wakes it is the program that saves: hence for a moment after the
    last one the loop looks again by itself, and nobody has to wake it. In a storm there is always
    something to read: it lets a little come together, and then it blocks. In haste it does not.
    """

    def __init__(self, watcher: Watcher, clock: Clock, limits: Limits) -> None:
        self._watcher, self._clock, self._limits = watcher, clock, limits
        self._blocked = False  # nothing was queued, and the kernel wakes us
        self._empty = False  # nothing was queued when we looked last
        self._reads = 0
        self._counted, self._counted_from = 0, 0.0

    def loop(
        self,
        route: Callable[[Sequence[Change]], None],
        is_over: Callable[[], bool],
        failed: Callable[[Exception], None],
        in_haste: Callable[[], bool],
    ) -> None:
        """Read and route until the end; `failed` is told of what was not routed."""
        watcher, awake_until = self._watcher, 0.0
        while not is_over():
            changes = watcher.read(0)
            if not changes and self._clock.steady() < awake_until:
                self._reads += 1
                self._look_away(self._limits.read_again_s)
                continue
            if not changes:
                if self._is_storm() and not in_haste():
                    self._look_away(self._limits.read_collect_s)
                self._blocked = self._empty = True
                changes = watcher.read(0.2)
                self._blocked = self._empty = False
            if changes:
                awake_until = self._awake_until(len(changes))
            try:
                route(changes)
            except Exception as error:  # noqa: BLE001 - the one guard per driver loop
                failed(error)
            self._reads += 1

    def _look_away(self, seconds: float) -> None:
        self._empty = True
        self._clock.sleep(seconds)
        self._empty = False

    def _awake_until(self, count: int) -> float:
        now = self._clock.steady()
        if now - self._counted_from > _COUNTED_S:
            self._counted, self._counted_from = 0, now
        self._counted += count
        return 0.0 if self._is_storm() else now + self._limits.read_awake_s

    def _is_storm(self) -> bool:
        lately = self._clock.steady() - self._counted_from <= _COUNTED_S
        return lately and self._counted > self._limits.read_calm

    def wait(self) -> None:
        """Until what the kernel had queued by now was read; at most 20 ms."""
        end = self._clock.steady() + _WAIT_S
        reads = self._reads
        while self._clock.steady() < end:
            if self._blocked or self._reads >= reads + 2:
                return
            self._clock.sleep(0.0005)

    def first(self) -> None:
        """Leave the interpreter to the reader while it takes in what came; for less than a millisecond."""
        end = self._clock.steady() + _FIRST_S
        while not self._empty and self._clock.steady() < end:
            self._clock.sleep(_LOOK_S)

    @property
    def is_behind(self) -> bool:
        """Something came that was not read yet."""
        return self._watcher.is_behind()
