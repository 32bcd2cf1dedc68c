"""Copies SQLite databases as one consistent state into a folder that is part of the snapshot.

A database file copied while somebody writes is torn. SQLite's own backup reads one state under its
own locks: in WAL mode nobody waits, in rollback mode writers wait while it copies.
Only files with a usual ending are looked at, then judged by their first bytes: reading the head of
every file of a share each hour would cost more than the backup.
"""

import contextlib
import errno
import fnmatch
import hashlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from releve.adapters.foreign import ForeignError, ask, reading, seconds_for
from releve.flow.backup import Tell
from releve.model.backup import DatabaseCopy, DatabaseSkipped, Manifest, Progress

FOLDER = "releve-bases"  # this name finds the copies in a snapshot, also on another machine
MANIFEST = "databases.json"
ENDINGS = frozenset({".sqlite", ".sqlite3", ".db", ".db3", ".s3db", ".sl3"})
SIDE_FILES = ("-wal", "-shm", "-journal")
_HEAD = b"SQLite format 3\0"
_BUSY_S = 15.0
_ROOM = 2  # a copy may take one part in so many of what is free
_HOLES = 50  # and the file must have one part in so many of its size on the disk


class SqliteDatabases:
    """Databases: those of SQLite."""

    def __init__(self, state_folder: str, named: Sequence[str] = ()) -> None:
        """`named` are copied wherever they are and whatever their ending is."""
        self.folder, self._named = str(Path(state_folder) / FOLDER), named

    def stage(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> Manifest:
        root = Path(self.folder)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        last = load_manifest(root)
        before = {copy.path: copy for copy in last.databases}
        endless = {one.path: one for one in last.skipped if one.state}
        copies: list[DatabaseCopy] = []
        skipped: list[DatabaseSkipped] = []
        named = [path for path in self._named if _is_database(path)]
        late = 0
        for path in dict.fromkeys((*named, *_databases(folders, exclude))):
            state = _state(path)
            if path in endless and endless[path].state == state:
                skipped.append(endless[path])
                continue
            try:
                copies.append(_copied(path, root, before.get(path), late))
            except (OSError, sqlite3.Error, UnicodeError) as error:
                is_late = isinstance(error, ForeignError) and error.is_late
                late += is_late
                why, as_it_is = str(error) or type(error).__name__, state if is_late else ""
                skipped.append(DatabaseSkipped(path=path, why=why, state=as_it_is))
            size = sum(copy.size for copy in copies)
            tell(Progress(phase="databases", files=len(copies), bytes=size))
        manifest = Manifest(databases=tuple(copies), skipped=tuple(skipped))
        _forget(root, {copy.copy for copy in copies})
        _write(root / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        return manifest


def load_manifest(folder: Path) -> Manifest:
    """The manifest as last written; an unreadable one counts as none: all is copied again."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return Manifest()


def _databases(folders: Sequence[str], exclude: Sequence[str]) -> Iterator[str]:
    for folder in folders:
        for parent, below, names in os.walk(folder):
            below[:] = sorted(name for name in below if not _excluded(parent, name, exclude))
            for name in sorted(names):
                if Path(name).suffix.lower() in ENDINGS and not _excluded(parent, name, exclude):
                    path = f"{parent}/{name}"
                    if _is_database(path):
                        yield path


def _excluded(parent: str, name: str, exclude: Sequence[str]) -> bool:
    """Restic's simple patterns: a name anywhere, or an absolute path."""
    path = f"{parent}/{name}"
    return any(fnmatch.fnmatchcase(path if "/" in p else name, p) for p in exclude)


def _is_database(path: str) -> bool:
    try:
        descriptor = _open(path)
    except OSError:
        return False
    try:
        return os.read(descriptor, 16) == _HEAD
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    """The file itself, for reading; a link is followed by nobody. Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", path)
    return descriptor


def _copied(path: str, root: Path, before: DatabaseCopy | None, late: int) -> DatabaseCopy:
    """The copy of one database, made again only if it or its write-ahead log changed.

    Raises: OSError, sqlite3.Error.
    """
    state = _state(path)
    target = root / path.lstrip("/")
    if before and before.state == state and target.is_file():
        return before
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    held = _open(path)
    try:
        facts = os.fstat(held)
        _refuse_bloated(path, facts.st_size, root)
        _copy(path, held, new, root)
        seconds = seconds_for(new.stat().st_size, late)
        rows = ask(__name__, "checked", str(new), kind=dict[str, int], seconds=seconds)
        os.utime(new, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
        # As the original's: a recovery shows the copy in its place at once. The staging folder
        # itself is root's alone, so nobody reaches it here.
        with contextlib.suppress(PermissionError):
            os.chown(new, facts.st_uid, facts.st_gid)
        new.chmod(stat.S_IMODE(facts.st_mode))
        new.replace(target)
    finally:
        os.close(held)
        new.unlink(missing_ok=True)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return DatabaseCopy(
        path=path,
        copy=str(target),
        size=target.stat().st_size,
        sha256=digest,
        mode=stat.S_IMODE(facts.st_mode),
        uid=facts.st_uid,
        gid=facts.st_gid,
        mtime_ns=facts.st_mtime_ns,
        state=state,
        rows=rows,
    )


def _refuse_bloated(path: str, size: int, root: Path) -> None:
    """Anybody can make a file of a terabyte that takes no room, until it is copied here.

    Raises: OSError.
    """
    taken = sum(_blocks(name) for name in (path, f"{path}-wal")) * 512
    if taken * _HOLES < size or size * _ROOM > shutil.disk_usage(root).free:
        raise OSError(errno.ENOSPC, "no room for a copy of it", path)


def _blocks(path: str) -> int:
    with contextlib.suppress(OSError):
        return Path(path).lstat().st_blocks
    return 0


def checked(copy: str) -> dict[str, int]:
    """How many rows each table has; of tables that need an extension that we lack: none. For `ask`.

    Raises: sqlite3.Error.
    """
    found: dict[str, int] = {}
    with reading(f"file:{quote(copy)}?mode=ro&immutable=1") as reader:
        verdict = reader.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"quick_check says: {verdict}")
        asked = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        for (table,) in reader.execute(asked).fetchall():
            quoted = '"' + table.replace('"', '""') + '"'
            with contextlib.suppress(sqlite3.OperationalError):
                found[table] = reader.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0]  # noqa: S608
    return found


def _copy(path: str, held: int, target: Path, root: Path) -> None:
    """One consistent state of the file that `held` is.

    Raises: OSError, sqlite3.Error.
    """
    target.touch(mode=0o600)
    if _copied_at_rest(path, held, target):
        return
    source = f"file:{quote(path)}?mode=ro"
    with contextlib.closing(sqlite3.connect(source, uri=True, timeout=_BUSY_S)) as reader:
        reader.execute("PRAGMA schema_version").fetchone()
        if not _has_opened(held):
            raise OSError(errno.ELOOP, "another file stood in its place", path)
        # Its log may say that it is longer than the file.
        _refuse_bloated(path, _number(reader, "page_count") * _number(reader, "page_size"), root)
        with contextlib.closing(sqlite3.connect(target)) as copy:
            reader.backup(copy)  # all pages in one step: a busy writer could make it start anew


def _number(reader: sqlite3.Connection, pragma: str) -> int:
    return int(reader.execute(f"PRAGMA {pragma}").fetchone()[0])


def _has_opened(held: int) -> bool:
    """Whether this process has the file open once more: SQLite opens by name."""
    others = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()} - {held}
    return any(_is_same(held, other) for other in others)


def _is_same(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:  # the list itself was open, too
        return False


def _copied_at_rest(path: str, held: int, target: Path) -> bool:
    """Copy a WAL database that nobody has open, as bytes; False if it is not so or it changed.

    SQLite would make -wal and -shm files beside it and leave them there.
    """
    with os.fdopen(os.dup(held), "rb") as file:
        file.seek(0)
        is_wal = file.read(20)[18:20] == b"\x02\x02"
        before = _state(path)
        if not is_wal or Path(f"{path}-wal").exists():
            return False
        file.seek(0)
        with target.open("wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
    return _state(path) == before


def _state(path: str) -> str:
    """Changes whenever the database may have changed; taken before the copy."""
    parts = []
    for name in (path, f"{path}-wal", f"{path}-journal"):
        try:
            facts = Path(name).stat()
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{facts.st_ino}.{facts.st_size}.{facts.st_mtime_ns}.{facts.st_ctime_ns}")
    return " ".join(parts)


def _forget(root: Path, kept: set[str]) -> None:
    """Remove copies of databases that are gone; older snapshots keep theirs."""
    for parent, folders, names in os.walk(root, topdown=False):
        for name in names:
            path = Path(parent, name)
            if str(path) not in kept and path != root / MANIFEST:
                path.unlink()
        for name in folders:
            with contextlib.suppress(OSError):  # not empty
                Path(parent, name).rmdir()


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)
