"""Groups see their members by figures, insurers sums over those that consent: on both databases."""

import datetime as dt

import pytest
import sqlalchemy as sa

from releve.adapters.sql import tables
from releve.adapters.sql.apart import show
from releve.adapters.sql.store import SqlStore
from releve.flow.server import circles, postures, situations, sums
from releve.flow.server.access import check, may
from releve.flow.server.ports import Person
from releve.model.access import Role, Verb
from releve.model.circle import Circle, CircleKind
from tests.server.test_access import person, session
from tests.server.test_structures_apart import fill
from tests.server.world import T0, add_host

WEEK = dt.timedelta(weeks=1)


def circle(store: SqlStore, name: str, kind: CircleKind) -> Circle:
    made = circles.make(store, name, kind, identity=f"id-{name}", actor="admin", now=T0)
    assert made is not None
    return made


def join(store: SqlStore, structure: str, of: Circle, now: dt.datetime = T0) -> None:
    with store.unit(structure) as unit:
        assert circles.join(unit, of, actor="claire", now=now)


def withdraw(store: SqlStore, structure: str, of: Circle, now: dt.datetime = T0) -> None:
    with store.unit(structure) as unit:
        assert circles.leave(unit, of, actor="claire", now=now)


def looks(store: SqlStore, structure: str) -> list[tuple[str, str]]:
    with store.unit(structure, writes=False) as unit:
        return [(e.actor, e.verb) for e in unit.trail_of(circles.LOOKS, most=9)]


@pytest.fixture
def alpha(store: SqlStore) -> tuple[Circle, Person, str, str, str]:
    """A group, one of its people, two members of it and one structure that is none."""
    group = circle(store, "Groupe Alpha", CircleKind.GROUP)
    gil = person(store, group.name, "gil", Role.GROUP)
    ids = [fill(store, name).structure for name in ("Nord", "Sud", "Ailleurs")]
    for member in ids[:2]:
        join(store, member, group)
    return group, gil, ids[0], ids[1], ids[2]


def test_a_group_sees_its_members_and_no_other(
    store: SqlStore, alpha: tuple[Circle, Person, str, str, str]
) -> None:
    group, gil, north, south, other = alpha
    known = session(store, gil)[1]
    assert check(store, known, Verb.SEE_GROUP, T0) is Role.GROUP
    seen = circles.look(store, known, T0)
    assert [member.name for member in seen] == ["Nord", "Sud"]
    assert [len(member.days) for member in seen] == [1, 1]
    assert seen[0].situation.incidents == 1
    assert looks(store, north) == looks(store, south) == [("gil", "see_group")]
    assert looks(store, other) == []
    withdraw(store, north, group)
    assert [member.name for member in circles.look(store, known, T0)] == ["Sud"]
    assert looks(store, north) == [("gil", "see_group")]


def test_only_people_at_home_in_the_group_with_its_role_see_it(
    store: SqlStore, alpha: tuple[Circle, Person, str, str, str]
) -> None:
    group, *_ = alpha
    since = T0.date() - WEEK
    for login, structure, role in (
        ("lea", group.name, Role.LEAD),
        ("ines", "Assureur", Role.INSURER),
        ("olga", "Nord", Role.OPERATOR),
        ("hugo", "Autre groupe", Role.GROUP),
    ):
        who = person(store, structure, login, role)
        assert store.members_seen_by(who.id, group.id, since) == []


@pytest.mark.postgres
def test_the_database_itself_opens_to_a_group_its_members_and_to_an_insurer_nothing(
    store: SqlStore, alpha: tuple[Circle, Person, str, str, str]
) -> None:
    if store._engine.dialect.name != "postgresql":
        pytest.skip("row-level security is PostgreSQL's")
    _, gil, north, south, _ = alpha
    beta = circle(store, "Assureur Beta", CircleKind.INSURER)
    ines = person(store, beta.name, "ines", Role.INSURER)
    join(store, north, beta)
    shown = {"situation", "posture", "membership"}
    for who, opened in ((gil, {north, south}), (ines, set())):
        with store._engine.begin() as db:
            show(db, who.id)
            for name in shown:
                table = tables.metadata.tables[name]
                found = set(db.execute(sa.select(table.c.structure)).scalars())
                assert found == opened, (who.login, name)
                assert db.execute(sa.delete(table)).rowcount == 0
            everything = [t for t in tables.metadata.sorted_tables if "structure" in t.c]
            readable = {t.name for t in everything if db.execute(sa.select(t)).first() is not None}
            assert readable <= shown | {"access_grant"}


