"""The disk turns read-only: said with a remedy, everything kept, and giving back goes on afterwards."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guard.ground import Ground, differences, using

pytestmark = [pytest.mark.root, pytest.mark.need("loop", "namespaces")]


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=60)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of this test alone."""
    image, target = tmp_path / "disk.img", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    run("mkfs.ext4", "-q", "-F", image)
    target.mkdir()
    run("mount", "-o", "loop,noatime", image, target)
    yield target
    subprocess.run(["umount", "-l", str(target)], check=False, timeout=60)


@pytest.fixture
def ground(disk: Path, ground_on: Callable[[str], Ground], tmp_path: Path) -> Iterator[Ground]:
    """The share on the small disk, the store on another: as with a disk for the originals."""
    steps = using(disk / "ground", tmp_path)
    (disk / "ground").mkdir()
    made = next(steps)
    made.store = ground_on("btrfs").base / "store"
    yield made
    run("mount", "-o", "remount,rw", disk)
    next(steps, None)


def turn(disk: Path, how: str, seconds: float = 5) -> None:
    """Remount; refused while anybody has a file open for writing."""
    until = time.monotonic() + seconds
    words = ["mount", "-o", f"remount,{how}", str(disk)]
    while subprocess.run(words, capture_output=True, check=False).returncode:
        assert time.monotonic() < until, words
        time.sleep(0.002)


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_a_roll_back_that_meets_a_read_only_disk_is_finished_when_it_can_be_written_to(
    ground: Ground, disk: Path, restarted: bool
) -> None:
    before = ground.build(800, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    attackers.python("wipe", ground.share)
    guard.wait("stopped")
    turn(disk, "ro")
    alert = guard.wait("alert", where=lambda line: line["kind"] == "read_only")
    assert "remount,rw" in alert["why"]
    assert "remount,rw" in alert["why_en"]
    assert alert["folder"] == str(ground.share)
    assert guard.all("rolled_back") == []  # it is not, and nothing says so
    assert differences(before, ground.share) != []
    if restarted:
        guard.kill9()
        guard = ground.guard()
        guard.wait("alert", where=lambda line: line["kind"] == "read_only")
        guard.ready()
    turn(disk, "rw")
    rolled = guard.wait("rolled_back")
    assert (rolled["lost"], rolled["newest_save_lost"]) == ([], [])
    assert differences(before, ground.share) == []
    kinds = {line["kind"] for line in guard.all("alert")}
    assert "internal_error" not in kinds, guard.words()
    assert "put_back_failed" not in kinds
    assert guard.end() == 0


def test_a_guard_whose_store_cannot_be_written_to_says_so_and_what_to_do(
    ground: Ground, disk: Path
) -> None:
    ground.build(8, links=False)
    turn(disk, "ro")
    for store in (disk / "store", disk / "ground"):
        done = subprocess.run(
            [sys.executable, "-m", "releve.apps.guard", "run", "--json", "--protect", str(ground.share),
             "--store", str(store)],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 23, done.stderr
        assert "remount,rw" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_guard_that_starts_on_a_read_only_folder_holds_it_and_says_so(
    ground: Ground, disk: Path
) -> None:
    before = ground.build(48, links=False)
    attackers = ground.attackers()  # before: a namespace keeps the flags of the mounts it got
    turn(disk, "ro")
    guard = ground.guard("--canaries")
    assert guard.ready()["folders"][0]["files"] >= 48
    assert [line["kind"] for line in guard.all("alert")] == ["read_only"]
    turn(disk, "rw")
    attackers.python("inplace", ground.share, "0.002")
    assert guard.wait("rolled_back")["lost"] == []
    assert differences(before, ground.share) == []
    assert guard.words() == ""
