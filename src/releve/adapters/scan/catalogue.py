"""The catalogue: every version of every backed-up file with its judgement, in SQLite.

It stands beside the backup's state, root only: paths are clear in it. A version stands from the
snapshot that brought it (`first`) until the one that has it no more (`until`, empty while it stands).
"""

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from releve.detect.files.kinds import ending
from releve.detect.files.whole import Background
from releve.flow.scan import condemned
from releve.flow.scan_ports import CatalogueError, Planned, UnknownSnapshotError
from releve.model.backup import Snapshot
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

VERSION = 1
_MANY = 500  # values in one question: SQLite takes 32,766, older ones 999
# Found by its path: the plus keeps SQLite from looking at all that ended there for each that came,
# which made 2,000 changed files 8,000,000 steps.
_BEFORE = "o.path=v.path AND +o.until=v.first"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS snapshot (
  place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, repository TEXT NOT NULL,
  at TEXT NOT NULL, ended_at TEXT NOT NULL, planned INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0, sets BLOB, judged BLOB);
CREATE TABLE IF NOT EXISTS version (
  id INTEGER PRIMARY KEY, path TEXT NOT NULL, data_set TEXT NOT NULL,
  first INTEGER NOT NULL, until INTEGER, sha256 TEXT, size INTEGER, kind TEXT, uniform REAL,
  verdict TEXT, facts BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS version_path ON version(path, first);
CREATE INDEX IF NOT EXISTS version_first ON version(first, data_set);
CREATE INDEX IF NOT EXISTS version_until ON version(until, data_set);
CREATE INDEX IF NOT EXISTS version_content ON version(sha256);
CREATE TABLE IF NOT EXISTS ending (
  data_set TEXT NOT NULL, ending TEXT NOT NULL, first INTEGER NOT NULL,
  PRIMARY KEY (data_set, ending)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS base (
  data_set TEXT NOT NULL, place INTEGER NOT NULL, sha256 TEXT NOT NULL, counts BLOB NOT NULL,
  PRIMARY KEY (data_set, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS body (
  data_set TEXT NOT NULL, place INTEGER NOT NULL, wounds BLOB NOT NULL,
  PRIMARY KEY (data_set, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS indicator (
  sha256 TEXT PRIMARY KEY, why BLOB NOT NULL, source TEXT NOT NULL, added_at TEXT NOT NULL
  ) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accepted (
  snapshot TEXT PRIMARY KEY, who TEXT NOT NULL, why TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
"""
_facts = msgspec.msgpack.Decoder(Facts).decode
_why = msgspec.msgpack.Decoder(Why).decode
_rows = msgspec.msgpack.Decoder(TableRows).decode
_judgements = msgspec.msgpack.Decoder(tuple[Judgement, ...]).decode
_paths = msgspec.msgpack.Decoder(frozenset[str]).decode
_sets = msgspec.msgpack.Decoder(tuple[DataSet, ...]).decode
_pack = msgspec.msgpack.encode


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a file: from which place in the series on, until which it has it no more."""

    first: int
    until: int | None
    at: dt.datetime
    sha256: str
    size: int
    verdict: Verdict


class SqliteCatalogue:
    """Catalogue in one file. One writer at a time; readers see the last whole transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            if not path.exists():
                path.touch(mode=0o600)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            if self._db.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
                raise CatalogueError(str(path), "it is of a newer release")
            self._db.execute(f"PRAGMA user_version={VERSION}")
        except (OSError, sqlite3.DatabaseError) as error:
            raise CatalogueError(str(path), str(error)) from error

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def _whole(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # the series

    def place(self, snapshot: Snapshot, repository: str) -> int:
        with self._whole() as db:
            row = db.execute("SELECT place FROM snapshot WHERE id=?", (snapshot.id,)).fetchone()
            if row:
                return int(row[0])
            last = db.execute("SELECT coalesce(max(place),-1) FROM snapshot").fetchone()[0]
            ended = (snapshot.ended_at or snapshot.at).isoformat()
            db.execute(
                "INSERT INTO snapshot(place,id,repository,at,ended_at) VALUES(?,?,?,?,?)",
                (last + 1, snapshot.id, repository, snapshot.at.isoformat(), ended),
            )
            return int(last) + 1

    def places(self) -> Sequence[int]:
        return [row[0] for row in self._db.execute("SELECT place FROM snapshot ORDER BY place")]

    def is_done(self, place: int) -> bool:
        return self._flag("done", place)

    def is_planned(self, place: int) -> bool:
        return self._flag("planned", place)

    def _flag(self, name: str, place: int) -> bool:
        row = self._db.execute(f"SELECT {name} FROM snapshot WHERE place=?", (place,)).fetchone()  # noqa: S608 - a constant of ours
        return bool(row and row[0])

    def sets(self, place: int) -> Sequence[DataSet]:
        row = self._db.execute("SELECT sets FROM snapshot WHERE place=?", (place,)).fetchone()
        return _sets(row[0]) if row and row[0] else ()

    def snapshot(self, begins: str) -> str:
        """The whole id of the snapshot whose id begins so. Raises: UnknownSnapshotError."""
        rows = self._db.execute(
            "SELECT id FROM snapshot WHERE substr(id,1,?)=?", (len(begins), begins)
        ).fetchall()
        if len(rows) != 1 or not begins:
            raise UnknownSnapshotError(begins)
        return str(rows[0][0])

    # one transition

    def plan(self, place: int, changes: Sequence[Planned], sets: Sequence[DataSet]) -> None:
        with self._whole() as db:
            gone = [c.path for c in changes if c.how is How.REMOVED]
            come = [(c.path, c.data_set, place) for c in changes if c.how is not How.REMOVED]
            ended = [(place, path) for path in (*gone, *(path for path, _, _ in come))]
            db.executemany("UPDATE version SET until=? WHERE path=? AND until IS NULL", ended)
            db.executemany("INSERT OR IGNORE INTO version(path,data_set,first) VALUES(?,?,?)", come)
            endings = {(name, ending(path), place) for path, name, _ in come}
            db.executemany(
                "INSERT OR IGNORE INTO ending(data_set,ending,first) VALUES(?,?,?)", endings
            )
            db.execute(
                "UPDATE snapshot SET planned=1, sets=? WHERE place=?", (_pack(tuple(sets)), place)
            )

    def standing(self, sets: Collection[str]) -> Iterator[tuple[str, str]]:
        for name in sorted(sets):
            yield from self._db.execute(
                "SELECT path, data_set FROM version WHERE data_set=? AND until IS NULL", (name,)
            ).fetchall()

    def waiting(self, place: int) -> Sequence[Planned]:
        rows = self._db.execute(
            f"SELECT v.path, v.data_set, EXISTS(SELECT 1 FROM version o WHERE {_BEFORE})"  # noqa: S608 - a constant
            " FROM version v WHERE v.first=? AND v.facts IS NULL ORDER BY v.path",
            (place,),
        )
        hows = (How.ADDED, How.CHANGED)
        return [Planned(path=p, data_set=s, how=hows[bool(was)]) for p, s, was in rows]

    def put(self, place: int, facts: Mapping[str, Facts]) -> None:
        with self._whole() as db:
            db.executemany(
                "UPDATE version SET sha256=?, size=?, kind=?, uniform=?, verdict=?, facts=?"
                " WHERE path=? AND first=?",
                [
                    (f.sha256, f.size, f.kind, f.uniform, f.verdict.value, _pack(f), path, place)
                    for path, f in facts.items()
                ],
            )

    def changes(self, place: int, data_set: str) -> Sequence[Change]:
        come = self._db.execute(
            "SELECT v.path, v.facts, o.facts, o.id FROM version v LEFT JOIN version o"  # noqa: S608 - a constant
            f" ON {_BEFORE} WHERE v.first=? AND v.data_set=?",
            (place, data_set),
        )
        found = [
            Change(
                path=path,
                how=How.ADDED if old is None else How.CHANGED,
                facts=_facts(facts) if facts else None,
                before=_facts(was) if was else None,
            )
            for path, facts, was, old in come
        ]
        gone = self._db.execute(
            "SELECT o.path, o.facts FROM version o WHERE o.until=? AND o.data_set=? AND NOT EXISTS"
            " (SELECT 1 FROM version v WHERE v.path=o.path AND v.first=?)",
            (place, data_set, place),
        )
        found += [
            Change(path=path, how=How.REMOVED, before=_facts(was) if was else None)
            for path, was in gone
        ]
        return found

    def background(self, place: int, data_set: str) -> Background:
        present = self._db.execute(
            "SELECT count(*) FROM version WHERE data_set=? AND first<? AND"
            " (until IS NULL OR until>=?)",
            (data_set, place, place),
        ).fetchone()[0]
        endings = self._db.execute(
            "SELECT ending FROM ending WHERE data_set=? AND first<?", (data_set, place)
        )
        return Background(
            present=present,
            endings=frozenset(row[0] for row in endings),
            wounds=self._wounds(place, data_set),
            is_first=present == 0,
        )

    def _wounds(self, place: int, data_set: str) -> frozenset[str]:
        """Those that the transitions before left."""
        row = self._db.execute(
            "SELECT wounds FROM body WHERE data_set=? AND place<? ORDER BY place DESC LIMIT 1",
            (data_set, place),
        ).fetchone()
        return _paths(row[0]) if row else frozenset()

    # databases

    def put_rows(self, place: int, data_set: DataSet, sha256: str, rows: TableRows) -> None:
        with self._whole() as db:
            db.execute(
                "INSERT OR REPLACE INTO base(data_set,place,sha256,counts) VALUES(?,?,?,?)",
                (data_set.name, place, sha256, _pack(rows)),
            )

    def rows_before(self, place: int, data_set: str) -> tuple[str, TableRows] | None:
        row = self._db.execute(
            "SELECT sha256, counts FROM base WHERE data_set=? AND place<? ORDER BY place DESC"
            " LIMIT 1",
            (data_set, place),
        ).fetchone()
        return (row[0], _rows(row[1])) if row else None

    # judgements

    def judge(self, place: int, judgements: Sequence[Judgement], *, done: bool) -> None:
        with self._whole() as db:
            db.execute(
                "UPDATE snapshot SET judged=?, done=? WHERE place=?",
                (_pack(tuple(judgements)), done, place),
            )
            for j in judgements:
                left = (self._wounds(place, j.data_set) - set(j.healed)) | set(j.wounds)
                db.execute(
                    "INSERT OR REPLACE INTO body(data_set,place,wounds) VALUES(?,?,?)",
                    (j.data_set, place, _pack(left)),
                )

    def points(self) -> Sequence[Point]:
        rows = self._db.execute(
            "SELECT id, at, ended_at, judged, done FROM snapshot ORDER BY place"
        )
        return [
            Point(
                snapshot=name,
                at=dt.datetime.fromisoformat(at),
                ended_at=dt.datetime.fromisoformat(ended),
                judgements=_judgements(judged) if judged else (),
                is_complete=bool(done),
            )
            for name, at, ended, judged, done in rows
        ]

    def versions(self, data_set: str, since: int) -> Sequence[Kept]:
        rows = self._db.execute(
            "SELECT path, first, until, facts FROM version WHERE data_set=:s AND facts IS NOT NULL"
            " AND path IN (SELECT path FROM version WHERE data_set=:s AND first>=:p)",
            {"s": data_set, "p": since},
        )
        return [Kept(path=p, first=f, until=u, facts=_facts(facts)) for p, f, u, facts in rows]

    # indicators, what persons accepted

    def indicators(self, sha256: Collection[str]) -> Mapping[str, Why]:
        found: dict[str, Why] = {}
        wanted = sorted(sha256)
        for at in range(0, len(wanted), _MANY):
            some = wanted[at : at + _MANY]
            marks = ",".join("?" * len(some))
            rows = self._db.execute(
                f"SELECT sha256, why FROM indicator WHERE sha256 IN ({marks})",  # noqa: S608
                some,
            )
            found |= {name: _why(why) for name, why in rows}
        return found

    def add_indicators(self, found: Mapping[str, Why], source: str, at: dt.datetime) -> None:
        with self._whole() as db:
            db.executemany(
                "INSERT OR REPLACE INTO indicator(sha256,why,source,added_at) VALUES(?,?,?,?)",
                [(name, _pack(why), source, at.isoformat()) for name, why in found.items()],
            )

    def suspicious(self, sha256: Mapping[str, Why]) -> Sequence[int]:
        touched: set[int] = set()
        with self._whole() as db:
            for name, why in sha256.items():
                rows = db.execute(
                    "SELECT id, first, until, facts FROM version WHERE sha256=? AND facts NOTNULL",
                    (name,),
                ).fetchall()
                for number, first, until, packed in rows:
                    facts = condemned(_facts(packed), why)
                    db.execute(
                        "UPDATE version SET verdict=?, facts=? WHERE id=?",
                        (Verdict.BAD.value, _pack(facts), number),
                    )
                    touched.update((first,) if until is None else (first, until))
        return sorted(touched)

    def accept(self, snapshot: str, who: str, why: str, at: dt.datetime) -> None:
        with self._whole() as db:
            db.execute(
                "INSERT OR REPLACE INTO accepted(snapshot,who,why,at) VALUES(?,?,?,?)",
                (snapshot, who, why, at.isoformat()),
            )

    def accepted(self) -> frozenset[str]:
        return frozenset(row[0] for row in self._db.execute("SELECT snapshot FROM accepted"))

    def paths(self) -> Iterator[str]:
        """Every path that was ever backed up."""
        for row in self._db.execute("SELECT DISTINCT path FROM version"):
            yield row[0]

    def history(self, path: str) -> Sequence[Lived]:
        """The versions of a file, oldest first."""
        rows = self._db.execute(
            "SELECT v.first, v.until, a.at, v.sha256, v.size, v.verdict FROM version v"
            " JOIN snapshot a ON a.place=v.first WHERE v.path=? ORDER BY v.first",
            (path,),
        )
        return [
            Lived(
                first=first,
                until=until,
                at=dt.datetime.fromisoformat(at),
                sha256=sha256 or "",
                size=size or 0,
                verdict=Verdict(verdict) if verdict else Verdict.UNJUDGED,
            )
            for first, until, at, sha256, size, verdict in rows
        ]

    def place_of(self, snapshot: str) -> int | None:
        """Where a snapshot stands in the series; None if it was never looked at."""
        row = self._db.execute("SELECT place FROM snapshot WHERE id=?", (snapshot,)).fetchone()
        return int(row[0]) if row else None

    def worst_of(self, sha256: str) -> Verdict | None:
        """The worst that was ever said of a content; None if it is not known."""
        rows = self._db.execute("SELECT DISTINCT verdict FROM version WHERE sha256=?", (sha256,))
        said = {Verdict(row[0]) for row in rows if row[0]}
        if self.indicators([sha256]):
            said.add(Verdict.BAD)
        return max(said, key=list(Verdict).index, default=None)

    def holders(self, sha256: str) -> Sequence[tuple[str, str, str | None]]:
        """Where a content stands or stood: path, first snapshot, the first without it."""
        rows = self._db.execute(
            "SELECT v.path, a.id, b.id FROM version v JOIN snapshot a ON a.place=v.first"
            " LEFT JOIN snapshot b ON b.place=v.until WHERE v.sha256=? ORDER BY v.first, v.path",
            (sha256,),
        )
        return [(path, first, until) for path, first, until in rows]
