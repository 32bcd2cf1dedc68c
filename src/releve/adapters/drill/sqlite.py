"""Opens a restored SQLite database, checks it whole and counts it; never writes to it."""

import datetime as dt
import re
import shutil
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import quote

from releve.adapters.foreign import ForeignError, ask, reading, seconds_for
from releve.model.drill import Opened

_DATED = re.compile(
    r"date|time|jour|day|_at$|heure|créé|cree|creat|modif|updat|quand|when", re.IGNORECASE
)
_EPOCH_S, _LATEST_S = 631_152_000, 4_102_444_800  # 1990 to 2100: other numbers are no times


def open_sqlite(path: str, belongs: str, now: dt.datetime, scratch: str) -> Opened:
    """A write-ahead log beside it counts: then both are copied and the copy is opened."""
    if not Path(path).is_file():
        return Opened(path=belongs, kind="sqlite", error="missing")
    if not Path(f"{path}-wal").exists():
        return _examined(path, "?mode=ro&immutable=1", belongs, now)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        copy = Path(folder, "copy.db")
        shutil.copyfile(path, copy)
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
        return _examined(str(copy), "", belongs, now)


def _examined(path: str, how: str, belongs: str, now: dt.datetime) -> Opened:
    words, seconds = (path, how, belongs, now.isoformat()), seconds_for(Path(path).stat().st_size)
    try:
        return ask(__name__, "examined", *words, kind=Opened, seconds=seconds)
    except ForeignError as error:
        return Opened(path=belongs, kind="sqlite", error="timeout" if error.is_late else str(error))


def examined(path: str, how: str, belongs: str, at: str) -> Opened:
    """The database of that file as it is now; for `ask`."""
    now = dt.datetime.fromisoformat(at)
    try:
        with reading(f"file:{quote(path)}{how}") as database:
            database.text_factory = lambda raw: raw.decode(errors="replace")
            said = database.execute("PRAGMA integrity_check(3)").fetchall()
            if said != [("ok",)]:
                return Opened(path=belongs, kind="sqlite", error="integrity_check")
            tables, newest = {}, ""
            for name in _tables(database):
                rows = database.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()  # noqa: S608
                tables[name] = int(rows[0])
                newest = max(newest, _newest(database, name, now))
    except sqlite3.Error as error:
        return Opened(path=belongs, kind="sqlite", error=type(error).__name__)
    return Opened(path=belongs, kind="sqlite", tables=tables, newest=newest)


def _tables(database: sqlite3.Connection) -> list[str]:
    rows = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite@_%' ESCAPE '@'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    )
    return [str(name) for (name,) in rows]


def _newest(database: sqlite3.Connection, table: str, now: dt.datetime) -> str:
    """The newest date up to now in columns that look like one: appointments to come say nothing."""
    newest = ""
    for row in database.execute(f"PRAGMA table_info({_quoted(table)})").fetchall():
        name, declared = str(row[1]), str(row[2])
        if _DATED.search(name) or _DATED.search(declared):
            newest = max(newest, _column(database, table, name, now))
    return newest


def _column(database: sqlite3.Connection, table: str, name: str, now: dt.datetime) -> str:
    column, limit = _quoted(name), now + dt.timedelta(days=1)
    texts = (limit.isoformat(), limit.strftime("%Y-%m-%d %H:%M:%S"))
    query = f"SELECT max({column}) FROM {_quoted(table)} WHERE typeof({column}) = "  # noqa: S608 (quoted)
    found = [
        database.execute(query + f"'text' AND {column} < ?", (texts[1],)).fetchone()[0],
        database.execute(
            query + f"'integer' AND {column} BETWEEN ? AND ?", (_EPOCH_S, int(limit.timestamp()))
        ).fetchone()[0],
    ]
    return max((moment(value) for value in found), default="")


def moment(value: object) -> str:
    """A date as ISO 8601 UTC to the second; empty when it is none."""
    try:
        if isinstance(value, int):
            return dt.datetime.fromtimestamp(value, dt.UTC).isoformat(timespec="seconds")
        when = dt.datetime.fromisoformat(str(value)) if value else None
    except (ValueError, OverflowError):
        return ""
    if when is None or not _EPOCH_S <= (aware := _aware(when)).timestamp() <= _LATEST_S:
        return ""
    return aware.astimezone(dt.UTC).isoformat(timespec="seconds")


def _aware(when: dt.datetime) -> dt.datetime:
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
