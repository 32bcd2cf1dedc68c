"""Lowers our own priority, and so that of every program that we start meanwhile."""

import contextlib
from collections.abc import Iterator

import psutil

_LOWEST = 7  # of the eight levels of "best effort"


@contextlib.contextmanager
def gently(nice: int, io: str) -> Iterator[None]:
    """Lower while the block lasts; where the system lets nobody rise again, it stays low."""
    me = psutil.Process()
    before = me.nice()
    with contextlib.suppress(psutil.Error, OSError, AttributeError):
        me.nice(max(before, nice))
    had_io = _io(me, io)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.Error, OSError):
            me.nice(before)
        if had_io:
            with contextlib.suppress(psutil.Error, OSError):
                me.ionice(psutil.IOPRIO_CLASS_NONE)


def _io(me: psutil.Process, io: str) -> bool:
    """Only Linux has these classes."""
    if io == "normal" or not hasattr(psutil, "IOPRIO_CLASS_IDLE"):
        return False
    with contextlib.suppress(psutil.Error, OSError):
        if io == "idle":
            me.ionice(psutil.IOPRIO_CLASS_IDLE)
        else:
            me.ionice(psutil.IOPRIO_CLASS_BE, _LOWEST)
        return True
    return False
