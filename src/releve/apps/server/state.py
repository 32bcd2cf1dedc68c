"""The server's whole state into one file, while it runs, and back into a new home."""

import datetime as dt
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

import releve
from releve.adapters.durable import sync_folder
from releve.adapters.server_archive import StateManifest, pack, unpack
from releve.adapters.sql.copying import copy_rows, is_empty
from releve.adapters.sql.engine import open_engine, sqlite_path, sqlite_url
from releve.adapters.sql.whose import Whose, whose
from releve.apps.server.home import Home
from releve.apps.server.opening import engine_to_look, open_store, open_to_look
from releve.flow.server.verify import Verified, verify
from releve.model.errors import ReleveError

_STAGING = "backup-staging"
_NOT_KEPT = ("server.lock", _STAGING)


class HomeTakenError(ReleveError):
    """A restore never writes over what is there."""

    status = 103
    remedy = "Name a new or empty folder with --home, an empty database with --db."

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} is not empty.")


class BackupPlaceError(ReleveError):
    """The backup cannot be written there."""

    status = 102
    remedy = "Name a folder that is there, or a file that is not yet there, with room enough."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}.")


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    manifest: StateManifest
    trails: tuple[Verified, ...]


def back_up(home: Home, db: str, target: Path, now: dt.datetime) -> tuple[Path, StateManifest]:
    """One state of the database, keys and address; where it lies. The server may run.

    Raises: DatabaseMissingError, BackupPlaceError.
    """
    place = target / f"releve-server-{now:%Y%m%d-%H%M%S}.tar.gz" if target.is_dir() else target
    if place.exists() or not place.parent.is_dir():
        raise BackupPlaceError(place, "it is there already" if place.exists() else "no such folder")
    source = engine_to_look(home, db)
    staging = home.path / _STAGING
    try:
        with _fresh(staging):
            copy = open_engine(sqlite_url(staging))
            rows = copy_rows(source, copy)
            copy.dispose()
            _settle(staging)
            files = {sqlite_path(staging).name: sqlite_path(staging), **_files(home.path)}
            made = pack(files, place, version=releve.__version__, at=now, rows=rows)
    except OSError as error:
        raise BackupPlaceError(place, error.strerror or str(error)) from error
    finally:
        source.dispose()
    return place, made


def restore(archive: Path, home: Path, db: str, now: dt.datetime) -> Restored:
    """All of it or nothing: the new home appears whole, after everything was verified.

    Raises: HomeTakenError, StateFileError.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise HomeTakenError(str(home))
    home.parent.mkdir(parents=True, exist_ok=True)
    staging = home.with_name(f".{home.name}.restoring")
    with _fresh(staging):
        manifest = unpack(archive, staging)
        found = _told(Home(staging), manifest, now)
        if not any(one.faults for one in found):
            _put_in_place(staging, home, db)
    return Restored(manifest=manifest, trails=tuple(found))


def _told(staged: Home, manifest: StateManifest, now: dt.datetime) -> Sequence[Verified]:
    """What the trails say, before the restore itself becomes an entry of each."""
    store = open_to_look(staged)
    found = verify(store, [staged.public_key()], None)
    store.close()
    if any(one.faults for one in found):
        return found
    store = open_store(staged)
    for one in found:
        with store.unit(one.structure) as unit:
            unit.record(now, "admin", "server", "restore", f"state of {manifest.made_at:%FT%TZ}")
    store.close()
    _settle(staged.path)
    return found


def _put_in_place(staging: Path, home: Path, db: str) -> None:
    if db:
        if whose(db) is Whose.OTHERS:
            raise HomeTakenError(db)
        target, source = open_engine(db), open_engine(sqlite_url(staging))
        if not is_empty(target):
            raise HomeTakenError(target.url.render_as_string())
        copy_rows(source, target)
        source.dispose()
        target.dispose()
        for file in staging.glob(f"{sqlite_path(staging).name}*"):
            file.unlink()
    staging.rename(home)
    sync_folder(home.parent)


def _files(home: Path) -> dict[str, Path]:
    """What a home holds beside its database, by name."""
    database = sqlite_path(home).name
    found = {}
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home)
        is_ours = name.parts[0] not in _NOT_KEPT and not name.name.startswith(database)
        if is_ours and path.suffix != ".new" and path.is_file() and not path.is_symlink():
            found[str(name)] = path
    return found


def _settle(home: Path) -> None:
    """The database in one file: what SQLite kept beside it is written into it."""
    engine = open_engine(sqlite_url(home))
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        if driver is not None:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


@contextmanager
def _fresh(folder: Path) -> Iterator[None]:
    """An empty folder of ours alone; what a killed run left in it goes first, and it with the block."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
