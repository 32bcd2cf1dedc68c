"""The one function that sends signals, and the freezing and killing of a family by it."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from releve.adapters.linux import procfs
from releve.model.process import Process

_SLACK_NS: Final = 60_000_000  # /proc gives starts in ticks of 10 ms; fork records in ns
_FREEZE_S: Final = 2.0
_STILL_S: Final = 0.01  # in the kernel (vfork, a slow disk) it cannot stop, nor begin anything new
_DEATH_S: Final = 10.0


class Family(Protocol):
    """Who belongs to whom, exactly or by evidence."""

    @property
    def is_exact(self) -> bool: ...
    def members(self, head: Process) -> list[Process]: ...
    def stray_children(self, family: Iterable[Process]) -> list[Process]: ...


class LinuxHands:
    """Stops families by pidfd: recorded start time and lineage, never-touch list, scope.

    Args:
        scope: PID namespace inode outside which no signal goes; 0 for the whole host.
    """

    def __init__(self, lineage: Family, *, scope: int = 0) -> None:
        self._lineage, self._scope = lineage, scope
        self.refused = 0

    def send(self, process: Process, number: int) -> bool:
        """Send one signal to this very process, or refuse: the only place that does so.

        Refused: a boundary (pid 1, own ancestors, service managers, sshd and its like), another
        process under the same pid, a process outside the scope.
        """
        if (
            process.is_boundary
            or process.pid <= 2
            or process.pid == os.getpid()
            or not process.start_ns
        ):
            self.refused += 1
            return False
        try:
            fd = os.pidfd_open(process.pid)
        except OSError:
            return False
        try:
            # Looked at after the pidfd is held: what is checked here is what gets the signal.
            found = procfs.stat(process.pid)
            if found is None or abs(found[2] - process.start_ns) > _SLACK_NS:
                self.refused += 1
                return False
            if self._scope and not procfs.is_inside(process.pid, self._scope):
                self.refused += 1
                return False
            signal.pidfd_send_signal(fd, number)
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(fd)

    def halt(self, process: Process) -> bool:
        """SIGSTOP to this process alone; nobody waits until it is seen still."""
        return self.send(process, signal.SIGSTOP)

    def freeze(self, head: Process) -> int:
        """SIGSTOP to the whole family until nobody new appears; answers when all were seen still.

        Returns: ns since the epoch.
        """
        stopped: dict[int, Process] = {}
        reached: dict[int, Process] = {}
        deadline = time.monotonic() + _FREEZE_S
        swept = False
        while time.monotonic() < deadline:
            fresh = [p for p in self._lineage.members(head) if p.pid not in stopped]
            if not fresh and not swept:
                still_at = self._wait_still(reached, deadline)
                fresh = (
                    self._lineage.stray_children(stopped.values())
                    if not self._lineage.is_exact
                    else []
                )
                swept = True
                if not fresh and not [
                    p for p in self._lineage.members(head) if p.pid not in stopped
                ]:
                    return still_at
                continue
            if not fresh:
                return self._wait_still(reached, deadline)
            swept = False
            for process in fresh:
                stopped[process.pid] = process
                if self.send(process, signal.SIGSTOP):
                    reached[process.pid] = process  # nobody waits for whom it did not reach
        return time.time_ns()

    def _wait_still(self, family: dict[int, Process], deadline: float) -> int:
        deadline = min(deadline, time.monotonic() + _STILL_S)
        while time.monotonic() < deadline:
            if all(procfs.is_still(pid) for pid in family):
                break
            time.sleep(0.0003)
        return time.time_ns()

    def kill(self, head: Process) -> list[int]:
        """SIGKILL the family and wait until every member is dead; answers the pids.

        Rolling back before the killed are really dead loses files: hence the wait.
        """
        killed: list[int] = []
        deadline = time.monotonic() + _DEATH_S
        while time.monotonic() < deadline:
            living = self._lineage.members(head)
            if not living:
                break
            sent = [p for p in living if self.send(p, signal.SIGKILL)]
            killed += [p.pid for p in sent if p.pid not in killed]
            if not sent:
                break
            self._wait_dead(sent, deadline)
        return killed

    def _wait_dead(self, family: list[Process], deadline: float) -> None:
        for process in family:
            try:
                fd = os.pidfd_open(process.pid)
            except OSError:
                continue
            try:
                poll = select.poll()
                poll.register(fd, select.POLLIN)
                poll.poll(max(1, (deadline - time.monotonic()) * 1000))
            finally:
                os.close(fd)

    def resume(self, process: Process) -> None:
        """SIGCONT to this process alone: who is still below it was stopped for a reason of its own."""
        self.send(process, signal.SIGCONT)

    def thaw(
        self, head: Process, *, but: Callable[[Process], bool] = lambda _process: False
    ) -> None:
        """Let a frozen family go on, without those of it who must stay still."""
        for process in self._lineage.members(head):
            if not but(process):
                self.send(process, signal.SIGCONT)

    def is_moving(self, head: Process) -> bool:
        """Somebody of the family is not still."""
        return any(not procfs.is_still(p.pid) for p in self._lineage.members(head))
