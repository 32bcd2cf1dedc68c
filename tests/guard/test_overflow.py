"""Lost notifications are said, and what happened meanwhile is found by comparing."""

import threading
from collections.abc import Callable, Sequence

import pytest

from releve.adapters.clock import SystemClock
from releve.adapters.linux.watcher import FanotifyWatcher
from releve.sense import fanotify
from releve.sense.fanotify import Change
from tests.guard.ground import Ground, differences
from tests.guard.inside import inside

pytestmark = [pytest.mark.root, pytest.mark.need("namespaces")]


class Stalled(FanotifyWatcher):
    """The kernel's own watcher with its limited queue, whose reader gets no time for a while."""

    def __init__(self) -> None:
        super().__init__(unlimited=False)
        self.reads = threading.Event()
        self.reads.set()
        self.lost = 0

    def read(self, wait_s: float) -> Sequence[Change]:
        if not self.reads.wait(wait_s):
            return ()
        changes = super().read(wait_s)
        self.lost += sum(bool(change.mask & fanotify.Q_OVERFLOW) for change in changes)
        return changes


def test_an_attack_behind_a_full_queue_is_found_and_undone(
    ground_on: Callable[[str], Ground],
) -> None:
    ground = ground_on("btrfs")
    before = ground.build(96, links=False)
    # Without a known author an empty file with another name is nobody's proved harm: it stays.
    (ground.share / "rien.txt").unlink()
    del before["rien.txt"]
    attackers = ground.attackers()
    flood = ground.base / "ailleurs"
    flood.mkdir()
    watcher = Stalled()
    with inside(ground, attackers.scope, watcher=watcher, clock=SystemClock()) as run:
        watcher.reads.clear()
        # The kernel holds 16,384 notifications for one group; a new link is one more each time.
        attackers.wait(attackers.python("flood", ground.share, flood, 17_000))
        attackers.wait(attackers.python("rename", ground.share))
        watcher.reads.set()
        run.alert("overflow")
        rolled = run.rolled_back()
        assert watcher.lost > 0
        assert rolled.lost == ()
        assert differences(before, ground.share) == []
        # It watches on: the next attack is seen as it happens.
        attackers.python("inplace", ground.share, "0.002")
        run.wait(lambda _line: any(line.action == "killed" for line in run.stopped()))
