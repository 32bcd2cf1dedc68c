"""Old versions of files and folders from the held originals, read beside a running guard.

The index is opened read-only and nothing of the store is changed.
"""

import contextlib
import datetime as dt
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from releve.adapters.store.folder import HeldFolder, folder_moments, give_verified
from releve.adapters.store.history import History, Key, ReadOnly
from releve.adapters.store.index import Index
from releve.adapters.store.objects import Objects
from releve.flow.backup import Tell, VerificationFailedError
from releve.model.backup import Entry, Version
from releve.model.held import Generation, Name
from releve.recover.as_of import changed_ns, is_sound

_NS = 10**9
_SHARED = Path("/var/lib/releve")


class HeldSource:
    """Source: the stores of guards.

    Args:
        stores: their folders; the one whose index knows the path's directory answers.
        keys: how directories are named there, one function per kind of place.
        as_of: the time that is asked for; a folder is then offered as it stood at that very time.
        tell: hears how far fetching a folder is.
    """

    name = "held"

    def __init__(
        self,
        stores: Sequence[str],
        keys: Sequence[Key],
        as_of: dt.datetime | None = None,
        tell: Tell = lambda _: None,
    ) -> None:
        self._stores, self._keys, self._as_of, self._tell = stores, keys, as_of, tell

    def versions(self, path: str) -> Sequence[Version]:
        """Settled generations that were not judged bad; each counts from its last change.

        Of a folder: each moment after which nothing below it moved for a minute, and the time asked.
        """
        found: list[Version] = []
        for store in self._stores:
            with contextlib.closing(History(store, self._keys)) as history:
                moments = folder_moments(history, path, _ns(self._as_of))
                found += [self._folder_version(store, path, key, ns) for key, ns in moments]
            with contextlib.closing(ReadOnly(store)) as index:
                found += [
                    self._version(store, path, generation)
                    for node in self._nodes(index, path)
                    for generation in index.generations(node)
                    if is_sound(generation)
                ]
        return found

    def fetch(self, version: Version, into: str) -> str:
        """Clone or copy the held bytes, then read both and compare.

        Raises: VerificationFailedError.
        """
        if version.is_folder:
            return str(self._folder(version).fetch(Path(into), self._tell))
        store, _, number = version.id.rpartition("#")
        with contextlib.closing(ReadOnly(store)) as index:
            generation = index.generation(int(number))
        if generation is None:
            raise VerificationFailedError(version.path, "it is held no more")
        place = Path(into) / Path(version.path).name
        objects = Objects(store)
        try:
            give_verified(objects, generation, place)
        except OSError as error:
            raise VerificationFailedError(version.path, error.strerror or "unreadable") from error
        finally:
            objects.close()
        return str(place)

    def entries(self, version: Version) -> Sequence[Entry] | None:
        """What the folder had at that time; None for a file."""
        return self._folder(version).entries() if version.is_folder else None

    def _folder(self, version: Version) -> HeldFolder:
        store, _, rest = version.id.rpartition("#")
        key, _, at_ns = rest.partition("@")
        name = Path(version.path).name
        return HeldFolder(store, bytes.fromhex(key), int(at_ns), name, self._keys)

    def _folder_version(self, store: str, path: str, key: bytes, at_ns: int) -> Version:
        return Version(
            path=path,
            at=dt.datetime.fromtimestamp(at_ns // 1000 / 10**6, dt.UTC),
            source=self.name,
            id=f"{store}#{key.hex()}@{at_ns}",
            is_folder=True,
        )

    def _version(self, store: str, path: str, generation: Generation) -> Version:
        return Version(
            path=path,
            at=dt.datetime.fromtimestamp(changed_ns(generation) / _NS, dt.UTC),
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


def _ns(at: dt.datetime | None) -> int | None:
    if at is None:
        return None
    since = at - dt.datetime.fromtimestamp(0, dt.UTC)
    return (since // dt.timedelta(microseconds=1)) * 1000 + 999


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
    above = Path(path)  # it may be the top of a file system itself
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
