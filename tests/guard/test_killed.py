"""The guard is killed with -9 at any moment; after the next start the folder is as before the attack.

Content, names, owner, mode, times and attributes, and no file is called lost. `RELEVE_MOMENTS=40`
tries that many moments on each file system instead of the usual few.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from releve.apps.simulate.manifest import take
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
    stats = [Path(f"/proc/{pid}/stat") for pid in attackers.inside()]
    return [stat.read_text(errors="replace")[:60] for stat in stats]


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


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
def test_killed_before_it_knew_also_files_made_since_the_baseline_come_back(
    ground_on: Callable[[str], Ground], kind: str
) -> None:
    """Made, renamed and given a second name by somebody honest just before the attack."""
    ground = ground_on(kind)
    ground.build(24)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    young = ground.share / "Dossier 0" / "Été 0"
    clerk = attackers.start(
        f"cd '{young}' && cp 'courrier 000.txt' a.txt && cp 'courrier 000.txt' b.txt && sleep 0.4"
        " && mv a.txt nouveau.txt && ln b.txt second.txt && sleep 0.8"
    )
    assert attackers.wait(clerk) == 0
    before = take(ground.share)
    mark = ground.base / "begun"
    attack = attackers.python("mixed", ground.share, 5, mark, "0")
    while not mark.exists():
        time.sleep(0.001)
    guard.kill9()
    attackers.wake()
    attackers.wait(attack)
    again = ground.guard()
    again.ready()
    settled(again)
    assert (differences(before, ground.share), lost(again)) == ([], []), told(again)


def test_somebody_elses_deletion_stays_where_it_was_read_and_comes_back_said_where_it_was_not(
    ground_on: Callable[[str], Ground],
) -> None:
    """With a roll-back under way: rather one file too many than one that is lost."""
    ground = ground_on("btrfs")
    before = ground.build(300, links=False)
    read, unread = sorted(name for name in before if "Dossier 7/Été 2/" in name)[-2:]
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    assert attackers.wait(attackers.start(f"rm '{ground.share}/{read}'")) == 0
    time.sleep(1.0)
    attackers.python("inplace", ground.share, "0.002")
    guard.wait("stopped")
    guard.kill9()
    assert attackers.wait(attackers.start(f"rm '{ground.share}/{unread}'")) == 0
    again = ground.guard()
    again.ready()
    settled(again)
    assert differences(before, ground.share) == [f"{read}: gone"], told(guard, again)
    said = [line for line in again.all("alert") if line["kind"] == "deletion_undone"]
    assert ["autour de l'arrêt du gardien : 1." in line["why"] for line in said] == [True], told(
        again
    )


def marks(ground: Ground) -> list[Path]:
    """Of whom the guard holds still, written before it does."""
    return [p for p in (ground.store / "still").iterdir() if not p.name.startswith("spare-")]


@pytest.mark.parametrize("script", ["inplace", "touch_up"])
def test_nobody_stays_halted_for_ever_by_a_guard_that_was_killed(
    ground_on: Callable[[str], Ground], script: str
) -> None:
    """Killed within a pause of the brake, or after it held a suspect: the next start ends it."""
    ground = ground_on("btrfs")
    before = ground.build(24, links=False)
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    work = attackers.python(script, ground.share)
    deadline = time.monotonic() + 10
    while not marks(ground):
        assert time.monotonic() < deadline
        if script == "touch_up" and attackers.status(work) is not None:
            work = attackers.python(script, ground.share)  # it was faster than a look at the marks
    guard.kill9()
    again = ground.guard()
    again.ready()
    over(attackers, work, again)
    deadline = time.monotonic() + 5
    while marks(ground):  # the last of them goes a moment after its process went on, or ended
        assert time.monotonic() < deadline, (marks(ground), told(guard, again))
        time.sleep(0.01)
    if script == "touch_up":
        assert attackers.status(work) == 0
        assert guard.all("stopped") + again.all("stopped") == []
        changed = [name for name, entry in take(ground.share).items() if entry != before[name]]
        assert changed
        assert all(name.endswith(".txt") for name in changed)
