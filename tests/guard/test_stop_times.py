"""`first_write_to_stop_ms` is checked by somebody else's clock: ctimes and process states as they were."""

import datetime as dt
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.guard.ground import Attackers, Ground, differences

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]
_TICK_MS = 4.0  # ctime is that coarse before Linux 6.13
_STEP_MS = 12.0  # the attacker's pause between the empty file, which may count, and the first other
_PAUSE_MS = 60.0  # a suspect that was let go and stopped again between two looks seems still
_DYING = 0x4 | 0x400  # PF_EXITING, PF_SIGNALED (linux/sched.h)
_KILL = 1 << (signal.SIGKILL - 1)
_SLACK_MS = 5.0  # two programs that look at the same moment


class Onlooker:
    """Looks at the files and at the attacker again and again, knowing nothing of the guard."""

    def __init__(self, share: Path, pid: int, since_ns: int) -> None:
        self._pid, self._since = pid, since_ns
        # An empty file has nothing to destroy: whether its new name is the first harm is a matter
        # of taste, and the guard may or may not have judged it by then.
        paths = [
            p for p in share.rglob("*") if p.is_file() and not p.is_symlink() and p.stat().st_size
        ]
        self._files = [os.open(path, os.O_PATH | os.O_NOFOLLOW) for path in paths]
        self.first_ctime_ns = 0
        self.last_running_ns = 0
        self.first_still_ns = 0  # of the stillness that lasted
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._end.is_set():
            before = time.time_ns()
            if self._is_still():
                self.first_still_ns = self.first_still_ns or time.time_ns()
            else:
                self.last_running_ns, self.first_still_ns = before, 0
            for fd in self._files if not self.first_ctime_ns else ():
                changed = os.fstat(fd).st_ctime_ns
                if changed > self._since:
                    known = self.first_ctime_ns or changed
                    self.first_ctime_ns = min(known, changed)
            time.sleep(0.0002)

    def _is_still(self) -> bool:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text()
            line = Path(f"/proc/{self._pid}/stat").read_bytes()
        except OSError:
            return True
        state, *fields = line[line.rfind(b")") + 2 :].split()
        # Who was stopped and is killed runs once more, to its end: for that it is called running.
        is_dying = bool(int(fields[5]) & _DYING) or any(
            int(words.split()[1], 16) & _KILL
            for words in status.splitlines()
            if words.startswith(("SigPnd", "ShdPnd"))
        )
        return state in (b"T", b"t", b"Z", b"X") or is_dying

    def end(self) -> None:
        self._end.set()
        self._thread.join(5)
        for fd in self._files:
            os.close(fd)


def attacker(attackers: Attackers, script: str) -> int:
    """Host pid of the script, once it runs."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for pid in attackers.inside():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if script.encode() in words:
                return pid
        time.sleep(0.0005)
    raise AssertionError("the attacker did not start")


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
@pytest.mark.parametrize("script", ["inplace", "rename"])
def test_the_time_from_first_write_to_stop_is_what_an_onlooker_sees(
    ground_on: Callable[[str], Ground], kind: str, script: str
) -> None:
    ground = ground_on(kind)
    before = ground.build(48, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    time.sleep(0.05)  # the ctimes of the building are over
    since = time.time_ns()
    go = ground.base / "go"
    attackers.python(script, ground.share, "0.004", awaited=go)
    onlooker = Onlooker(ground.share, attacker(attackers, script), since)
    try:
        while not onlooker.last_running_ns:
            time.sleep(0.001)
        go.touch()
        stopped = guard.wait("stopped")
        guard.wait("rolled_back")
    finally:
        onlooker.end()
    said = stopped["first_write_to_stop_ms"]
    running = (onlooker.last_running_ns - onlooker.first_ctime_ns) / 1e6
    still = (onlooker.first_still_ns - onlooker.first_ctime_ns) / 1e6
    assert onlooker.first_ctime_ns > 0
    assert 0 < running < still
    # Never better than it was; and not much worse.
    assert said >= running - _SLACK_MS, (said, running, still)
    assert said <= still + _TICK_MS + _SLACK_MS + _STEP_MS + _PAUSE_MS, (said, running, still)
    assert stopped["action"] == "killed"
    # Also the empty file, which was renamed before anything was destroyed.
    assert differences(before, ground.share) == []


@pytest.mark.parametrize("how", ["beside", "inplace"])
def test_an_attack_while_no_guard_ran_is_counted_from_its_own_first_write(
    ground_on: Callable[[str], Ground], how: str
) -> None:
    """Not from the moment when the guard came back: recoveries begin before the first write."""
    ground = ground_on("ext4")
    before = ground.build(90, links=False)
    attackers = ground.attackers()
    first = ground.guard()
    first.ready()
    assert first.end() == 0
    began = time.time()
    attackers.wait(attackers.python(how, ground.share))
    over = time.time()
    time.sleep(3)
    again = ground.guard()
    told = again.wait("stopped", 60)
    again.wait("rolled_back", 60)
    at = dt.datetime.fromisoformat(told["at"]).timestamp()
    wrote = at - told["first_write_to_stop_ms"] / 1000
    assert told["action"] == "none"
    assert began - 0.01 <= wrote <= over, (began, wrote, over)
    again.end()
    assert differences(before, ground.share) == []
