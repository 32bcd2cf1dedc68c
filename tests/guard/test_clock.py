"""The machine's clock is set while the guard runs: what came first stays first, and nothing is dropped."""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from releve.adapters.clock import SystemClock
from releve.adapters.linux.place import HandlePlace
from releve.adapters.linux.watcher import FanotifyWatcher
from releve.adapters.store.approvals import ApprovalFile, digest
from releve.adapters.store.keeper import Keeper
from releve.model.approval import Approval
from releve.model.held import Judged
from releve.model.process import Process
from releve.recover.retention import PACE, advance
from tests.guard.ground import Ground, differences
from tests.guard.inside import Inside, inside

HOUR = 3600 * 10**9


class SetClock(SystemClock):
    """The machine's clock, set by so many ns while it runs. Times of files stay the kernel's."""

    by_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.by_ns


@contextmanager
def guarding(ground: Ground, clock: SetClock) -> Iterator[Inside]:
    attackers = ground.attackers()
    with inside(ground, attackers.scope, watcher=FanotifyWatcher(), clock=clock) as run:
        yield run


@pytest.mark.root
@pytest.mark.need("namespaces")
@pytest.mark.parametrize("by_ns", [HOUR, -HOUR], ids=["forward", "back"])
@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
def test_an_attack_after_the_clock_was_set_is_stopped_and_undone_and_honest_work_stays(
    ground_on: Callable[[str], Ground], kind: str, by_ns: int
) -> None:
    """Work of before the step stays, also what nobody can read (a scan, an archive with a password)."""
    ground = ground_on(kind)
    before = ground.build(48, links=False)
    clock = SetClock()
    with guarding(ground, clock) as run:
        clerk = ground._attackers[0]
        honest = {"vide/journal.txt": b"", "0 coffre.bin": os.urandom(9000)}
        source = ground.logs / "coffre.bin"
        source.write_bytes(honest["0 coffre.bin"])
        work = clerk.start(f"cat '{source}' > '{ground.share}/0 coffre.bin'")
        assert clerk.wait(work) == 0
        assert clerk.wait(clerk.python("edits", ground.share, "vide/journal.txt", 5, "0.01")) == 0
        time.sleep(0.7)  # held and judged
        clock.by_ns = by_ns
        more = clerk.python("edits", ground.share, "vide/journal.txt", 40, "0.01")
        time.sleep(0.1)
        clerk.python("inplace", ground.share, "0.003")
        rolled = run.rolled_back()
        assert clerk.wait(more) == 0
        time.sleep(0.5)
        honest["vide/journal.txt"] = (ground.share / "vide" / "journal.txt").read_bytes()
        assert honest["vide/journal.txt"].count(b"\n") == 45
        assert (rolled.lost, rolled.newest_save_lost) == ((), ())
        assert differences(before, ground.share, honest) == []
        (stopped,) = run.stopped()
        assert stopped.action == "killed"
        said = dt.datetime.fromisoformat(rolled.at).timestamp()
        assert abs(said - clock.wall_ns() / 1e9) < 30  # people read the clock that they see


@pytest.mark.root
@pytest.mark.need("namespaces")
@pytest.mark.parametrize("by_ns", [HOUR, -HOUR], ids=["forward", "back"])
def test_honest_work_across_the_step_convicts_nobody(
    ground_on: Callable[[str], Ground], by_ns: int
) -> None:
    ground = ground_on("btrfs")
    before = ground.build(24, links=False)
    clock = SetClock()
    with guarding(ground, clock) as run:
        clerk = ground._attackers[0]
        work = clerk.python("edits", ground.share, "vide/journal.txt", 40, "0.01")
        time.sleep(0.2)
        clock.by_ns = by_ns
        assert clerk.wait(work) == 0
        time.sleep(0.7)
        assert run.stopped() == []
        keeper = run.guard.volumes[0].keeper
        node = keeper.node(keeper.place.key_of(str(ground.share / "vide" / "journal.txt")))
        assert node is not None
        assert keeper.generations(node.id)[-1].judged is Judged.CLEAN
        held = keeper.read(keeper.generations(node.id)[-1])
        assert held.read(0, held.size).count(b"\n") == 40
        held.close()
        lines = (ground.share / "vide" / "journal.txt").read_bytes()
        assert differences(before, ground.share, {"vide/journal.txt": lines}) == []


