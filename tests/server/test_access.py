"""Roles, grants, coming in with a reason for a time; each route as each role, on both databases."""

import datetime as dt
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from releve.adapters.sql.store import SqlStore
from releve.apps.console.app import console_parts
from releve.apps.console.situation_pages import situation_page
from releve.apps.console.verbs import OPEN, VERBS
from releve.assist.escalation import Acknowledged
from releve.flow.server import access, signin
from releve.flow.server.access import AdmissionEnded, NotAllowed, Refused, check, may
from releve.flow.server.assist import answering, asking
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import Person, Session
from releve.flow.server.situations import renew
from releve.model.access import Role, Verb
from tests.server.test_structures_apart import PASSWORD, ask, fill, kept
from tests.server.world import T0, Running, running

REASON = "Appel de 3 h : poste muet"
_lock = threading.Lock()


def secrets_() -> Iterator[bytes]:
    for number in range(1, 10_000):
        yield number.to_bytes(32, "big")


_secrets = secrets_()


def secret() -> bytes:
    with _lock:
        return next(_secrets)


def person(
    store: SqlStore, structure: str, login: str, role: Role = Role.LEAD, now: dt.datetime = T0
) -> Person:
    owner = ensure_structure(store, structure, f"s-{structure}", now)
    made = signin.create_person(store, owner, login, PASSWORD, f"id-{login}", now, role=role)
    assert made is not None
    return made


def session(store: SqlStore, who: Person, now: dt.datetime = T0) -> tuple[str, Session]:
    opened = signin.open_session(store, who, "full", secret, now)
    return opened.secret, opened.session


def grant(store: SqlStore, structure: str, who: Person, role: Role, now: dt.datetime = T0) -> None:
    with store.unit(structure) as unit:
        access.give(unit, who, role, actor="admin", now=now)


def come(
    store: SqlStore,
    known: tuple[str, Session],
    to: str,
    reason: str = REASON,
    now: dt.datetime = T0,
) -> tuple[str, Session]:
    fresh, at = access.go_to(
        store, known[1], known[0], to, reason, new_secret=secret, identity=f"in-{to}", now=now
    )
    return fresh, at


@pytest.fixture
def two(store: SqlStore) -> tuple[str, str, Person]:
    """The provider, a practice, and an operator of the provider who may see the practice."""
    host = fill(store, "Cabinet")
    olga = person(store, "Infogérant", "olga", Role.OPERATOR)
    grant(store, host.structure, olga, Role.OPERATOR)
    return olga.structure, host.structure, olga


def test_every_route_has_its_verb_or_is_open_on_purpose() -> None:
    found = {
        f"{method} {path}"
        for handler in console_parts().routes
        for path in handler.paths
        for method in handler.http_methods
        if method in ("GET", "POST")
    }
    assert found == OPEN | set(VERBS)
    assert not OPEN & set(VERBS)


def test_what_only_reads_is_never_a_form_for_the_auditor() -> None:
    for route, verb in VERBS.items():
        if route.startswith("POST ") and verb not in (Verb.CHOOSE, Verb.OWN_ACCOUNT):
            assert not may(Role.AUDITOR, verb), route


def test_a_person_of_before_keeps_all_of_the_own_structure(store: SqlStore) -> None:
    anne = person(store, "A", "anne")
    known = session(store, anne)
    with store.unit(anne.structure) as unit:
        from releve.adapters.sql import tables

        unit._connection.execute(tables.access_grant.delete())
    assert check(store, known[1], Verb.CHANGE_PEOPLE, T0) is Role.LEAD


def test_what_was_ended_is_not_given_back_by_having_no_row(store: SqlStore) -> None:
    anne = person(store, "A", "anne")
    known = session(store, anne)
    with store.unit(anne.structure) as unit:
        assert access.end(unit, anne.id, actor="zoe", now=T0)
        assert access.end(unit, anne.id, actor="zoe", now=T0) is None
    assert store.session(signin.digest(known[0])) is None
    with pytest.raises(AdmissionEnded):
        check(store, known[1], Verb.LOOK, T0)


