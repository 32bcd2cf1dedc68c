"""The pieces of work that pass between reading, holding and judging."""

from enum import Enum, auto
from itertools import count

import msgspec

from releve.flow.ports import GiveBack, Keeper
from releve.model.held import HoldResult, Name
from releve.model.process import Process


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """One file system: its keeper, its id in notifications, and how to give files back."""

    fsid: bytes
    keeper: Keeper
    give_back: GiveBack


class What(Enum):
    """What a piece of work is about."""

    CLOSED = auto()  # written and closed, or its attributes changed: hold, then judge
    OPEN = auto()  # written and still open: judge what stands there now
    REPLACED = auto()  # another file was renamed over an original
    GONE = auto()  # an original lost its last name


class Job(msgspec.Struct, kw_only=True):
    """Work on one file for one writer. `file` is fsid + key; `seen_ns` when it was noticed."""

    what: What
    process: Process
    volume: Volume
    file: bytes
    folder: int
    seen_ns: int
    began_ns: int = 0  # when a look at it began: later writes were not seen by it
    mask: int = 0
    is_due: bool = False  # a new file that was left alone for a moment, and is looked at now
    at_once: bool = False  # a roll-back waits for it: no pause between two saves of one file
    tries: int = 0  # how often it was found open for writing
    name: Name | None = None
    held: HoldResult | None = None
    order: int = msgspec.field(default_factory=count().__next__)  # which was noticed after which
    old: int = 0  # REPLACED: the node that lost its name; GONE: the node that is gone

    @property
    def key(self) -> bytes:
        return self.file[8:]


def merge(waiting: Job, new: Job) -> Job:
    """Two jobs on the same file for the same writer: the earlier time, all that happened."""
    new.mask |= waiting.mask
    new.seen_ns = min(waiting.seen_ns, new.seen_ns)
    if new.name is None or (waiting.name is not None and waiting.order > new.order):
        new.name = waiting.name  # what was due later may have been noticed before a renaming
    new.at_once = new.at_once or waiting.at_once
    new.is_due = new.is_due or waiting.is_due
    new.order = max(waiting.order, new.order)
    if waiting.what is What.CLOSED and new.what is What.OPEN:
        new.what = What.CLOSED
        new.held = waiting.held
    return new


def lane(process: Process, *, is_new: bool) -> int:
    """Whose turn it is: nobody's new files stand before the originals that he changed."""
    return -process.pid if is_new else process.pid


def is_of_originals(turn: object) -> bool:
    """Whether `lane` answered this for originals: no pause is taken while one waits."""
    return isinstance(turn, int) and turn >= 0