@pytest.mark.root
@pytest.mark.need("namespaces")
@pytest.mark.parametrize("years", [10, -10])
def test_what_was_deleted_stays_held_when_the_clock_jumps_also_across_restarts(
    ground_on: Callable[[str], Ground], years: int
) -> None:
    ground = ground_on("btrfs")
    ground.build(24, links=False)
    clock = SetClock()
    with guarding(ground, clock) as run:
        clerk = ground._attackers[0]
        assert clerk.wait(clerk.start(f"rm '{ground.share}/Dossier 0/Été 0/courrier 000.txt'")) == 0
        run.wait(lambda _: run.guard.originals.freeable()[0] == 1)
        clock.by_ns = years * 365 * 24 * HOUR
        assert run.guard.originals.prune() == 0
    again = _started_at(clock)
    place = HandlePlace(str(ground.share))
    keeper = Keeper(str(ground.store), place, again)  # as after a restart
    again.not_before(keeper.index.last_ns())
    assert keeper.retire(72 * HOUR, 5 * 10**9) == 0
    assert keeper.gone_count()[0] == 1
    assert keeper.retire(72 * HOUR, 72 * HOUR) == int(years > 0)  # that long it has run by now
    keeper.close()


def _started_at(clock: SetClock) -> SetClock:
    """The same clock, of a machine that had this time already when the guard started."""
    by_ns = clock.by_ns

    class Started(SetClock):
        pass

    Started.by_ns = by_ns
    return Started()


def test_the_retention_ends_after_its_time_and_not_by_a_jump() -> None:
    keep, day = 72 * HOUR, 24 * HOUR
    now = gone = 1000 * day
    limit = advance(0, now_ns=now, keep_ns=keep, oldest_ns=gone, ran_ns=0)
    assert limit <= now - keep
    limit = advance(limit, now_ns=now + 3650 * day, keep_ns=keep, oldest_ns=gone, ran_ns=5 * 10**9)
    assert limit < gone  # ten years forward: held on
    ran = 0
    while limit <= gone:
        ran += HOUR
        limit = advance(limit, now_ns=now + 3650 * day, keep_ns=keep, oldest_ns=gone, ran_ns=HOUR)
    assert ran == pytest.approx(keep / PACE, abs=2 * HOUR)


def test_the_retention_of_a_machine_that_runs_all_day_ends_to_the_hour() -> None:
    keep, gone, limit, now = 72 * HOUR, 1000 * HOUR, 0, 1000 * HOUR
    while limit <= gone:
        now += HOUR
        limit = advance(limit, now_ns=now, keep_ns=keep, oldest_ns=gone, ran_ns=HOUR)
    assert now - gone == keep + HOUR


def test_the_guards_time_is_the_wall_clocks_until_that_is_set_and_goes_on_after_a_restart() -> None:
    clock = SetClock()
    assert abs(clock.now_ns() - clock.wall_ns()) < 10**7
    clock.by_ns = -HOUR
    before = clock.now_ns()
    assert 0 <= clock.now_ns() - before < 10**8
    assert clock.now_ns() - clock.wall_ns() == pytest.approx(HOUR, abs=10**8)
    restarted = _started_at(clock)
    restarted.not_before(before)
    assert 0 <= restarted.now_ns() - before < 10**9


def test_an_approval_does_not_outlive_its_hours_when_the_clock_goes_back(tmp_path: Path) -> None:
    now = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    program = tmp_path / "coffre"
    program.write_bytes(b"#!/bin/true\n")
    kept = ApprovalFile(str(tmp_path))
    given = Approval(
        user=61001, program=str(program), program_sha256="", folder="/srv", until=now + dt.timedelta(hours=1),
        by="root", made_at=now,
    )  # fmt: skip
    kept.add(msgspec.structs.replace(given, program_sha256=digest(str(program))))
    st = program.stat()
    file = (st.st_dev, st.st_ino, st.st_ctime_ns)
    head = Process(2**22 + 7, 1, uid=61001, exe=str(program), exe_file=file)

    def covers(at: dt.datetime) -> bool:
        return bool(kept.covers(head, [head], ["/srv/a"], at))

    assert covers(now + dt.timedelta(minutes=59))
    assert not covers(now + dt.timedelta(hours=1))  # also after a step forward: the safe side
    assert not covers(now - dt.timedelta(hours=1))  # made in the future: the clock was set back