def test_an_operator_comes_in_with_a_reason_that_the_structure_sees(
    store: SqlStore, two: tuple[str, str, Person]
) -> None:
    _, practice, olga = two
    known = session(store, olga)
    for reason in ("", "court", "x" * 400, " " * 40):
        with pytest.raises(Refused, match="reason"):
            come(store, known, practice, reason)
    fresh, moved = come(store, known, practice)
    assert check(store, moved, Verb.HANDLE_INCIDENTS, T0) is Role.OPERATOR
    for verb in (Verb.SIGN_DUTIES, Verb.CHANGE_PEOPLE):
        with pytest.raises(NotAllowed):
            check(store, moved, verb, T0)
    assert store.session(signin.digest(known[0])) is None
    assert store.session(signin.digest(fresh)) == moved
    with store.unit(practice) as unit:
        newest = unit.admission(f"in-{practice}")
        (entry,) = [e for e in unit.trail() if e.verb == "enter"]
    assert newest is not None
    assert (newest.login, newest.reason, newest.until - newest.since) == (
        "olga", REASON, dt.timedelta(hours=8),
    )  # fmt: skip
    assert (entry.actor, entry.detail) == ("olga", f"operator: {REASON}")


def test_the_stay_ends_by_itself_and_by_the_structure(
    store: SqlStore, two: tuple[str, str, Person]
) -> None:
    _, practice, olga = two
    _, moved = come(store, session(store, olga), practice)
    just = T0 + dt.timedelta(hours=8)
    assert check(store, moved, Verb.LOOK, just - dt.timedelta(seconds=1))
    with pytest.raises(AdmissionEnded):
        check(store, moved, Verb.LOOK, just)
    with store.unit(practice) as unit:
        access.end(unit, olga.id, actor="claire", now=T0)
    with pytest.raises(AdmissionEnded):
        check(store, moved, Verb.LOOK, T0)
    with pytest.raises(Refused, match="grant"):
        come(store, session(store, olga), practice)
    assert store.situations_of(olga.id) == []


def test_another_ones_admission_opens_nothing(
    store: SqlStore, two: tuple[str, str, Person]
) -> None:
    provider, practice, olga = two
    _, moved = come(store, session(store, olga), practice)
    oscar = person(store, "Infogérant", "oscar", Role.OPERATOR)
    assert oscar.structure == provider
    grant(store, practice, oscar, Role.OPERATOR)
    import msgspec

    stolen = msgspec.structs.replace(moved, person=oscar.id, login="oscar")
    with pytest.raises(AdmissionEnded):
        check(store, stolen, Verb.LOOK, T0)


def test_nobody_goes_where_nothing_is_granted(store: SqlStore) -> None:
    anne, other = person(store, "A", "anne"), person(store, "B", "bob")
    with pytest.raises(Refused, match="grant"):
        come(store, session(store, anne), other.structure)
    with store.unit(other.structure) as unit:
        assert unit.admissions() == []


def test_the_way_home_needs_no_reason_and_leaves_its_mark(
    store: SqlStore, two: tuple[str, str, Person]
) -> None:
    provider, practice, olga = two
    there = come(store, session(store, olga), practice)
    _, back = come(store, there, provider, "")
    assert back.is_home
    assert check(store, back, Verb.LOOK, T0) is Role.OPERATOR
    with store.unit(practice) as unit:
        assert unit.trail(most=1)[0].verb == "leave"


def test_only_the_granted_situations_are_there(
    store: SqlStore, two: tuple[str, str, Person]
) -> None:
    _, practice, olga = two
    other = fill(store, "Autre")
    assert [(name, s.structure) for name, s in store.situations_of(olga.id)] == [
        ("Cabinet", practice)
    ]
    dora = person(store, "DPO", "dora", Role.DPO)
    grant(store, other.structure, dora, Role.DPO)
    assert store.situations_of(dora.id) == []  # a grant, but not of the operator
    ((_, summed),) = store.situations_of(olga.id)
    assert (summed.incidents, summed.hosts, summed.severity is None) == (1, 1, False)


