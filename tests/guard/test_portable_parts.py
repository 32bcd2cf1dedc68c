"""The parts of the portable guard that can be shown without a whole attack."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from releve.adapters.linux.hands import LinuxHands
from releve.adapters.portable.evidence import Evidence
from releve.adapters.portable.hands import PsutilHands
from releve.adapters.portable.probe import Probe, ProcProbe, PsutilProbe
from releve.adapters.portable.processes import PortableProcesses
from releve.apps.guard.config import GuardConfig
from releve.apps.guard.portable import StoreKindError, build_portable, portable_store
from releve.flow.guard.book import Book, merge
from releve.model.held import Facts, Generation, Judged, Kind, Name
from releve.model.process import Process
from releve.recover.rollback import LeaveAsIs, PutBack, Quarantine, Touch, Unrecoverable, decide
from tests.guard.contract_keeper import Kept, place_of

_WRITER = """
import os, sys, time
files = [open(path, "r+b", buffering=0) for path in sys.argv[1:]]
print("open", flush=True)
while True:
    for file in files:
        file.seek(0)
        file.write(os.urandom(4096))
    time.sleep(0.01)
"""
_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[2:]], stdout=sys.stdout)
child.wait()
"""


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test started; they end with it."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        for child in (
            [*psutil.Process(process.pid).children(recursive=True)]
            if process.poll() is None
            else []
        ):
            child.kill()
        process.kill()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def _start(started: list[subprocess.Popen[str]], *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True)
    started.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def _only(*pids: int) -> "object":
    """Nobody but these and their children may be accused: the machine's others are no part of this."""

    def refuse(pid: int, _uid: int, _exe: str) -> bool:
        try:
            above = {pid, *(p.pid for p in psutil.Process(pid).parents())}
        except psutil.Error:
            return True
        return not above & set(pids) or pid == os.getpid()

    return refuse


def _probes(*pids: int) -> list[Probe]:
    refuse = _only(*pids)
    return [ProcProbe(refuse), PsutilProbe(refuse)]  # type: ignore[arg-type]


def _suspected(probe: Probe, folder: Path, damaged: list[Path]) -> "object":
    evidence = Evidence(probe, (str(folder),))
    evidence.sample()
    evidence.stir(4096 * len(damaged))
    for _ in range(10):
        evidence.sample()
        time.sleep(0.02)
    return evidence.suspect(lambda: {str(path) for path in damaged}, probe.now_ns() - 10**9)


def _files(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"f{n}" for n in range(count)]
    for path in paths:
        path.write_bytes(b"x" * 4096)
    return paths


