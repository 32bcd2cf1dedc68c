"""Ways out of being stopped that a review found: woken, without a head, inside vfork."""

import os
import time
from collections.abc import Callable

import pytest

from tests.guard.ground import Ground, differences, touched_up

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]


def test_a_frozen_family_that_somebody_wakes_is_stopped_for_good(
    ground_on: Callable[[str], Ground],
) -> None:
    ground = ground_on("ext4")
    before = ground.build(300, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    attackers.wait(attackers.python("woken", ground.share), 40)
    guard.wait("rolled_back")
    time.sleep(2)
    assert differences(before, ground.share) == []
    assert guard.all("stopped")[0]["action"] == "frozen"


def test_who_goes_on_without_a_first_thread_is_stopped(
    ground_on: Callable[[str], Ground],
) -> None:
    ground = ground_on("ext4")
    before = ground.build(links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    attack = attackers.python("headless", ground.share, "destroy")
    assert guard.wait("stopped")["action"] == "killed"
    assert guard.wait("rolled_back")["lost"] == []
    assert attackers.wait(attack) == 137
    time.sleep(0.5)
    assert differences(before, ground.share) == []


def test_honest_work_without_a_first_thread_goes_through(
    ground_on: Callable[[str], Ground],
) -> None:
    ground = ground_on("ext4")
    ground.build(links=False)
    texts = {path: path.read_bytes() for path in ground.share.rglob("*.txt")}
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    assert attackers.wait(attackers.python("headless", ground.share, "honest")) == 0
    assert {path: path.read_bytes() for path in texts} == touched_up(texts)
    assert not guard.all("stopped")


def test_a_decoy_inside_vfork_does_not_make_the_judge_wait(
    ground_on: Callable[[str], Ground],
) -> None:
    ground = ground_on("ext4")
    before = ground.build(1000, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    fifo = ground.logs / "fifo"
    os.mkfifo(fifo)
    attack = attackers.python("spawner", ground.share, fifo)
    stopped = guard.wait("stopped")
    assert guard.wait("rolled_back")["lost"] == []
    assert attackers.wait(attack) == 137
    time.sleep(1)
    assert differences(before, ground.share) == []
    # 1,400 when the judge waited for it, two seconds at a time.
    assert stopped["files_touched"] <= 500


def test_families_that_nothing_joins_are_one_attack_when_one_encrypts_and_the_other_deletes(
    ground_on: Callable[[str], Ground],
) -> None:
    """A login or a job per command: below the namespace's pid 1 each is a family of its own."""
    ground = ground_on("ext4")
    before = ground.build(48, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    whole = (
        n for n in before if n.endswith((".txt", ".docx")) and (ground.share / n).stat().st_size
    )
    names = list(whole)[:24]
    for name in names:
        path = ground.share / name
        encrypt = f"openssl enc -aes-256-cbc -pbkdf2 -k x -in '{path}' -out '{path}.enc'"
        assert attackers.wait(attackers.start(f"exec {encrypt}")) == 0
        attackers.start(f"exec rm '{path}'")  # it may be stopped: then nothing tells of its end
        time.sleep(0.05)
    assert guard.all("stopped")
    deadline = time.monotonic() + 10
    while (gone := [n for n in names[:-5] if not (ground.share / n).exists()]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert gone == []
    assert [n for line in guard.all("rolled_back") for n in line["lost"]] == []
