"""How much of the processor the guard may take: a large share, nearly all once something is destroyed.

Priorities are per thread on Linux (setpriority(2)), so each of the process's threads is set.
"""

import contextlib
import os
from typing import Final

_CALM: Final = (
    -10
)  # measured: honest storms are not slower for it, and a stop is three times as fast
_URGENT: Final = -15  # an encryptor at full speed is


class Urgency:
    """Raises and lowers the priority of all threads of this process; without the right, does nothing."""

    def __init__(self) -> None:
        self._is_urgent = False
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _CALM)  # threads that are started later inherit it

    def __call__(self, urgent: bool) -> None:
        if urgent == self._is_urgent:
            return
        self._is_urgent = urgent
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, int(thread), _URGENT if urgent else _CALM)
