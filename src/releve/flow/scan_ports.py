"""What a scan of snapshots asks of the world, the errors it can end with, and what it tells."""

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from releve.detect.files.whole import Background
from releve.detect.ransom.formats import Bytes
from releve.model.backup import DatabaseCopy, Snapshot
from releve.model.clean import (
    Change,
    DataSet,
    Facts,
    How,
    Judgement,
    Kept,
    Point,
    TableRows,
    Verdict,
    Why,
)  # fmt: skip
from releve.model.errors import ReleveError
from releve.model.sources import DumpMade


class CatalogueError(ReleveError):
    """The catalogue of judged files cannot be read or written."""

    status = 26
    remedy = (
        "Move catalogue.sqlite away and run `releve recover scan`: it is made again from the"
        " snapshots; what persons accepted is to be accepted again."
    )

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"The catalogue {path} cannot be used: {why}.")
        self.path = path


class RulesError(ReleveError):
    """A rule file does not compile, or the rule engine is not installed."""

    status = 27
    remedy = "Mend the file it names, or install the extra: `pip install releve[scan]`."

    def __init__(self, why: str) -> None:
        super().__init__(f"The rules cannot be used: {why}.")


class UnknownSnapshotError(ReleveError):
    """No judged snapshot has that id."""

    status = 28
    remedy = "`releve recover scan --list` shows the judged snapshots."

    def __init__(self, snapshot: str) -> None:
        super().__init__(f"No judged snapshot begins with {snapshot!r}.")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One path that differs, before anything is judged."""

    path: str
    data_set: str
    how: How


class Differing(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a path, as the engine tells it."""

    path: str
    how: How


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one path in one snapshot; None if it could not be brought."""

    after: Bytes | None
    before: Bytes | None = None
    why: str = ""
    is_passing: bool = False  # another try will bring it
    still: Callable[[], bool] = lambda: True  # asked after the judgement: was it that content?


class Past(Protocol):
    """The snapshots of one machine, and what is in them."""

    repository: str  # a name that stays: snapshots of two generations are not compared

    def snapshots(self) -> Sequence[Snapshot]:
        """Oldest first."""

    def differences(self, older: Snapshot | None, newer: Snapshot) -> Iterator[Differing]:
        """Files whose content differs; with no older one, every file."""

    def copies(self, snapshot: Snapshot) -> Sequence[DatabaseCopy]:
        """The consistent copies of databases that it holds."""

    def dumps(self, snapshot: Snapshot) -> Sequence[DumpMade]:
        """The dumps of database servers that its run made, each in a snapshot of its own."""

    def opened(
        self, newer: Snapshot, older: Snapshot | None, wanted: Sequence[Planned]
    ) -> AbstractContextManager[Mapping[str, Opened]]:
        """The contents of some paths, gone again when the block is left."""

    def batches(self, newer: Snapshot, wanted: Sequence[Planned]) -> Iterator[Sequence[Planned]]:
        """The paths in portions that fit the scratch place."""

    def rows(self, snapshot: Snapshot, copy: DatabaseCopy, seconds: float) -> TableRows | None:
        """What the database's own engine says; None if the time ran out."""


class Rules(Protocol):
    """What recognises contents: rules."""

    def match(self, content: Bytes, path: str) -> tuple[Why, ...]: ...


class Catalogue(Protocol):
    """Keeps what was judged. All writes of one call are one transaction."""

    def place(self, snapshot: Snapshot, repository: str) -> int:
        """The place of a snapshot in the series; a new one comes last."""

    def is_done(self, place: int) -> bool: ...
    def is_planned(self, place: int) -> bool: ...
    def plan(self, place: int, changes: Sequence[Planned], sets: Sequence[DataSet]) -> None:
        """Note the versions that this snapshot brings, not judged yet, and those that it ends."""

    def standing(self, sets: Collection[str]) -> Iterator[tuple[str, str]]:
        """Path and data set of every version that no snapshot has ended."""

    def waiting(self, place: int) -> Sequence[Planned]:
        """Versions of this snapshot that nobody judged yet."""

    def put(self, place: int, facts: Mapping[str, Facts]) -> None: ...
    def changes(self, place: int, data_set: str) -> Sequence[Change]: ...
    def background(self, place: int, data_set: str) -> Background: ...
    def sets(self, place: int) -> Sequence[DataSet]: ...
    def put_rows(self, place: int, data_set: DataSet, sha256: str, rows: TableRows) -> None: ...
    def rows_before(self, place: int, data_set: str) -> tuple[str, TableRows] | None:
        """SHA-256 and rows as they were in the newest snapshot before."""

    def judge(self, place: int, judgements: Sequence[Judgement], *, done: bool) -> None: ...
    def places(self) -> Sequence[int]: ...
    def indicators(self, sha256: Collection[str]) -> Mapping[str, Why]: ...
    def suspicious(self, sha256: Mapping[str, Why]) -> Sequence[int]:
        """Mark versions of these contents as bad; the places they came or went with, in order."""

    def points(self) -> Sequence[Point]: ...
    def accepted(self) -> frozenset[str]: ...
    def versions(self, data_set: str, since: int) -> Sequence[Kept]:
        """Versions that came with the place `since` or later, and those of the same paths before."""


class Scanned(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="scanned"):
    """What was judged of one snapshot.

    `verdict`: what the whole is worth in it, so with what earlier ones left destroyed; `judgements`
    are of what changed, and `doubts` name data sets in which nothing new is wrong.
    """

    snapshot: str
    at: dt.datetime
    verdict: Verdict
    judgements: tuple[Judgement, ...]
    doubts: tuple[tuple[str, Why], ...] = ()
    files: int
    bytes: int
    ms: float
    waiting: int = 0  # files that the time did not suffice for


class Reading(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="reading"):
    """How far a scan is."""

    snapshot: str
    files: int
    of: int
    bytes: int


Tell = Callable[[Reading], None]
