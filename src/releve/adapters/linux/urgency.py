"""How much of the processor the guard asks for.

Priorities are per thread on Linux (setpriority(2), sched(7)), so each of the process's threads is set.
What the guard starts inherits nothing of it.
"""

import contextlib
import os
import threading
from pathlib import Path
from types import MappingProxyType
from typing import Final

from releve.flow.ports import Share

_NICE: Final = MappingProxyType({
    Share.LEAST: 0,  # a storm of honest work runs 1.3 times as long beside it, at -10 twice
    Share.USUAL: -10,
    Share.MOST: -15,
})  # fmt: skip
# The lowest real-time priority: on a busy machine a thread that shares its turn fairly is woken
# 100 ms too late now and then, and an encryptor destroys hundreds of files in that time.
_RESERVE: Final = Path("/proc/sys/kernel/sched_rt_runtime_us")
_NO_RESERVE: Final = "-1"
_AT_ONCE: Final = (os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
_IN_TURN: Final = (os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


class Urgency:
    """Sets the priority of all threads of this process; without the right to, does nothing.

    The kernel keeps a share of each processor for other programs, whatever a real-time thread does;
    where an administrator turned that off, none is asked to be one.
    """

    def __init__(self) -> None:
        self._first: set[int] = set()
        self._has_reserve = _has_reserve()
        with contextlib.suppress(OSError):
            # Threads that are started later inherit it.
            os.setpriority(os.PRIO_PROCESS, 0, _NICE[Share.USUAL])

    def comes_first(self) -> None:
        """The calling thread comes before other programs also in a storm of honest work."""
        self._first.add(threading.get_native_id())

    def __call__(self, share: Share) -> None:
        """At `MOST` all threads come first, in a storm those that asked to; in between none has to."""
        for name in os.listdir("/proc/self/task"):
            thread = int(name)
            is_first = share is Share.MOST or (share is Share.LEAST and thread in self._first)
            _set(thread, share, at_once=self._has_reserve and is_first)


def _has_reserve() -> bool:
    try:
        return _RESERVE.read_text().strip() != _NO_RESERVE
    except OSError:  # a kernel that says nothing of it
        return True


def _set(thread: int, share: Share, *, at_once: bool) -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, _NICE[share])
        os.sched_setscheduler(thread, *(_AT_ONCE if at_once else _IN_TURN))