def test_the_structure_where_care_stands_still_comes_first_then_the_longest_wait(
    store: SqlStore, two: tuple[str, str, Person]
) -> None:
    provider, practice, olga = two
    places = {"Cabinet": practice}
    for name in ("Attaqué", "Bloqué", "Depuis longtemps"):
        places[name] = ensure_structure(store, name, name, T0).id
        grant(store, places[name], olga, Role.OPERATOR)

    def call(name: str, minutes: int, *, blocked: bool = False) -> str:
        at = T0 - dt.timedelta(minutes=minutes)
        asked = asking.Asked(
            id=f"{name}{minutes}", source="console", by="x", at=at, is_blocked=blocked
        )  # fmt: skip
        return asking.ask(store, places[name], asked, T0).id

    def order() -> list[str]:
        for structure in places.values():
            renew(store, structure, T0)
        return [row.name for row in situation_page(store, olga.id, provider, T0).rows]

    with store.unit(practice) as unit:
        for request in unit.help_requests(is_open=True):
            answering.close(unit, request.id, "", actor="olga", now=T0)
    assert order()[0] == "Cabinet"  # its incident
    call("Attaqué", 2)
    call("Depuis longtemps", 50)
    assert order()[:3] == ["Depuis longtemps", "Attaqué", "Cabinet"]
    blocked = call("Bloqué", 1, blocked=True)
    assert order()[:3] == ["Bloqué", "Depuis longtemps", "Attaqué"]
    with store.unit(places["Bloqué"]) as unit:
        answering.acknowledge(unit, blocked, Acknowledged(T0, "olga", "Olga"))
    assert order()[:3] == ["Depuis longtemps", "Attaqué", "Bloqué"]


def test_an_admission_is_never_changed(store: SqlStore, two: tuple[str, str, Person]) -> None:
    import sqlalchemy as sa

    from releve.adapters.sql import tables

    _, practice, _ = two
    for change in (tables.admission.delete(), tables.admission.update().values(body=b"{}")):
        with (
            pytest.raises(sa.exc.DBAPIError, match="append-only"),
            store.unit(practice) as unit,
        ):
            unit._connection.execute(change)


# What each role reaches: the promise in words, apart from the table that keeps it.
REACHES = {
    Role.LEAD: {
        "/", "/help", "/desk", "/incidents", "/obligations", "/health", "/people", "/vault",
        "/statements", "/posture", "/settings",
    },
    Role.OPERATOR: {
        "/", "/help", "/desk", "/incidents", "/obligations", "/health", "/people", "/vault",
        "/statements", "/situation", "/situation/wall", "/posture", "/settings",
    },
    Role.STAFF: {"/", "/help", "/people", "/vault", "/posture"},
    Role.DPO: {
        "/", "/help", "/incidents", "/obligations", "/health", "/people", "/vault", "/posture",
        "/settings",
    },
    Role.AUDITOR: {
        "/", "/desk", "/incidents", "/obligations", "/health", "/people", "/vault", "/statements",
        "/posture", "/settings",
    },
    Role.GROUP: {"/group"},
    Role.INSURER: {"/insurer"},
}  # fmt: skip
PAGES = set().union(*REACHES.values())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_its_routes_and_no_other(
    role: Role, store: SqlStore, tmp_path: Path
) -> None:
    mine, theirs = fill(store, "A"), fill(store, "B")
    with running(tmp_path / "server", store, jobs=False) as served:
        client = browser(served, role)
        before = kept(store, mine.structure), kept(store, theirs.structure)
        for route, verb in VERBS.items():
            method, _, template = route.partition(" ")
            path = re.sub(r"\{\w+:str\}", "x", template)
            allowed = may(role, verb) or verb in (Verb.CHOOSE, Verb.OWN_ACCOUNT)
            allowed |= verb is Verb.SEE_SITUATION and role is Role.OPERATOR
            if allowed and method == "POST":
                continue  # that what is allowed works, other tests show
            text, status = ask(client, method, path, {"csrf": client.headers["x-csrf"]})
            assert status < 500
            assert (status != 403) == allowed, (role, route, status)
            if not allowed:
                assert "serveur de" not in text
            for leak in ("serveur de B", "claire-b", "op-B", theirs.id):
                assert leak not in text, (role, route)
        assert {p for p in PAGES if client.get(p).status_code == 200} == REACHES[role]
        assert (kept(store, mine.structure), kept(store, theirs.structure)) == before


def browser(served: Running, role: Role, name: str = "A") -> httpx.Client:
    now = served.context.clock.now()
    who = person(served.store, name, f"walker-{role.value}", role, now)
    opened = signin.open_session(served.store, who, "full", served.context.new_secret, now)
    client = httpx.Client(
        base_url=served.url, cookies={"releve": opened.secret}, trust_env=False, timeout=20
    )
    client.headers["x-csrf"] = opened.session.csrf
    return client
