"""Judges each snapshot after its backup: what changed is read, judged, and kept in the catalogue.

The time is bounded: what was not judged in time is unjudged, never clean, and comes first next time.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from releve.detect.files import databases, single, whole
from releve.detect.files.limits import LIMITS, FileLimits
from releve.detect.files.whole import Background
from releve.detect.ransom.formats import Bytes
from releve.flow.clock import Clock
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

_PIECE = 1 << 20
BUDGET = dt.timedelta(minutes=5)
OWN = "releve-"  # folders of the backup itself: copies of databases, notes of the run


class CatalogueError(ReleveError):
    """The catalogue of judged files cannot be read or written."""

    status = 160
    remedy = (
        "Move catalogue.sqlite away and run `releve recover scan`: it is made again from the"
        " snapshots; what persons accepted is to be accepted again."
    )

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"The catalogue {path} cannot be used: {why}.")
        self.path = path


class RulesError(ReleveError):
    """A rule file does not compile, or the rule engine is not installed."""

    status = 161
    remedy = "Mend the file it names, or install the extra: `pip install releve[scan]`."

    def __init__(self, why: str) -> None:
        super().__init__(f"The rules cannot be used: {why}.")


class UnknownSnapshotError(ReleveError):
    """No judged snapshot has that id."""

    status = 162
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
        """Mark versions of these contents as bad; the places whose judgement may change."""

    def points(self) -> Sequence[Point]: ...
    def versions(self, data_set: str, since: int) -> Sequence[Kept]:
        """Versions that came with the place `since` or later, and those of the same paths before."""


class Scanned(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="scanned"):
    """What was judged of one snapshot."""

    snapshot: str
    at: dt.datetime
    verdict: Verdict
    judgements: tuple[Judgement, ...]
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


class Scan:
    """Judges the snapshots of one machine that were not judged yet."""

    def __init__(
        self,
        past: Past,
        catalogue: Catalogue,
        rules: Rules,
        clock: Clock,
        limits: FileLimits = LIMITS,
    ) -> None:
        self._past, self._catalogue, self._rules = past, catalogue, rules
        self._clock, self._limits = clock, limits

    def run(self, budget: dt.timedelta, tell: Tell) -> Iterator[Scanned]:
        """Judge oldest first, until all is judged or the time is over."""
        end = self._clock.now() + budget
        snapshots = self._past.snapshots()
        places = [self._catalogue.place(s, self._past.repository) for s in snapshots]
        older: Snapshot | None = None
        for place, snapshot in zip(places, snapshots, strict=True):
            if not self._catalogue.is_done(place):
                if self._clock.now() >= end:
                    return
                yield self._one(place, snapshot, older, end, tell)
            older = snapshot

    def _one(
        self,
        place: int,
        snapshot: Snapshot,
        older: Snapshot | None,
        end: dt.datetime,
        tell: Tell,
    ) -> Scanned:
        begun = self._clock.now()
        copies, dumps = self._past.copies(snapshot), self._past.dumps(snapshot)
        if not self._catalogue.is_planned(place):
            self._plan(place, snapshot, older, data_sets(snapshot, copies, dumps))
        waiting = self._catalogue.waiting(place)
        files, size = self._files(place, snapshot, older, waiting, end, tell)
        based = self._bases(place, snapshot, copies, end)
        based += [self._dump(place, dump) for dump in dumps]
        judgements = [*_judged(self._catalogue, place, self._limits), *based]
        unjudged = len(waiting) - files + sum(j.verdict is Verdict.UNJUDGED for j in based)
        self._catalogue.judge(place, judgements, done=not unjudged)
        return Scanned(
            snapshot=snapshot.id,
            at=snapshot.at,
            verdict=worst(judgements),
            judgements=tuple(judgements),
            files=files,
            bytes=size,
            ms=(self._clock.now() - begun) / dt.timedelta(milliseconds=1),
            waiting=unjudged,
        )

    def _plan(
        self,
        place: int,
        snapshot: Snapshot,
        older: Snapshot | None,
        sets: Sequence[DataSet],
    ) -> None:
        apart = {s.path for s in sets if s.is_database}
        differing = self._past.differences(older, snapshot)
        planned = [
            Planned(path=d.path, data_set=name, how=d.how)
            for d in differing
            if not _is_of_database(d.path, apart) and (name := set_of(d.path, sets))
        ]
        self._catalogue.plan(place, planned, sets)

    def _files(
        self,
        place: int,
        snapshot: Snapshot,
        older: Snapshot | None,
        waiting: Sequence[Planned],
        end: dt.datetime,
        tell: Tell,
    ) -> tuple[int, int]:
        """How many files were judged, and their bytes."""
        files = size = 0
        for batch in self._past.batches(snapshot, waiting):
            if self._clock.now() >= end:
                break
            facts: dict[str, Facts] = {}
            with self._past.opened(snapshot, older, batch) as contents:
                for one in batch:
                    if self._clock.now() >= end:
                        break
                    judged = self._file(one, contents[one.path])
                    if judged is None:
                        continue  # it changed under our eyes: the vault's copy is read next time
                    facts[one.path] = judged
                    size += judged.size
                    done = files + len(facts)
                    tell(Reading(snapshot=snapshot.id, files=done, of=len(waiting), bytes=size))
            self._catalogue.put(place, self._known_bad(facts))
            files += len(facts)
        return files, size

    def _file(self, one: Planned, opened: Opened) -> Facts | None:
        if opened.is_passing:
            return None
        if opened.after is None:
            fr, en = f"illisible dans le coffre ({opened.why})", f"not brought ({opened.why})"
            return single.unread("", 0, fr, en)
        try:
            facts = single.judge(
                one.path,
                opened.after,
                opened.before,
                sha256=sha256(opened.after),
                matches=self._rules.match(opened.after, one.path),
                limits=self._limits,
            )
        except OSError as error:
            return single.unread("", 0, f"lecture : {error.strerror}", f"read: {error.strerror}")
        return facts if opened.still() else None

    def _known_bad(self, facts: Mapping[str, Facts]) -> Mapping[str, Facts]:
        known = self._catalogue.indicators({f.sha256 for f in facts.values()})
        return {path: condemned(f, known.get(f.sha256)) for path, f in facts.items()}

    def _bases(
        self, place: int, snapshot: Snapshot, copies: Sequence[DatabaseCopy], end: dt.datetime
    ) -> list[Judgement]:
        """Databases by their own engine; those whose copy did not change are not read again."""
        found = []
        for copy in copies:
            data_set = DataSet(name=copy.path, path=copy.path, is_database=True)
            before = self._catalogue.rows_before(place, copy.path)
            left = (end - self._clock.now()).total_seconds()
            if before and before[0] == copy.sha256:
                rows: TableRows | None = before[1]
            else:
                rows = self._past.rows(snapshot, copy, left) if left > 0 else None
            if rows is None:
                why = Why(code="unjudged", fr="base non vérifiée", en="database not checked")
                unjudged = Verdict.UNJUDGED
                found.append(Judgement(data_set=copy.path, verdict=unjudged, why=(why,)))
                continue
            self._catalogue.put_rows(place, data_set, copy.sha256, rows)
            found.append(databases.judge(copy.path, rows, before and before[1], self._limits))
        return found

    def _dump(self, place: int, dump: DumpMade) -> Judgement:
        """A dump by the rows that its server counted when it was made; it is not read again."""
        data_set = _set_of_dump(dump)
        before = self._catalogue.rows_before(place, data_set.name)
        counts = {name: rows.high for name, rows in dump.rows.items()} if dump.counted else {}
        rows = TableRows(opens=True, is_sound=True, rows=counts)
        self._catalogue.put_rows(place, data_set, dump.sha256, rows)
        return databases.judge(data_set.name, rows, before and before[1], self._limits)


def hunt(
    catalogue: Catalogue, indicators: Mapping[str, Why], limits: FileLimits = LIMITS
) -> Sequence[int]:
    """Judge the past again for new indicators, from the catalogue alone; the places that changed."""
    touched = catalogue.suspicious(indicators)
    if not touched:
        return ()
    points = {point.snapshot: point for point in catalogue.points()}
    if not points:
        return ()
    again = [place for place in catalogue.places() if place >= min(touched)]
    for place in again:
        if not catalogue.is_planned(place):
            continue
        files = _judged(catalogue, place, limits)
        catalogue.judge(
            place, [*files, *_bases_of(catalogue, place)], done=catalogue.is_done(place)
        )
    return touched


def _bases_of(catalogue: Catalogue, place: int) -> list[Judgement]:
    """Judgements of databases stay: an indicator is a file's."""
    names = {s.name for s in catalogue.sets(place) if s.is_database}
    point = catalogue.points()[place]
    return [j for j in point.judgements if j.data_set in names]


