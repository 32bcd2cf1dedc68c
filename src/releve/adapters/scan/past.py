"""What is in the snapshots: differences, contents and databases, by restic.

A file that stands on this machine exactly as the backup saw it (size, date, last change) is read here: no
byte of it comes back from the vault. All others are restored in portions into a private scratch
folder, which is emptied after each; or, when they lie in so many folders that each restore would
bring a few only, read in the repository, which is then mounted once for the whole scan.
"""

import contextlib
import datetime as dt
import io
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePath
from time import monotonic
from urllib.parse import quote

import msgspec

from releve.adapters.foreign import ForeignError, ask, reading, seconds_for
from releve.adapters.restic.databases import FOLDER, MANIFEST
from releve.adapters.restic.engine import Restic, pattern
from releve.adapters.restic.said import Difference, Node
from releve.adapters.restic.shown import WORDS, Shown, ShownFile, show
from releve.detect.files.databases import is_sealed
from releve.flow.backup import EngineFailedError
from releve.flow.scan_ports import Differing, Opened, Planned
from releve.model.backup import DatabaseCopy, Manifest, Snapshot
from releve.model.clean import How, TableRows
from releve.model.sources import DumpMade, SourcesManifest

PORTION_FILES = 2_000  # patterns of one restore
# Each pattern is compared with each name of each folder that a file comes from: 2,000 files of 200
# folders took restic a minute of a core, which is several restores' worth.
PORTION_CROSSED = 50_000  # files times folders
FEW_FOLDERS = 8  # are listed alone; of more, restic lists the whole snapshot sooner
PORTION_BYTES = 512 << 20  # on the scratch place at once, twice that with the versions before
_DUMPS = "/releve-dump-"  # how a dump is called in its snapshot
_SOURCES = ("releve-sources", "sources.json")  # where a run notes its dumps
_LOST = "\ufffd"
_CELL, _CELLS = 128, 200  # of a column: 25 kB say whether its text reads


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """A file as the snapshot has it."""

    size: int
    mtime: dt.datetime
    ctime: dt.datetime


