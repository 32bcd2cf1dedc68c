"""Opening the server's database: SQLite by default, PostgreSQL by its URL."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from releve.adapters.sql import apart, tables, versions
from releve.adapters.sql.rows import storable_row
from releve.adapters.sql.turns import Turns, turns_of
from releve.model.errors import ReleveError

_TURN = "turn"  # of a connection that writes
_ONLY_READS = "only_reads"  # of a connection that refuses to write


class ServerRunningError(ReleveError):
    """SQLite is for one server process."""

    status = 40
    remedy = "Stop the other server, choose another --home, or use PostgreSQL with --db."

    def __init__(self, home: str, holder: str) -> None:
        super().__init__(f"A server already runs on {home} (process {holder or 'unknown'}).")


def open_engine(url: str) -> sa.Engine:
    """The engine with its tables made. A SQLite commit is on disk when it returns.

    A database of before is brought to the schema of now; SQLite's is copied beside itself first.
    Raises: UnboundRoleError, LaterDatabaseError.
    """
    engine = engine_to_read(url)
    _keep_before(engine)
    writing = engine.execution_options(writes=True)
    with writing.begin() as connection:
        _make(connection)
    more = True
    while more:
        with writing.begin() as connection:
            more = versions.bring_up(connection)
    return engine


def _keep_before(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        version = versions.version_of(connection)
    path = engine.url.database
    if version is None or version >= versions.VERSION or not path:
        return
    if engine.dialect.name == "sqlite":
        versions.keep_copy(Path(path), version)


def _make(connection: sa.Connection) -> None:
    """All that a start makes or mends, whatever the version."""
    if connection.dialect.name == "postgresql":
        # Two servers that start at once would both try to make the tables.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7237001)"))
        apart.check_role(connection)
    found = versions.version_of(connection)
    tables.metadata.create_all(connection)
    # Not in the tables' own lists: a database of before has the tables already.
    for name, columns in (
        ("event_by_time", "event (structure, host, stored_at)"),
        ("finding_by_host", "finding (structure, host, seen_at)"),
    ):
        connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")
    versions.make_mark(connection, found)
    _guard_append_only(connection)
    if connection.dialect.name == "postgresql":
        apart.keep_apart(connection)


def engine_to_read(url: str) -> sa.Engine:
    """The engine on a database that is there, of which nothing is made or mended."""
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        sa.event.listen(engine, "checkin", _give_turn)
    else:
        sa.event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
    return engine


def sqlite_path(home: Path) -> Path:
    return home / "releve.db"


def sqlite_url(home: Path) -> str:
    return f"sqlite:///{sqlite_path(home)}"


@contextmanager
def only_server(home: Path) -> Iterator[None]:
    """Holds the process lock of this home; raises ServerRunningError when another has it."""
    descriptor = os.open(home / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServerRunningError(str(home), os.read(descriptor, 20).decode()) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    # Patience first: the others may have to wait themselves.
    for pragma in ("busy_timeout=20000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _without_nul(
    _: sa.Connection, _cursor: object, statement: str, given: Any, _context: object, many: bool
) -> tuple[str, Any]:
    """What anybody may send must be found nowhere, not end the request: the driver refuses it."""
    return statement, [storable_row(row) for row in given] if many else storable_row(given)


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that later writes could fail at once with "database is locked": writers say so first.
    writes = connection.get_execution_options().get("writes")
    if writes and _TURN not in connection.info:
        turns = turns_of(os.path.realpath(connection.engine.url.database or ""))
        if turns.take():  # else SQLite says that it is locked
            connection.info[_TURN] = turns
    # Who said to write nothing would write past the turns of the others: refused, not done.
    only_reads = writes is False
    if connection.info.get(_ONLY_READS, False) is not only_reads:
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if only_reads else 'OFF'}")
        connection.info[_ONLY_READS] = only_reads
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _give_turn(_: sqlite3.Connection | None, record: sa.pool.ConnectionPoolEntry) -> None:
    """The connection is back in its pool: what it wrote is written, or is not."""
    turns: Turns | None = record.info.pop(_TURN, None)
    if turns is not None:
        turns.give()


# No row of these is ever changed or removed: who answers for the past must not be able to.
_APPEND_ONLY = {
    "audit": "the audit trail",
    "audit_head": "the signed heads of the audit trail",
    "vault_head": "the heads of a vault",
    "help_step": "the steps of a call for help",
    "incident_entry": "the lines of an incident",
    "incident_record": "evidence and decisions",
    "admission": "who came in from elsewhere",
    "statement": "the service statements",
    "insurer_sheet": "what an insurer could see",
    "erasure": "the certificates of erasure",
}
# Of these only so much is fixed: a line may go to another incident, never say another thing.
_FIXED = {"incident_entry": "id, host, at, body"}
# But those of a structure that left: its erasure is written, with its signed certificate, before.
_LEFT = "EXISTS (SELECT 1 FROM erasure WHERE erased = OLD.structure)"
_SQLITE_GUARD = """CREATE TRIGGER {table}_{verb} BEFORE {on} ON {table}{unless}
BEGIN SELECT RAISE(ABORT, '{what}: append-only'); END"""
# INSERT OR REPLACE removes the row of before without asking the guard of removals.
_SQLITE_ONCE = """CREATE TRIGGER {table}_insert BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
BEGIN SELECT RAISE({then}); END"""
_PLAINLY = {"audit", "help_step", "admission", "erasure"}  # the others leave out what is there
_POSTGRES_GUARDS = (
    """CREATE OR REPLACE FUNCTION {table}_is_append_only() RETURNS trigger AS $$
       BEGIN
         IF TG_OP = 'DELETE' AND {left} THEN RETURN OLD; END IF;
         RAISE EXCEPTION '{what}: append-only';
       END $$ LANGUAGE plpgsql""",
    "DROP TRIGGER IF EXISTS {table}_{verb} ON {table}",
    """CREATE TRIGGER {table}_{verb} BEFORE {on} ON {table}
       FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()""",
)


def _guard_append_only(connection: sa.Connection) -> None:
    for table, what in _APPEND_ONLY.items():
        left = _LEFT if "structure" in tables.metadata.tables[table].c else "FALSE"
        for verb in ("update", "delete"):
            on = f"update of {_FIXED[table]}" if verb == "update" and table in _FIXED else verb
            words = {"table": table, "verb": verb, "on": on, "what": what, "left": left}
            if connection.dialect.name == "sqlite":
                unless = f" WHEN NOT {left}" if verb == "delete" and left == _LEFT else ""
                _guard_sqlite(
                    connection, f"{table}_{verb}", _SQLITE_GUARD.format(**words, unless=unless)
                )
            else:
                for statement in _POSTGRES_GUARDS:
                    connection.exec_driver_sql(statement.format(**words))
        if connection.dialect.name == "sqlite":
            keys = [column.name for column in tables.metadata.tables[table].primary_key]
            same = " AND ".join(f"{key} = NEW.{key}" for key in keys)
            then = f"ABORT, '{what}: append-only'" if table in _PLAINLY else "IGNORE"
            once = _SQLITE_ONCE.format(table=table, same=same, then=then)
            _guard_sqlite(connection, f"{table}_insert", once)


def _guard_sqlite(connection: sa.Connection, name: str, wanted: str) -> None:
    """Only where it is not as it should be: a new schema makes every other connection read it again."""
    query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = ?"
    if connection.exec_driver_sql(query, (name,)).scalar_one_or_none() != wanted:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        connection.exec_driver_sql(wanted)
