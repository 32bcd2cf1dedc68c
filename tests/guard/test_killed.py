"""The guard is killed with -9 at any moment; after the next start no original is gone or changed."""

import random
import time
from collections.abc import Callable

import pytest

from tests.guard.ground import Ground, GuardRun, differences

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]


def settled(guard: GuardRun) -> None:
    """Until what was convicted is rolled back and nobody says more."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(0.4)
        if len(guard.all("rolled_back")) >= len(guard.all("stopped")):
            return
    raise AssertionError(guard.lines)


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_any_moment_of_an_attack(
    ground_on: Callable[[str], Ground], kind: str, seed: int
) -> None:
    ground = ground_on(kind)
    before = ground.build(40, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    mark = ground.base / "begun"
    attack = attackers.python("mixed", ground.share, seed, mark)
    while not mark.exists():
        time.sleep(0.001)
    time.sleep(random.Random(seed).uniform(0, 0.12))
    guard.kill9()
    again = ground.guard()
    again.ready()
    attackers.wait(attack)
    settled(again)
    said = [line for line in [*guard.lines, "killed", *again.lines] if "progress" not in str(line)]
    # Judged by the disk, not by what is said: a replaced file may be called lost and be there.
    # A file may keep a second name that the attack gave it; none may be gone or changed.
    assert [d for d in differences(before, ground.share) if "not be there" not in d] == [], said
