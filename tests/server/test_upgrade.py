"""A database made by any earlier schema opens today, keeps every row, and its trail verifies."""

import gzip
import hashlib
import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
import sqlalchemy as sa

from releve.adapters.sql import tables, versions
from releve.adapters.sql.engine import open_engine, sqlite_path, sqlite_url
from releve.adapters.sql.freed import wipe
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.adapters.sql.versions import LaterDatabaseError
from releve.apps.cli import main
from releve.flow.server.incidents import lines_of
from releve.flow.server.ingest import take
from releve.flow.server.verify import verify
from tests.server.world import T0, Postgres, batch, rolled_back, stopped

EARLIER = Path(__file__).parent / "earlier"
SQLITE = [pytest.param(path, id=path.name[:10]) for path in sorted(EARLIER.glob("*.sqlite.*"))]
POSTGRES = [
    pytest.param(path, id=f"{path.name[:10]}-postgres", marks=pytest.mark.postgres)
    for path in sorted(EARLIER.glob("*.postgres.*"))
]
# Of `versions.VERSION`. When this fails, a table changed: one more VERSION (and a step, if rows must
# change), then this digest; `scripts/earlier.py` keeps a database of the one before.
SCHEMA = "ed75d0c96a6aca90"
Rows = dict[str, list[dict[str, object]]]


class Earlier(msgspec.Struct, frozen=True):
    url: str
    reader: str  # who sees every row
    keys: list[bytes]


@pytest.fixture
def earlier(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres) -> Earlier:
    """The database as that schema's own code left it."""
    sql = gzip.decompress(request.param.read_bytes()).decode()
    key = re.match(r"-- key (\w*)", sql)
    keys = [bytes.fromhex(key[1])] if key and key[1] else []
    if ".sqlite." in request.param.name:
        database = sqlite3.connect(sqlite_path(tmp_path))
        database.executescript(sql)
        database.close()
        return Earlier(sqlite_url(tmp_path), sqlite_url(tmp_path), keys)
    url = postgres.new_url()
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(sql)
    return Earlier(url, postgres.as_superuser(url), keys)


def rows_of(url: str) -> Rows:
    engine = sa.create_engine(url)
    with engine.connect() as db:
        found = {
            name: [dict(row) for row in db.exec_driver_sql(f'SELECT * FROM "{name}"').mappings()]
            for name in sa.inspect(db).get_table_names()
        }
    engine.dispose()
    return found


@pytest.mark.parametrize("earlier", [*SQLITE, *POSTGRES], indirect=True)
def test_every_row_is_kept_and_read_and_the_trail_verifies(earlier: Earlier) -> None:
    before = rows_of(earlier.reader)
    assert sum(len(rows) for rows in before.values()) > 20
    store = SqlStore(open_engine(earlier.url), Seal(b"k" * 32))
    after = rows_of(earlier.reader)
    for table, rows in before.items():
        assert all(row in after[table] for row in rows), table
        if table != "incident_entry":
            assert len(after[table]) == len(rows), table
    assert {s.name for s in store.structures()} == {"A", "B"}
    assert [one.faults for one in verify(store, earlier.keys, None)] == [(), ()]
    for structure in store.structures():
        host = read_all(store, structure.id, structure.name)
        more = batch(stopped("n"), rolled_back("n"), first=90)
        assert take(store, structure.id, host, more, T0).stored == 2
    store.close()


def read_all(store: SqlStore, structure: str, name: str) -> str:
    """As pages read them, no line of an incident is missing; the id of its host."""
    assert store.person_by_login(f"claire-{name}") is not None
    with store.unit(structure, writes=False) as unit:
        (host,) = unit.hosts()
        assert host.name == f"serveur de {name}"
        assert unit.actions()[0].action.host == host.id
        (incident,) = unit.incidents()
        assert incident.stops[0].family == f"famille-{name}"
        lines = {entry.key for entry in lines_of(unit, incident)}
        assert lines >= {entry.key for entry in incident.timeline} != set()
        assert unit.trail_is_whole()
        for ask in (unit.rota, unit.profile, unit.statements, unit.vaults, unit.help_requests):
            ask()
    return host.id


