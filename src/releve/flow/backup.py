"""Backups: the ports, the errors, when one is due, and the driver of one run."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

import msgspec

from releve.flow.clock import Clock
from releve.model.backup import Backup, Entry, Manifest, Progress, Snapshot, Version
from releve.model.errors import ReleveError
from releve.model.sources import Gathered, Lack, Want

Tell = Callable[[Progress], None]
HOURLY = dt.timedelta(hours=1)


class VaultUnreachableError(ReleveError):
    """The backup server does not answer."""

    status = 85
    remedy = "Start it, or mend the network or the address; the next backup catches up by itself."

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"The backup server {address} does not answer: {why}.")
        self.address = address
        self.why = why


class VaultRefusedError(ReleveError):
    """The backup server refuses this machine's credential, or refuses it to read so much."""

    status = 86
    remedy = (
        "Check user and password: `releve backup setup` writes them again. What only adds reads little"
        " a day: to read all, an opened right (`--right`) or an agreed path (`--agreed`)."
    )

    def __init__(self, address: str, code: int) -> None:
        super().__init__(f"The backup server {address} refuses the credential (HTTP {code}).")
        self.address = address
        self.code = code


class RepositoryMissingError(ReleveError):
    """The server answers but holds no repository of this machine."""

    status = 87
    remedy = "Run `releve backup setup`: it makes the repository."

    def __init__(self, address: str) -> None:
        super().__init__(f"There is no repository at {address}.")
        self.address = address


class RepositoryLockedError(ReleveError):
    """Somebody else works on the repository and does not end."""

    status = 88
    remedy = "Wait for it to end; locks of dead programs are removed by the next run."

    def __init__(self, why: str) -> None:
        super().__init__(f"The repository is locked: {why}.")


class WrongPasswordError(ReleveError):
    """The repository's password does not open it."""

    status = 89
    remedy = "Put the right password file back; without the password nothing can be restored."

    def __init__(self) -> None:
        super().__init__("The password does not open the repository.")


class BackupIncompleteError(ReleveError):
    """The snapshot was made, but some files could not be read and are not in it."""

    status = 90
    remedy = "Look at the names: rights, a folder that is not mounted, or a disk that fails."

    def __init__(self, unread: Sequence[str]) -> None:
        shown = ", ".join(unread[:3]) + (", …" if len(unread) > 3 else "")
        super().__init__(f"{len(unread)} files or folders could not be read: {shown}.")
        self.unread = tuple(unread)


class BackupFolderMissingError(BackupIncompleteError):
    """A folder that is to be backed up is not there: what was in it is in no new snapshot."""

    status = 76
    remedy = (
        "Mount it or put it back; if it is gone on purpose, run `releve backup setup` without it."
    )

    def __init__(self, missing: Sequence[str], unread: Sequence[str]) -> None:
        super().__init__(unread)
        self.args = (f"Not there, and so not backed up: {', '.join(missing)}.",)
        self.missing = tuple(missing)


class BackupSourceMissingError(BackupIncompleteError):
    """A source that is to be backed up is not there or cannot be read: it is in no new snapshot."""

    status = 11
    remedy = "Start it or mend its access (`releve backup sources test`); if it is gone on purpose, remove it there."


class BackupSourceEmptyError(BackupIncompleteError):
    """A source is there but has nothing in it, or nothing new for too long."""

    status = 24
    remedy = "Look at the source: is it the right one, and does what fills it still run?"


class BackupHookFailedError(BackupIncompleteError):
    """A command that the administrator put before or after the backup failed."""

    status = 25
    remedy = "Run it by hand and mend it (`releve backup sources list` shows it)."


class EngineFailedError(ReleveError):
    """restic ended with an error that has no class of its own."""

    status = 91
    remedy = (
        "Read what it says; `releve backup check` tells whether the repository is sound. If somebody put"
        " garbage into it, what was received before is whole (`releve vault view`); begin a new"
        " generation: `releve key rotate`."
    )

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"restic ended with {status}: {said}")
        self.engine_status = status
        self.said = said


class EngineStalledError(ReleveError):
    """restic made no progress for too long and was ended."""

    status = 92
    remedy = "Check the link to the backup server; the next run goes on where this one was."

    def __init__(self, seconds: float) -> None:
        super().__init__(f"restic made no progress for {seconds:.0f} s and was ended.")
        self.seconds = seconds


class VaultFullError(ReleveError):
    """The backup server has no room for what is brought: it keeps what it has."""

    status = 83
    remedy = (
        "Give the backup server a larger disk, or a vault another reserve (`releve vault init --reserve`);"
        " the next run goes on where this one was."
    )

    def __init__(self) -> None:
        super().__init__("The backup server has no room left: it takes nothing more (HTTP 507).")


class BackupRunningError(ReleveError):
    """Another backup of this machine is running."""

    status = 94
    remedy = "Wait for it to end."

    def __init__(self, folder: str) -> None:
        super().__init__(f"A backup is running already (lock in {folder}).")


class VerificationFailedError(ReleveError):
    """What was fetched is not what was backed up; it was thrown away."""

    status = 96
    remedy = "Choose an older version (`--list`), and run `releve backup check`."

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} could not be verified: {why}.")
        self.path = path


