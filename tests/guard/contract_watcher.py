"""What every watcher must tell: who or what it asks, the right file is named by the right key.

A side of the port subclasses `WatcherContract` and gives the fixture `watched`.
"""

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from releve.flow.ports import Watcher
from releve.sense import fanotify
from releve.sense.fanotify import Change
from tests.guard.contract_keeper import Kept


class Watched(msgspec.Struct, kw_only=True):
    """A protected folder under watch; what was told so far."""

    kept: Kept
    watcher: Watcher
    told: list[Change] = []

    @property
    def folder(self) -> Path:
        return self.kept.folder

    def key(self, path: Path) -> bytes:
        return self.kept.keeper.place.key_of(str(path))

    def until(self, enough: Callable[[Change], bool], seconds: float = 10.0) -> Change:
        """The first change that will do, of those told before or within the time."""
        end = time.monotonic() + seconds
        while True:
            for change in self.told:
                if enough(change):
                    return change
            assert time.monotonic() < end, f"never told; told were {self.shown()}"
            self.told += self.watcher.read(0.1)

    def of(self, key: bytes, mask: int, name: str = "") -> Change:
        """The change of this file with one of these kinds, under that name."""

        def enough(change: Change) -> bool:
            mine = change.file is not None and change.file[8:] == key and bool(change.mask & mask)
            return mine and name in {"", os.fsdecode(change.name), os.fsdecode(change.new_name)}

        return self.until(enough)

    def quiet(self) -> None:
        """Forget what was told up to now."""
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            self.watcher.read(0.05)
        self.told = []

    def shown(self) -> list[tuple[str, bytes, bytes]]:
        return [(hex(c.mask), c.name, c.new_name) for c in self.told]


class WatcherContract:
    """The suite. `watched` holds a, d/b and d/e/c, all held; nothing is told yet."""

    def test_a_new_file_is_told_with_its_key_name_and_content(self, watched: Watched) -> None:
        path = watched.folder / "neuf"
        path.write_bytes(b"x" * 100)
        told = watched.of(watched.key(path), fanotify.CREATE, "neuf")
        assert told.directory is not None
        assert told.directory[8:] == watched.key(watched.folder)
        watched.of(watched.key(path), fanotify.CLOSE_WRITE)

    def test_a_save_is_told_when_it_is_closed(self, watched: Watched) -> None:
        path = watched.folder / "a"
        path.write_bytes(b"autre contenu")
        watched.of(watched.key(path), fanotify.CLOSE_WRITE, "a")

    def test_a_file_that_stays_open_is_told_and_is_not_told_to_be_closed(
        self, watched: Watched
    ) -> None:
        path = watched.folder / "d" / "b"
        with path.open("r+b", buffering=0) as file:
            file.write(b"pendant que c'est ouvert")
            watched.of(watched.key(path), fanotify.MODIFY)
            assert not any(c.mask & fanotify.CLOSE_WRITE for c in watched.told)
        watched.of(watched.key(path), fanotify.CLOSE_WRITE)

    def test_changed_rights_are_told(self, watched: Watched) -> None:
        (watched.folder / "a").chmod(0o600)
        watched.of(watched.key(watched.folder / "a"), fanotify.ATTRIB)

    def test_a_rename_is_told_with_both_names(self, watched: Watched) -> None:
        key = watched.key(watched.folder / "a")
        (watched.folder / "a").rename(watched.folder / "d" / "a.locked")
        told = watched.of(key, fanotify.RENAME)
        assert (told.name, told.new_name) == (b"a", b"a.locked")
        assert told.new_directory is not None
        assert told.new_directory[8:] == watched.key(watched.folder / "d")

    def test_a_rename_over_an_original_names_the_file_that_came(self, watched: Watched) -> None:
        new = watched.folder / "a.tmp"
        new.write_bytes(b"vient par-dessus")
        key = watched.key(new)
        new.replace(watched.folder / "a")
        told = watched.of(key, fanotify.RENAME)
        assert told.new_name == b"a"

    def test_a_deletion_is_told_with_the_key_of_what_is_gone(self, watched: Watched) -> None:
        path = watched.folder / "d" / "b"
        key = watched.key(path)
        path.unlink()
        told = watched.of(key, fanotify.DELETE, "b")
        assert told.directory is not None
        assert told.directory[8:] == watched.key(watched.folder / "d")

    def test_a_deleted_file_and_the_next_one_under_its_name_are_two(self, watched: Watched) -> None:
        path = watched.folder / "a"
        old = watched.key(path)
        path.unlink()
        watched.of(old, fanotify.DELETE | fanotify.RENAME, "a")
        path.write_bytes(b"un autre")
        new = watched.key(path)
        assert new != old
        watched.of(new, fanotify.CREATE, "a")

    def test_a_moved_directory_keeps_its_files(self, watched: Watched) -> None:
        key = watched.key(watched.folder / "d" / "e")
        (watched.folder / "d" / "e").rename(watched.folder / "e2")
        told = watched.of(key, fanotify.RENAME)
        assert told.mask & fanotify.ONDIR
        assert told.new_name == b"e2"
        path = watched.folder / "e2" / "c"
        path.write_bytes(b"apres le deplacement")
        change = watched.of(watched.key(path), fanotify.CLOSE_WRITE)
        assert change.directory is not None
        assert watched.kept.keeper.place.directory_path(change.directory[8:]) == str(path.parent)

    def test_a_directory_filled_at_once_is_told_whole(self, watched: Watched) -> None:
        deep = watched.folder / "x" / "y" / "z"
        deep.mkdir(parents=True)
        paths = [deep / f"f{n}" for n in range(20)] + [deep.parent / "g"]
        for path in paths:
            path.write_bytes(b"tout de suite")
        for path in paths:
            watched.of(watched.key(path), fanotify.CREATE)
        assert watched.of(watched.key(deep), fanotify.CREATE).mask & fanotify.ONDIR

    def test_a_second_name_is_told_with_the_key_of_the_file(self, watched: Watched) -> None:
        path, alias = watched.folder / "a", watched.folder / "d" / "alias"
        os.link(path, alias)
        watched.of(watched.key(path), fanotify.CREATE, "alias")
        watched.quiet()
        alias.write_bytes(b"par l'autre nom")
        watched.of(watched.key(path), fanotify.CLOSE_WRITE)

    def test_a_symbolic_link_is_told_as_itself(self, watched: Watched) -> None:
        link = watched.folder / "l"
        link.symlink_to("a")
        watched.of(watched.key(link), fanotify.CREATE, "l")

    def test_names_that_are_not_text_are_told(self, watched: Watched) -> None:
        path = watched.folder / os.fsdecode(b"Pr\xe9nom\xff")
        path.write_bytes(b"vieux serveur")
        told = watched.of(watched.key(path), fanotify.CREATE)
        assert told.name == b"Pr\xe9nom\xff"

    def test_nothing_is_told_of_reading(self, watched: Watched) -> None:
        for path in watched.folder.rglob("*"):
            if path.is_file():
                path.read_bytes()
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            watched.told += watched.watcher.read(0.05)
        assert watched.told == []


def write_by_mapping(path: Path, text: bytes) -> mmap.mmap:
    """Change a file without a single write call, and keep it mapped."""
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    mapped[: len(text)] = text
    return mapped
