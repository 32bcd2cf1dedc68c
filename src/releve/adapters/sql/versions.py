"""Which schema a database has, and how one of before is brought to the schema of now.

New tables, indexes, triggers and policies are made at each start, whatever the version. A step is for
what that cannot do; each change of a table counts, so that a server of before refuses what it does not know.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.before import keep_lines_of_before
from releve.model.errors import ReleveError

# One more for every change of the tables that was given to anybody; a test holds it.
VERSION = 1
# From this version to the next one: in a transaction of its own, with its mark; never edited later.
_STEPS: dict[int, Callable[[sa.Connection], None]] = {0: keep_lines_of_before}
# Of the database, not of anybody's data: not copied, exported or erased with the other tables.
MARK = "schema_version"
_mark = sa.Table(
    MARK,
    sa.MetaData(),
    sa.Column("only", sa.Integer(), primary_key=True),
    sa.Column("version", sa.Integer(), nullable=False),
)


class LaterDatabaseError(ReleveError):
    """A newer Relève wrote this database: what it added would be lost or misread."""

    status = 17
    remedy = "Start the newer version again, or restore the backup that was made before it."

    def __init__(self, found: int) -> None:
        super().__init__(f"The database has schema {found}; this Relève knows up to {VERSION}.")


def version_of(connection: sa.Connection) -> int | None:
    """None: there is nothing yet; 0: of before versions were counted. Raises: LaterDatabaseError."""
    names = set(sa.inspect(connection).get_table_names())
    if t.structure.name not in names:
        return None
    if _mark.name not in names:
        return 0
    found = int(connection.execute(sa.select(_mark.c.version)).scalar_one())
    if found > VERSION:
        raise LaterDatabaseError(found)
    return found


def make_mark(connection: sa.Connection, found: int | None) -> None:
    """In a new database there is nothing to bring up."""
    _mark.create(connection, checkfirst=True)
    if connection.execute(sa.select(_mark.c.version)).first() is None:
        version = VERSION if found is None else 0
        connection.execute(sa.insert(_mark).values(only=1, version=version))


def bring_up(connection: sa.Connection) -> bool:
    """One step, with its mark; False when there is none left."""
    # Locked, for two servers that start at once on PostgreSQL: the second finds the step done.
    now = sa.select(_mark.c.version).with_for_update()
    version = int(connection.execute(now).scalar_one())
    if version >= VERSION:
        return False
    if step := _STEPS.get(version):
        step(connection)
    connection.execute(sa.update(_mark).values(version=version + 1))
    return True


def keep_copy(path: Path, version: int) -> Path:
    """The SQLite database as it is, beside itself; a copy that is there already is of the same, and stays."""
    copy = path.with_name(f"{path.name}.schema-{version}")
    if not copy.exists():
        new = copy.with_name(f"{copy.name}.new")
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        source = sqlite3.connect(path)
        try:
            source.execute("VACUUM INTO ?", (str(new),))
        finally:
            source.close()
        new.rename(copy)
    return copy


def drop_copies(path: Path) -> None:
    """What was removed from the database must not lie beside it."""
    for copy in path.parent.glob(f"{path.name}.schema-*"):
        copy.unlink()
