import pytest
import sqlalchemy as sa

from releve.adapters.sql import tables
from releve.adapters.sql.store import SqlStore
from releve.flow.server.enrol import ensure_structure
from tests.server.world import T0, tampering


def prepare(store: SqlStore) -> str:
    owner = ensure_structure(store, "Cabinet", "s1", T0)
    with store.unit(owner.id) as unit:
        for n in range(5):
            unit.record(T0, "claire", f"host/{n}", "isolate", "é" * n)
    return owner.id


def test_the_trail_reads_back_and_is_whole(store: SqlStore) -> None:
    with store.unit(prepare(store)) as unit:
        assert [e.object for e in unit.trail(most=2)] == ["host/4", "host/3"]
        assert unit.trail_is_whole()


def test_the_database_refuses_to_change_or_remove_an_entry(store: SqlStore) -> None:
    structure = prepare(store)
    for statement in (
        sa.update(tables.audit).values(verb="nothing"),
        sa.delete(tables.audit),
    ):
        refused = pytest.raises(sa.exc.DBAPIError, match="append-only")
        with refused, store.unit(structure) as unit:
            unit._connection.execute(statement)


def test_sqlite_puts_nothing_in_the_place_of_an_entry(store: SqlStore) -> None:
    """INSERT OR REPLACE removes a row without asking who guards removals."""
    if store._engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no such statement: what ON CONFLICT does, it asks for")
    structure = prepare(store)
    before = entries(store, structure)
    forged = sa.insert(tables.audit).prefix_with("OR REPLACE").values({**before[2], "actor": "x"})
    refused = pytest.raises(sa.exc.DBAPIError, match="append-only")
    with refused, store.unit(structure) as unit:
        unit._connection.execute(forged)
    assert entries(store, structure) == before


def entries(store: SqlStore, structure: str) -> list[dict[str, object]]:
    with store.unit(structure) as unit:
        found = unit._connection.execute(sa.select(tables.audit).order_by("number"))
        return [dict(row) for row in found.mappings()]


def test_an_entry_that_was_changed_all_the_same_shows(store: SqlStore) -> None:
    structure = prepare(store)
    with tampering(store, structure, "audit") as db:
        db.execute(sa.update(tables.audit).where(tables.audit.c.number == 3).values(actor="x"))
    with store.unit(structure) as unit:
        assert not unit.trail_is_whole()
