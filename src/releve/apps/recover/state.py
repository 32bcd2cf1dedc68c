"""The recovery's own folder beside its target: what was asked, how far it is, who does it.

    DIR/.NAME.reprise/   0700, root's: asked.json state.json catalogue.jsonl care.json layer.json lock ...

Every file is replaced whole and durably, so that a kill at any moment leaves the one or the other.
"""

import contextlib
import enum
import fcntl
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from releve.adapters.durable import replacing, write
from releve.adapters.linux import samba_proc
from releve.adapters.restic.lent import Lent, Node, Program
from releve.flow.recovery.errors import NoRecoveryError, RecoveryRunningError
from releve.model.errors import NotRootError
from releve.model.vault import Right
from releve.recover.care_order import CareList
from releve.recover.course import Cause, Course

_T = TypeVar("_T")
_CATALOGUE = "catalogue.jsonl"  # a line for each entry: a million of them fit no list
_AT_ONCE = 1_000  # entries
_PIECE = 1 << 20  # bytes, about
_lines = msgspec.json.Encoder().encode_lines
_nodes = msgspec.json.Decoder(Node).decode_lines


class Phase(enum.StrEnum):
    """How far a recovery is; it never goes back."""

    OPEN = "open"  # people work, data come home
    LOCAL = "local"  # all is here; the vault's link still belongs to the view
    CLOSING = "closing"  # unmounted for good: marks are cleaned away, never to be mounted again
    VERIFYING = "verifying"  # an ordinary folder that is compared with the snapshot
    DONE = "done"  # verified and handed over


class SharedAs(msgspec.Struct, frozen=True, kw_only=True):
    """How the folder is opened over the network."""

    name: str
    users: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    port: int = 445
    people_of: str = ""  # a box whose people and passwords count here, too


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """Another generation that some of the recovered files come from, with its own key."""

    lent: Lent
    snapshots: tuple[str, ...]
    repository: str  # of which `lent` is a view


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The order; only the right that it reads by may be renewed afterwards."""

    target: str
    lent: Lent
    snapshot: str
    folder: str  # in the snapshot
    bases: str = ""  # the folder of consistent copies of databases in the snapshot
    ordered_ns: int
    threads: int = 4
    reserve: int = 0
    incident: str = ""  # for which it was begun
    structure: str = ""  # set: it runs at the operator's, for this structure
    share: SharedAs | None = None
    course: Course | None = (
        None  # how an incident's plan brings the folder back; None: one snapshot
    )
    right: Right | None = None  # how the right to restore came about, with its seconds
    view: str = ""  # the vault's view that is read
    repository: str = ""  # of which that is a view
    others: tuple[Other, ...] = ()

    @property
    def bases_snapshot(self) -> str:
        """The snapshot that the databases' consistent copies come from."""
        return (self.course.bases if self.course else "") or self.snapshot


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a restarted recovery must know."""

    phase: Phase = Phase.OPEN
    vault: Program | None = None
    vault_point: str = ""
    seconds: dict[str, float] = {}  # name of a step: seconds since the order, when it was reached
    rebuilt: int = 0  # how often the view was built again
    staged: bool = False  # the bulk is complete beside the view and on disk
    joined: bool = False  # and was moved into the upper folder
    deleted: int = 0


class Laid(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was laid over the clean snapshot before people came in."""

    path: str
    source: str
    snapshot: str
    cause: Cause
    sha256: str
    size: int
    mtime_ns: int


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """All that was laid, what is not shown, and what could not be laid with its reason."""

    files: tuple[Laid, ...] = ()
    hidden: tuple[str, ...] = ()
    left: tuple[tuple[str, str], ...] = ()


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What `releve recover status` says, and each line with --json. Counts only, no names."""

    event: str = "recovery"
    target: str
    incident: str = ""
    phase: str
    running: bool
    seconds: dict[str, float]
    since_order_s: float
    today_files: int = 0
    today_home: int = 0
    databases_bytes: int = 0
    databases_home: int = 0
    files: int = 0
    files_home: int = 0
    bytes: int = 0
    bytes_home: int = 0
    short_of_room: bool = False
    links_lost: int = 0
    failures: int = 0
    rebuilt: int = 0
    shared: bool = False
    laid: int = 0  # files that are newer than the clean snapshot, or earlier for a reason
    waiting_for: tuple[str, ...] = ()


class RecoveryHome:
    """Files of one recovery."""

    def __init__(self, target: Path) -> None:
        if os.geteuid() != 0:
            raise NotRootError("a recovery")
        # Absolute without following links: a link could be turned elsewhere while people work.
        self.target = Path(os.path.abspath(target))  # noqa: PTH100
        self.path = self.target.with_name(f".{self.target.name}.reprise")

    def make(self) -> None:
        """Make it; somebody else's folder of that name is refused."""
        with contextlib.suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
        facts = self.path.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != 0 or facts.st_mode & 0o077:
            raise NoRecoveryError(
                str(self.path),
                "it is not root's own folder",
                "ce n'est pas un dossier de root seul",
            )

    def asked(self) -> Asked:
        """Raises: NoRecoveryError."""
        found = self.read("asked.json", Asked)
        if found is None:
            raise NoRecoveryError(
                str(self.target),
                "there is no recovery of it",
                "il n'y a pas de reprise de ce dossier",
            )
        return found

    def state(self) -> State:
        """How far it is."""
        return self.read("state.json", State) or State()

    def catalogue(self) -> Iterator[Node] | None:
        """The snapshot's entries, once all were listed."""
        path = self.path / _CATALOGUE
        return _kept(path) if path.exists() else None

    def catalogued(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """The same entries, which make the catalogue when the last was taken."""
        for half in self.path.glob(f".{_CATALOGUE}.*"):  # of a driver that was killed
            half.unlink()
        coming = iter(nodes)
        with replacing(self.path / _CATALOGUE) as file:
            while some := list(itertools.islice(coming, _AT_ONCE)):
                file.write(_lines(some))
                yield from some

    def care(self) -> CareList:
        """What comes first."""
        return self.read("care.json", CareList) or CareList()

    def layer(self) -> Layer:
        """What was laid over the clean snapshot."""
        return self.read("layer.json", Layer) or Layer()

    def progress(self) -> Progress | None:
        """As the driver wrote it last."""
        return self.read("progress.json", Progress)

    def read(self, name: str, kind: type[_T]) -> _T | None:
        """One file; None when there is none."""
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=kind)
        except FileNotFoundError:
            return None

    def keep(self, name: str, what: object) -> None:
        """Replace one file whole, durably."""
        write(self.path / name, msgspec.json.encode(what))

    def show(self, progress: Progress) -> None:
        """Like `keep`, without waiting for the disk: a lost one is renewed at once."""
        new = self.path / ".progress.json.new"
        new.write_bytes(msgspec.json.encode(progress))
        new.replace(self.path / "progress.json")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One driver at a time; the kernel lets go of the lock however its holder dies.

        Raises: RecoveryRunningError.
        """
        with (self.path / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RecoveryRunningError(str(self.path)) from error
            self.keep("driver.json", Program.of(os.getpid()))
            yield

    def driver(self) -> Program | None:
        """The process that drives it now, or None."""
        found = self.read("driver.json", Program)
        if found is None:
            return None
        seen = samba_proc.look(found.pid)
        is_it = seen is not None and not seen.dead and seen.starttime == found.starttime
        return found if is_it else None


def _kept(path: Path) -> Iterator[Node]:
    with path.open("rb") as file:
        while lines := file.readlines(_PIECE):
            yield from _nodes(b"".join(lines))
