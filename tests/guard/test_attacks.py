"""Whole attacks on real file systems: the lines of the contract, and everything as it was."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from releve.adapters.linux.place import HandlePlace
from tests.guard.ground import Attackers, Ground, Line, differences

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]
KINDS = ("ext4", "btrfs", "xfs")


def attacked(ground: Ground, script: str, *words: object) -> tuple[Line, Line, Attackers]:
    """Run one attack under a ready guard until it is rolled back; (stopped, rolled_back, attackers)."""
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    attackers.python(script, ground.share, *words)
    return guard.wait("stopped"), guard.wait("rolled_back"), attackers


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_is_told_by_the_contract_and_undone(
    ground_on: Callable[[str], Ground], kind: str
) -> None:
    ground = ground_on(kind)
    before = ground.build()
    attackers = ground.attackers()
    guard = ground.guard()
    ready = guard.ready()
    progress = guard.all("progress")
    assert progress[-1]["percent"] == 100
    assert progress[-1]["phase"] == "baseline"
    assert (
        progress[-1]["files"] == sum(e.kind == "file" for e in before.values()) - 1 + 1
    )  # alias, mark
    folder = ready["folders"][0]
    assert folder["path"] == str(ground.share)
    assert folder["mode"] == ("copy" if kind == "ext4" else "reflink")
    assert folder["attribution"] == "exact"
    assert folder["room_bytes"] > 0
    assert ready["enforce"] is True
    assert ready["pid"] == guard.process.pid
    first = time.time_ns()
    number = attackers.python("inplace", ground.share, "0.001")
    stopped, rolled = guard.wait("stopped"), guard.wait("rolled_back")
    assert attackers.wait(number) == 137
    assert stopped["action"] == "killed"
    assert stopped["family"] == rolled["family"]
    assert sum(p["score"] for p in stopped["points"]) >= 10
    assert all(p["why"] and p["why_en"] and p["why"] != p["why_en"] for p in stopped["points"])
    assert all(p["path"].startswith(str(ground.share)) for p in stopped["points"])
    assert 0 < stopped["first_write_to_stop_ms"] < (time.time_ns() - first) / 1e6
    assert stopped["first_write_to_stop_ms"] < 1000
    assert 3 <= stopped["files_touched"] < len(before)
    assert rolled["restored"] >= 3
    assert rolled["lost"] == rolled["newest_save_lost"] == rolled["kept_both"] == []
    assert differences(before, ground.share) == []
    assert guard.end() == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "script", ["rename", "beside", "replace", "perfile", "utime", "mapped", "wipe", "halves"]
)
def test_every_way_of_destroying_is_undone(
    ground_on: Callable[[str], Ground], kind: str, script: str
) -> None:
    ground = ground_on(kind)
    before = ground.build()
    stopped, rolled, attackers = attacked(ground, script)
    assert rolled["lost"] == []
    assert rolled["newest_save_lost"] == []
    # "none": so few files are destroyed within milliseconds, and it had ended by then.
    ended = attackers.wait(1 + 1) == 0 if stopped["action"] == "none" else False
    assert stopped["action"] == ("none" if ended else "frozen" if script == "wipe" else "killed")
    assert differences(before, ground.share) == []


def deep(below: Path) -> int:
    """A folder deeper than a path can name, made step by step; open."""
    fd = os.open(below, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=fd)
        lower = os.open("d" * 200, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = lower
    return fd


def test_a_folder_deeper_than_a_path_can_name_is_no_error_of_the_guard(
    ground_on: Callable[[str], Ground],
) -> None:
    """Anybody on the same file system can make one; it is told of the folder that it lies in, or of none."""
    ground = ground_on("ext4")
    ground.build()
    elsewhere = ground.share.parent / "ailleurs"
    elsewhere.mkdir()
    outside, within = deep(elsewhere), deep(ground.share)
    guard = ground.guard()
    guard.ready()
    place = HandlePlace(str(ground.share))
    try:
        for fd, root in ((outside, elsewhere), (within, ground.share)):
            key = place.key_of_folder(fd, "")
            with pytest.raises(OSError, match="too long"):
                place.directory_path(key)
            assert str(place.nearest_path(key)).startswith(f"{root}/{'d' * 200}/")
        os.close(os.open("note.txt", os.O_WRONLY | os.O_CREAT, dir_fd=outside))
        (ground.share / "apres.txt").write_text("bonjour")
        guard.wait("window", seconds=30)
        assert [line for line in guard.all("alert") if line["kind"] == "internal_error"] == []
        assert guard.end() == 0
    finally:
        place.close()
        os.close(outside)
        os.close(within)
