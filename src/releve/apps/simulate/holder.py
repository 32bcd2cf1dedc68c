"""Pid 1 of the attackers' namespace: starts what it is told, reports what ended, takes all with it when it goes.

Reads one JSON order a line on stdin, prints one JSON answer a line. It is light, keeps root only to give it up in
each child, and reaps orphans. When its stdin closes it ends, and with it (it is pid 1) all that runs inside.
"""

import codecs
import contextlib
import os
import select
import signal
import sqlite3.dump
import sys
import time
import traceback
from pathlib import Path
from types import FrameType

import msgspec

# All is loaded before a child gives up root: the library may stand where only root can read.
from releve.apps.simulate.attacks import by_name, uring
from releve.apps.simulate.field import Field
from releve.apps.simulate.honest import by_name as workload_by_name
from releve.apps.simulate.mark import UnmarkedError, require_mark
from releve.apps.simulate.profile import SkipProfile

PRELOADED = (uring, sqlite3.dump, *map(codecs.lookup, ("latin-1", "cp437", "ascii", "utf-8")))
_STARTED: dict[int, int] = {}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Start a profile (`kind` attack) or a workload (`kind` honest)."""

    kind: str
    name: str
    share: str  # the marked share; for a workload its area is given too
    work: str
    area: str = ""
    user: int = -1  # -1: stay who we are
    group: int = -1
    limit: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`started`, `ended` (with status), `alone` (nothing else lives inside)."""

    what: str
    pid: int = 0
    status: int = 0
    took_ns: int = 0  # from the fork to the end, for those it started itself


def main() -> None:
    """Serve orders until stdin closes."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(0, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, _nothing)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's: it ends us in order
    os.umask(0o002)
    _adopt_orphans()
    pending = b""
    _say(Answer(what="ready", pid=os.getpid()))
    while True:
        ready, _, _ = select.select([0, reader], [], [])
        if reader in ready:
            os.read(reader, 4096)
            _reap()
        if 0 in ready:
            data = os.read(0, 65_536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                _start(msgspec.json.decode(line, type=Order))


def _adopt_orphans() -> None:
    """Where no PID namespace is allowed we are not pid 1: orphans come to us all the same."""
    import ctypes

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """The wake-up pipe does the work."""


def _say(answer: Answer) -> None:
    os.write(1, msgspec.json.encode(answer) + b"\n")


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            _say(Answer(what="alone"))
            return
        if not pid:
            return
        begun = _STARTED.pop(pid, None)
        took = 0 if begun is None else time.monotonic_ns() - begun
        _say(Answer(what="ended", pid=pid, status=status, took_ns=took))


def _start(order: Order) -> None:
    pid = os.fork()
    if pid:
        _STARTED[pid] = time.monotonic_ns()
        _say(Answer(what="started", pid=pid))
        return
    status = 1
    try:
        require_mark(Path(order.share))
        _become(order)
        status = _perform(order)
    except UnmarkedError as refused:
        sys.stderr.write(f"{refused}\n")
        status = UnmarkedError.status
    except BaseException:  # noqa: BLE001 - the child must never run the holder's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _become(order: Order) -> None:
    """A session of its own, quiet, and the user's rights only."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
    if order.user >= 0 and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(order.group, order.group, order.group)
        os.setresuid(order.user, order.user, order.user)


def _perform(order: Order) -> int:
    if order.kind == "honest":
        workload = workload_by_name(order.name)
        if workload is None:
            return 2
        workload.act(Path(order.area))
        return 0
    profile = by_name(order.name)
    if profile is None:
        return 2
    field = Field(Path(order.share), Path(order.work), order.limit or profile.limit)
    try:
        profile.act(field)
    except SkipProfile as reason:
        (Path(order.work) / "skipped").write_text(str(reason), encoding="utf-8")
        return 3
    return 0


if __name__ == "__main__":
    main()
