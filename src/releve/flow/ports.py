"""Every port of the guard: what its drivers need of the world, and nothing of how it is done."""

import enum
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from releve.model.held import Generation, HoldResult, Judged, Name, Node
from releve.model.process import Process
from releve.sense.fanotify import Change


class Clock(Protocol):
    """The guard's time, the wall clock, a steady clock in seconds for deadlines, and waiting."""

    def now_ns(self) -> int:
        """As the wall clock was at the start (ns), running evenly since: never steps, never goes back."""

    def wall_ns(self) -> int:
        """Since the epoch (ns) as the machine has it now: for people, and beside times of files."""

    def steady(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Place(Protocol):
    """How files of one file system are named (keys) and opened."""

    attribution: str
    device: int

    def key_at(self, directory: int, name: str) -> bytes: ...
    def key_of(self, path: str) -> bytes: ...
    def key_of_folder(self, folder: int, path: str) -> bytes:
        """Key of an open directory; `path` is where it was found."""

    def open(self, key: bytes, flags: int) -> int: ...
    def directory_path(self, key: bytes) -> str | None: ...
    def nearest_path(self, key: bytes) -> str | None:
        """Path of a directory, or of one above it where its own is too long; None: it is gone."""
        ...

    def close(self) -> None: ...


class Watcher(Protocol):
    """Change notifications of one or more file systems."""

    def mark(self, folder: str) -> object:
        """Watch the file system (or tree) of a folder. Raises: UnsupportedFileSystemError."""

    def read(self, wait_s: float) -> Sequence[Change]:
        """The changes that came, in order; empty after `wait_s` without any."""

    sees_all: bool  # every change in a directory made a moment ago is notified, too

    def is_behind(self) -> bool:
        """Something came that `read` has not answered yet, as far as can be told without reading."""

    def close(self) -> None: ...


class Bytes(Protocol):
    """Random access to one version of a file."""

    size: int

    def read(self, offset: int, length: int) -> bytes: ...
    def close(self) -> None: ...


class Marks(Protocol):
    """Notes that are on disk at once, whatever the index is busy with."""

    def put(self, name: str, body: bytes) -> bool:
        """False when the disk has no room for it."""

    def drop(self, name: str) -> None: ...
    def all(self) -> list[bytes]: ...


class Keeper(Protocol):
    """Holds originals with their generations, and gives them back. See adapters/store."""

    store: str
    place: Place
    folders: list[str]

    @property
    def held_bytes(self) -> int: ...
    @property
    def marks(self) -> Marks: ...
    def take_unreadable(self) -> int:
        """How many files walks could not open since this was asked last: they are not held."""

    def mode(self, folder: int) -> str: ...
    def baseline(
        self, folder: int, writer: str, progress: Callable[[int, int], None]
    ) -> Iterator[HoldResult]: ...
    def tree(self, key: bytes, folder: int, writer: str) -> Iterator[HoldResult]: ...
    def count_entries(self, folder: int) -> int:
        """Files below a folder, by a quick walk."""

    def counts(self, folder: int) -> tuple[int, int]:
        """Living files and their bytes."""

    def is_empty(self, folder: int) -> bool:
        """Its first baseline is still to be made."""

    def hold(
        self, key: bytes, writer: str, *, folder: int, judged: Judged | None = None
    ) -> HoldResult: ...
    def named(self, key: bytes, name: Name) -> None: ...
    def unnamed(self, key: bytes | None, name: Name) -> int | None: ...
    def path(self, name: Name) -> str: ...
    def last_name(self, node: int) -> Name | None: ...
    def node(self, key: bytes) -> Node | None: ...
    def node_by_id(self, node: int) -> Node | None: ...
    def names(self, node: int) -> list[Name]: ...
    def changed_ns(self, key: bytes) -> int:
        """Ctime of the living file, 0 when it is gone."""

    def prune(self, node: int, keep: Callable[[list[Generation]], set[int]]) -> int: ...
    def gone_count(self) -> tuple[int, int]:
        """Deleted files that are still held, and the bytes of their versions."""

    def prune_gone(self, limit_ns: int, most: int = 500) -> int: ...
    def retire(self, keep_ns: int, ran_ns: int) -> int:
        """Drop what is gone for longer than the retention, of which the guard ran a quarter."""

    def put_conviction(self, family: str, at_ns: int, state: str, body: bytes) -> None: ...
    def drop_conviction(self, family: str) -> None: ...
    def open_convictions(self) -> list[tuple[str, int, str, bytes]]: ...
    def generations(self, node: int) -> list[Generation]: ...
    def read(self, generation: Generation) -> Bytes: ...
    def read_now(self, key: bytes) -> Bytes: ...
    def is_being_written(self, key: bytes) -> bool:
        """Whether somebody has it open for writing; False where nobody can tell."""

    def judge(self, generation: int, judged: Judged) -> None: ...
    def room_bytes(self) -> int: ...
    def complete(self, folder: int) -> None: ...
    def recent(self, folder: int, back_ns: int) -> list[HoldResult]:
        """What was noted last before the guard was killed, and is not known to be sound."""

    def close_clean(self) -> None: ...
    def commit(self, *, sure: bool = False) -> bool:
        """False when the disk has no room for it; `sure`: room was set aside for this."""

    def write_back(self) -> None:
        """From time to time, on a thread of its own: it may wait long for the disk."""

    def take_lost(self) -> bool:
        """Notes went with a full disk that has room again now: everything must be compared again."""

    def close(self) -> None: ...


class Processes(Protocol):
    """Who is who: lineage that outlives exit, by the kernel's fork records or by best evidence."""

    attribution: str

    def get(self, pid: int) -> Process:
        """The process that had this pid when the event was made; never fails, may know little."""

    def members(self, head: Process) -> list[Process]:
        """The living family below and including `head`, never-touch processes left out."""


class Share(enum.Enum):
    """How much of the processor the guard asks for."""

    LEAST = enum.auto()  # a storm of honest work: it catches up afterwards
    USUAL = enum.auto()
    AWAITED = enum.auto()  # somebody is halted until he was looked at
    MOST = enum.auto()  # something is being destroyed


class Openers(Protocol):
    """Who has protected files mapped or open for writing, which notifications do not tell."""

    def writers(self) -> Iterator[tuple[int, str]]:
        """(pid, path) of every writable shared mapping of a regular file."""


class Hands(Protocol):
    """The only thing that sends signals."""

    def halt(self, process: Process) -> bool:
        """Stop this one process, at once; False where that cannot be done for certain."""

    def freeze(self, head: Process) -> int:
        """Stop every member; answers when all were seen stopped or dead (ns since the epoch).

        Who sits in the kernel is waited for a moment only: he begins nothing new.
        """

    def kill(self, head: Process) -> list[int]:
        """Kill every member and wait for their death; answers their pids."""

    def resume(self, process: Process) -> None:
        """Let this one process go on that `halt` stopped."""

    def thaw(self, head: Process, *, but: Callable[[Process], bool] = ...) -> None:
        """Let a frozen family go on, without those of it who must stay still."""

    def is_moving(self, head: Process) -> bool:
        """Somebody of the family is not still."""


class Contain(Protocol):
    """Stops a remote client instead of a local program."""

    def serves(self, head: Process) -> bool:
        """It serves one remote client."""

    def client(self, process: Process) -> str:
        """Address of the client that it serves, "" if it serves none."""

    def user(self, process: Process) -> str:
        """Who logged that client on, "" if nobody is known."""

    def is_blocked(self, process: Process) -> bool:
        """Its client was blocked before."""

    def is_nameless(self, process: Process) -> bool:
        """It serves, or served, a client whose name is not known, or not yet."""

    def has_blocked(self) -> bool:
        """Some client was blocked by this guard."""

    def block(self, head: Process) -> str:
        """Block the client that `head` serves; answers its address, "" if it serves none."""

    def close(self) -> None:
        """The guard ends."""


class Given(Protocol):
    """What giving back one file did."""

    @property
    def changed(self) -> bool: ...
    @property
    def beside(self) -> str: ...


class GiveBack(Protocol):
    """Writes held versions into the protected folders."""

    def file(
        self,
        node: Node,
        generation: Generation,
        names: list[Name],
        *,
        stamp: str,
        beside: bool,
        others: Callable[[bytes], bool],
    ) -> Given:
        """`others(key)`: what stands at a wanted name is somebody else's, and goes beside it."""

    def second(self, generation: Generation, name: Name, *, stamp: str) -> str:
        """Give a version as a second file beside `name`; its path."""

    def directory(self, key: bytes) -> str: ...
    def rename_directory(self, node: Node, name: Name) -> bool: ...
    def link(self, node: Node, name: Name) -> bool: ...
    def quarantine(self, node: Node) -> list[str]: ...
