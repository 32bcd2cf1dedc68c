"""From what was asked to a guard on duty, until SIGTERM."""

import os
import signal
import sys
import threading
import time
from types import FrameType

from releve.adapters.control import ControlServer
from releve.adapters.linux import libc
from releve.apps.guard.config import Asked
from releve.apps.guard.desk import ControlDesk
from releve.apps.guard.show import person_printer
from releve.apps.guard.wiring import build, line_printer
from releve.apps.guard.witnesses import tend

_TURN_S = 5.0
_SWITCH_S = 0.0001  # three stages share one interpreter: none may wait 5 ms for another


def serve(asked: Asked) -> None:
    """Guard until SIGTERM or SIGINT. Raises: ReleveError when it cannot begin."""
    sys.setswitchinterval(_SWITCH_S)
    libc.one_malloc_arena()
    ending, started = threading.Event(), threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ending.set()
        if not started.is_set():
            raise SystemExit(0)  # in mid-baseline: what is held stays held, the next start goes on

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # lease probes must not kill us
    desk = ControlDesk(line_printer() if asked.as_json else person_printer())
    guard, folders, store = build(asked.guard, desk.say)
    desk.guard, desk.describe = guard, folders
    tend(guard, canaries=asked.canaries)
    guard.start(folders, os.getpid(), store)
    started.set()
    control = ControlServer(store, desk.handle)
    enforce_at = time.monotonic() + asked.enforce_after_s if asked.enforce_after_s else 0.0
    while not ending.wait(_TURN_S):
        libc.give_memory_back()
        if enforce_at and time.monotonic() > enforce_at:
            enforce_at = 0.0
            guard.enforce()
    control.close()
    guard.close()