class FileBytes:
    """The bytes of an open regular file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, max(0, length), max(0, offset))

    def is_as(self, seen: _Seen) -> bool:
        return _is_as(os.fstat(self._descriptor), seen)

    def close(self) -> None:
        os.close(self._descriptor)


_Find = Callable[[str], FileBytes | ShownFile | None]


class SnapshotPast:
    """Past: the snapshots of one repository.

    Args:
        engine: opens the repository.
        repository: its lasting name.
        scratch: a private folder for contents that come back from the vault.
        live: whether the snapshots' files may be read where they stand now (on their own host).
        mounted: where the repository is mounted (`ids/` in it); then nothing is restored.
        may_show: whether it may be mounted here, by us and for us alone.

    Close it: a mount ends with it.
    """

    def __init__(
        self,
        engine: Restic,
        repository: str,
        scratch: Path,
        *,
        live: bool,
        mounted: Path | None = None,
        may_show: bool = True,
    ) -> None:
        self._engine, self.repository = engine, repository
        self._scratch, self._live, self._mounted = scratch, live, mounted
        self._may_show = may_show and mounted is None
        self._shown: Shown | None = None
        self._seen_in = ""
        self._seen: dict[str, _Seen] = {}

    def snapshots(self) -> Sequence[Snapshot]:
        """Those of folders; a dump of a database server has a snapshot of its own."""
        found = self._engine.snapshots()
        return [s for s in found if not all(f.startswith(_DUMPS) for f in s.folders)]

    def differences(self, older: Snapshot | None, newer: Snapshot) -> Iterator[Differing]:
        if older is None:
            self._learn(newer, None)
            for path in self._seen:
                yield Differing(path=path, how=How.ADDED)
            return
        told: list[Difference] = []
        self._engine.diff(older.id, newer.id, told.append)
        told = [change for change in told if not change.path.endswith("/")]
        self._learn(newer, {change.path for change in told if "-" not in change.modifier})
        covered = {PurePath(folder) for folder in newer.folders}
        for change in told:
            if change.path in self._seen:
                how = How.ADDED if "+" in change.modifier else How.CHANGED
                yield Differing(path=change.path, how=how)
            elif "+" not in change.modifier and covered.intersection(PurePath(change.path).parents):
                # A folder that the backup does not take any more was not emptied by anybody.
                yield Differing(path=change.path, how=How.REMOVED)

    def copies(self, snapshot: Snapshot) -> Sequence[DatabaseCopy]:
        found = self._noted(snapshot, FOLDER, MANIFEST)
        try:
            return msgspec.json.decode(found, type=Manifest).databases if found else ()
        except msgspec.DecodeError:
            return ()

    def dumps(self, snapshot: Snapshot) -> Sequence[DumpMade]:
        found = self._noted(snapshot, *_SOURCES)
        try:
            return msgspec.json.decode(found, type=SourcesManifest).dumps if found else ()
        except msgspec.DecodeError:
            return ()

    def _noted(self, snapshot: Snapshot, place: str, name: str) -> bytes:
        """A note of the backup in its own snapshot; empty if there is none."""
        for folder in snapshot.folders:
            if PurePath(folder).name == place:
                into = io.BytesIO()
                with contextlib.suppress(EngineFailedError):
                    self._engine.dump(snapshot.id, f"{folder}/{name}", into)
                    return into.getvalue()
        return b""

    def batches(self, newer: Snapshot, wanted: Sequence[Planned]) -> Iterator[Sequence[Planned]]:
        if self._seen_in != newer.id:
            self._learn(newer, {one.path for one in wanted})
        if self._is_spread(wanted):
            self._show()
        batch: list[Planned] = []
        folders: set[str] = set()
        brought = size = 0
        for one in wanted:
            length = self._seen[one.path].size if one.path in self._seen else 0
            is_brought = self._shown is None and self._is_brought(one)
            is_full = len(batch) >= PORTION_FILES or brought * len(folders) >= PORTION_CROSSED
            if batch and (is_full or size + length > PORTION_BYTES):
                yield batch
                batch, folders, brought, size = [], set(), 0, 0
            batch.append(one)
            size += length
            if is_brought:
                brought += 1
                folders.add(_parent(one.path))
        if batch:
            yield batch

    def _is_brought(self, one: Planned) -> bool:
        """Whether something of it comes from the vault."""
        return one.how is How.CHANGED or not (self._live and self._stands(one.path))

    def _is_spread(self, wanted: Sequence[Planned]) -> bool:
        """Whether so many files of so many folders come from the vault that one restore is too slow."""
        folders: set[str] = set()
        brought = 0
        for one in wanted:
            if self._is_brought(one):
                brought += 1
                folders.add(_parent(one.path))
                if brought * len(folders) > PORTION_CROSSED:
                    return True
        return False

    def _show(self) -> None:
        """Mount the repository, if it is not: tried once, for it takes restic's whole start."""
        if self._shown is None and self._may_show:
            self._may_show = False
            place = self._scratch / "mount"
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._shown = show(*self._engine.program(*WORDS), place, self._engine.answers)

    def close(self) -> None:
        """Take the mount down, if there is one."""
        if self._shown is not None:
            self._shown.close()
            self._shown = None
        shutil.rmtree(self._scratch / "mount", ignore_errors=True)

    @contextlib.contextmanager
    def opened(
        self, newer: Snapshot, older: Snapshot | None, wanted: Sequence[Planned]
    ) -> Iterator[Mapping[str, Opened]]:
        if not self._is_well():
            self.close()  # what is left comes by restore, which says what is amiss
        here = {one.path for one in wanted if self._live and self._stands(one.path)}
        was = {one.path for one in wanted if one.how is How.CHANGED} if older else set()
        absent = [one.path for one in wanted if one.path not in here]
        with contextlib.ExitStack() as stack:
            now = stack.enter_context(self._found(newer, absent))
            before = stack.enter_context(self._found(older, sorted(was))) if older else _nothing
            contents = _Contents(self._seen, here, was, now, before, self._is_well)
            stack.callback(contents.close)
            yield contents

    def _is_well(self) -> bool:
        """Whether what is not found is really not there: a mount that ended shows nothing."""
        return self._shown is None or self._shown.lives

    @contextlib.contextmanager
    def _found(self, snapshot: Snapshot, paths: Sequence[str]) -> Iterator[_Find]:
        """What finds the files of a snapshot by their whole paths; gone with the block."""
        if self._shown is None:
            with self._brought(snapshot, paths) as root:
                yield partial(_below, root)
            return
        with self._shown.ahead([(snapshot.id, path) for path in paths]):
            yield partial(self._shown.file, snapshot.id)

    def rows(self, snapshot: Snapshot, copy: DatabaseCopy, seconds: float) -> TableRows | None:
        end = monotonic() + seconds
        with self._brought(snapshot, [copy.copy]) as root:
            path = f"{root}{copy.copy}"
            if not os.path.lexists(path):
                return TableRows(opens=False, why="not in the snapshot")
            return count_rows(path, end - monotonic())

    # how contents come

    def _learn(self, snapshot: Snapshot, wanted: Collection[str] | None) -> None:
        """Sizes and times of the regular files of a snapshot, or of those that are wanted."""
        self._seen_in, self._seen = snapshot.id, {}

        def hear(node: Node) -> None:
            if node.type == "file" and (wanted is None or node.path in wanted):
                self._seen[node.path] = _Seen(node.size, node.mtime, node.ctime)

        folders = {_parent(path) for path in wanted or ()}
        if wanted is None or folders:
            # A name that is no UTF-8 is told with another letter in it, and is found by nobody.
            can_be_named = not any(_LOST in folder for folder in folders)
            few = folders if can_be_named and len(folders) <= FEW_FOLDERS else ()
            self._engine.every(snapshot.id, hear, few)

    def _stands(self, path: str) -> bool:
        """Whether the file stands on this machine as it was backed up."""
        seen = self._seen.get(path)
        try:
            return seen is not None and _is_as(os.lstat(path), seen)
        except OSError:
            return False

    @contextlib.contextmanager
    def _brought(self, snapshot: Snapshot, paths: Sequence[str]) -> Iterator[str]:
        """A folder under which the files stand with their whole paths; gone with the block."""
        if self._mounted is not None:
            whole = self._mounted / "ids" / snapshot.id
            yield str(whole if whole.is_dir() else whole.with_name(snapshot.id[:8]))
            return
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        try:
            root = folder / "r"
            root.mkdir()
            if paths:
                listed = folder / "patterns"
                listed.write_bytes(b"".join(_line(path) for path in paths))
                with contextlib.suppress(EngineFailedError):  # what did not come is told by name
                    self._engine.bring(snapshot.id, str(listed), str(root))
            yield str(root)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Contents(Mapping[str, Opened]):
    """Opens a file when it is asked for: two thousand descriptors are more than a limit allows."""

    def __init__(
        self,
        seen: Mapping[str, _Seen],
        here: Collection[str],
        was: Collection[str],
        now: _Find,
        before: _Find,
        is_well: Callable[[], bool],
    ) -> None:
        self._seen, self._here, self._was = seen, here, was
        self._now, self._before, self._is_well = now, before, is_well
        self._open: list[FileBytes | ShownFile] = []

    def __getitem__(self, path: str) -> Opened:
        self.close()
        try:
            return self._opened(path)
        except OSError as error:
            return Opened(after=None, why=error.strerror or "", is_passing=not self._is_well())

    def _opened(self, path: str) -> Opened:
        """Raises: OSError."""
        before = self._kept(self._before(path)) if path in self._was else None
        if path in self._here:
            live = _at(path)
            self._kept(live)
            if live is None or not live.is_as(self._seen[path]):
                return Opened(after=None, before=None, is_passing=True)
            seen = self._seen[path]
            return Opened(
                after=live, before=before, still=lambda: live.is_as(seen) and self._is_well()
            )
        after = self._kept(self._now(path))
        return Opened(
            after=after, before=before, why="" if after else "absent", still=self._is_well
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)

    def close(self) -> None:
        while self._open:
            self._open.pop().close()

    def _kept(self, found: FileBytes | ShownFile | None) -> FileBytes | ShownFile | None:
        if found is not None:
            self._open.append(found)
        return found


