"""Copies SQLite databases as one consistent state into a folder that is part of the snapshot.

A database file copied while somebody writes is torn. SQLite's own backup reads one state under its
own locks: in WAL mode nobody waits, in rollback mode writers wait while it copies.
Only files with a usual ending are looked at, then judged by their first bytes: reading the head of
every file of a share each hour would cost more than the backup.
"""

import contextlib
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

from releve.flow.backup import Tell
from releve.model.backup import DatabaseCopy, DatabaseSkipped, Manifest, Progress

FOLDER = "releve-bases"  # this name finds the copies in a snapshot, also on another machine
MANIFEST = "databases.json"
ENDINGS = frozenset({".sqlite", ".sqlite3", ".db", ".db3", ".s3db", ".sl3"})
SIDE_FILES = ("-wal", "-shm", "-journal")
_HEAD = b"SQLite format 3\0"
_BUSY_S = 15.0


class SqliteDatabases:
    """Databases: those of SQLite."""

    def __init__(self, state_folder: str, named: Sequence[str] = ()) -> None:
        """`named` are copied wherever they are and whatever their ending is."""
        self.folder, self._named = str(Path(state_folder) / FOLDER), named

    def stage(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> Manifest:
        root = Path(self.folder)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = {copy.path: copy for copy in load_manifest(root).databases}
        copies: list[DatabaseCopy] = []
        skipped: list[DatabaseSkipped] = []
        named = [path for path in self._named if _is_database(path)]
        for path in dict.fromkeys((*named, *_databases(folders, exclude))):
            try:
                copies.append(_copied(path, root, before.get(path)))
            except (OSError, sqlite3.Error, UnicodeError) as error:
                skipped.append(DatabaseSkipped(path=path, why=str(error) or type(error).__name__))
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
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and os.read(descriptor, 16) == _HEAD
    finally:
        os.close(descriptor)


def _copied(path: str, root: Path, before: DatabaseCopy | None) -> DatabaseCopy:
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
    try:
        _copy(path, new)
        facts = Path(path).stat()
        os.utime(new, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
        # As the original's: a recovery shows the copy in its place at once. The staging folder
        # itself is root's alone, so nobody reaches it here.
        with contextlib.suppress(PermissionError):
            os.chown(new, facts.st_uid, facts.st_gid)
        new.chmod(stat.S_IMODE(facts.st_mode))
        new.replace(target)
    finally:
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
        rows=_rows(target),
    )


def _rows(copy: Path) -> dict[str, int]:
    """How many rows each table has; of tables that need an extension that we lack: none.

    Raises: sqlite3.Error.
    """
    with contextlib.closing(
        sqlite3.connect(f"file:{quote(str(copy))}?mode=ro&immutable=1", uri=True)
    ) as reader:
        asked = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        found: dict[str, int] = {}
        for (table,) in reader.execute(asked).fetchall():
            quoted = '"' + table.replace('"', '""') + '"'
            with contextlib.suppress(sqlite3.OperationalError):
                found[table] = reader.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0]  # noqa: S608
    return found


def _copy(path: str, target: Path) -> None:
    """One consistent state, judged before it counts.

    Raises: OSError, sqlite3.Error.
    """
    target.touch(mode=0o600)
    if not _copied_at_rest(path, target):
        source = f"file:{quote(path)}?mode=ro"
        with (
            contextlib.closing(sqlite3.connect(source, uri=True, timeout=_BUSY_S)) as reader,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            reader.backup(copy)  # all pages in one step: a busy writer could make it start anew
    with contextlib.closing(sqlite3.connect(target)) as copy:
        verdict = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"quick_check says: {verdict}")


def _copied_at_rest(path: str, target: Path) -> bool:
    """Copy a WAL database that nobody has open, as bytes; False if it is not so or it changed.

    SQLite would make -wal and -shm files beside it and leave them there.
    """
    with Path(path).open("rb") as file:
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
        except FileNotFoundError:
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
