"""The watcher's contract, kept by fanotify and by watchfiles."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.adapters.linux.watcher import FanotifyWatcher
from releve.adapters.portable.differ import Differ
from releve.adapters.portable.known import Known
from releve.adapters.portable.place import InodePlace
from releve.adapters.portable.watcher import WatchfilesWatcher
from releve.sense import fanotify
from tests.guard.contract_keeper import Kept, place_of
from tests.guard.contract_watcher import Watched, WatcherContract, write_by_mapping


def _filled(base: Path, kind: str) -> Kept:
    folder = base / "share"
    (folder / "d" / "e").mkdir(parents=True)
    for name in ("a", "d/b", "d/e/c"):
        (folder / name).write_bytes(f"contenu de {name}".encode() * 10)
    kept = Kept(folder, base / "store", place_of(kind, str(folder)), copy=False, kind=kind)
    kept.baseline()
    return kept


def _by_fanotify(base: Path) -> Iterator[Watched]:
    kept = _filled(base, "handle")
    watcher = FanotifyWatcher()
    watcher.mark(str(kept.folder))
    yield Watched(kept=kept, watcher=watcher, told=[])
    watcher.close()
    kept.close()


def _by_watchfiles(base: Path) -> Iterator[Watched]:
    kept = _filled(base, "inode")
    place = kept.keeper.place
    assert isinstance(place, InodePlace)
    watcher = WatchfilesWatcher([Differ(kept.keeper, place, Known(kept.keeper))])
    watcher.mark(str(kept.folder))
    yield Watched(kept=kept, watcher=watcher, told=[])
    watcher.close()
    kept.close()


@pytest.mark.root
class TestFanotifyOnExt4(WatcherContract):
    @pytest.fixture
    def watched(self, on: Callable[[str], Path]) -> Iterator[Watched]:
        yield from _by_fanotify(on("ext4"))


@pytest.mark.root
class TestFanotifyOnXfs(WatcherContract):
    @pytest.fixture
    def watched(self, on: Callable[[str], Path]) -> Iterator[Watched]:
        yield from _by_fanotify(on("xfs"))


@pytest.mark.root
class TestFanotifyOnBtrfs(WatcherContract):
    @pytest.fixture
    def watched(self, on: Callable[[str], Path]) -> Iterator[Watched]:
        yield from _by_fanotify(on("btrfs"))


@pytest.mark.root
class TestFanotifyInASubvolume(WatcherContract):
    """Only the top level of a btrfs can be marked; it is mounted for that moment."""

    @pytest.fixture
    def watched(self, on: Callable[[str], Path]) -> Iterator[Watched]:
        base = on("btrfs") / "sub"
        subprocess.run(["btrfs", "subvolume", "create", str(base)], check=True, capture_output=True)
        yield from _by_fanotify(base)


class TestWatchfiles(WatcherContract):
    @pytest.fixture
    def watched(self, tmp_path: Path) -> Iterator[Watched]:
        yield from _by_watchfiles(tmp_path)

    def test_a_write_through_a_mapping_is_found_by_the_sweep(self, watched: Watched) -> None:
        path = watched.folder / "a"
        mapped = write_by_mapping(path, b"sans un mot")
        watched.of(watched.key(path), fanotify.MODIFY)
        mapped.close()

    def test_what_no_hint_told_is_found_by_the_sweep(self, watched: Watched) -> None:
        watched.watcher._hints = _Deaf()  # type: ignore[attr-defined]
        gone = watched.key(watched.folder / "d" / "b")
        (watched.folder / "d" / "b").unlink()
        (watched.folder / "a").write_bytes(b"personne ne l'a dit")
        watched.of(watched.key(watched.folder / "a"), fanotify.CLOSE_WRITE)
        watched.of(gone, fanotify.DELETE)

    def test_a_tree_moved_out_is_told_file_by_file(self, watched: Watched, tmp_path: Path) -> None:
        keys = [watched.key(watched.folder / name) for name in ("d/b", "d/e/c", "d/e", "d")]
        (watched.folder / "d").rename(tmp_path / "outside")
        for key in keys:
            watched.of(key, fanotify.DELETE)

    def test_a_watch_that_breaks_asks_for_a_comparison(self, watched: Watched) -> None:
        watched.watcher._fail()  # type: ignore[attr-defined]
        watched.until(lambda change: bool(change.mask & fanotify.Q_OVERFLOW))


class _Deaf(set[str]):
    """Hints that come are forgotten, as by a queue that is full."""

    def update(self, *_others: object) -> None:
        return

    def __sub__(self, _other: object) -> "set[str]":
        return _Deaf()


@pytest.mark.root
def test_a_full_queue_of_the_kernel_asks_for_a_comparison(on: Callable[[str], Path]) -> None:
    kept = _filled(on("ext4"), "handle")
    watcher = FanotifyWatcher(unlimited=False)
    watcher.mark(str(kept.folder))
    for number in range(17_000):
        (kept.folder / f"n{number}").touch()
    told: list[int] = []
    while changes := watcher.read(0.2):
        told += [change.mask for change in changes]
    watcher.close()
    kept.close()
    assert any(mask & fanotify.Q_OVERFLOW for mask in told)
