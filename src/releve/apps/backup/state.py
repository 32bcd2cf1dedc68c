"""The backup's state folder: configuration, secrets, cache, record. Root only, refused when open.

config.json, password (of the repository), http-password, cache/, releve-bases/, record.json,
sources/ (passwords of databases), keys.json, keys.log, generations/ (earlier repositories).
"""

import contextlib
import datetime as dt
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec

from releve.adapters.restic.databases import SqliteDatabases
from releve.adapters.restic.engine import Repository, Restic
from releve.adapters.restic.fingerprints import FileFingerprints
from releve.flow.backup import BackupRun, BackupRunningError, Record
from releve.model.errors import ReleveError

from releve.model.sources import Hook, Pace, Source
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
        self._private("config.json", msgspec.json.format(msgspec.json.encode(config)).decode())
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Replace the configuration; secrets stay."""

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

    def _private(self, name: str, content: str) -> None:
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

        place = self.folder / name
        new = place.with_name(f".{place.name}.new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(content)
        new.replace(place)

    # wiring

    def engine(self) -> Restic:
        """Raises: BackupNotSetUpError."""
        return Restic(self.repository())

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
        databases = SqliteDatabases(str(self.folder))
        hashes = FileFingerprints(str(self.folder))
        return BackupRun(self.engine(), databases, self, SystemClock(), hashes)

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