def _judged(catalogue: Catalogue, place: int, limits: FileLimits) -> list[Judgement]:
    return [
        whole.judge(
            s.name, catalogue.changes(place, s.name), catalogue.background(place, s.name), limits
        )
        for s in catalogue.sets(place)
        if not s.is_database
    ]


def condemned(facts: Facts, why: Why | None) -> Facts:
    """The facts of a version whose content an indicator names."""
    if why is None or why.code in facts.matches:
        return facts
    matches = (why.code, *facts.matches)
    said = (why, *facts.why)
    return msgspec.structs.replace(facts, matches=matches, why=said, verdict=Verdict.BAD)


def worst(judgements: Sequence[Judgement]) -> Verdict:
    """The verdict of a snapshot: that of its worst data set."""
    rank = (Verdict.CLEAN, Verdict.UNJUDGED, Verdict.SUSPECT, Verdict.BAD)
    return max((j.verdict for j in judgements), key=rank.index, default=Verdict.CLEAN)


def data_sets(
    snapshot: Snapshot, copies: Sequence[DatabaseCopy], dumps: Sequence[DumpMade] = ()
) -> list[DataSet]:
    """Each folder of the backup, each database with a consistent copy, each dump."""
    folders = [f for f in snapshot.folders if not f.rpartition("/")[2].startswith(OWN)]
    return [
        *(DataSet(name=f, path=f) for f in folders),
        *(DataSet(name=c.path, path=c.path, is_database=True) for c in copies),
        *(_set_of_dump(dump) for dump in dumps),
    ]


def _set_of_dump(dump: DumpMade) -> DataSet:
    return DataSet(name=f"{dump.kind} {dump.database}", path=dump.path, is_database=True)


def set_of(path: str, sets: Sequence[DataSet]) -> str:
    """The folder that a path belongs to, the innermost; empty for none."""
    names = [s.name for s in sets if not s.is_database and _is_below(path, s.path)]
    return max(names, key=len, default="")


def sha256(content: Bytes) -> str:
    digest = hashlib.sha256()
    for at in range(0, content.size, _PIECE):
        digest.update(content.read(at, _PIECE))
    return digest.hexdigest()


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_of_database(path: str, databases: Collection[str]) -> bool:
    """The file of a database with a consistent copy, or one beside it: possibly torn by nature."""
    ends = ("-wal", "-shm", "-journal")
    return path in databases or any(path.endswith(e) and path[: -len(e)] in databases for e in ends)