def _nothing(path: str) -> None:
    """Finds nothing: there is no snapshot before."""


def _below(root: str, path: str) -> FileBytes | None:
    return _at(root + path)


def _at(path: str) -> FileBytes | None:
    """A regular file; nothing else is opened: a device in a snapshot is one when it was restored."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    return FileBytes(descriptor)


def count_rows(path: str, seconds: float) -> TableRows | None:
    """Check a SQLite file and count its tables' rows; None if the time, or the memory, ran out."""
    most = min(max(seconds, 0.0), seconds_for(Path(path).stat().st_size))
    try:
        return ask(__name__, "counted", path, kind=TableRows, seconds=most)
    except ForeignError as error:
        return None if error.is_late else TableRows(opens=False, why=str(error))


def counted(path: str) -> TableRows:
    """The same without a limit; for `ask`. Raises: sqlite3.Error."""
    with reading(f"file:{quote(path)}?mode=ro&immutable=1") as db:
        names = [
            str(row[0])
            for row in db.execute(
                "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        said = db.execute("PRAGMA integrity_check(1)").fetchone()
        if not said or said[0] != "ok":
            return TableRows(opens=True, why=str(said and said[0])[:200])
        rows = {name: _count(db, name) for name in names}
        samples = {key: sample for name in names for key, sample in _samples(db, name)}
    told = {key: is_sealed(sample) for key, sample in samples.items()}
    return TableRows(
        opens=True,
        is_sound=True,
        rows=rows,
        legible=tuple(sorted(key for key, sealed in told.items() if sealed is False)),
        sealed=tuple(sorted(key for key, sealed in told.items() if sealed)),
    )


def _samples(db: sqlite3.Connection, table: str) -> Iterator[tuple[str, bytes]]:
    """The text of each column in the first and in the last rows, joined, under its name."""
    quoted = table.replace('"', '""')
    columns = [str(row[1]) for row in db.execute(f'PRAGMA table_info("{quoted}")')]
    for column in columns:
        name = column.replace('"', '""')
        for where, order in (("first", "ASC"), ("last", "DESC")):
            said = (
                f'SELECT substr("{name}", 1, {_CELL}) FROM "{quoted}"'  # noqa: S608 - quoted
                f" WHERE typeof(\"{name}\") IN ('text', 'blob') ORDER BY rowid {order} LIMIT {_CELLS}"
            )
            # A table without row ids, a view; a value too large to be looked at.
            with contextlib.suppress(sqlite3.OperationalError, sqlite3.DataError):
                cells = [row[0] for row in db.execute(said)]
                sample = b"".join(c if isinstance(c, bytes) else c.encode() for c in cells)
                yield f"{table}.{column} ({where})", sample


def _count(db: sqlite3.Connection, name: str) -> int:
    quoted = name.replace('"', '""')
    return int(db.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0])  # noqa: S608 - quoted


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _is_as(status: os.stat_result, seen: _Seen) -> bool:
    """Size and times to the microsecond, as the snapshot noted them.

    Size and date are for anybody to choose who may write the file; when it changed last is not.
    """
    is_same = (
        status.st_size == seen.size
        and _is_at(status.st_mtime_ns, seen.mtime)
        and _is_at(status.st_ctime_ns, seen.ctime)
    )
    return is_same and stat.S_ISREG(status.st_mode)


def _is_at(ns: int, told: dt.datetime) -> bool:
    """The decoder rounds nanoseconds: cutting them here sent every second file back from the vault."""
    return (ns + 500) // 1000 == (told - _EPOCH) // _MICRO


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICRO = dt.timedelta(microseconds=1)


def _line(path: str) -> bytes:
    """A pattern for a file of patterns: restic trims lines and replaces variables in them."""
    written = pattern(path).replace("$", "$$").replace("\n", "?").replace("\r", "?")
    if written != written.rstrip():
        written = written[:-1] + "?"
    return written.encode("utf-8", "surrogateescape") + b"\n"
