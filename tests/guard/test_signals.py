"""The one function that sends signals: whom it refuses. All processes here are in namespaces of the test."""

import os
import pty
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from releve.adapters.clock import SystemClock
from releve.adapters.linux import procfs
from releve.adapters.linux.hands import LinuxHands
from releve.apps.guard.config import NoContain
from releve.apps.guard.wiring import _scope
from releve.detect.ransom.limits import Limits
from releve.detect.ransom.score import Scores
from releve.flow.guard.book import Book
from releve.flow.guard.ground import Ground
from releve.flow.guard.pace import Pace
from releve.flow.guard.respond.responding import Responder
from releve.flow.guard.work import Volume
from releve.model.process import Process
from tests.guard.contract_keeper import Kept, place_of
from tests.guard.ground import Attackers

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]


class _Alone:
    """A family of one."""

    is_exact = True

    def members(self, head: Process) -> list[Process]:
        return [head] if procfs.is_alive(head.pid) else []

    def stray_children(self, family: Iterable[Process]) -> list[Process]:  # noqa: ARG002 - the port
        return []


def known(pid: int, *, boundary: bool = False, shift: int = 0) -> Process:
    found = procfs.stat(pid)
    assert found is not None
    return Process(pid, found[2] + shift, is_boundary=boundary)


def sleeper(attackers: Attackers, command: str = "exec sleep 60") -> int:
    attackers.start(command)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for pid in attackers.inside():
            if procfs.exe(pid).endswith("/sleep"):
                return pid
        time.sleep(0.01)
    raise AssertionError


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Attackers, Attackers]]:
    inside, other = Attackers(tmp_path / "a"), Attackers(tmp_path / "b")
    yield inside, other
    inside.end()
    other.end()


def test_only_the_very_process_inside_the_scope_gets_a_signal(
    two: tuple[Attackers, Attackers],
) -> None:
    inside, other = two
    hands = LinuxHands(_Alone(), scope=_scope(inside.scope))
    mine, foreign = sleeper(inside), sleeper(other)
    assert not hands.send(known(1), signal.SIGCONT)
    assert not hands.send(known(os.getpid()), signal.SIGCONT)
    assert not hands.send(known(os.getppid()), signal.SIGCONT)
    assert not hands.send(known(foreign), signal.SIGCONT)
    assert not hands.send(known(mine, boundary=True), signal.SIGCONT)
    assert not hands.send(known(mine, shift=10**9), signal.SIGCONT)  # a number that was given again
    assert not hands.send(Process(mine, 0), signal.SIGCONT)
    assert hands.refused == 7
    hands.freeze(known(mine))
    assert procfs.is_still(mine)
    assert not procfs.is_still(foreign)
    assert hands.kill(known(mine)) == [mine]
    assert not procfs.is_alive(mine)
    assert procfs.is_alive(foreign)


def test_a_namespace_inside_the_scope_is_in_scope(two: tuple[Attackers, Attackers]) -> None:
    inside, _ = two
    hands = LinuxHands(_Alone(), scope=_scope(inside.scope))
    nested = sleeper(inside, "exec unshare -pf --kill-child sleep 60")
    assert hands.send(known(nested), signal.SIGSTOP)


def test_a_job_in_the_foreground_of_a_terminal_is_told_from_one_without() -> None:
    heeded = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would sleep on
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("sleep", ["sleep", "60"])
    signal.signal(signal.SIGHUP, heeded)
    try:
        until = time.monotonic() + 10
        while not procfs.is_foreground(pid):
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        os.close(terminal)  # the kernel hangs up: the job ends
        os.waitpid(pid, 0)
    assert not procfs.is_foreground(os.getpid()) or os.isatty(0)


class _LearntLate(NoContain):
    """Whose client is known only after a moment, as that of a process just born."""

    serving = False

    def serves(self, head: Process) -> bool:  # noqa: ARG002 - the port
        return self.serving


def test_who_is_held_before_its_client_is_known_is_let_go_after(
    two: tuple[Attackers, Attackers], tmp_path: Path
) -> None:
    inside, _ = two
    (tmp_path / "share").mkdir()
    kept = Kept(
        tmp_path / "share",
        tmp_path / "store",
        place_of("handle", str(tmp_path / "share")),
        copy=True,
    )
    kept.baseline()
    clock, limits, contain = SystemClock(), Limits(), _LearntLate()
    volume = Volume(fsid=b"8 bytes.", keeper=kept.keeper, give_back=kept.give)
    ground = Ground(
        volumes={volume.fsid: volume}, book=Book(10**12), scores=Scores(limits), clock=clock,
        limits=limits, pace=Pace(clock, limits, lambda _share: None), say=lambda _line: None,
    )  # fmt: skip
    responder = Responder(
        ground, _Alone(), LinuxHands(_Alone(), scope=_scope(inside.scope)), contain,  # type: ignore[arg-type]
        lambda _seconds: None, lambda: None, lambda _process: False, enforce=True,
    )  # fmt: skip
    head = known(sleeper(inside))
    responder.suspend(head, True)
    assert procfs.is_still(head.pid)
    contain.serving = True
    responder.suspend(head, False)
    assert not procfs.is_still(head.pid)
    responder.suspend(head, True)  # a client's process is never held on a mere suspicion
    assert not procfs.is_still(head.pid)
    assert kept.keeper.marks.all() == []
    responder.close()
    kept.close()
