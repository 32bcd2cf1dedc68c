"""The spool in one SQLite file: at least once, in order, bounded, safe against kill -9."""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from releve.adapters.system import SystemClock, new_id
from releve.flow.agent.ports import Tail
from releve.flow.wire import Item, decode_event
from releve.model.event import AnyEvent, EventsDropped, OrderEnded

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, cheap INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS event_cheap ON event (cheap, seq);
CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS name (
  token TEXT PRIMARY KEY, path TEXT NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS name_place ON name (place);
"""
# Given up first when there is no room: the next one of them says the same again.
_CHEAP = frozenset({"baseline_advanced", "window_measured"})
_OVERHEAD = 48  # bytes of a row beside its body, by measure of a file of 100,000 rows
MOST_NAMES = 200_000

_encode = msgspec.json.encode


class SqliteSpool:
    """One file for events, names, and what the agent must not forget."""

    def __init__(self, path: Path, *, most_bytes: int = 256 * 1024 * 1024) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._clock = SystemClock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=20)
        path.chmod(0o600)  # it holds clear names
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=20000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        with self._writing() as db:
            self.name = str(_fact(db, "spool", new_id()))
            _fact(db, "bytes", 0)
            _fact(db, "dropped", 0)

    def close(self) -> None:
        self._db.close()

    def add(
        self,
        events: Sequence[AnyEvent],
        *,
        names: Sequence[tuple[str, str]] = (),
        tail: Tail | None = None,
    ) -> None:
        bodies = [_encode(event) for event in events]
        with self._writing() as db:
            for event, body in zip(events, bodies, strict=True):
                cheap = event.__struct_config__.tag in _CHEAP
                db.execute("INSERT INTO event (cheap, body) VALUES (?, ?)", (cheap, body))
            _grow(db, sum(len(b) + _OVERHEAD for b in bodies))
            _keep_names(db, names)
            if tail is not None:
                _set(db, "tail", _encode(tail))
            self._make_room(db)

    def next_items(self, *, most: int, most_bytes: int) -> tuple[Item, ...]:
        self._tell_dropped()
        items: list[Item] = []
        room = most_bytes
        query = "SELECT seq, body FROM event ORDER BY seq LIMIT ?"
        with self._lock:
            rows = self._db.execute(query, (most,)).fetchall()
        for seq, body in rows:
            room -= len(body)
            if items and room < 0:
                break
            items.append(Item(seq=seq, event=msgspec.Raw(body)))
        return tuple(items)

    def forget(self, watermark: int) -> None:
        with self._writing() as db:
            size = "SELECT COALESCE(SUM(LENGTH(body) + ?), 0) FROM event WHERE seq <= ?"
            (freed,) = db.execute(size, (_OVERHEAD, watermark)).fetchone()
            db.execute("DELETE FROM event WHERE seq <= ?", (watermark,))
            _grow(db, -freed)

    def waiting(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT COUNT(*) FROM event").fetchone()[0])

    def tail(self) -> Tail | None:
        found = self._get("tail")
        return msgspec.json.decode(found, type=Tail) if isinstance(found, bytes) else None

    def name_of(self, token: str) -> str | None:
        with self._lock:
            row = self._db.execute("SELECT path FROM name WHERE token = ?", (token,)).fetchone()
        return None if row is None else str(row[0])

    def last_order(self) -> int:
        return int(self._get("last_order") or 0)

    def begin_order(self, number: int, order: str) -> None:
        with self._writing() as db:
            _set(db, "last_order", number)
            _set(db, "order_at_hand", _encode((number, order)))

    def end_order(self, event: OrderEnded) -> None:
        body = _encode(event)
        with self._writing() as db:
            db.execute("INSERT INTO event (cheap, body) VALUES (0, ?)", (body,))
            _grow(db, len(body) + _OVERHEAD)
            db.execute("DELETE FROM fact WHERE key = 'order_at_hand'")
            self._make_room(db)

    def interrupted_order(self) -> tuple[int, str] | None:
        found = self._get("order_at_hand")
        if not isinstance(found, bytes):
            return None
        return msgspec.json.decode(found, type=tuple[int, str])

    def _tell_dropped(self) -> None:
        with self._writing() as db:
            count = int(_fact(db, "dropped", 0))
            if not count:
                return
            body = _encode(EventsDropped(seen_at=self._clock.now(), count=count))
            db.execute("INSERT INTO event (cheap, body) VALUES (0, ?)", (body,))
            _grow(db, len(body) + _OVERHEAD)
            _set(db, "dropped", 0)

    def _make_room(self, db: sqlite3.Connection) -> None:
        over = int(_fact(db, "bytes", 0)) - self._most_bytes
        if over <= 0:
            return
        over += self._most_bytes // 50  # a little more at once, or every event would look for room
        seqs, freed, dropped = [], 0, 0
        for cheap in (1, 0):
            query = "SELECT seq, body FROM event WHERE cheap = ? ORDER BY seq"
            for seq, body in db.execute(query, (cheap,)):
                if freed >= over:
                    break
                seqs.append((seq,))
                freed += len(body) + _OVERHEAD
                # A count that is itself given up must live on in the next count.
                event = decode_event(body) if b'"events_dropped"' in body else None
                dropped += event.count if isinstance(event, EventsDropped) else 1
        db.executemany("DELETE FROM event WHERE seq = ?", seqs)
        _grow(db, -freed)
        _set(db, "dropped", int(_fact(db, "dropped", 0)) + dropped)

    def _get(self, key: str) -> bytes | int | str | None:
        with self._lock:
            row = self._db.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def _writing(self) -> "_Writing":
        return _Writing(self._db, self._lock)


class _Writing:
    """One durable transaction; other threads wait, other processes too."""

    def __init__(self, db: sqlite3.Connection, lock: threading.Lock) -> None:
        self._db, self._lock = db, lock

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise
        return self._db

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._db.execute("COMMIT" if kind is None else "ROLLBACK")
        finally:
            self._lock.release()


def _fact(db: sqlite3.Connection, key: str, default: str | int) -> str | int:
    db.execute("INSERT OR IGNORE INTO fact VALUES (?, ?)", (key, default))
    value: str | int = db.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()[0]
    return value


def _set(db: sqlite3.Connection, key: str, value: bytes | int) -> None:
    db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, value))


def _grow(db: sqlite3.Connection, by: int) -> None:
    _fact(db, "bytes", 0)
    db.execute("UPDATE fact SET value = MAX(0, value + ?) WHERE key = 'bytes'", (by,))


def _keep_names(db: sqlite3.Connection, names: Iterable[tuple[str, str]]) -> None:
    rows = list(names)
    if not rows:
        return
    (place,) = db.execute("SELECT COALESCE(MAX(place), 0) + 1 FROM name").fetchone()
    put = "INSERT OR REPLACE INTO name VALUES (?, ?, ?)"
    db.executemany(put, [(token, path, place + n) for n, (token, path) in enumerate(rows)])
    db.execute("DELETE FROM name WHERE place <= ?", (place + len(rows) - 1 - MOST_NAMES,))
