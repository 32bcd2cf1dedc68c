import json
import os
import pwd
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import psutil
import pytest

from releve.adapters.process.files import FileSource
from releve.adapters.process.guards import ProcessGuards
from releve.adapters.process.people import named
from releve.adapters.system import SystemClock
from releve.flow.agent.supervise import Backoff, Intake, supervise_forever
from releve.model.event import GuardReady, GuardWentDown
from releve.sense.path_token import PathKey
from tests.agent.hands import GUARD, events, numbers, open_spool, wait_for

KEY = PathKey(key=b"k" * 32)

AGENT = """
import sys
from pathlib import Path
import anyio
from releve.adapters.process.files import FileSource
from releve.adapters.process.guards import ProcessGuards
from releve.adapters.system import SystemClock, log_to_stderr
from releve.flow.agent.supervise import Backoff, Intake, supervise_forever
from releve.sense.path_token import PathKey
from tests.agent.hands import GUARD, open_spool
log_to_stderr()
home = Path(sys.argv[1])
spool, clock = open_spool(home), SystemClock()
intake = Intake(spool, FileSource(), PathKey(key=b"k" * 32), clock)
guards = ProcessGuards(home / "guard", GUARD)
anyio.run(supervise_forever, guards, intake, spool, clock, Backoff(), 0.02)
"""


def kill_guard(home: Path) -> None:
    """Only the guard that this home's state names, and only while it holds its lock."""
    status = ProcessGuards(home / "guard", GUARD).status()
    if status is not None and status.running:
        os.kill(status.pid, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(status.pid) or is_zombie(status.pid))


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(autouse=True)
def _no_guard_is_left(home: Path):
    yield
    kill_guard(home)


def start_agent(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", AGENT, str(home)],
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_a_killed_guard_is_started_again_and_its_last_lines_are_kept(home: Path) -> None:
    spool, guards = open_spool(home), ProcessGuards(home / "guard", GUARD)
    intake = Intake(spool, FileSource(), KEY, SystemClock())

    async def scene() -> None:
        async with anyio.create_task_group() as tasks:
            arguments = (guards, intake, spool, SystemClock(), Backoff(), 0.02)
            tasks.start_soon(supervise_forever, *arguments)
            for count in (1, 2):
                while sum(isinstance(e, GuardReady) for e in events(spool)) < count:  # noqa: ASYNC110
                    await anyio.sleep(0.05)
                status = guards.status()
                assert status is not None
                os.kill(status.pid, signal.SIGKILL)
            while sum(isinstance(e, GuardWentDown) for e in events(spool)) < 2:  # noqa: ASYNC110
                await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()

    anyio.run(scene)
    down = [e for e in events(spool) if isinstance(e, GuardWentDown)]
    assert [e.status for e in down][:2] == [-9, -9]
    assert [e.restarts for e in down][:2] == [1, 2]
    for seen in numbers(events(spool)).values():
        assert seen == list(range(len(seen)))


def test_the_guard_outlives_a_killed_agent_and_the_next_agent_adopts_it(home: Path) -> None:
    """Killed at random moments, the guard's own start included: one guard, no line lost."""
    chance, pids = random.Random(3), set()
    for _ in range(6):
        agent = start_agent(home)
        wait_for((home / "guard").exists)
        time.sleep(chance.uniform(0, 0.4))
        agent.kill()
        agent.wait()
        status = ProcessGuards(home / "guard", GUARD).status()
        if status is not None and status.running:
            pids.add(status.pid)
    agent = start_agent(home)
    wait_for(lambda: max(map(len, numbers(events(open_spool(home))).values()), default=0) > 50)

    def went_down() -> bool:
        kill_guard(home)  # again and again: the lines may be older than the guard's last start
        time.sleep(0.2)
        return any(isinstance(e, GuardWentDown) for e in events(open_spool(home)))

    wait_for(went_down)
    agent.kill()
    agent.wait()
    assert len(pids) <= 1  # none, when every kill came before the guard was up
    runs = numbers(events(open_spool(home)))
    longest = max(runs.values(), key=len)
    assert longest == list(range(len(longest)))


def test_two_starts_at_once_make_one_guard(home: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from releve.adapters.process.guards import ProcessGuards\n"
        "from tests.agent.hands import GUARD\n"
        "s = ProcessGuards(Path(sys.argv[1]), GUARD).start(); print(s.running, s.pid)\n"
    )
    root = Path(__file__).parents[2]
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(home / "guard")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for _ in range(4)
    ]
    for starter in starters:
        starter.communicate(timeout=30)
    running = [
        p.pid
        for p in psutil.process_iter(["cmdline"])
        if p.info["cmdline"] == list(GUARD) and str(home) in lock_of(p)
    ]
    assert len(running) == 1


