"""Old versions of single files from the held originals, read beside a running guard.

The index is opened read-only and nothing of the store is changed. Folders come from snapshots: the
store knows files, and a folder as of a time is put together by the guard's roll-back.
"""

import contextlib
import datetime as dt
import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from releve.adapters.store.facts import set_facts
from releve.adapters.store.index import Index
from releve.adapters.store.objects import Objects, give_back
from releve.flow.backup import VerificationFailedError
from releve.model.backup import Version
from releve.model.held import Generation, Judged, Kind, Name

_NS = 10**9
_SHARED = Path("/var/lib/releve")
Key = Callable[[str], bytes]  # of a directory that exists; raises OSError


class _ReadOnly(Index):
    """The index of a store that a guard may be writing: no schema, no pragma, no transaction."""

    def __init__(self, store: str) -> None:
        uri = f"file:{quote(str(Path(store) / 'index.sqlite'))}?mode=ro"
        self.db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
        self._open = False


class HeldSource:
    """Source: the stores of guards.

    Args:
        stores: their folders; the one whose index knows the path's directory answers.
        keys: how directories are named there, one function per kind of place.
    """

    name = "held"

    def __init__(self, stores: Sequence[str], keys: Sequence[Key]) -> None:
        self._stores, self._keys = stores, keys

    def versions(self, path: str) -> Sequence[Version]:
        """Settled generations that were not judged bad; each counts from its last change."""
        found: list[Version] = []
        for store in self._stores:
            with contextlib.closing(_ReadOnly(store)) as index:
                found += [
                    self._version(store, path, generation)
                    for node in self._nodes(index, path)
                    for generation in index.generations(node)
                    if generation.settled
                    and generation.judged is not Judged.BAD
                    and generation.facts.kind is Kind.FILE
                ]
        return found

    def fetch(self, version: Version, into: str) -> str:
        """Clone or copy the held bytes, then read both and compare.

        Raises: VerificationFailedError.
        """
        store, _, number = version.id.rpartition("#")
        with contextlib.closing(_ReadOnly(store)) as index:
            generation = index.generation(int(number))
        if generation is None:
            raise VerificationFailedError(version.path, "it is held no more")
        place = Path(into) / Path(version.path).name
        objects = Objects(store)
        try:
            self._give(objects, generation, place)
        except OSError as error:
            raise VerificationFailedError(version.path, error.strerror or "unreadable") from error
        finally:
            objects.close()
        return str(place)

    def _give(self, objects: Objects, generation: Generation, place: Path) -> None:
        held = objects.open(
            generation.id, generation.facts.size, generation.pack, generation.offset
        )
        try:
            with place.open("xb+") as file:
                base = generation.offset if generation.pack else 0
                give_back(held, file.fileno(), base=base)
                kept = hashlib.sha256()
                for offset in range(0, held.size, 1 << 20):
                    kept.update(held.read(offset, 1 << 20))
                file.seek(0)
                if hashlib.file_digest(file, "sha256").digest() != kept.digest():
                    raise VerificationFailedError(str(place), "the copy differs from what is held")
                set_facts(file.fileno(), generation.facts)
        finally:
            held.close()

    def _version(self, store: str, path: str, generation: Generation) -> Version:
        changed = min(generation.facts.ctime_ns, generation.taken_ns)
        return Version(
            path=path,
            at=dt.datetime.fromtimestamp(changed / _NS, dt.UTC),
            source=self.name,
            id=f"{store}#{generation.id}",
            size=generation.facts.size,
        )

    # which inodes had this name

    def _nodes(self, index: Index, path: str) -> list[int]:
        """Every node that has or had this path, those of now first; [] if the store is another's.

        Walks down from the deepest directory that still exists, through names of now and then.
        """
        deepest = Path(path).parent
        while not deepest.is_dir():
            deepest = deepest.parent
        below = Path(path).relative_to(deepest).parts
        directories = self._known_keys(index, str(deepest))
        for part in below[:-1]:
            nodes = [n for key in directories for n in _named(index, key, part)]
            directories = [row.key for n in nodes if (row := index.node_by_id(n))]
        return [n for key in directories for n in _named(index, key, below[-1])]

    def _known_keys(self, index: Index, directory: str) -> list[bytes]:
        found = []
        for key_of in self._keys:
            try:
                key = key_of(directory)
            except OSError:
                continue
            known = index.db.execute(
                "SELECT 1 FROM name WHERE parent=?1 UNION ALL SELECT 1 FROM was WHERE parent=?1"
                " LIMIT 1",
                (key,),
            ).fetchone()
            if known:
                found.append(key)
        return found


def _named(index: Index, directory: bytes, part: str) -> list[int]:
    name = os.fsencode(part)
    now = index.at_name(Name(directory, name))
    rows = index.db.execute(
        "SELECT DISTINCT node FROM was WHERE parent=? AND name=? ORDER BY until DESC",
        (directory, name),
    ).fetchall()
    then = [int(row[0]) for row in rows]
    return [*([now] if now is not None else []), *(node for node in then if node != now)]


def stores_near(path: str) -> list[str]:
    """The stores on the file system of a path: in a folder above it, or in /var/lib/releve."""
    above = Path(path).parent
    while not above.is_dir():
        above = above.parent
    device = above.stat().st_dev
    found: list[Path] = []
    for folder in (above, *above.parents):
        if folder.stat().st_dev != device:
            break
        with contextlib.suppress(PermissionError):
            found += folder.glob(".releve-*/index.sqlite")
    found += [i for i in _SHARED.glob("store-*/index.sqlite") if i.stat().st_dev == device]
    # Of a disk whose top folder users write to, its store is named after the protected folder.
    named = (f"store-{zlib.crc32(os.fsencode(folder)):x}" for folder in (above, *above.parents))
    found += [i for name in named if (i := _SHARED / name / "index.sqlite").is_file()]
    return list(dict.fromkeys(str(index.parent) for index in found))
