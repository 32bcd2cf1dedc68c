"""Who changes originals in quick succession is halted, ever more seldom, and never for long."""

import threading
import time
from collections.abc import Callable

import pytest

from releve.detect.ransom.limits import Limits
from releve.flow.guard.read.brake import Brake
from releve.model.process import Process
from tests.guard.ground import Ground, touched_up

LIMITS = Limits()
SOON = LIMITS.brake_within_s / 4


class DrivenClock:
    """Time passes when the test says so, or somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def steady(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def now_ns(self) -> int:
        return int(self.now * 1e9)

    wall_ns = now_ns


class Halts:
    """Remembers who is halted and who was let go."""

    def __init__(self, *, may: bool = True) -> None:
        self.may, self.still, self.count = may, set[Process](), 0

    def halt(self, process: Process) -> bool:
        if self.may:
            self.still.add(process)
            self.count += 1
        return self.may

    def resume(self, process: Process) -> None:
        self.still.remove(process)


def work(brake: Brake, clock: DrivenClock, process: Process, files: int, pause: float) -> None:
    """Change files one after the other; each halt ends with a look."""
    for _ in range(files):
        clock.now += pause
        brake.note(process)
        brake.looked(process, is_last=True)


def test_the_next_halt_comes_after_four_times_as_many_files() -> None:
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    counts = []
    for _ in range(1000):
        work(brake, clock, process, 1, SOON)
        counts.append(halts.count)
    assert [counts.index(n) + 1 for n in range(1, 6)] == [2, 8, 32, 128, 512]
    assert halts.count == 5
    assert not halts.still


def test_what_is_read_of_one_who_is_halted_does_not_put_off_his_next_halt() -> None:
    """A reader that was behind hears of a hundred files of a halted encryptor at once."""
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    for _ in range(140):
        brake.note(process)
    assert halts.count == 1
    brake.looked(process, is_last=True)
    work(brake, clock, process, 6, SOON)
    assert halts.count == 2


def test_who_is_known_to_come_to_his_second_original_is_halted_before() -> None:
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    brake.ahead(process, 1)
    assert halts.count == 0
    brake.note(process)
    clock.now += LIMITS.brake_within_s * 2
    brake.ahead(process, 1)  # the first of a read may be long after the last of the one before
    assert halts.count == 0
    brake.ahead(process, 2)
    assert halts.count == 1
    brake.looked(process, is_last=True)
    brake.ahead(process, 2)
    assert halts.count == 1, "the next comes after four times as many"
    brake.suspect(process)
    brake.ahead(process, 1)
    assert halts.count == 2


def test_who_could_not_be_halted_this_time_is_halted_soon() -> None:
    """Somebody else was just being stopped: the reader does not wait, nor forget."""
    clock, halts, process = DrivenClock(), Halts(may=False), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    work(brake, clock, process, 2, SOON)
    halts.may = True
    work(brake, clock, process, 6, SOON)
    assert halts.count == 1


def test_after_a_long_pause_it_is_counted_anew() -> None:
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    work(brake, clock, process, 100, SOON)
    assert halts.count == 3
    clock.now += LIMITS.brake_forget_s
    work(brake, clock, process, 2, SOON)
    assert halts.count == 4


def test_who_saves_now_and_then_is_never_halted() -> None:
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    work(brake, clock, process, 500, LIMITS.brake_within_s * 1.5)
    assert halts.count == 0


def test_deletions_count_for_who_makes_files_too() -> None:
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    for _ in range(100):
        brake.deleted(process)
    assert halts.count == 0
    brake.made(process)
    brake.deleted(process)
    brake.deleted(process)
    assert halts.count == 1


def test_processes_are_counted_apart() -> None:
    clock, halts = DrivenClock(), Halts()
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    for pid in range(5, 50):
        work(brake, clock, Process(pid, 1), 1, 0.0)
    assert halts.count == 0


def test_who_destroyed_one_is_halted_at_each_further_one() -> None:
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    work(brake, clock, process, 1, SOON)
    brake.suspect(process)
    work(brake, clock, process, 10, 5.0)  # however slow
    assert halts.count == 10


def test_two_looks_that_found_nothing_end_a_halt_and_a_suspect_waits_for_the_last() -> None:
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    for is_suspect in (False, True):
        if is_suspect:
            brake.suspect(process)
        brake.note(process)
        brake.note(process)
        assert brake.is_on
        for _ in range(LIMITS.brake_looks):
            assert halts.still == {process}
            brake.looked(process, is_last=False)
        assert halts.still == ({process} if is_suspect else set())
    brake.looked(process, is_last=True)
    assert not brake.is_on


def test_a_judge_that_never_comes_back_keeps_nobody() -> None:
    clock, halts, process = DrivenClock(), Halts(), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    brake.note(process)
    brake.note(process)
    began = clock.now
    brake.let_go(0)
    assert not halts.still
    assert LIMITS.suspect_s < clock.now - began < LIMITS.suspect_s + 0.02


def test_who_must_not_be_halted_goes_on_and_nobody_is_kept_at_the_end() -> None:
    clock, halts, process = DrivenClock(), Halts(may=False), Process(7, 1)
    brake = Brake(clock, LIMITS, halts.halt, halts.resume)
    work(brake, clock, process, 100, SOON)
    assert not brake.is_on
    halts.may = True
    brake.suspect(process)
    brake.note(process)
    assert halts.still == {process}
    brake.release_all()
    assert not halts.still


def test_a_halt_and_its_end_do_not_cross() -> None:
    """Two threads for two seconds: whoever is halted last is let go as well."""
    clock, process = DrivenClock(), Process(7, 1)
    state = {"still": False}

    def halt(_process: Process) -> bool:
        time.sleep(0)
        state["still"] = True
        return True

    def resume(_process: Process) -> None:
        time.sleep(0)
        state["still"] = False

    brake = Brake(clock, LIMITS, halt, resume)
    brake.note(process)
    brake.suspect(process)
    end = threading.Event()

    def look() -> None:
        while not end.is_set():
            brake.looked(process, is_last=True)

    judge = threading.Thread(target=look)
    judge.start()
    until = time.monotonic() + 2
    while time.monotonic() < until:
        brake.note(process)
    end.set()
    judge.join()
    brake.looked(process, is_last=True)
    assert not state["still"]
    assert not brake.is_on


@pytest.mark.root
@pytest.mark.need("namespaces")
def test_an_honest_program_that_rewrites_every_file_goes_through(
    ground_on: Callable[[str], Ground],
) -> None:
    ground = ground_on("ext4")
    ground.build(96, links=False)
    texts = {path: path.read_bytes() for path in ground.share.rglob("*.txt")}
    attackers = ground.attackers()
    guard = ground.guard()
    guard.ready()
    assert attackers.wait(attackers.python("touch_up", ground.share)) == 0
    time.sleep(0.5)
    assert len(texts) > 32
    assert {path: path.read_bytes() for path in texts} == touched_up(texts)
    assert not guard.all("stopped")
    assert guard.process.poll() is None