def lock_of(process: psutil.Process) -> str:
    try:
        return " ".join(str(fd.readlink()) for fd in Path(f"/proc/{process.pid}/fd").iterdir())
    except OSError:
        return ""


def test_a_guard_that_ends_cleanly_when_asked(home: Path) -> None:
    guards = ProcessGuards(home / "guard", GUARD)
    status = guards.start()
    assert status.running
    wait_for(lambda: Path(status.out).stat().st_size > 0)
    guards.terminate()
    wait_for(lambda: (s := guards.status()) is not None and not s.running)
    wait_for(lambda: (s := guards.status()) is not None and s.status == 0)


def test_a_guard_that_cannot_start_is_told_and_tried_again(home: Path) -> None:
    spool, guards = open_spool(home), ProcessGuards(home / "guard", ("/nowhere/at/all",))
    intake = Intake(spool, FileSource(), KEY, SystemClock())

    async def scene() -> None:
        backoff = Backoff(first_seconds=0.01, last_seconds=0.05)
        with anyio.move_on_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(supervise_forever, guards, intake, spool, SystemClock(), backoff)
                while len(events(spool)) < 2:  # noqa: ASYNC110
                    await anyio.sleep(0.05)
                tasks.cancel_scope.cancel()

    anyio.run(scene)
    assert all(isinstance(e, GuardWentDown) for e in events(spool))
    assert len(events(spool)) >= 2


def test_unreadable_lines_are_counted_and_the_others_kept(home: Path) -> None:
    spool, out = open_spool(home), home / "out.jsonl"
    good = json.dumps({"event": "alert", "kind": "1.0", "why": "x"}).encode()
    out.write_bytes(b"garbage\n" + good + b"\n\n" + b'{"half": ')
    intake = Intake(spool, FileSource(), KEY, SystemClock())
    assert intake.drain(str(out)) == 2
    assert intake.drain(str(out)) == 0
    assert intake.drain(str(out), ended=True) == 1
    kinds = [type(e).__name__ for e in events(spool)]
    assert kinds == ["GuardAlerted", "LinesUnreadable", "LinesUnreadable"]


def stop_of(user: str, client: str = "") -> bytes:
    line = {
        "event": "stopped", "family": "f", "points": [], "first_write_to_stop_ms": 1.0,
        "action": "killed", "files_touched": 1, "at": "2026-11-22T01:00:00+00:00", "user": user,
        "client": client,
    }  # fmt: skip
    return json.dumps(line).encode() + b"\n"


def test_a_user_is_told_by_its_login_and_an_unknown_number_stays_one(home: Path) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    spool = open_spool(home)
    intake = Intake(spool, FileSource(), KEY, SystemClock(), named)
    intake.feed(stop_of(str(os.geteuid())) + stop_of("3999999999") + stop_of(""))
    intake.feed(stop_of("0", client="10.0.0.7"))  # a client may log on with any name
    assert [e.user for e in events(spool)] == [f"{me} ({os.geteuid()})", "3999999999", "", "0"]
    spool.close()
