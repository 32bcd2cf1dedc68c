"""The reader: who changes several originals is halted before the rest of one read is routed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from releve.adapters.clock import SystemClock
from releve.adapters.linux.watcher import FanotifyWatcher
from releve.detect.ransom.limits import Limits
from releve.detect.ransom.score import Scores
from releve.flow.guard.book import Book
from releve.flow.guard.desk import Desk
from releve.flow.guard.ground import Desks, Ground
from releve.flow.guard.pace import Pace
from releve.flow.guard.read.brake import Brake
from releve.flow.guard.read.reading import Reader
from releve.flow.guard.work import Volume, merge
from releve.model.process import Process
from releve.sense import fanotify
from releve.sense.fanotify import Change
from tests.guard.contract_keeper import Kept, place_of

LIMITS = Limits()
ORIGINALS = 30
DECOY, OTHER = 70_001, 70_002


class Table:
    """Every pid is a process of its own."""

    def __init__(self) -> None:
        self._known: dict[int, Process] = {}

    def get(self, pid: int) -> Process:
        return self._known.setdefault(pid, Process(pid, 1))


class Scene:
    """A real folder under a real watcher; the reader routes what the test hands it."""

    def __init__(self, base: Path) -> None:
        folder = base / "share"
        folder.mkdir()
        self.files = [folder / f"{number}.txt" for number in range(ORIGINALS)]
        for path in self.files:
            path.write_bytes(b"contenu " * 40)
        self.kept = Kept(folder, base / "store", place_of("handle", str(folder)), copy=False)
        self.kept.baseline()
        self.watcher, self.table, clock = FanotifyWatcher(), Table(), SystemClock()
        fsid = self.watcher.mark(str(folder))
        volume = Volume(fsid=fsid, keeper=self.kept.keeper, give_back=self.kept.give)
        ground = Ground(
            volumes={fsid: volume}, book=Book(10**12), scores=Scores(LIMITS), clock=clock,
            limits=LIMITS, pace=Pace(clock, LIMITS, lambda _share: None), say=lambda _line: None,
        )  # fmt: skip
        desks = Desks(**{name: Desk(merge, clock.steady) for name in ("hold", "big", "judge")})
        self.book = ground.book
        self.is_missing_one = False
        self.while_halting: Callable[[], None] = lambda: None
        self.halted: list[tuple[int, int]] = []  # pid, changes routed by then
        self.reader = Reader(
            ground, desks, self.table,  # type: ignore[arg-type] # asked for nothing but `get`
            own=frozenset(), on_overflow=lambda: None, on_tree=lambda *_: None, sees_all=True,
            on_late=lambda _process: None, brake=Brake(clock, LIMITS, self._halt, lambda _p: None),
            awaits=lambda: self.is_missing_one,
        )  # fmt: skip

    def _halt(self, process: Process) -> bool:
        self.halted.append((process.pid, self.reader.events))
        self.while_halting()
        return True

    def told(self) -> list[Change]:
        """All that happened since the last time."""
        found: list[Change] = []
        while changes := self.watcher.read(0.2):
            found += changes
        return found

    def close(self) -> None:
        self.watcher.close()
        self.kept.close()


@pytest.fixture
def scene(on: Callable[[str], Path]) -> Iterator[Scene]:
    there = Scene(on("ext4"))
    yield there
    there.close()


def by(changes: list[Change], pid: int) -> list[Change]:
    """As if that process had done it."""
    return [msgspec.structs.replace(change, pid=pid) for change in changes]


def overwrite(paths: list[Path], *, text: bytes = b"autre") -> None:
    for path in paths:
        with path.open("r+b") as file:
            file.write(text)


@pytest.mark.root
def test_who_changes_many_originals_in_one_read_is_halted_before_it_is_routed(scene: Scene) -> None:
    overwrite(scene.files[:1])
    overwrite(scene.files[:1], text=b"encore")
    decoys = by(scene.told(), DECOY)
    overwrite(scene.files[5:])
    scene.reader.route([*decoys * 50, *scene.told()])
    assert scene.halted == [(os.getpid(), 0)]


@pytest.mark.root
def test_own_new_files_and_what_was_changed_before_count_for_nothing(scene: Scene) -> None:
    made = [scene.kept.folder / f"neuf {number}" for number in range(20)]
    for path in made:
        path.write_bytes(b"x")
    overwrite(made)
    scene.reader.route(scene.told())
    overwrite(made, text=b"encore")  # known from the read before
    scene.reader.route(scene.told())
    assert scene.halted == []


@pytest.mark.root
def test_one_original_each_by_many_halts_nobody(scene: Scene) -> None:
    overwrite(scene.files)
    changes = [c for c in scene.told() if c.mask & fanotify.MODIFY]
    assert len(changes) >= ORIGINALS
    pids = {file: OTHER + number for number, file in enumerate({c.file for c in changes})}
    scene.reader.route([by([c], pids[c.file])[0] for c in changes])
    assert scene.halted == []


@pytest.mark.root
def test_a_write_is_noted_however_long_its_writer_s_halt_takes(scene: Scene) -> None:
    """A full disk's halt waits for a note of it, while touches that seem idle are packed."""

    def pack_all() -> None:
        for seconds in (5, 10):
            scene.book.pack(SystemClock().now_ns() + seconds * 10**9)

    scene.while_halting = pack_all
    overwrite(scene.files)
    changes = scene.told()
    for change in changes:
        scene.reader.route([change])
    assert scene.halted
    touches = scene.book.of([scene.table.get(os.getpid())])
    assert len(touches) == ORIGINALS
    assert all(touch.wrote_ns for touch in touches.values())


@pytest.mark.root
@pytest.mark.parametrize("place", ["inside", "outside"])
@pytest.mark.parametrize("is_told_before", [True, False])
def test_who_links_each_original_first_is_halted_as_soon(
    scene: Scene, place: str, is_told_before: bool
) -> None:
    folder = scene.kept.folder if place == "inside" else scene.kept.folder.parent
    overwrite(scene.files[:1])
    overwrite(scene.files[:1], text=b"encore")
    decoys = by(scene.told(), DECOY)
    links = [folder / f"lien {path.name}" for path in scene.files[5:]]
    for path, link in zip(scene.files[5:], links, strict=True):
        link.hardlink_to(path)
    if is_told_before:
        scene.reader.route(scene.told())
    before = scene.reader.events
    overwrite(links)
    scene.reader.route([*decoys * 50, *scene.told()])
    assert scene.halted == [(os.getpid(), before)]


@pytest.mark.root
def test_who_links_anothers_new_file_has_not_made_it(scene: Scene) -> None:
    new = [scene.kept.folder / f"neuf {number}" for number in range(20)]
    for path in new:
        path.write_bytes(b"contenu " * 40)
    told = scene.told()
    scene.reader.route(by(told, OTHER))
    for change in told:
        scene.kept.keeper.hold(change.file[8:], scene.table.get(OTHER).id, folder=0)
    for path in new:
        path.with_suffix(".lien").hardlink_to(path)
    overwrite(new)
    scene.reader.route(scene.told())
    assert [pid for pid, _ in scene.halted] == [os.getpid()]
