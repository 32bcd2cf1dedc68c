"""The guard is killed with -9 at any moment; after the next start the folder is as before the attack.

Content, names, owner, mode, times and attributes, and no file is called lost. `RELEVE_MOMENTS=40`
tries that many moments on each file system instead of the usual few.
"""

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.guard.ground import Attackers, Ground, GuardRun, differences

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]
_MOMENTS = int(os.environ.get("RELEVE_MOMENTS", "5"))
_FROM = int(os.environ.get("RELEVE_MOMENTS_FROM", "0"))


def settled(guard: GuardRun, quiet_s: float = 1.0, most_s: float = 20) -> None:
    """Until every family that was stopped is rolled back and nothing more is said for a while."""
    deadline = time.monotonic() + most_s
    said, since = -1, time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if len(guard.lines) != said:
            said, since = len(guard.lines), time.monotonic()
        undone = {line["family"] for line in guard.all("rolled_back")}
        open_ = {line["family"] for line in guard.all("stopped")} - undone
        if not open_ and time.monotonic() - since > quiet_s:
            return
    raise AssertionError(guard.lines)


def over(attackers: Attackers, attack: int, guard: GuardRun) -> None:
    """Until the attack has ended, or stands frozen and waits for a person, who ends it."""
    deadline = time.monotonic() + 20
    while attackers.status(attack) is None:
        assert time.monotonic() < deadline, (states(attackers), told(guard))
        if any(line["action"] == "frozen" for line in guard.all("stopped")):
            return
        time.sleep(0.01)


def states(attackers: Attackers) -> list[str]:
    """Who lives among the attackers, and in which state."""
    found = []
    for pid in attackers.inside():
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            found.append(stat.read()[:60])
    return found


def told(*guards: GuardRun) -> list[object]:
    """All but the progress, for whoever reads why a test failed."""
    return [line for guard in guards for line in guard.lines if line["event"] != "progress"]


def lost(*guards: GuardRun) -> list[str]:
    return [name for guard in guards for line in guard.all("rolled_back") for name in line["lost"]]


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
@pytest.mark.parametrize("seed", range(_FROM, _FROM + _MOMENTS))
def test_killed_at_any_moment_of_an_attack(
    ground_on: Callable[[str], Ground], kind: str, seed: int
) -> None:
    ground = ground_on(kind)
    before = ground.build(40)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    mark = ground.base / "begun"
    attack = attackers.python("mixed", ground.share, seed, mark)
    while not mark.exists():
        time.sleep(0.001)
    time.sleep(random.Random(seed).uniform(0, 0.16))
    guard.kill9()
    again = ground.guard()
    again.ready()
    over(attackers, attack, again)
    settled(again)
    assert (differences(before, ground.share), lost(guard, again)) == ([], []), told(guard, again)