@pytest.fixture
def beta(store: SqlStore) -> tuple[Circle, list[str]]:
    """An insurer, and six practices of which five consent."""
    insurer = circle(store, "Assureur Beta", CircleKind.INSURER)
    practices = []
    for number in range(6):
        host = add_host(store, f"poste de {number}", f"Cabinet {number}")
        situations.renew(store, host.structure, T0)
        practices.append(host.structure)
    for practice in practices[:5]:
        join(store, practice, insurer)
    return insurer, practices


def test_five_who_consent_are_shown_together_and_each_learns_of_the_look(
    store: SqlStore, beta: tuple[Circle, list[str]]
) -> None:
    insurer, practices = beta
    assert sums.look(store, insurer.id, "ines", T0).why == "none_yet"
    assert sums.release(store, insurer.id, T0)
    assert not sums.release(store, insurer.id, T0 + dt.timedelta(minutes=1))
    seen = sums.look(store, insurer.id, "ines", T0)
    assert (seen.why, seen.sheet is not None) == ("", True)
    assert seen.sheet is not None
    assert (seen.sheet.structures, len(seen.sheet.shares)) == (5, 4)
    assert {s.name: (s.low, s.high) for s in seen.sheet.shares}["calm"] == (75, 100)
    for practice in practices[:5]:
        assert looks(store, practice) == [("ines", "see_sums")]
    assert looks(store, practices[5]) == []
    assert looks(store, insurer.id) == [("ines", "see_sums")]


def test_the_figures_are_closed_from_the_moment_of_a_withdrawal_on(
    store: SqlStore, beta: tuple[Circle, list[str]]
) -> None:
    insurer, practices = beta
    sums.release(store, insurer.id, T0)
    withdraw(store, practices[0], insurer)
    seen = sums.look(store, insurer.id, "ines", T0)
    assert (seen.sheet, seen.why) == (None, "withdrawn")
    assert looks(store, practices[1]) == []
    # The sixth comes in the week after: the four and the sixth would show the first by what is missing.
    join(store, practices[5], insurer, T0 + dt.timedelta(days=1))
    assert sums.release(store, insurer.id, T0 + WEEK)
    assert sums.look(store, insurer.id, "ines", T0 + WEEK).why == "few"
    after = T0 + dt.timedelta(days=100)
    assert sums.release(store, insurer.id, after)
    rested = sums.look(store, insurer.id, "ines", after)
    assert rested.sheet is not None
    assert rested.sheet.structures == 5
    assert looks(store, practices[0]) == []


def test_four_are_withheld_and_nothing_says_how_many_there_are(
    store: SqlStore, beta: tuple[Circle, list[str]]
) -> None:
    insurer, practices = beta
    withdraw(store, practices[4], insurer)
    sums.release(store, insurer.id, T0)
    seen = sums.look(store, insurer.id, "ines", T0)
    assert (seen.why, seen.sheet is not None) == ("few", True)
    assert seen.sheet is not None
    assert (seen.sheet.structures, seen.sheet.shares) == (0, ())


def test_a_sheet_is_never_changed(store: SqlStore, beta: tuple[Circle, list[str]]) -> None:
    insurer, _ = beta
    sums.release(store, insurer.id, T0)
    for change in (tables.insurer_sheet.delete(), tables.insurer_sheet.update().values(week="x")):
        with (
            pytest.raises(sa.exc.DBAPIError, match="append-only"),
            store.unit(insurer.id) as unit,
        ):
            unit._connection.execute(change)


def test_consent_is_the_leads_alone() -> None:
    assert [role for role in Role if may(role, Verb.CONSENT)] == [Role.LEAD]


def test_a_day_is_written_when_it_is_worse_and_not_else(store: SqlStore) -> None:
    structure = fill(store, "Cabinet").structure
    with store.unit(structure) as unit:
        unit._connection.execute(tables.posture.delete())
    assert postures.keep(store, structure, T0)
    assert not postures.keep(store, structure, T0)
    assert postures.keep(store, structure, T0 + dt.timedelta(days=1))
    with store.unit(structure, writes=False) as unit:
        days = unit.postures(T0.date())
    assert [(p.day, p.incidents, p.hosts) for p in days] == [
        (T0.date(), 1, 1),
        (T0.date() + dt.timedelta(days=1), 1, 1),
    ]


def test_an_insurer_that_leaves_is_not_told_of_whom_its_figures_were(
    store: SqlStore, beta: tuple[Circle, list[str]]
) -> None:
    insurer, practices = beta
    sums.release(store, insurer.id, T0)
    with store.leavings().leaving(insurer.id) as leaving:
        handed_over = {table: list(rows) for table, rows in leaving.rows()}
    assert len(handed_over["insurer_sheet"]) == 1
    assert not any(practice in repr(handed_over) for practice in practices)
