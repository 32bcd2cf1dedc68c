"""What the guard knows of a family on its way from conviction to rolled back, also on disk."""

import datetime as dt
from collections.abc import Iterable

import msgspec

from releve.detect.ransom.score import Mark
from releve.model.held import Judged
from releve.model.lines import RolledBack
from releve.model.process import Process
from releve.recover.rollback import Touch


class Member(msgspec.Struct, frozen=True):
    """A process as the journal remembers it."""

    pid: int
    start_ns: int


class Journal(msgspec.Struct, kw_only=True):
    """A conviction on disk: enough to finish it after a kill -9."""

    family: str
    at_ns: int
    bad_since_ns: int
    members: list[Member]
    writers: list[str]
    touches: list[Touch]
    kill: bool = True
    known: bool = True


class Conviction(msgspec.Struct, kw_only=True):
    """One family on its way from conviction to rolled back."""

    head: Process
    kind: str  # "score", "pool", "mass_deletion", "while_dead", "order", "journal"
    action: str
    bad_since_ns: int
    marks: list[Mark]
    tree: set[Process]
    seen: dict[bytes, tuple[int, Judged]] = {}
    restored: int = 0
    lost: list[str] = []
    newest: list[str] = []
    quarantined: list[str] = []
    beside: list[str] = []
    left: list[str] = []  # made during it by nobody known, and not proved bad
    blocked: dict[bytes, Touch] = {}  # on a disk that is read-only now: to be undone later
    said: tuple[int, ...] = ()


def convicted(
    head: Process, kind: str, action: str, bad_since_ns: int, marks: list[Mark], tree: set[Process]
) -> Conviction:
    """A conviction of which nothing is carried out yet."""
    return Conviction(
        head=head, kind=kind, action=action, bad_since_ns=bad_since_ns, marks=marks, tree=tree,
        seen={}, lost=[], newest=[], quarantined=[], beside=[], left=[], blocked={},
    )  # fmt: skip


def rolled_back(c: Conviction, family: str, wall_ns: int, spent_s: float = 0.0) -> RolledBack:
    """The line that tells what was undone."""
    return RolledBack(
        family=family,
        restored=c.restored,
        lost=tuple(c.lost),
        newest_save_lost=tuple(c.newest),
        quarantined=tuple(c.quarantined),
        kept_both=tuple(c.beside),
        left=tuple(c.left),
        rollback_ms=round(spent_s * 1000, 1),
        at=iso(wall_ns),
    )


def writers_of(tree: Iterable[Process]) -> set[str]:
    """Ids under which a family's generations were held."""
    found: set[str] = set()
    for process in tree:
        found.add(process.id)
        found.update(process.former)
    return found


def iso(ns: int) -> str:
    """A moment as lines tell it."""
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC).isoformat(timespec="milliseconds")
