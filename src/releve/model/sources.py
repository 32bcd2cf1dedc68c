"""What a backup takes besides folders, when, and how gently; what it found of each source."""

import datetime as dt
from enum import StrEnum

import msgspec


class _Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str  # [a-z0-9][a-z0-9._-]*: names the dump in the snapshot


class PostgresSource(_Source, frozen=True, kw_only=True, tag_field="kind", tag="postgres"):
    """A PostgreSQL database, dumped in one consistent state with `pg_dump`."""

    database: str
    user: str = ""
    host: str = ""  # empty: the local socket; or a socket's folder
    port: int = 5432
    password_file: str = ""  # in pgpass form, 0600
    programs: str = ""  # folder of pg_dump and psql, which may not be older than the server
    count_rows: bool = True


class MariaDbSource(_Source, frozen=True, kw_only=True, tag_field="kind", tag="mariadb"):
    """A MariaDB or MySQL database, dumped in one consistent state with `mariadb-dump`."""

    database: str
    user: str = ""
    host: str = ""
    socket: str = ""
    port: int = 3306
    password_file: str = ""  # an option file ([client] password=…), 0600
    count_rows: bool = True


class SqliteSource(_Source, frozen=True, kw_only=True, tag_field="kind", tag="sqlite"):
    """An SQLite database that has to be there. Others below the folders are found by themselves."""

    path: str


class DicomSource(_Source, frozen=True, kw_only=True, tag_field="kind", tag="dicom"):
    """A folder where images arrive."""

    folder: str
    settle_s: float = 60.0  # a file written to more recently is left for the next backup
    stale_days: float = 7.0  # nothing new for longer: an alert; 0: never


Source = PostgresSource | MariaDbSource | SqliteSource | DicomSource


class Hook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command of the administrator, word by word: no shell reads it."""

    command: tuple[str, ...]
    when: str = "before"  # "before", "after" (also when the backup failed)
    timeout_s: float = 600.0


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often, and how gently."""

    every_minutes: float = 60.0
    nice: int = 10  # 0: as everybody; 19: last
    io: str = "low"  # "normal", "low", "idle" (only when nobody else reads or writes)
    upload_kib_per_s: int = 0  # 0: no limit


class Want(StrEnum):
    """What is wrong with a source; the backup is no success then."""

    MISSING = "missing"  # not there, or it cannot be read
    EMPTY = "empty"  # there, but nothing is in it
    STALE = "stale"  # nothing new for too long
    HOOK = "hook"  # a command of the administrator failed


class Lack(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is configured and was not as it should be."""

    source: str  # its name, or a folder
    want: Want
    why: str


class TableRows(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows the dump has: exact if `low` is `high`, else between them (writers went on)."""

    low: int
    high: int


class DumpMade(msgspec.Struct, frozen=True, kw_only=True):
    """A dump in a snapshot of its own, whole: `sha256` is of what the database program said."""

    source: str
    kind: str
    database: str
    snapshot: str
    path: str  # in that snapshot
    size: int
    sha256: str
    at: dt.datetime
    server_version: str
    rows: dict[str, TableRows] = {}  # by table, of every one
    counted: bool = True  # False: the numbers in `rows` were not asked for


class StudyCount(msgspec.Struct, frozen=True, kw_only=True):
    """The images of one study that are in the snapshot."""

    study: str  # Study Instance UID; empty: files that are no DICOM
    files: int
    bytes: int
    arriving: int = 0  # images left for the next backup: the study may not be complete


class DicomFound(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    folder: str
    files: int
    bytes: int
    studies: tuple[StudyCount, ...] = ()
    newest_at: dt.datetime | None = None
    stale: bool = False


class SourcesManifest(msgspec.Struct, frozen=True, kw_only=True):
    """`sources.json` in the snapshot of the folders: what the run took. Written last, so what it names is whole."""

    version: int = 1
    dumps: tuple[DumpMade, ...] = ()
    dicom: tuple[DicomFound, ...] = ()
    lacks: tuple[Lack, ...] = ()


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What the snapshot of the folders is to take besides, leave out, and lacks."""

    folders: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()  # paths of files that are still being written
    manifest: SourcesManifest = SourcesManifest()