class Engine(Protocol):
    """A backup program that keeps snapshots in a repository that only grows.

    Every call has a deadline and raises only the errors of this module.
    """

    def init(self) -> bool:
        """Make the repository; False if it was there already."""

    def backup(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> Backup:
        """Make one snapshot; what could not be read is in `unread`, never silent."""

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first."""

    def ls(self, snapshot: str, folder: str) -> Iterator[str]:
        """Paths directly below a folder of a snapshot, the folder itself first; none if absent."""

    def dump(self, snapshot: str, path: str, into: BinaryIO) -> None:
        """Write the content of one file."""

    def restore(self, snapshot: str, path: str, into: str, tell: Tell) -> str:
        """Bring a file or folder under the folder `into`, verified; its path there."""

    def check(self, *, read_data: bool = False) -> None:
        """Return if the repository is sound; `read_data` reads every byte."""


class Databases(Protocol):
    """Makes consistent copies of the databases in folders."""

    folder: str  # where copies and manifest are; part of the snapshot

    def stage(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> Manifest:
        """Renew the copies of what changed; what could not be copied is in `skipped`."""


class Fingerprints(Protocol):
    """Lists the hashes of the files as they are now, so that a drill can compare what comes back."""

    folder: str  # where the list is; part of the snapshot

    def stage(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> int:
        """Renew the list; how many files are on it."""


class Sources(Protocol):
    """What the backup takes besides folders, and the commands around it."""

    def before(self, folders: Sequence[str], databases: Manifest, tell: Tell) -> Gathered:
        """Dump, survey, note; what is not as configured is in the manifest's `lacks`."""

    def after(self) -> list[Lack]:
        """Run the commands that come after, whatever became of the backup."""


class Source(Protocol):
    """Where versions of files can be fetched from: held originals, snapshots."""

    name: str

    def versions(self, path: str) -> Sequence[Version]:
        """The versions of a file or folder by its absolute path, in any order; none if unknown."""

    def fetch(self, version: Version, into: str) -> str:
        """Bring the version, verified by hash, under the folder `into`; its path there.

        Raises: VerificationFailedError.
        """

    def entries(self, version: Version) -> Sequence[Entry] | None:
        """What a folder's version has, folders before what is in them; None: told only by fetching."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the last runs did, as kept on disk."""

    started_at: dt.datetime | None = None
    good_at: dt.datetime | None = None  # start of the last complete backup
    backup: Backup | None = None
    error: str = ""


class Records(Protocol):
    """Keeps the record, and one run at a time."""

    def load(self) -> Record: ...
    def save(self, record: Record) -> None: ...
    def alone(self) -> AbstractContextManager[None]:
        """Hold while a backup runs. Raises: BackupRunningError."""


def due(now: dt.datetime, last_start: dt.datetime | None, every: dt.timedelta = HOURLY) -> bool:
    """Whether a backup is to be started.

    A clock that was put back (last start in the future) makes it due: one too many is harmless.
    """
    return last_start is None or now - last_start >= every or last_start > now


class BackupRun:
    """One run: databases first, then the snapshot, then the record; errors are recorded too."""

    def __init__(
        self,
        engine: Engine,
        databases: Databases,
        records: Records,
        clock: Clock,
        fingerprints: Fingerprints | None = None,
        sources: Sources | None = None,
    ) -> None:
        self._engine, self._databases = engine, databases
        self._records, self._clock = records, clock
        self._fingerprints, self._sources = fingerprints, sources

    def run(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> Backup:
        """Make one snapshot of the folders.

        Raises: the errors of this module, BackupIncompleteError only after the snapshot was made.
        """
        with self._records.alone():
            started, before = self._clock.now(), self._records.load()
            after: list[Lack] = []
            try:
                try:
                    made = self._made(folders, exclude, tell)
                finally:
                    after = self._sources.after() if self._sources else []
            except ReleveError as error:
                kept = msgspec.structs.replace(before, started_at=started, error=str(error))
                self._records.save(kept)
                raise
            made = msgspec.structs.replace(made, lacks=(*made.lacks, *after))
            lacks = lacking(folders, made.unread, made.lacks)
            self._records.save(
                Record(
                    started_at=started,
                    good_at=before.good_at if lacks else started,
                    backup=made,
                    error=str(lacks or ""),
                )
            )
        if lacks:
            raise lacks
        return made

    def _made(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> Backup:
        """Dumps first: the snapshot of the folders names them, so it comes when they are whole."""
        databases = self._databases.stage(folders, exclude, tell)
        staged = [self._databases.folder]
        gathered = Gathered()
        if self._sources is not None:
            gathered = self._sources.before(folders, databases, tell)
            staged += gathered.folders
        if self._fingerprints is not None:
            self._fingerprints.stage(folders, exclude, tell)
            staged.append(self._fingerprints.folder)
        made = self._engine.backup((*folders, *staged), (*exclude, *gathered.leave), tell)
        return msgspec.structs.replace(
            made,
            databases=len(databases.databases),
            skipped=databases.skipped,
            dumps=gathered.manifest.dumps,
            images=gathered.manifest.dicom,
            lacks=gathered.manifest.lacks,
        )


def lacking(
    folders: Sequence[str], unread: Sequence[str], lacks: Sequence[Lack]
) -> BackupIncompleteError | None:
    """The error that tells it all, of the class of the gravest; None if nothing lacks."""
    missing = [folder for folder in folders if folder in unread]
    wants = {lack.want for lack in lacks}
    error: BackupIncompleteError
    if missing:
        error = BackupFolderMissingError(missing, unread)
    elif Want.MISSING in wants:
        error = BackupSourceMissingError(unread)
    elif wants & {Want.EMPTY, Want.STALE}:
        error = BackupSourceEmptyError(unread)
    elif unread:
        error = BackupIncompleteError(unread)
    elif wants:
        error = BackupHookFailedError(unread)
    else:
        return None
    said = [str(error)] if unread or missing else []
    said += [f"{lack.source}: {lack.want}: {lack.why}." for lack in lacks]
    error.args = (" ".join(said),)
    return error
