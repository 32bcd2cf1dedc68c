"""How much of the processor the guard asks for, and of which.

Priorities are per thread on Linux (setpriority(2), sched(7)), so each of the process's threads is set.
What the guard starts inherits no priority; that it stays on the guard's processor does not matter to tools that
take milliseconds.
"""

import contextlib
import os
import threading
from pathlib import Path
from types import MappingProxyType
from typing import Final

from releve.adapters.linux.processors import Processors
from releve.flow.ports import Share

_NICE: Final = MappingProxyType({
    Share.LEAST: 0,  # a storm of honest work runs 1.3 times as long beside it, at -10 twice
    Share.USUAL: -10,
    Share.AWAITED: -15,
    Share.MOST: -15,
})  # fmt: skip
_FIRST: Final = (Share.AWAITED, Share.MOST)
# The lowest real-time priority: on a busy machine a thread that shares its turn fairly is woken
# 100 ms too late now and then, and an encryptor destroys hundreds of files in that time.
_RESERVE: Final = Path("/proc/sys/kernel/sched_rt_runtime_us")
_NO_RESERVE: Final = "-1"
_AT_ONCE: Final = (os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
_IN_TURN: Final = (os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


class Urgency:
    """Sets priority, where it has the right to, and processor of all threads of this process.

    It works on one processor (`Processors`), but on all that it may use while something is being destroyed.

    The kernel keeps a share of each processor for other programs, whatever a real-time thread does;
    where an administrator turned that off, none is asked to be one.
    """

    def __init__(self) -> None:
        self._first: set[int] = set()
        self._has_reserve = _has_reserve()
        self._processors, self._lock = Processors(), threading.Lock()
        self._share, self._where = Share.MOST, self._processors.allowed  # until it is said how much
        with contextlib.suppress(OSError):
            # Threads that are started later inherit it.
            os.setpriority(os.PRIO_PROCESS, 0, _NICE[Share.USUAL])

    def comes_first(self) -> None:
        """The calling thread comes before other programs also in a storm of honest work."""
        self._first.add(threading.get_native_id())

    def __call__(self, share: Share) -> None:
        """Somebody halted or something destroyed: all threads come first; in a storm those that asked to."""
        with self._lock:
            for thread in _threads():
                is_first = share in _FIRST or (share is Share.LEAST and thread in self._first)
                _set(thread, share, at_once=self._has_reserve and is_first)
            self._share = share
            self._place()

    def settle(self) -> None:
        """Take the processor that others use least; called now and then, by one thread."""
        if self._processors.choose():
            with self._lock:
                self._place()

    def _place(self) -> None:
        is_most = self._share is Share.MOST
        where = self._processors.allowed if is_most else self._processors.chosen
        if where == self._where:
            return
        self._where = where
        for thread in _threads():
            with contextlib.suppress(OSError):  # it ended, or the processor is gone
                os.sched_setaffinity(thread, where)


def _threads() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/task")]


def _has_reserve() -> bool:
    try:
        return _RESERVE.read_text().strip() != _NO_RESERVE
    except OSError:  # a kernel that says nothing of it
        return True


def _set(thread: int, share: Share, *, at_once: bool) -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, _NICE[share])
        os.sched_setscheduler(thread, *(_AT_ONCE if at_once else _IN_TURN))
