"""The guard is killed with -9 while it gives back; the next start finishes, and says nothing false."""

import time
from collections.abc import Callable

import pytest

from tests.guard.ground import Ground, differences
from tests.guard.test_killed import settled

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_killed_in_mid_rollback_the_restart_finishes_it(
    ground_on: Callable[[str], Ground], share: float
) -> None:
    ground = ground_on("btrfs")
    before = ground.build(1500, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    attackers.python("wipe", ground.share)
    assert guard.wait("stopped")["action"] in ("frozen", "none")  # none: it had ended by itself
    _until_given_back(ground, len(before), share)
    guard.kill9()
    again = ground.guard()
    again.ready()
    settled(again)
    assert differences(before, ground.share) == [], [
        line for line in again.lines if line["event"] != "progress"
    ]
    assert [name for line in again.all("rolled_back") for name in line["lost"]] == []


def _until_given_back(ground: Ground, files: int, share: float) -> None:
    """Until the guard has given back that share of what was taken away."""
    most = time.monotonic() + 10
    first = _standing(ground)
    while _standing(ground) < first + (files - first) * share:
        assert time.monotonic() < most
        time.sleep(0.001)


def _standing(ground: Ground) -> int:
    return sum(1 for path in ground.share.rglob("courrier*") if path.suffix != ".locked")