def test_who_has_several_damaged_files_open_is_named_clearly(
    tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    paths = _files(tmp_path, 3)
    writer = _start(started, _WRITER, *map(str, paths))
    for probe in _probes(writer.pid):
        suspect = _suspected(probe, tmp_path, paths)
        assert suspect is not None
        assert suspect.seen.pid == writer.pid  # type: ignore[attr-defined]
        assert suspect.clear  # type: ignore[attr-defined]
        assert all(clue.why_fr and clue.why_en for clue in suspect.clues)  # type: ignore[attr-defined]


def test_of_parent_and_child_the_one_that_writes_is_named(
    tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    paths = _files(tmp_path, 3)
    parent = _start(started, _PARENT, _WRITER, *map(str, paths))
    child = psutil.Process(parent.pid).children()[0].pid
    suspect = _suspected(_probes(parent.pid)[0], tmp_path, paths)
    assert suspect is not None
    assert suspect.seen.pid == child  # type: ignore[attr-defined]


def test_two_equal_suspects_are_not_clear(
    tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    paths = _files(tmp_path, 3)
    one = _start(started, _WRITER, *map(str, paths))
    other = _start(started, _WRITER, *map(str, paths))
    suspect = _suspected(_probes(one.pid, other.pid)[0], tmp_path, paths)
    assert suspect is not None
    assert not suspect.clear  # type: ignore[attr-defined]


def test_a_busy_writer_elsewhere_is_not_named(
    tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    protected, elsewhere = tmp_path / "share", tmp_path / "other"
    protected.mkdir()
    elsewhere.mkdir()
    damaged = _files(protected, 3)
    busy = _start(started, _WRITER, *map(str, _files(elsewhere, 5)))
    suspect = _suspected(_probes(busy.pid)[0], protected, damaged)
    assert suspect is None or not suspect.clear  # type: ignore[attr-defined]


def test_who_must_not_be_touched_is_not_named(
    tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    paths = _files(tmp_path, 3)
    _start(started, _WRITER, *map(str, paths))
    assert _suspected(_probes()[0], tmp_path, paths) is None


@pytest.mark.parametrize("how", ["pidfd", "psutil"])
def test_the_named_family_is_stopped_and_killed_with_its_children(
    tmp_path: Path, started: list[subprocess.Popen[str]], how: str
) -> None:
    paths = _files(tmp_path, 3)
    parent = _start(started, _PARENT, _WRITER, *map(str, paths))
    child = psutil.Process(parent.pid).children()[0]
    probe = _probes(parent.pid)[0 if how == "pidfd" else 1]
    processes = PortableProcesses(probe, Evidence(probe, (str(tmp_path),)))
    hands = LinuxHands(processes) if how == "pidfd" else PsutilHands(processes)
    seen = probe.see(parent.pid)
    assert seen is not None
    head = Process(seen.pid, seen.start_ns, None, uid=seen.uid)
    hands.freeze(head)
    assert psutil.Process(parent.pid).status() == psutil.STATUS_STOPPED
    assert child.status() == psutil.STATUS_STOPPED
    hands.thaw(head)
    assert child.status() != psutil.STATUS_STOPPED
    killed = hands.kill(head)
    assert set(killed) == {parent.pid, child.pid}
    parent.wait(5)
    assert not psutil.pid_exists(parent.pid)


@pytest.mark.parametrize("how", ["pidfd", "psutil"])
def test_another_process_under_the_same_number_gets_no_signal(
    tmp_path: Path, started: list[subprocess.Popen[str]], how: str
) -> None:
    writer = _start(started, _WRITER, *map(str, _files(tmp_path, 1)))
    probe = _probes(writer.pid)[0 if how == "pidfd" else 1]
    seen = probe.see(writer.pid)
    assert seen is not None
    processes = PortableProcesses(probe, Evidence(probe, (str(tmp_path),)))
    stranger = Process(writer.pid, seen.start_ns - 5 * 10**9, None)
    hands = LinuxHands(processes) if how == "pidfd" else PsutilHands(processes)
    hands.kill(stranger)
    time.sleep(0.05)
    assert writer.poll() is None


def test_a_convicted_unknown_writer_is_followed_by_another(tmp_path: Path) -> None:
    probe = _probes()[0]
    processes = PortableProcesses(probe, Evidence(probe, (str(tmp_path),)))
    first = processes.get(0)
    assert processes.get(4242) is first
    assert not first.known
    second = processes.renew(first)
    assert second is not None
    assert second.id != first.id
    assert processes.get(0) is second
    assert processes.renew(first) is None
    assert processes.members(first) == []


# what becomes of a file when anybody may have written it

_FACTS = Facts(kind=Kind.FILE, size=1, mode=0o600, uid=0, gid=0, mtime_ns=1, ctime_ns=1)


def _held(number: int, judged: Judged, writer: str = "") -> Generation:
    return Generation(
        id=number, node=1, facts=_FACTS, pack=0, offset=0, taken_ns=number * 10**9, writer=writer,
        judged=judged, settled=True,
    )  # fmt: skip


def _decide(touch: Touch, *held: Generation) -> object:
    return decide(
        touch, held, is_family=lambda w: w == "0-1", bad_since_ns=100 * 10**9, born_ns=0,
        others_ns=[], window_ns=10**8, author_known=False,
    )  # fmt: skip


def _touch(
    judged: Judged,
    *,
    at_s: int = 101,
    created: bool = False,
    wrote: bool = True,
    deleted: bool = False,
) -> Touch:
    return Touch(
        file=b"x", folder=0, first_ns=at_s * 10**9, last_ns=at_s * 10**9, judged=judged, created=created,
        wrote=wrote, deleted=deleted,
    )  # fmt: skip


ORIGINAL = _held(1, Judged.CLEAN)


def test_a_sound_edit_stays_even_after_the_first_damage() -> None:
    assert isinstance(
        _decide(_touch(Judged.CLEAN), ORIGINAL, _held(2, Judged.CLEAN, "0-1")), LeaveAsIs
    )


@pytest.mark.parametrize(
    ("held_s", "gone_s", "judged", "comes_back"),
    [
        (60, 101, Judged.CLEAN, True),
        (99, 101, Judged.CLEAN, True),
        (60, 70, Judged.CLEAN, False),
        (60, 101, Judged.UNKNOWN, True),
        (99, 101, Judged.UNKNOWN, False),
        (60, 101, Judged.BAD, False),
    ],
)
def test_what_was_made_and_held_before_an_attack_comes_back(
    held_s: int, gone_s: int, judged: Judged, comes_back: bool
) -> None:
    gone = _touch(Judged.NOT_YET, at_s=gone_s, created=True, deleted=True)
    done = _decide(gone, _held(held_s, judged, "0-1"))
    assert isinstance(done, PutBack if comes_back else LeaveAsIs)


def test_a_new_file_overwritten_long_after_it_was_saved_is_given_back() -> None:
    done = _decide(_touch(Judged.BAD, created=True), _held(60, Judged.CLEAN, "0-1"))
    assert isinstance(done, PutBack)
    young = _decide(_touch(Judged.BAD, created=True), _held(99, Judged.CLEAN, "0-1"))
    assert isinstance(young, Quarantine)


def test_a_deletion_in_a_later_record_is_not_sound_because_the_making_was() -> None:
    made = _touch(Judged.CLEAN, at_s=30, created=True)
    gone = _touch(Judged.NOT_YET, at_s=101, wrote=False, deleted=True)
    done = _decide(merge(made, gone), _held(30, Judged.CLEAN, "0-1"))
    assert isinstance(done, PutBack)


@pytest.mark.parametrize("records", [1, 2], ids=["one record", "two records"])
def test_a_name_that_stood_is_the_files_own_whoever_gave_it(records: int) -> None:
    book, file = Book(3600 * 10**9), b"f"
    writers = [Process(0, n * 10**9, known=False) for n in range(records)]
    scan, own, locked = (Name(b"d", name) for name in (b"scan.pdf", b"DUPONT.pdf", b"x.locked"))
    made = book.touch(writers[0], file, 0, 100 * 10**9)
    made.created, made.became = True, (scan,)
    book.touch(writers[0], file, 0, 101 * 10**9).became = (own,)  # renamed while it was new
    attacked = book.touch(writers[-1], file, 0, 180 * 10**9)
    attacked.was, attacked.became = (*attacked.was, own), (*attacked.became, locked)
    touch = book.of(writers)[file]
    assert (touch.was, touch.became, touch.created) == ((own,), (locked,), True)


def test_a_name_that_a_known_family_gave_is_never_put_back() -> None:
    book, file, writer = Book(3600 * 10**9), b"f", Process(7, 10**9)
    given = Name(b"d", b"x.tmp")
    book.touch(writer, file, 0, 100 * 10**9).created = True
    book.touch(writer, file, 0, 101 * 10**9).became = (given,)
    book.touch(writer, file, 0, 180 * 10**9)
    assert book.of([writer])[file].became == (given,)


def test_proved_damage_is_undone_to_the_last_sound_save() -> None:
    done = _decide(
        _touch(Judged.BAD), ORIGINAL, _held(2, Judged.CLEAN, "0-1"), _held(3, Judged.BAD, "0-1")
    )
    assert isinstance(done, PutBack)
    assert (done.generation.id, done.beside) == (2, False)


def test_a_doubtful_edit_is_kept_beside_the_original() -> None:
    done = _decide(_touch(Judged.UNKNOWN), ORIGINAL, _held(2, Judged.UNKNOWN, "0-1"))
    assert isinstance(done, PutBack)
    assert (done.generation.id, done.beside) == (1, True)


def test_a_deleted_original_comes_back() -> None:
    assert isinstance(_decide(_touch(Judged.NOT_YET, deleted=True), ORIGINAL), PutBack)


def test_what_was_deleted_long_before_the_damage_stays_deleted() -> None:
    assert isinstance(_decide(_touch(Judged.NOT_YET, at_s=10, deleted=True), ORIGINAL), LeaveAsIs)


@pytest.mark.parametrize(
    ("judged", "wanted"),
    [
        (Judged.CLEAN, LeaveAsIs),
        (Judged.UNKNOWN, Quarantine),
        (Judged.BAD, Quarantine),
        (Judged.NOT_YET, Quarantine),
    ],
)
def test_new_files_stay_only_if_they_read(judged: Judged, wanted: type) -> None:
    assert isinstance(_decide(_touch(judged, created=True)), wanted)


def test_temporary_files_are_left_alone() -> None:
    assert isinstance(_decide(_touch(Judged.UNKNOWN, created=True, deleted=True)), LeaveAsIs)


def test_damage_without_a_sound_version_is_said() -> None:
    assert isinstance(_decide(_touch(Judged.BAD), _held(1, Judged.BAD, "0-1")), Unrecoverable)


# where and how originals are held


def test_the_store_lies_beside_the_folder_or_in_the_users_data(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    store = portable_store(str(share))
    assert Path(store).parent == tmp_path
    assert portable_store(str(share)) == store


@pytest.mark.root
def test_a_store_of_the_exact_mode_is_refused(tmp_path: Path) -> None:
    share, store = tmp_path / "share", tmp_path / "store"
    share.mkdir()
    (share / "a").write_bytes(b"x")
    kept = Kept(share, store, place_of("handle", str(share)), copy=False)
    kept.baseline()
    kept.close()
    config = GuardConfig(protect=(str(share),), store=str(store), portable=True)
    with pytest.raises(StoreKindError) as refused:
        build_portable(config, [str(share)], 0, lambda _line: None)
    assert "--store" in refused.value.remedy
