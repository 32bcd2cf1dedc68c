"""The guard is killed with -9 while it gives back; the next start finishes, and says nothing false.

`RELEVE_MOMENTS=20` tries that many moments instead of the usual two.
"""

import os
import time
from collections.abc import Callable

import pytest

from tests.guard.ground import Ground, differences
from tests.guard.test_killed import lost, settled, told

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]
_MOMENTS = int(os.environ.get("RELEVE_MOMENTS", "2"))


@pytest.mark.parametrize("moment", range(_MOMENTS))
@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
def test_killed_in_mid_rollback_the_restart_finishes_it(
    ground_on: Callable[[str], Ground], kind: str, moment: int
) -> None:
    ground = ground_on(kind)
    before = ground.build(1500)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    attackers.python("wipe", ground.share)
    assert guard.wait("stopped")["action"] in ("frozen", "none")  # none: it had ended by itself
    share = (moment + 0.5) / _MOMENTS
    _until_given_back(ground, len(before), share)
    guard.kill9()
    again = ground.guard()
    again.ready()
    settled(again)
    assert (differences(before, ground.share), lost(guard, again)) == ([], []), told(again)


def _until_given_back(ground: Ground, files: int, share: float) -> None:
    """Until the guard has given back that share of what was taken away."""
    most = time.monotonic() + 10
    first = _standing(ground)
    while _standing(ground) < first + (files - first) * share - 40:  # folders are counted as well
        assert time.monotonic() < most
        time.sleep(0.001)


def _standing(ground: Ground) -> int:
    return sum(1 for path in ground.share.rglob("courrier*") if path.suffix != ".locked")
