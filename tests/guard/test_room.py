"""A store without room says so, keeps what it holds, and goes on once there is room again."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.guard.ground import Attackers, Ground, GuardRun, differences, letter

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]
_MIB = 1 << 20


def full(guard: GuardRun) -> None:
    guard.wait("alert", where=lambda line: line["kind"] == "store_full")


def free(ground: Ground) -> None:
    subprocess.run(
        [sys.executable, "-m", "releve.apps.guard", "free", "--yes", "--store", str(ground.store)],
        check=True, timeout=30, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def room(path: Path) -> int:
    """What the store may still take, by the guard's own share of the disk (80 %)."""
    disk = os.statvfs(path)
    theirs = disk.f_blocks - disk.f_bfree + disk.f_bavail  # as df(1) counts
    return disk.f_bavail * disk.f_frsize - theirs * disk.f_frsize // 5


def text(size: int) -> bytes:
    return (letter(1, 1 << 16) * (size // (1 << 16) + 1))[:size]


def save(path: Path, content: bytes) -> None:
    time.sleep(0.2)  # the store looks at its disk ten times a second
    with path.open("wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    time.sleep(0.2)


@pytest.fixture
def small(ground_on: Callable[[str], Ground]) -> Ground:
    return ground_on("ext4-tiny")


def test_a_store_full_of_bytes_gives_back_what_it_held(small: Ground) -> None:
    before = small.build(24, links=False)
    attackers = small.attackers()
    guard = small.guard()
    assert guard.ready()["folders"][0]["mode"] == "copy"
    deleted, big = small.share / "ancien.txt", small.share / "gros.txt"
    save(deleted, text(3 * _MIB))
    deleted.unlink()
    time.sleep(0.4)
    space = room(small.base)
    size = space + _MIB // 2
    save(big, text(size))
    full(guard)
    held = {big.name: big.read_bytes()}
    rolled = _attacked(guard, attackers, small)
    assert [name for name in rolled if big.name not in name] == []
    assert [d for d in differences(before, small.share, held) if big.name not in d] == []
    assert guard.process.poll() is None
    assert room(small.base) <= 0
    free(small)
    assert room(small.base) > _MIB
    _holds_again(guard, attackers, small)


def test_a_store_without_inodes_gives_back_what_it_held(small: Ground) -> None:
    before = small.build(24, links=False)
    attackers = small.attackers()
    guard = small.guard()
    guard.ready()
    more = small.base / "ailleurs"
    more.mkdir()
    disk = os.statvfs(small.base)
    for number in range(disk.f_ffree - disk.f_files // 5):
        (more / str(number)).touch()
    new = small.share / "vide" / "nouveau.txt"
    save(new, letter(3, 4000))
    full(guard)
    assert _attacked(guard, attackers, small) == []
    assert differences(before, small.share, {"vide/nouveau.txt": letter(3, 4000)}) == []
    assert guard.process.poll() is None
    subprocess.run(["rm", "-rf", str(more)], check=True)
    time.sleep(0.5)
    _holds_again(guard, attackers, small)


def test_a_disk_that_users_filled_to_the_last_block_does_not_end_the_protection(
    small: Ground,
) -> None:
    before = small.build(24, links=False)
    attackers = small.attackers()
    guard = small.guard()
    guard.ready()
    filler = small.base / "plein"
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(bytes(_MIB)):
                pass
    except OSError:
        os.sync()
    assert _attacked(guard, attackers, small) == []
    assert differences(before, small.share) == []
    assert guard.process.poll() is None
    filler.unlink()
    time.sleep(0.5)
    _holds_again(guard, attackers, small)


@pytest.mark.parametrize(
    ("kind", "script"),
    [("ext4-tiny", "eat_inodes"), ("ext4-tiny", "eat_blocks"), ("btrfs-tiny", "eat_blocks")],
)
def test_who_eats_all_room_of_the_disk_first_is_stopped_all_the_same(
    ground_on: Callable[[str], Ground], kind: str, script: str
) -> None:
    ground = ground_on(kind)
    before = ground.build(24, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    attack = attackers.python(script, ground.share, "0.002")
    rolled = guard.wait("rolled_back")
    assert attackers.wait(attack) == 137
    assert (rolled["lost"], rolled["newest_save_lost"]) == ([], [])
    time.sleep(0.5)
    filled = {d for d in differences(before, ground.share) if "plein" in d}
    assert set(differences(before, ground.share)) == filled  # what it made may still be in the way
    assert guard.process.poll() is None
    assert [a["kind"] for a in guard.all("alert") if a["kind"] == "internal_error"] == []


@pytest.mark.parametrize(
    ("kind", "eaten", "is_killed"),
    [
        ("ext4-tiny", "blocks", True),
        ("ext4-tiny", "blocks", False),
        ("ext4-tiny", "inodes", True),
        ("ext4-tiny", "inodes", False),
        ("btrfs-tiny", "blocks", True),
    ],
)
def test_a_guard_starts_on_a_full_disk_and_protects(
    ground_on: Callable[[str], Ground], kind: str, eaten: str, *, is_killed: bool
) -> None:
    ground = ground_on(kind)
    before = ground.build(24, links=False)
    attackers = ground.attackers()
    first = ground.guard()
    first.ready()
    time.sleep(0.5)
    first.kill9() if is_killed else first.end()
    filling = ground.base / "plein"
    filling.mkdir()
    for _ in range(3):  # what is deleted and not yet given back is room again a moment later
        _eat(filling, eaten)
    guard = ground.guard()
    guard.ready()
    assert _attacked(guard, attackers, ground) == []
    assert differences(before, ground.share) == []
    assert guard.process.poll() is None
    shutil.rmtree(filling)
    time.sleep(0.5)
    _holds_again(guard, attackers, ground)


def _eat(folder: Path, what: str) -> None:
    """Take all blocks, or all inodes, of the file system of `folder`."""
    if what == "inodes":
        with suppress(OSError):
            for number in range(100_000):
                (folder / f"{number}-{time.monotonic_ns()}").touch()
        return
    size, fill = _MIB, os.open(folder / "tout", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while size >= 4096:
            try:
                os.write(fill, os.urandom(size))
            except OSError:
                size //= 2
    finally:
        os.close(fill)
    os.sync()


def _attacked(guard: GuardRun, attackers: Attackers, ground: Ground) -> list[str]:
    """Attack the letters in place; what could not be given back."""
    attackers.python("inplace", ground.share, "0.002")
    rolled = guard.wait("rolled_back")
    time.sleep(0.5)
    return [name for line in (rolled, *guard.all("rolled_back")) for name in line["lost"]]


def _holds_again(guard: GuardRun, attackers: Attackers, ground: Ground) -> None:
    """A letter that was saved after the room came back is held: it survives the next attack."""
    last, content = ground.share / "vide" / "après.txt", letter(4, 5000)
    save(last, content)
    told = len(guard.all("stopped"))
    attackers.python("inplace", ground.share, "0.002")
    guard.wait("rolled_back")
    assert len(guard.all("stopped")) == told + 1
    assert last.read_bytes() == content
