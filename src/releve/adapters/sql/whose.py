"""Whose a SQLite file is: told before it is opened, without changing a byte of it or beside it."""

import contextlib
import mmap
import re
import sqlite3
from enum import Enum, auto
from pathlib import Path

import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.versions import MARK

# In a server's database of every schema that there ever was.
_OURS = frozenset({"audit", "nonce", "person", "structure", "watermark"})
# As SQLite keeps it. Ours have no other quotes than ": names that do keep theirs, and are none of ours.
_MADE = re.compile(
    rb"CREATE (?:VIRTUAL )?TABLE "
    rb"(?!\"?sqlite_)(\"[^\"]{0,99}|'[^']{0,99}'|`[^`]{0,99}`|\[[^\]]{0,99}\]|[^\s(]{1,99})"
)
_MEMORY = (":memory:", "file:")


class Whose(Enum):
    NOBODY = auto()  # not there, or without a table
    OURS = auto()
    OTHERS = auto()  # also what is no database


def whose(url: str) -> Whose | None:
    """None: not a file of SQLite, so opening it makes nothing."""
    known = sa.make_url(url)
    name = known.database or ""
    if known.get_backend_name() != "sqlite" or not name or name.startswith(_MEMORY):
        return None
    path = Path(name).absolute()
    if not path.exists():
        return Whose.NOBODY
    # Opened as a file that nobody changes, SQLite neither locks it nor lays anything beside it.
    found = _tables(path, "immutable=1")
    if found is not None and not found >= _OURS and (logged := _logged(path)):
        # A new schema is in SQLite's log for a while, and the file is empty.
        found = _tables(path, "mode=ro") if logged <= _all_of_ours() else found | logged
    if found is None:
        return Whose.OTHERS
    return Whose.OURS if found >= _OURS else Whose.OTHERS if found else Whose.NOBODY


def _tables(path: Path, how: str) -> frozenset[str] | None:
    """None: it is no database."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True)) as database:
            return frozenset(name for (name,) in database.execute(query))
    except sqlite3.Error:
        return None


def _logged(path: Path) -> frozenset[str]:
    """The tables whose making is in SQLite's log."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or not log.stat().st_size:
        return frozenset()
    with log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return frozenset(
            name.removeprefix(b'"').decode(errors="replace") for name in _MADE.findall(content)
        )


def _all_of_ours() -> frozenset[str]:
    return frozenset((*t.metadata.tables, MARK))
