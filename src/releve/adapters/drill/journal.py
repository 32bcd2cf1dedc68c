"""The durable journal of drills: SQLite, each sentence on disk before the call returns.

Not DBOS: see docs/decisions (what a host installs for it, and that it brings a step's result back
by pickle). A drill is a straight line of steps, so a row per step that ended is the whole engine.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from releve.flow.drill.ports import DrillRunningError
from releve.model.drill import Done, Drill, Moment, StepName, Stretch

_TABLES = """
CREATE TABLE IF NOT EXISTS drill (
  id TEXT PRIMARY KEY, number INTEGER UNIQUE, body BLOB NOT NULL, certificate BLOB
);
CREATE TABLE IF NOT EXISTS stretch (
  drill TEXT NOT NULL REFERENCES drill(id), number INTEGER NOT NULL,
  began BLOB NOT NULL, alive BLOB NOT NULL, PRIMARY KEY (drill, number)
);
CREATE TABLE IF NOT EXISTS step (
  drill TEXT NOT NULL REFERENCES drill(id), name TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (drill, name)
);
"""
_encode = msgspec.json.encode
_drill = msgspec.json.Decoder(Drill).decode
_done = msgspec.json.Decoder(Done).decode
_moment = msgspec.json.Decoder(Moment).decode


class SqliteJournal:
    """Journal: `drills.db` and its lock in a folder that only root enters."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / "drills.db"
        file.touch(mode=0o600)
        self._db = sqlite3.connect(file, isolation_level=None, timeout=30)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLES)

    def shut(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """The kernel lets go of the lock when its holder dies, however it dies."""
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DrillRunningError(str(self._folder)) from error
            yield
        finally:
            os.close(descriptor)

    def order(self, drill: Drill) -> None:
        self._db.execute(
            "INSERT INTO drill (id, number, body)"
            " VALUES (?, (SELECT 1 + coalesce(max(number), 0) FROM drill), ?)",
            (drill.id, _encode(drill)),
        )

    def drills(self) -> list[Drill]:
        return [
            _drill(body) for (body,) in self._db.execute("SELECT body FROM drill ORDER BY number")
        ]

    def begin_stretch(self, drill: str, at: Moment) -> int:
        said = _encode(at)
        row = self._db.execute(
            "INSERT INTO stretch VALUES (?1, (SELECT 1 + coalesce(max(number), 0) FROM stretch"
            " WHERE drill = ?1), ?2, ?2) RETURNING number",
            (drill, said),
        ).fetchone()
        return int(row[0])

    def alive(self, drill: str, stretch: int, at: Moment) -> None:
        self._db.execute(
            "UPDATE stretch SET alive = ? WHERE drill = ? AND number = ?",
            (_encode(at), drill, stretch),
        )

    def done(self, drill: str) -> dict[StepName, Done]:
        rows = self._db.execute("SELECT body FROM step WHERE drill = ?", (drill,))
        return {one.name: one for one in (_done(body) for (body,) in rows)}

    def stretches(self, drill: str) -> list[Stretch]:
        rows = self._db.execute(
            "SELECT number, began, alive FROM stretch WHERE drill = ? ORDER BY number", (drill,)
        )
        return [
            Stretch(number=number, began=_moment(began), alive=_moment(alive))
            for number, began, alive in rows
        ]

    def finish(self, drill: str, done: Done) -> None:
        self._db.execute(
            "INSERT INTO step VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (drill, str(done.name), _encode(done)),
        )

    def close(self, drill: str, certificate: bytes, verdict: str, at: Moment) -> None:
        row = self._db.execute("SELECT body FROM drill WHERE id = ?", (drill,)).fetchone()
        ended = msgspec.structs.replace(_drill(row[0]), ended_at=at.at, verdict=verdict)
        self._db.execute(
            "UPDATE drill SET body = ?, certificate = ? WHERE id = ?",
            (_encode(ended), certificate, drill),
        )

    def certificate(self, drill: str) -> bytes:
        """Empty: the drill has not ended."""
        row = self._db.execute("SELECT certificate FROM drill WHERE id = ?", (drill,)).fetchone()
        return bytes(row[0]) if row and row[0] else b""
