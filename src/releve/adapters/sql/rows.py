"""Values <-> columns, the same on both engines."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from releve.flow.clock import utc_text

text = utc_text


NUL, IN_ITS_PLACE = "\x00", "\N{REPLACEMENT CHARACTER}"


def storable(words: str) -> str:
    """Without the one character that PostgreSQL takes in no text; alike on both engines."""
    return words.replace(NUL, IN_ITS_PLACE)


def storable_row(row: Any) -> Any:
    """A statement's parameters by name; others are our own words and go as they are."""
    if not isinstance(row, dict) or not any(isinstance(v, str) and NUL in v for v in row.values()):
        return row
    return {name: storable(v) if isinstance(v, str) else v for name, v in row.items()}


def from_text(value: str) -> dt.datetime:
    return dt.datetime.fromisoformat(value)


def put(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> None:
    """Insert the row, or replace the one with its key."""
    keys = [column.name for column in table.primary_key]
    insert = _insert(connection, table).values(values)
    rest = {k: insert.excluded[k] for k in values if k not in keys}
    statement = insert.on_conflict_do_update(index_elements=keys, set_=rest)
    connection.execute(statement)


def held(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> sa.Row[Any]:
    """The row with this key, inserted if there is none; nobody else changes it until the end.

    A lock alone would not do: on PostgreSQL a row that is not there cannot be locked.
    """
    keys = [column.name for column in table.primary_key]
    insert = _insert(connection, table).values(values)
    same = {name: table.c[name] for name in values if name not in keys}
    statement = insert.on_conflict_do_update(index_elements=keys, set_=same).returning(table)
    row: sa.Row[Any] = connection.execute(statement).one()
    return row


def add(
    connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]] | dict[str, Any]
) -> int:
    """Insert what is not there yet; how many rows were new (of one row; -1 for many)."""
    if not rows:
        return 0
    statement = _insert(connection, table).on_conflict_do_nothing()
    # Else PostgreSQL's driver does not tell how many rows a single insert made.
    statement = statement.execution_options(preserve_rowcount=True)
    return int(connection.execute(statement, rows).rowcount)


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    # Both dialects know ON CONFLICT with the same words, but SQLAlchemy keeps them in two classes.
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
