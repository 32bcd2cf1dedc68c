"""From what was asked to a guard on duty, until SIGTERM."""

import gc
import os
import signal
import sys
import threading
import time
from types import FrameType

import msgspec

from releve.adapters.control import ControlServer
from releve.adapters.linux import libc
from releve.apps.guard.config import Asked
from releve.apps.guard.desk import ControlDesk
from releve.apps.guard.show import person_printer
from releve.apps.guard.wiring import build, line_printer
from releve.apps.guard.witnesses import tend
from releve.model.errors import ReleveError

_TURN_S = 1.0
_CALM = 500  # changes in a turn
_SWITCH_S = 0.0001  # three stages share one interpreter: none may wait 5 ms for another


def serve(asked: str) -> int:
    """Guard until SIGTERM or SIGINT and answer the exit status; errors go to stderr.

    Args:
        asked: JSON of `Asked`.
    """
    wanted = msgspec.json.decode(asked, type=Asked)
    sys.argv[0] = wanted.called
    sys.setswitchinterval(_SWITCH_S)
    libc.one_malloc_arena()
    try:
        _guard(wanted)
    except ReleveError as error:
        from releve.apps.cli.called import describe

        sys.stderr.write(describe(error, as_json=wanted.as_json) + "\n")
        return error.status
    return 0


def _guard(asked: Asked) -> None:
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
    _leave_alone()
    started.set()
    control = ControlServer(store, desk.handle)
    enforce_at = time.monotonic() + asked.enforce_after_s if asked.enforce_after_s else 0.0
    routed = given = 0
    while not ending.wait(_TURN_S):
        before, routed = routed, guard.reader.events
        if routed - before < _CALM and routed - given >= _CALM:  # a storm is over
            given = routed
            libc.give_memory_back()
        if enforce_at and time.monotonic() > enforce_at:
            enforce_at = 0.0
            guard.enforce()
    control.close()
    guard.close()


def _leave_alone() -> None:
    """What there is at the start is looked through for garbage no more.

    A full collection took 10 to 24 ms beside a storm. No thread runs in that time, and an
    encryptor destroys a hundred files.
    """
    gc.collect()
    gc.freeze()
