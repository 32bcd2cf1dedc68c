"""The machine is left as it was found: at the end, after Ctrl-C, after kill -9 by the next start."""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from releve.apps.simulate import ledger
from releve.apps.simulate.ledger import Ledger

MOUNTING = """
import sys, time
from pathlib import Path
from releve.apps.simulate import ledger, places
from releve.apps.simulate.arena import Arena
book = ledger.Ledger(sys.argv[1])
place = places.mount_image(book, "ext4")
arena = Arena(book, book.folder / "err")
print(place.root, arena.scope, flush=True)
time.sleep(60)
"""


def mounted(path: str) -> bool:
    return os.path.ismount(path)


@pytest.mark.need("loop")
@pytest.mark.need("namespaces")
def test_after_kill_9_the_next_start_takes_everything_away() -> None:
    run = f"sim-test-{secrets.token_hex(3)}"
    process = subprocess.Popen(
        [sys.executable, "-c", MOUNTING, run], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    root, scope = process.stdout.readline().split()
    assert mounted(root)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert mounted(root)
    assert run in ledger.clean_dead()
    assert not mounted(root)
    assert not Path(root).exists()
    assert ledger.process_started(int(scope)) is None
    listed = subprocess.run(["losetup", "--list"], capture_output=True, text=True, check=True)
    assert run not in listed.stdout
    assert not (ledger.home() / f"{run}.json").exists()


def test_a_living_run_is_left_alone() -> None:
    book = Ledger(f"sim-test-{secrets.token_hex(3)}")
    assert book.file not in ledger.dead_runs()
    assert book.clear() == []


def test_a_process_is_ended_only_if_it_is_the_one_that_was_noted() -> None:
    book = Ledger(f"sim-test-{secrets.token_hex(3)}")
    sleeper = subprocess.Popen(["sleep", "60"])
    item = ledger.Item(kind="process", name=str(sleeper.pid), started=1.0)
    assert ledger.undo([item]) == []
    assert sleeper.poll() is None
    book.note("process", str(sleeper.pid))
    assert book.clear() == []
    assert sleeper.wait(timeout=5) < 0


def test_a_damaged_ledger_never_removes_a_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "lettre.txt").write_text("x", encoding="utf-8")
    left = ledger.undo([ledger.Item(kind="folder", name=str(tmp_path))])
    assert left == [f"folder {tmp_path}"]
    assert (tmp_path / "lettre.txt").exists()


def test_what_is_kept_for_the_console_lives_until_it_is_stopped() -> None:
    book = Ledger(f"sim-test-{secrets.token_hex(3)}")
    sleeper = subprocess.Popen(["sleep", "60"])
    book.note("process", str(sleeper.pid))
    book.clear(keep=frozenset({("process", str(sleeper.pid))}), keeper=sleeper.pid)
    assert sleeper.poll() is None
    assert not book.folder.exists()
    assert book.file not in ledger.dead_runs()
    sleeper.kill()
    sleeper.wait()
    assert book.run in ledger.clean_dead()


@pytest.mark.need("loop")
@pytest.mark.need("namespaces")
def test_ctrl_c_leaves_nothing_behind() -> None:
    words = [sys.executable, "-m", "releve.apps.cli.main", "simulate", "--only", "slow"]
    process = subprocess.Popen(
        [*words, "--fs", "ext4", "--files", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    file = _ledger_of(process.pid)
    _wait(lambda: len(psutil.Process(process.pid).children(recursive=True)) > 2)
    inside = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith(("interrompu", "interrupted"))
    assert not file.exists()
    assert not [pid for pid in inside if ledger.process_started(pid) is not None]
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    assert file.stem not in mounts


def _ledger_of(pid: int) -> Path:
    found: list[Path] = []

    def look() -> bool:
        found[:] = [
            file
            for file in ledger.home().glob("sim-*.json")
            if f'"pid":{pid},' in file.read_text(encoding="utf-8")
        ]
        return bool(found)

    _wait(look)
    return found[0]


def _wait(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen in time")
