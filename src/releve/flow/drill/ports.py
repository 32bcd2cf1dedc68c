"""What a drill asks of the world, and its errors."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from releve.flow.backup import Tell
from releve.model.backup import Manifest, Snapshot
from releve.model.drill import Check, Done, Drill, Moment, Opened, StepName, Stretch
from releve.model.errors import ReleveError
from releve.model.sources import SourcesManifest


class DrillRunningError(ReleveError):
    """Another drill of this machine is running."""

    status = 102
    remedy = "Wait for it to end; `releve drill list` shows it."

    def __init__(self, folder: str) -> None:
        super().__init__(f"A drill is running already (lock in {folder}).")


class DrillFailedError(ReleveError):
    """The drill ended, and not everything could be restored and verified: see its certificate."""

    status = 103
    remedy = (
        "Read the certificate: each failed step names its reason. Mend it, and run a new drill."
    )

    def __init__(self, drill: str, failed: Sequence[str]) -> None:
        super().__init__(f"Drill {drill} failed: {', '.join(failed)}.")
        self.drill = drill


class NothingToResumeError(ReleveError):
    """No drill was interrupted."""

    status = 104
    remedy = "Start a new one: `releve drill run`."

    def __init__(self) -> None:
        super().__init__("There is no interrupted drill.")


class UnknownDrillError(ReleveError):
    """There is no drill of that name."""

    status = 105
    remedy = "`releve drill list` shows all; the first digits are enough if no other begins so."

    def __init__(self, drill: str) -> None:
        super().__init__(f"There is no one drill that {drill} names.")
        self.drill = drill


class CertificateBadError(ReleveError):
    """The certificate, or one of its documents, is not what was signed."""

    status = 106
    remedy = "Do not rely on it. Ask for the original, or run the drill again."

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file} is not a valid certificate: {why}.")
        self.why = why


class CertificateKeyError(ReleveError):
    """The signature fits, but the key is neither this machine's nor the one that was named."""

    status = 107
    remedy = "Compare the fingerprint with its issuer by telephone, then name the key with --key."

    def __init__(self, file: str, fingerprint: str) -> None:
        super().__init__(f"{file} is signed by an unknown key ({fingerprint}).")
        self.fingerprint = fingerprint


class RoomError(ReleveError):
    """The clean room cannot be made, or lies in the live data."""

    status = 108
    remedy = "Name a folder of root's outside the backed-up folders, with room enough: --room DIR."

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(f"No clean room in {folder}: {why}.")


class NothingToCertifyError(ReleveError):
    """What is to be certified is not there."""

    status = 109
    remedy = "Name the folder, database or images as they lie after the restore."

    def __init__(self, path: str) -> None:
        super().__init__(f"There is nothing to certify at {path}.")


class NoSnapshotError(ReleveError):
    """The repository has no such snapshot."""

    status = 111
    remedy = "`releve backup list` shows what there is."

    def __init__(self, wanted: str) -> None:
        super().__init__(f"No snapshot {wanted or 'at all'} in the repository.")


class Engine(Protocol):
    """What a drill asks of the backup engine."""

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first."""

    def restore(self, snapshot: str, path: str, into: str, tell: Tell) -> str:
        """Bring a file or folder under the folder `into`, verified; its path there.

        Doing it again over what an interrupted one left is right, and quicker.
        """

    def smallest(self, snapshot: str, folders: Sequence[str]) -> str:
        """The path of a file that people would ask for first; "" if there is none."""


class Room(Protocol):
    """The disposable clean room: a folder that only root can enter."""

    def folder(self, name: str) -> str:
        """A folder in it, made if absent."""

    def home(self, path: str) -> str:
        """The folder under which the live path `path` is restored: no two live folders share one."""

    def mark(self) -> None:
        """What is restored from here on is this drill's."""

    def is_intact(self) -> bool:
        """What was restored into it by an earlier life of the drill is still there."""

    def free(self) -> int:
        """Bytes that can still be written there."""

    def remove(self) -> None:
        """Leave nothing of it; harmless when it is gone."""


class Examiner(Protocol):
    """Reads what was restored. It only ever reads."""

    def manifest(self, folder: str) -> Manifest | None:
        """The databases' manifest in a restored folder; None: there is none."""

    def sources(self, folder: str) -> SourcesManifest | None:
        """What the backup took of servers, in a restored folder; None: it took nothing."""

    def database(self, path: str, belongs: str) -> Opened: ...
    def dumps(self, folders: Sequence[str]) -> list[str]:
        """Restored PostgreSQL dumps."""

    def load_dumps(
        self, paths: Sequence[str], named: Sequence[str] = ()
    ) -> tuple[list[Opened], str]:
        """Load them into a scratch server and count; why not, if no server can be had.

        `named` says what to call them, in place of where they lie in the room.
        """

    def load_sql(self, paths: Sequence[str], named: Sequence[str]) -> tuple[list[Opened], str]:
        """The same for dumps of MariaDB and MySQL."""

    def sha256(self, path: str) -> str: ...
    def hashes(self, folders: Mapping[str, str], manifest: str) -> tuple[Check, tuple[str, ...]]:
        """Restored folders (live -> restored) against the host's list of fingerprints."""

    def dicom(self, folders: Sequence[str]) -> tuple[Check, tuple[str, ...]]: ...
    def canaries(self, folders: Sequence[str]) -> tuple[Check, tuple[str, ...]]: ...
    def size(self, folders: Sequence[str]) -> tuple[int, int]:
        """Files and bytes."""


class Ticks(Protocol):
    """Time that can be subtracted across deaths of the process."""

    def moment(self) -> Moment: ...


class Journal(Protocol):
    """The durable journal: what it says is on disk before the call returns."""

    def alone(self) -> AbstractContextManager[None]:
        """Hold while a drill runs. Raises: DrillRunningError."""

    def order(self, drill: Drill) -> None: ...
    def drills(self) -> list[Drill]:
        """All, oldest first."""

    def begin_stretch(self, drill: str, at: Moment) -> int: ...
    def alive(self, drill: str, stretch: int, at: Moment) -> None: ...
    def done(self, drill: str) -> dict[StepName, Done]: ...
    def stretches(self, drill: str) -> list[Stretch]: ...
    def finish(self, drill: str, done: Done) -> None:
        """Keep a step's end, once: a second end of the same step changes nothing."""

    def close(self, drill: str, certificate: bytes, verdict: str, at: Moment) -> None: ...
    def certificate(self, drill: str) -> bytes: ...
