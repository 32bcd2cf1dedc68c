"""Finds files and folders by words: what stands now, what stood once (held), what snapshots have.

Only on the host that has them: names are patient data.
"""

import contextlib
import datetime as dt
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from time import monotonic

import msgspec

from releve.adapters.store.history import Key, ReadOnly
from releve.model.held import Judged, Kind
from releve.recover.wanted import Wanted, folded

MOST = 300  # hits of one source: who gets more looks for another word
_WALK_S = 8.0
_OURS = ".releve-"
_DEEPEST = 200


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A path that is meant, as it stands now or as it is known from the past."""

    path: str
    is_there: bool
    is_folder: bool = False
    size: int | None = None
    changed_at: dt.datetime | None = None


class Hits(msgspec.Struct, kw_only=True):
    """What was found so far, by path; grows."""

    found: dict[str, Hit] = {}
    is_cut: bool = False  # there is more than is shown

    def add(self, hit: Hit) -> bool:
        """Whether there is room for more."""
        self.found.setdefault(hit.path, hit)
        return len(self.found) < MOST


def standing(folders: Iterable[str], wanted: Wanted, hits: Hits) -> None:
    """Add what stands in the folders now; no link is followed."""
    until = monotonic() + _WALK_S
    for folder in folders:
        for path in _walk(folder):
            if monotonic() > until:
                hits.is_cut = True
                return
            if wanted.fits(os.path.relpath(path, folder)) and not hits.add(look_at(path)):
                hits.is_cut = True
                return


def _walk(folder: str) -> Iterator[str]:
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.startswith(_OURS):
                    continue
                yield entry.path
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def look_at(path: str) -> Hit:
    """How a path stands now."""
    try:
        facts = Path(path).lstat()
    except OSError:
        return Hit(path=path, is_there=False)
    is_folder = stat.S_ISDIR(facts.st_mode)
    changed = dt.datetime.fromtimestamp(facts.st_mtime, dt.UTC)
    size = None if is_folder else facts.st_size
    return Hit(path=path, is_there=True, is_folder=is_folder, size=size, changed_at=changed)


def held(
    stores: Iterable[str], keys: Sequence[Key], folders: Sequence[str], wanted: Wanted, hits: Hits
) -> None:
    """Add what guards' stores know by name, of now and of then."""
    for store in stores:
        with contextlib.closing(ReadOnly(store)) as index:
            index.db.execute("BEGIN")  # all answers of one moment
            _held(_Names(index.db, folders, keys), wanted, hits)


def _held(names: "_Names", wanted: Wanted, hits: Hits) -> None:
    for parent, name, is_folder in names.all(wanted):
        above = names.path_of(parent)
        if above is None:
            continue
        root, folder = above
        path = str(PurePath(folder, os.fsdecode(name)))
        if wanted.fits(os.path.relpath(path, root)) and path not in hits.found:
            hit = look_at(path)
            hit = hit if hit.is_there else msgspec.structs.replace(hit, is_folder=is_folder)
            if not hits.add(hit):
                hits.is_cut = True
                return


class _Names:
    """Names of one store, and the paths of its directories."""

    def __init__(
        self, database: sqlite3.Connection, folders: Sequence[str], keys: Sequence[Key]
    ) -> None:
        self._db = database
        self._known: dict[bytes, tuple[str, str] | None] = {}
        for folder in folders:
            for key_of in keys:
                with contextlib.suppress(OSError):
                    self._known[key_of(folder)] = (folder, folder)

    def all(self, wanted: Wanted) -> Iterator[tuple[bytes, bytes, bool]]:
        """(directory, name, is a folder) of each name that holds one of the words, once."""
        rows = self._db.execute(
            "SELECT e.parent, e.name, coalesce(n.kind,1) FROM"
            " (SELECT parent,name,node FROM name UNION SELECT parent,name,node FROM was) e"
            " LEFT JOIN node n ON n.id=e.node"
        )
        for parent, name, kind in rows:
            text = folded(os.fsdecode(name))
            if any(word in text for word in wanted.words) and not name.startswith(_OURS.encode()):
                yield parent, name, kind == Kind.DIRECTORY

    def path_of(self, key: bytes, depth: int = 0) -> tuple[str, str] | None:
        """(searched folder, path) of a directory; None when it is not below one of them."""
        if key not in self._known and depth < _DEEPEST:
            self._known[key] = None  # a ring would be a broken index: it ends here
            for parent, name in self._above(key):
                above = self.path_of(parent, depth + 1)
                if above is not None:
                    self._known[key] = (above[0], str(PurePath(above[1], os.fsdecode(name))))
                    break
        return self._known.get(key)

    def _above(self, key: bytes) -> list[tuple[bytes, bytes]]:
        """Where a directory is, else where it was last."""
        return self._db.execute(
            "SELECT parent,name FROM (SELECT e.parent, e.name, 9223372036854775806 AS until"
            " FROM name e JOIN node d ON d.id=e.node WHERE d.key=:k UNION ALL"
            " SELECT w.parent, w.name, w.until FROM was w JOIN node d ON d.id=w.node WHERE d.key=:k)"
            " ORDER BY until DESC",
            {"k": key},
        ).fetchall()


def judged(version: str) -> Judged:
    """What the guard's judge said of a held version, by the handle that its source gave it."""
    store, _, number = version.rpartition("#")
    if not number.isdecimal():
        return Judged.UNKNOWN
    with contextlib.closing(ReadOnly(store)) as index:
        generation = index.generation(int(number))
    return generation.judged if generation is not None else Judged.UNKNOWN


def in_snapshots(
    paths: Callable[[Wanted], Iterable[str]], folders: Sequence[str], wanted: Wanted, hits: Hits
) -> None:
    """Add what snapshots have; `paths` tells at least all whose last part may be meant."""
    for path in paths(wanted):
        root = next((f for f in folders if path.startswith(f.rstrip("/") + "/")), None)
        if root is None or path in hits.found:
            continue
        if wanted.fits(os.path.relpath(path, root)) and not hits.add(look_at(path)):
            hits.is_cut = True
            return
