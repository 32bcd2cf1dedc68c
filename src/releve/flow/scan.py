"""Judges each snapshot after its backup: what changed is read, judged, and kept in the catalogue.

The time is bounded: what was not judged in time is unjudged, never clean, and comes first next time.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from releve.detect.files import databases, single, whole
from releve.detect.files.limits import LIMITS, FileLimits
from releve.detect.ransom.formats import Bytes
from releve.flow.clock import Clock
from releve.flow.scan_ports import Catalogue, Opened, Past, Planned, Reading, Rules, Scanned, Tell
from releve.model.backup import DatabaseCopy, Snapshot
from releve.model.clean import (
    DataSet,
    Facts,
    How,
    Judgement,
    TableRows,
    Verdict,
    Why,
)  # fmt: skip
from releve.model.sources import DumpMade
from releve.recover.clean_point import standing

_PIECE = 1 << 20
BUDGET = dt.timedelta(minutes=5)
OWN = "releve-"  # folders of the backup itself: copies of databases, notes of the run


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
        doubts = self._doubts(snapshot.id, judgements)
        return Scanned(
            snapshot=snapshot.id,
            at=snapshot.at,
            verdict=worst([*(j.verdict for j in judgements), *(Verdict.SUSPECT for _ in doubts)]),
            judgements=tuple(judgements),
            doubts=doubts,
            files=files,
            bytes=size,
            ms=(self._clock.now() - begun) / dt.timedelta(milliseconds=1),
            waiting=unjudged,
        )

    def _doubts(
        self, snapshot: str, judgements: Sequence[Judgement]
    ) -> tuple[tuple[str, Why], ...]:
        """Data sets in which nothing new is wrong, and what was destroyed earlier still is."""
        points, accepted = self._catalogue.points(), self._catalogue.accepted()
        return tuple(
            (one.data_set, why[0])
            for one in judgements
            if one.verdict is Verdict.CLEAN
            for point, verdict, why in standing(points, one.data_set, accepted)
            if point.snapshot == snapshot and verdict is Verdict.SUSPECT
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
        if older is None:  # the first of a new generation: what it lacks went in between
            there = {one.path for one in planned}
            planned += [
                Planned(path=path, data_set=name, how=How.REMOVED)
                for path, name in self._catalogue.standing({s.name for s in sets})
                if path not in there
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
            if not opened.still():
                return None
            return single.unread("", 0, f"lecture : {error.strerror}", f"read: {error.strerror}")
        except Exception as error:  # noqa: BLE001 - who made the file must not end the judging of all others
            kind = type(error).__name__
            return single.unread("", 0, f"jugement interrompu ({kind})", f"judging failed ({kind})")
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
    """Judge the past again for new indicators, from the catalogue alone; the places concerned."""
    touched = catalogue.suspicious(indicators)
    if not touched:
        return ()
    points = catalogue.points()
    for place in catalogue.places():
        if place < touched[0] or not catalogue.is_planned(place):
            continue
        judged: Sequence[Judgement] = points[place].judgements
        if place in touched:
            # Judgements of databases stay: an indicator is a file's.
            bases = {s.name for s in catalogue.sets(place) if s.is_database}
            kept = [j for j in judged if j.data_set in bases]
            judged = [*_judged(catalogue, place, limits), *kept]
        # Written again, changed or not: what is wounded after it follows from the places before.
        catalogue.judge(place, judged, done=catalogue.is_done(place))
    return touched


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


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a snapshot: that of its worst data set."""
    rank = (Verdict.CLEAN, Verdict.UNJUDGED, Verdict.SUSPECT, Verdict.BAD)
    return max(verdicts, key=rank.index, default=Verdict.CLEAN)


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
