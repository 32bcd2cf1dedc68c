"""The keeper's contract, kept by handles on ext4, xfs and btrfs and by inode numbers anywhere."""

import contextlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.guard.contract_keeper import KeeperContract, Kept, place_of, using


def _kept(base: Path, kind: str, *, copy: bool) -> Iterator[Kept]:
    folder, store = base / "share", base / "store"
    folder.mkdir()
    yield from using(Kept(folder, store, place_of(kind, str(folder)), copy=copy, kind=kind))


@pytest.mark.root
class TestHandlesOnExt4(KeeperContract):
    @pytest.fixture
    def kept(self, on: Callable[[str], Path]) -> Iterator[Kept]:
        yield from _kept(on("ext4"), "handle", copy=False)


@pytest.mark.root
class TestHandlesOnXfs(KeeperContract):
    @pytest.fixture
    def kept(self, on: Callable[[str], Path]) -> Iterator[Kept]:
        yield from _kept(on("xfs"), "handle", copy=False)


@pytest.mark.root
class TestHandlesOnBtrfs(KeeperContract):
    @pytest.fixture
    def kept(self, on: Callable[[str], Path]) -> Iterator[Kept]:
        yield from _kept(on("btrfs"), "handle", copy=False)


@pytest.mark.root
class TestHandlesOnBtrfsByCopy(KeeperContract):
    @pytest.fixture
    def kept(self, on: Callable[[str], Path]) -> Iterator[Kept]:
        yield from _kept(on("btrfs"), "handle", copy=True)


@pytest.mark.root
class TestInodesOnBtrfs(KeeperContract):
    @pytest.fixture
    def kept(self, on: Callable[[str], Path]) -> Iterator[Kept]:
        yield from _kept(on("btrfs"), "inode", copy=False)


class TestInodesAnywhere(KeeperContract):
    @pytest.fixture
    def kept(self, tmp_path: Path) -> Iterator[Kept]:
        yield from _kept(tmp_path, "inode", copy=False)


@pytest.mark.root
def test_clones_are_used_where_the_file_system_can(on: Callable[[str], Path]) -> None:
    modes = {}
    for kind in ("ext4", "xfs", "btrfs"):
        for kept in _kept(on(kind), "handle", copy=False):
            modes[kind] = kept.keeper.mode(0)
    assert modes == {"ext4": "copy", "xfs": "reflink", "btrfs": "reflink"}


@pytest.mark.root
@pytest.mark.parametrize("kind", ["handle", "inode"])
def test_a_disk_out_of_bytes_refuses_loudly(on: Callable[[str], Path], kind: str) -> None:
    for kept in _kept(on("ext4-tiny"), kind, copy=False):
        path = kept.folder / "a"
        path.write_bytes(b"original")
        kept.baseline()
        refused = ""
        for number in range(40):
            path.write_bytes(os.urandom(700_000 + number))
            refused = kept.hold(path).refused or refused
        assert refused == "full"
        assert kept.content(kept.keeper.generations(kept.node(path).id)[0]) == b"original"


@pytest.mark.root
@pytest.mark.parametrize("kind", ["handle", "inode"])
def test_a_disk_out_of_inodes_refuses_loudly(on: Callable[[str], Path], kind: str) -> None:
    for kept in _kept(on("ext4-tiny"), kind, copy=False):
        path = kept.folder / "a"
        path.write_bytes(b"original")
        kept.baseline()
        eaten = 0
        try:
            while True:
                (kept.folder / f"n{eaten}").touch()
                eaten += 1
        except OSError:
            pass
        path.write_bytes(b"apres")
        time.sleep(0.15)  # room is looked up at most every 100 ms
        assert kept.hold(path).refused == "full"
        assert kept.content(kept.keeper.generations(kept.node(path).id)[0]) == b"original"


def test_the_log_goes_into_the_index_while_somebody_else_has_the_keeper(tmp_path: Path) -> None:
    folder, store, copy = tmp_path / "share", tmp_path / "store", tmp_path / "copy.db"
    folder.mkdir()
    with contextlib.contextmanager(using)(
        Kept(folder, store, place_of("inode", str(folder)), copy=False, kind="inode")
    ) as kept:
        keeper = kept.keeper
        with keeper.lock:
            for number in range(5000):
                keeper.index.set_setting(f"{number}", b"value")
            keeper.index.commit()
            other = threading.Thread(target=keeper.write_back)  # this thread keeps the lock
            other.start()
            other.join(timeout=20)
            assert not other.is_alive()
        index = store / "index.sqlite"
        shutil.copyfile(index, copy)  # without its log
        with contextlib.closing(sqlite3.connect(copy)) as alone:
            assert alone.execute("SELECT count(*) FROM setting").fetchone()[0] >= 5000
        log = Path(f"{index}-wal").stat().st_size
        with keeper.lock:  # the log begins anew, and does not grow
            for number in range(1000):
                keeper.index.set_setting(f"{number}", b"other")
            keeper.index.commit()
        assert Path(f"{index}-wal").stat().st_size == log
        keeper.index.close()
        keeper.write_back()  # closed meanwhile: nothing
