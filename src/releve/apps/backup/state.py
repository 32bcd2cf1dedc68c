"""The backup's state folder: configuration, secrets, cache, record. Root only, refused when open.

config.json, password (of the repository), http-password, cache/, releve-bases/, record.json,
sources/ (passwords of databases), keys.json, keys.log, generations/ (earlier repositories).
"""

import contextlib
import datetime as dt
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from releve.adapters.restic.commands import HookCommands
from releve.adapters.restic.databases import SqliteDatabases
from releve.adapters.restic.dumps import Dumps
from releve.adapters.restic.engine import Repository, Restic
from releve.adapters.restic.fingerprints import FileFingerprints
from releve.adapters.restic.images import Images
from releve.adapters.restic.notes import SourceNotes
from releve.flow.backup import (
    BackupIncompleteError,
    BackupRun,
    BackupRunningError,
    Record,
    lacking,
)
from releve.flow.sources import Gatherer, lacks_now
from releve.model.errors import ReleveError
from releve.model.sources import Hook, Lack, Pace, Source, SqliteSource

DEFAULT = "/var/lib/releve/backup"
ENVIRONMENT = "RELEVE_BACKUP_STATE"
# Held originals are not backed up: they would double every snapshot.
EXCLUDE = (".releve-*",)


class BackupNotSetUpError(ReleveError):
    """This machine has no backup configuration yet, or one that cannot be read."""

    status = 93
    remedy = "Run `releve backup setup --url … --user … --folder …`."

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(f"No usable backup configuration in {folder}: {why}.")
        self.folder = folder


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `releve backup setup` writes and `releve backup run` reads."""

    url: str
    user: str
    folders: tuple[str, ...]
    exclude: tuple[str, ...] = EXCLUDE
    password_file: str = ""  # empty: `password` in the state folder
    ca_file: str = ""
    structure: str = ""  # as the sheets of the keys name it; empty: as the address does
    sources: tuple[Source, ...] = ()
    hooks: tuple[Hook, ...] = ()
    pace: Pace = Pace()


class SystemClock:
    """Clock: the machine's."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class State:
    """One state folder. Also Records: the record and the lock are in it."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = Path(folder or os.environ.get(ENVIRONMENT) or DEFAULT)

    # configuration and secrets

    def configure(self, config: Config, http_password: str) -> None:
        """Write the configuration; the repository's password is made once and never replaced."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._private("http-password", http_password)
        if not config.password_file and not self.password_file.exists():
            self._private("password", secrets.token_urlsafe(32))
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Replace the configuration; secrets stay."""
        self._private("config.json", msgspec.json.format(msgspec.json.encode(config)).decode())

    def is_configured(self) -> bool:
        return (self.folder / "config.json").exists()

    def config(self) -> Config:
        """Raises: BackupNotSetUpError."""
        try:
            content = (self.folder / "config.json").read_bytes()
            return msgspec.json.decode(content, type=Config)
        except (OSError, msgspec.DecodeError) as error:
            why = "there is none" if isinstance(error, FileNotFoundError) else str(error)
            raise BackupNotSetUpError(str(self.folder), why) from error

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    def new_password(self, generation: str) -> str:
        """The file of a new repository's password: made once, so that an aborted start goes on."""
        file = self._generation(generation) / "password"
        if not file.exists():
            self._private(str(file.relative_to(self.folder)), secrets.token_urlsafe(32))
        return str(file)

    def keep_generation(self, generation: str, config: Config) -> None:
        """Keep how an earlier repository is opened: it is restored from for as long as it stands."""
        kept = msgspec.structs.replace(
            config, password_file=config.password_file or str(self.password_file)
        )
        place = self._generation(generation) / "config.json"
        content = msgspec.json.format(msgspec.json.encode(kept)).decode()
        self._private(str(place.relative_to(self.folder)), content)

    def _generation(self, name: str) -> Path:
        folder = self.folder / "generations" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def forget_record(self) -> None:
        """The next backup is due at once."""
        self.save(Record())

    def _private(self, name: str, content: str) -> None:
        place = self.folder / name
        new = place.with_name(f".{place.name}.new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(content)
        new.replace(place)

    # wiring

    def engine(self) -> Restic:
        """Raises: BackupNotSetUpError."""
        return Restic(self.repository(), upload_kib_per_s=self.config().pace.upload_kib_per_s)

    def repository(self, config: Config | None = None) -> Repository:
        """Raises: BackupNotSetUpError."""
        config = config or self.config()
        return Repository(
            url=config.url,
            user=config.user,
            http_password_file=str(self.folder / "http-password"),
            password_file=config.password_file or str(self.password_file),
            cache=str(self.folder / "cache"),
            ca_file=config.ca_file,
        )

    def run(self) -> BackupRun:
        """Raises: BackupNotSetUpError."""
        config, clock = self.config(), SystemClock()
        databases = SqliteDatabases(str(self.folder), _named(config.sources))
        hashes = FileFingerprints(str(self.folder))
        return BackupRun(self.engine(), databases, self, clock, hashes, self.gatherer(config))

    def gatherer(self, config: Config) -> Gatherer:
        """Raises: BackupNotSetUpError."""
        return Gatherer(
            config.sources,
            config.hooks,
            dumper=self.dumps(config),
            surveyor=Images(self.folder / "images.db", SystemClock()),
            commands=HookCommands(),
            notes=SourceNotes(self.folder),
        )

    def try_sources(self, config: Config) -> list[Lack]:
        """What lacks right now, asked without a backup."""
        found: list[Lack] = []
        with tempfile.TemporaryDirectory(prefix="releve-try-") as scratch:
            images = Images(Path(scratch) / "images.db", SystemClock())
            for source in config.sources:
                found += lacks_now(
                    source, self.dumps(config), images, SqliteDatabases(scratch, _named((source,)))
                )
        return found

    def lacking(self, lacks: Sequence[Lack]) -> BackupIncompleteError | None:
        return lacking((), (), lacks)

    def keep_source_password(self, name: str, content: str) -> str:
        """The file, which only we can read."""
        (self.folder / "sources").mkdir(mode=0o700, exist_ok=True)
        self._private(f"sources/{name}", content)
        return str(self.folder / "sources" / name)

    def drop_source_password(self, name: str) -> None:
        (self.folder / "sources" / name).unlink(missing_ok=True)

    def dumps(self, config: Config) -> Dumps:
        return Dumps(self.repository(config), upload_kib_per_s=config.pace.upload_kib_per_s)

    # records

    def load(self) -> Record:
        try:
            content = (self.folder / "record.json").read_bytes()
            return msgspec.json.decode(content, type=Record)
        except (OSError, msgspec.DecodeError):
            return Record()  # a lost record costs one backup too many, nothing else

    def save(self, record: Record) -> None:
        self._private("record.json", msgspec.json.encode(record).decode())

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """The kernel lets go of the lock when its holder dies, however it dies."""
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BackupRunningError(str(self.folder)) from error
            yield


def _named(sources: Sequence[Source]) -> list[str]:
    return [one.path for one in sources if isinstance(one, SqliteSource)]
