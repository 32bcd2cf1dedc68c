"""Nouns of backups and restores: snapshot, consistent copy of a database, version of a file."""

import datetime as dt

import msgspec

from releve.model.sources import DicomFound, DumpMade, Lack


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One state of folders at the backup server."""

    id: str
    at: dt.datetime  # aware UTC, the host's clock
    host: str
    folders: tuple[str, ...]
    ended_at: dt.datetime | None = None  # when its reading was over; None: an old engine's
    files: int = 0


class DatabaseCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A database that was copied as one consistent state, beside its possibly torn file.

    Kept in the manifest `databases.json` of the snapshot; `path` is where it belongs, `copy` is the
    path of the consistent copy inside the same snapshot.
    """

    path: str
    copy: str
    size: int
    sha256: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    state: str  # what the original looked like; unchanged means that the copy can stay
    rows: dict[str, int] = {}  # by table, of the copy


class DatabaseSkipped(msgspec.Struct, frozen=True, kw_only=True):
    """A database whose consistent copy could not be made; its file is in the snapshot as it was."""

    path: str
    why: str
    state: str = ""  # of the file that came to no end: as it is, it is not tried again


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All databases of one snapshot."""

    version: int = 1
    databases: tuple[DatabaseCopy, ...] = ()
    skipped: tuple[DatabaseSkipped, ...] = ()


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="progress"):
    """How far a backup or restore is; `percent` is None until the size is known."""

    phase: str  # "databases", "sources", "dump", "images", "backup", "restore"
    files: int
    bytes: int
    percent: float | None = None


class Backup(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="backup"):
    """What one backup did."""

    snapshot: str
    at: dt.datetime
    files: int  # in the snapshot
    files_new: int
    files_changed: int
    bytes: int
    bytes_added: int  # sent to the server, compressed
    ms: float
    databases: int = 0
    skipped: tuple[DatabaseSkipped, ...] = ()
    unread: tuple[str, ...] = ()  # files or folders that could not be read: they are not in it
    dumps: tuple[DumpMade, ...] = ()
    images: tuple[DicomFound, ...] = ()
    lacks: tuple[Lack, ...] = ()  # what is configured and was not as it should be


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder as it was from `at` on, in one source."""

    path: str
    at: dt.datetime
    source: str  # the source's name
    id: str  # the source's own handle
    size: int | None = None  # None: not known before fetching (folders)
    sha256: str | None = None  # None: the source verifies by its own hashes while fetching
    is_folder: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a version of a folder has at a place below it, known before it is fetched."""

    path: str  # relative; "" is the folder itself
    kind: str  # "file", "folder", "link"
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    held: bool = True  # False: it stood there, but no sound version of it is kept
