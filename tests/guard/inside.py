"""A guard of real adapters inside the test's own process: one of them may be slowed or turned."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.adapters.clock import SystemClock
from releve.adapters.linux.watcher import FanotifyWatcher
from releve.apps.guard import wiring
from releve.apps.guard.config import GuardConfig
from releve.flow.guard.guard import Guard
from releve.model.lines import Alert, RolledBack, Stopped
from tests.guard.ground import Ground


class Inside:
    """The guard and what it said."""

    def __init__(self, guard: Guard, lines: list[object]) -> None:
        self.guard, self._lines = guard, lines

    def wait(self, is_it: Callable[[object], bool], seconds: float = 20.0) -> object:
        """The first line of which `is_it` holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in list(self._lines):
                if is_it(line):
                    return line
            time.sleep(0.01)
        raise AssertionError(f"not said after {seconds} s: {self._lines}")

    def alert(self, kind: str) -> object:
        return self.wait(lambda line: isinstance(line, Alert) and line.kind == kind)

    def rolled_back(self) -> RolledBack:
        line = self.wait(lambda one: isinstance(one, RolledBack))
        assert isinstance(line, RolledBack)
        return line

    def stopped(self) -> list[Stopped]:
        return [line for line in list(self._lines) if isinstance(line, Stopped)]


@contextlib.contextmanager
def inside(
    ground: Ground, scope: int, *, watcher: FanotifyWatcher, clock: SystemClock
) -> Iterator[Inside]:
    """Guard the share of `ground`; only what lives in the namespace below `scope` may be stopped.

    What the test's own process writes goes unnoticed, like all of a guard's own work.
    """
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # lease probes
    lines: list[object] = []
    config = GuardConfig(
        protect=(str(ground.share),), store=str(ground.store), enforce=True, scope=scope
    )
    with pytest.MonkeyPatch.context() as wired:
        wired.setattr(wiring, "FanotifyWatcher", lambda: watcher)
        wired.setattr(wiring, "SystemClock", lambda: clock)
        guard, folders, where = wiring.build(config, lines.append)
    guard.start(folders, os.getpid(), where)
    try:
        yield Inside(guard, lines)
    finally:
        guard.close()
        signal.signal(signal.SIGIO, before)
        take_turns()
    assert not any(isinstance(line, Alert) and line.kind == "internal_error" for line in lines)


def take_turns() -> None:
    """The guard put all threads of this process first, and on one processor: later tests are to share."""
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, int(thread.name), 0)
            os.sched_setaffinity(int(thread.name), range(os.cpu_count() or 1))