@pytest.mark.parametrize("earlier", POSTGRES, indirect=True)
def test_what_is_kept_apart_now_is_apart_in_a_database_of_before(earlier: Earlier) -> None:
    engine = open_engine(earlier.url)
    with engine.begin() as db:
        for table in tables.metadata.sorted_tables:
            if "structure" in table.c:
                assert db.execute(sa.select(table)).all() == [], table.name
    engine.dispose()


@pytest.mark.parametrize("earlier", SQLITE, indirect=True)
def test_sqlite_is_copied_before_and_only_once(earlier: Earlier, tmp_path: Path) -> None:
    before = rows_of(earlier.url)
    engine = open_engine(earlier.url)
    (copy,) = tmp_path.glob("releve.db.schema-*")
    assert copy.name == "releve.db.schema-0"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows_of(f"sqlite:///{copy}") == before
    changed = copy.stat().st_mtime_ns
    open_engine(earlier.url).dispose()
    assert copy.stat().st_mtime_ns == changed
    assert wipe(engine)
    assert not copy.exists()
    engine.dispose()


@pytest.fixture
def later(store: SqlStore) -> Iterator[SqlStore]:
    with store._engine.execution_options(writes=True).begin() as db:
        db.exec_driver_sql("UPDATE schema_version SET version = 99")
    return store


def test_a_database_of_a_later_schema_is_refused_and_left_as_it_is(later: SqlStore) -> None:
    url = later._engine.url.render_as_string(hide_password=False)
    with later._engine.execution_options(writes=True).begin() as db:
        db.exec_driver_sql("DROP TABLE attempt")
    with pytest.raises(LaterDatabaseError, match="schema 99"):
        open_engine(url)
    assert not sa.inspect(later._engine).has_table("attempt")


@pytest.mark.parametrize(
    "words", [("server", "backup", "."), ("audit", "verify", "--key", "00" * 32)]
)
def test_commands_say_so_in_words(tmp_path: Path, capsys, words: tuple[str, ...]) -> None:
    engine = open_engine(sqlite_url(tmp_path))
    with engine.execution_options(writes=True).begin() as db:
        db.exec_driver_sql("UPDATE schema_version SET version = 99")
    engine.dispose()
    assert main.run([*words, "--home", str(tmp_path)]) == LaterDatabaseError.status
    assert "The database has schema 99" in capsys.readouterr().err


def test_a_step_that_fails_leaves_its_version(tmp_path: Path) -> None:
    """Its work and its mark are one transaction: the next start does it again."""
    open_engine(sqlite_url(tmp_path)).dispose()
    database = sqlite3.connect(sqlite_path(tmp_path), isolation_level=None)
    database.execute("UPDATE schema_version SET version = 0")
    database.execute("INSERT INTO structure VALUES ('s', 'A', '2026')")
    values = ("s", "i", "h", "2026", None, b"not an incident")
    database.execute("INSERT INTO incident VALUES (?, ?, ?, ?, ?, ?)", values)
    with pytest.raises(msgspec.DecodeError):
        open_engine(sqlite_url(tmp_path))
    assert database.execute("SELECT version FROM schema_version").fetchone() == (0,)
    database.execute("DELETE FROM incident")
    open_engine(sqlite_url(tmp_path)).dispose()
    assert database.execute("SELECT version FROM schema_version").fetchone() == (versions.VERSION,)
    database.close()


def test_a_change_of_the_tables_counts_as_a_version() -> None:
    made = [
        [str(t.name), [[str(c.name), str(c.type), c.nullable, c.primary_key] for c in t.columns]]
        for t in tables.metadata.sorted_tables
    ]
    digest = hashlib.sha256(msgspec.json.encode([versions.VERSION, sorted(made)])).hexdigest()
    assert digest[:16] == SCHEMA
