"""Takes notifications in, and tells when all that was made by now was read."""

from collections.abc import Callable, Sequence

from releve.flow.ports import Clock, Watcher
from releve.sense.fanotify import Change

_WAIT_S = 0.02
_FIRST_S, _LOOK_S = 0.0008, 0.00005


class Intake:
    """One loop that reads, on its own thread; everybody else may wait for it."""

    def __init__(self, watcher: Watcher, clock: Clock) -> None:
        self._watcher, self._clock = watcher, clock
        self._blocked = False
        self._reads = 0

    def loop(
        self,
        route: Callable[[Sequence[Change]], None],
        is_over: Callable[[], bool],
        failed: Callable[[Exception], None],
    ) -> None:
        """Read and route until the end; `failed` is told of what was not routed."""
        watcher = self._watcher
        while not is_over():
            changes = watcher.read(0)
            if not changes:
                self._blocked = True
                changes = watcher.read(0.2)
                self._blocked = False
            try:
                route(changes)
            except Exception as error:  # noqa: BLE001 - the one guard per driver loop
                failed(error)
            self._reads += 1

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
        while not self._blocked and self._clock.steady() < end:
            self._clock.sleep(_LOOK_S)

    @property
    def is_behind(self) -> bool:
        """Something came that was not read yet."""
        return self._watcher.is_behind()
