"""How much of the processor the guard asks for.

Priorities are per thread on Linux (setpriority(2)), so each of the process's threads is set.
"""

import contextlib
import os
from types import MappingProxyType
from typing import Final

from releve.flow.ports import Share

_NICE: Final = MappingProxyType({
    Share.LEAST: 0,  # a storm of honest work runs 1.3 times as long beside it, at -10 twice
    Share.USUAL: -10,  # a stop is three times as fast
    Share.MOST: -15,  # an encryptor at full speed is
})  # fmt: skip


class Urgency:
    """Sets the priority of all threads of this process; without the right to, does nothing."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            # Threads that are started later inherit it.
            os.setpriority(os.PRIO_PROCESS, 0, _NICE[Share.USUAL])

    def __call__(self, share: Share) -> None:
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, int(thread), _NICE[share])
