"""Stopping whom evidence names: the same hands as in exact mode where the system has pidfds."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Final, Protocol

import psutil

from releve.adapters.portable.processes import PortableProcesses
from releve.model.process import Process

_FREEZE_S: Final = 2.0
_DEATH_S: Final = 10.0
_SLACK_S: Final = 0.05


class Inner(Protocol):
    """Hands that stop known families."""

    def freeze(self, head: Process) -> int: ...
    def kill(self, head: Process) -> list[int]: ...
    def thaw(self, head: Process, *, but: Callable[[Process], bool] = ...) -> None: ...
    def is_moving(self, head: Process) -> bool: ...


class EvidenceHands:
    """Names the family first, then lets the system's hands stop it; stops nobody who is not named.

    Args:
        processes: who names.
        inner: who sends signals.
    """

    def __init__(self, processes: PortableProcesses, inner: Inner) -> None:
        self._processes, self._inner = processes, inner

    def halt(self, process: Process) -> bool:
        """Nobody is halted on evidence before something was destroyed."""
        del process
        return False

    def freeze(self, head: Process) -> int:
        self._processes.accuse(head)
        stopped_ns = self._inner.freeze(head)
        self._processes.caught(head)
        return stopped_ns

    def kill(self, head: Process) -> list[int]:
        return self._inner.kill(head)

    def resume(self, process: Process) -> None:
        """Nobody was halted."""

    def thaw(
        self, head: Process, *, but: Callable[[Process], bool] = lambda _process: False
    ) -> None:
        self._inner.thaw(head, but=but)

    def is_moving(self, head: Process) -> bool:
        return self._inner.is_moving(head)


class PsutilHands:
    """Where there are no pidfds: psutil, which checks the start time before every signal.

    Between that check and the signal the number could pass to another process; the window is a few
    microseconds, and the reason why pidfds are used wherever there are some.
    """

    def __init__(self, processes: PortableProcesses) -> None:
        self._processes = processes
        self.refused = 0

    def send(self, process: Process, act: Callable[[psutil.Process], None]) -> bool:
        """Act on this very process, or refuse: the only place here that does so."""
        if process.is_boundary or process.pid <= 2 or process.pid == os.getpid():
            self.refused += 1
            return False
        try:
            found = psutil.Process(process.pid)
            if abs(found.create_time() - process.start_ns / 1e9) > _SLACK_S:
                self.refused += 1
                return False
            act(found)
        except psutil.Error:
            return False
        return True

    def freeze(self, head: Process) -> int:
        """Suspend the family until nobody new appears. Returns: ns since the epoch."""
        stopped: set[int] = set()
        end = time.monotonic() + _FREEZE_S
        while time.monotonic() < end:
            fresh = [p for p in self._processes.members(head) if p.pid not in stopped]
            if not fresh:
                break
            for process in fresh:
                self.send(process, psutil.Process.suspend)
                stopped.add(process.pid)
        return time.time_ns()

    def kill(self, head: Process) -> list[int]:
        """Kill the family and wait for its death."""
        killed: list[int] = []
        end = time.monotonic() + _DEATH_S
        while time.monotonic() < end:
            living = self._processes.members(head)
            sent = [p for p in living if self.send(p, psutil.Process.kill)]
            if not sent:
                break
            killed += [p.pid for p in sent]
            for process in sent:
                with contextlib.suppress(psutil.Error):
                    psutil.Process(process.pid).wait(max(0.1, end - time.monotonic()))
        return killed

    def thaw(
        self, head: Process, *, but: Callable[[Process], bool] = lambda _process: False
    ) -> None:
        for process in self._processes.members(head):
            if not but(process):
                self.send(process, psutil.Process.resume)

    def is_moving(self, head: Process) -> bool:
        """Somebody of the family is not stopped."""
        for process in self._processes.members(head):
            with contextlib.suppress(psutil.Error):
                if psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
                    return True
        return False
