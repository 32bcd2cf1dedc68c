"""All rows of one database into an empty one: SQLite and PostgreSQL, either way."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import enter

_AT_A_TIME = 1000
_NOT_KEPT = (t.session, t.attempt, t.challenge)  # whoever was signed in signs in again


def copy_rows(source: sa.Engine, target: sa.Engine) -> dict[str, int]:
    """Rows by table: one state of the source, in one transaction of the target."""
    counts: dict[str, int] = {}
    with _one_state(source) as reading, target.execution_options(writes=True).begin() as writing:
        structures = reading.execute(sa.select(t.structure.c.id)).scalars().all()
        for table in t.metadata.sorted_tables:
            if table in _NOT_KEPT:
                continue
            query = sa.select(table)
            if "structure" not in table.c:
                counts[table.name] = _copy(reading, writing, table, query)
                continue
            counts[table.name] = 0
            for structure in structures:
                enter(reading, structure)
                enter(writing, structure)
                own = query.where(table.c.structure == structure)
                counts[table.name] += _copy(reading, writing, table, own)
    return counts


def is_empty(engine: sa.Engine) -> bool:
    with engine.begin() as connection:
        return connection.execute(sa.select(t.structure.c.id).limit(1)).first() is None


@contextmanager
def _one_state(engine: sa.Engine) -> Iterator[sa.Connection]:
    """What others commit meanwhile is not seen. SQLite reads so anyway, once it began."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.begin() as connection:
        yield connection


def _copy(
    reading: sa.Connection,
    writing: sa.Connection,
    table: sa.Table,
    query: sa.Select[tuple[object, ...]],
) -> int:
    count = 0
    rows = reading.execute(query.execution_options(yield_per=_AT_A_TIME)).mappings()
    for part in rows.partitions():
        writing.execute(sa.insert(table), [dict(row) for row in part])
        count += len(part)
    return count
