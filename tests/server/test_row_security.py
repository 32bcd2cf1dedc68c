"""PostgreSQL itself keeps structures apart, whatever a statement forgets to say."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from releve.adapters.sql import tables
from releve.adapters.sql.apart import WAKING, UnboundRoleError, enter, show
from releve.adapters.sql.engine import _APPEND_ONLY, open_engine
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.flow.server import signin
from tests.server.test_structures_apart import FAR, SHARED, fill
from tests.server.world import EnrolledHost, Postgres

pytestmark = pytest.mark.postgres
TENANT = [t for t in tables.metadata.sorted_tables if t.name not in SHARED]
by_table = pytest.mark.parametrize("table", TENANT, ids=[t.name for t in TENANT])
OPENS = {
    "token": "hash",
    "vault": "token_hash",
    "person": "login",
    "session": "hash",
    "identity_link": "id",
    "identity_invite": "id",
    "help_line": "token_hash",
    "help_code": "hash",
}
OWN = "((structure)::text = current_setting('app.structure'::text, true))"
SHOWN = {
    **{name: f"(({column})::text" for name, column in OPENS.items()},
    "access_grant": "((person)::text",
    "passkey": "((id)::text",
    "help_wake": "('help_wake'::text",
    "api_token": "((token_hash)::text",
    "circle": "('circle'::text",
}
GRANTED = (
    "(EXISTS ( SELECT 1 FROM access_grant g WHERE (((g.structure)::text = (situation.structure)::text)"
    " AND ((g.person)::text = current_setting('app.shown'::text, true))"
    " AND ((g.role)::text = 'operator'::text) AND (g.ended_at IS NULL))))"
)
IN_ITS_GROUP = (
    " (EXISTS ( SELECT 1 FROM access_grant g WHERE (((g.structure)::text = (membership.circle)::text)"
    " AND ((g.person)::text = current_setting('app.shown'::text, true))"
    " AND ((g.role)::text = 'group'::text) AND (g.ended_at IS NULL)))))"
)
GROUPED = {
    "membership": f"(((kind)::text = 'group'::text) AND (ended_at IS NULL) AND{IN_ITS_GROUP}",
    **{
        name: "(EXISTS ( SELECT 1 FROM membership WHERE (((membership.structure)::text ="
        f" ({name}.structure)::text) AND ((membership.kind)::text = 'group'::text)"
        f" AND (membership.ended_at IS NULL) AND{IN_ITS_GROUP}))"
        for name in ("situation", "posture")
    },
}
Ground = tuple[SqlStore, EnrolledHost, EnrolledHost, str]


@pytest.fixture(scope="module")
def ground(postgres: Postgres) -> Iterator[Ground]:
    """Two structures with rows in every table; no test here changes any."""
    url = postgres.new_url()
    store = SqlStore(open_engine(url), Seal(b"k" * 32))
    yield store, fill(store, "A"), fill(store, "B"), url
    store._engine.dispose()


def policies(db: sa.Connection, table: str) -> dict[str, tuple[object, ...]]:
    query = """SELECT policyname, permissive, roles::text, cmd, qual, with_check
        FROM pg_policies WHERE tablename = %s"""
    return {
        name: tuple(" ".join(word.split()) if word else word for word in words)
        for name, *words in db.exec_driver_sql(query, (table,))
    }


def wanted(table: str) -> dict[str, tuple[object, ...]]:
    """Every word of it, written here a second time."""
    plain = ("PERMISSIVE", "{public}")
    found = {"own_structure": (*plain, "ALL", OWN, OWN)}
    if opens := SHOWN.get(table):
        words = f"{opens} = current_setting('app.shown'::text, true))"
        found["shown"] = (*plain, "SELECT", words, None)
    if table == "situation":
        found["granted"] = (*plain, "SELECT", GRANTED, None)
    if grouped := GROUPED.get(table):
        found["grouped"] = (*plain, "SELECT", grouped, None)
    return found


@by_table
def test_the_policies_say_what_they_are_to_say(ground: Ground, table: sa.Table) -> None:
    store, *_ = ground
    with store._engine.begin() as db:
        assert policies(db, table.name) == wanted(table.name)
        flags = (
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = to_regclass(%s)"
        )
        assert tuple(db.exec_driver_sql(flags, (f'"{table.name}"',)).one()) == (True, True)


@pytest.mark.parametrize(
    "weakened",
    [
        "USING (true)",
        f"USING {OWN} WITH CHECK (true)",
        f"FOR SELECT USING {OWN}",
        f"AS RESTRICTIVE USING {OWN} WITH CHECK {OWN}",
        f"TO postgres USING {OWN} WITH CHECK {OWN}",
        "FOR INSERT WITH CHECK (true)",
        "USING (structure = current_setting('app.structure', true) OR structure = 'B')",
    ],
)
def test_a_policy_of_other_words_under_its_name_is_mended_at_the_next_start(
    postgres: Postgres, weakened: str
) -> None:
    url = postgres.new_url()
    engine = open_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql("DROP POLICY own_structure ON finding")
        db.exec_driver_sql(f"CREATE POLICY own_structure ON finding {weakened}")
        assert policies(db, "finding") != wanted("finding")
    open_engine(url).dispose()
    with engine.begin() as db:
        assert policies(db, "finding") == wanted("finding")
    engine.dispose()


def test_a_start_that_finds_all_as_it_should_be_changes_nothing(ground: Ground) -> None:
    """Else every short command would lock every table against everybody."""
    store, *_, url = ground
    made = "SELECT oid FROM pg_policy ORDER BY oid"
    with store._engine.begin() as db:
        before = db.exec_driver_sql(made).scalars().all()
    open_engine(url).dispose()
    with store._engine.begin() as db:
        assert db.exec_driver_sql(made).scalars().all() == before


@by_table
def test_no_row_is_there_for_whom_no_structure_is_set(ground: Ground, table: sa.Table) -> None:
    store, *_ = ground
    with store._engine.begin() as db:
        assert db.execute(sa.select(table)).all() == []
        enter(db, "")
        assert db.execute(sa.select(table)).all() == []


@by_table
def test_a_statement_without_condition_meets_its_own_structure_only(
    ground: Ground, table: sa.Table
) -> None:
    store, mine, theirs, _ = ground
    for host in (mine, theirs):
        with store.unit(host.structure) as unit:
            found = unit._connection.execute(sa.select(table.c.structure)).scalars().all()
        assert set(found) == {host.structure}


@by_table
def test_no_row_is_made_or_moved_into_another_structure(ground: Ground, table: sa.Table) -> None:
    store, mine, theirs, _ = ground
    with store.unit(theirs.structure, writes=False) as unit:
        row = unit._connection.execute(sa.select(table)).mappings().first()
    refused = pytest.raises(sa.exc.ProgrammingError, match="row-level security")
    with refused, store.unit(mine.structure) as unit:
        unit._connection.execute(sa.insert(table).values(**row))
    if table.name not in _APPEND_ONLY:  # these refuse any change
        refused = pytest.raises(sa.exc.ProgrammingError, match="row-level security")
        with refused, store.unit(mine.structure) as unit:
            unit._connection.execute(sa.update(table).values(structure=theirs.structure))
    with store.unit(mine.structure) as unit:
        foreign = table.c.structure == theirs.structure
        assert unit._connection.execute(sa.delete(table).where(foreign)).rowcount == 0
        again = sa.update(table).where(foreign).values(structure=mine.structure)
        assert unit._connection.execute(again).rowcount == 0


@by_table
def test_what_was_set_ends_with_the_transaction(ground: Ground, table: sa.Table) -> None:
    store, mine, *_ = ground
    with store._engine.connect() as db:  # one connection, as a pool lends it
        with db.begin():
            enter(db, mine.structure)
            assert db.execute(sa.select(table)).first() is not None
        with db.begin():
            assert db.execute(sa.select(table)).first() is None


@by_table
def test_what_is_shown_opens_one_row_to_read(ground: Ground, table: sa.Table) -> None:
    store, mine, *_ = ground
    column = table.c[OPENS.get(table.name, "structure")]
    with store.unit(mine.structure, writes=False) as unit:
        shown = unit._connection.execute(sa.select(column)).scalars().first()
    with store._engine.begin() as db:
        show(db, shown)
        found = db.execute(sa.select(table)).all()
        assert len(found) == (1 if table.name in OPENS else 0)
        assert db.execute(sa.delete(table)).rowcount == 0
    with store._engine.begin() as db:
        show(db, "")
        assert db.execute(sa.select(table)).all() == []


def test_whose_time_has_come_is_told_of_all_and_only_that(ground: Ground) -> None:
    store, mine, theirs, _ = ground
    assert {s for s, _ in store.help_waking(FAR, FAR, most=9)} == {mine.structure, theirs.structure}
    with store._engine.begin() as db:
        show(db, WAKING)
        readable = {t.name for t in TENANT if db.execute(sa.select(t)).first() is not None}
        assert readable == {"help_wake"}
        assert db.execute(sa.delete(tables.help_wake)).rowcount == 0


def test_the_door_still_answers(ground: Ground) -> None:
    store, mine, *_ = ground
    assert store.has_people()
    person = store.person_by_login("Claire-A")
    assert person is not None
    assert person.structure == mine.structure
    signed_in = signin.open_session(store, person, "full", lambda: b"other" * 8, person.created_at)
    assert store.session(signin.digest(signed_in.secret)) == signed_in.session
    assert store.person_by_login("nobody") is None


def test_a_role_above_row_security_is_refused(ground: Ground, postgres: Postgres) -> None:
    *_, url = ground
    with pytest.raises(UnboundRoleError, match="postgres"):
        open_engine(postgres.as_superuser(url))


def test_an_ordinary_role_that_row_security_does_not_bind_is_refused(
    ground: Ground, postgres: Postgres
) -> None:
    """A superuser is one such role; the other kind looks ordinary."""
    *_, url = ground
    postgres._run("ALTER ROLE releve BYPASSRLS")
    try:
        with pytest.raises(UnboundRoleError, match="releve"):
            open_engine(url)
    finally:
        postgres._run("ALTER ROLE releve NOBYPASSRLS")
    open_engine(url).dispose()


def test_a_database_of_before_and_one_with_a_hole_are_closed_at_the_next_start(
    postgres: Postgres,
) -> None:
    url = postgres.new_url()
    engine = open_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql("DROP POLICY own_structure ON host")
        db.exec_driver_sql("ALTER TABLE host DISABLE ROW LEVEL SECURITY")
        db.exec_driver_sql("ALTER TABLE event NO FORCE ROW LEVEL SECURITY")
        db.exec_driver_sql("CREATE POLICY everything ON finding USING (true)")
    open_engine(url).dispose()
    store = SqlStore(engine, Seal(b"k" * 32))
    fill(store, "A")
    with engine.begin() as db:
        for table in TENANT:
            assert db.execute(sa.select(table)).all() == [], table.name
    engine.dispose()
