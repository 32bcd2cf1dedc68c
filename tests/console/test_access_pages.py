"""Choosing a structure, who came in, the situation: in the pages as people use them."""

import contextlib
import datetime as dt
import re
import time
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.apps.server.leaving import Decided, Office, erase
from releve.assist.escalation import Acknowledged
from releve.flow.server import access, situations
from releve.flow.server.assist import answering, asking
from releve.flow.server.live import MOST_WATCHED
from releve.flow.server.ports import Person
from releve.model.access import Role
from tests.server.test_access import REASON, browser
from tests.server.test_structures_apart import fill
from tests.server.world import T0, Running, running


def token(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found
    return found[1]


def operator(served: Running, structure: str) -> httpx.Client:
    client = browser(served, Role.OPERATOR, "Infogérant")
    client.headers["accept-language"] = "fr"
    client.follow_redirects = True
    now = served.context.clock.now()
    olga = served.store.person_by_login("walker-operator")
    assert olga is not None
    with served.store.unit(structure) as unit:
        access.give(unit, olga, Role.OPERATOR, actor="admin", now=now)
    return client


def test_an_operator_chooses_says_why_works_and_is_seen(served: Running) -> None:
    practice = fill(served.store, "Cabinet").structure
    client = operator(served, practice)
    page = client.get(f"/structures?to={practice}")
    assert "Cabinet" in page.text
    form = {"csrf": token(page.text), "structure": practice, "reason": "bref"}
    refused = client.post("/structures", data=form)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    come = client.post("/structures", data=form | {"reason": REASON})
    assert come.status_code == 200
    assert "serveur de Cabinet" in come.text
    lead = browser(served, Role.LEAD, "Cabinet")
    seen = lead.get("/people").text
    assert REASON in seen
    assert "walker-operator" in seen
    # The structure shuts the door: the operator is out at once, and may still go home.
    ended = lead.post("/people/id-walker-operator/end", data={"csrf": token(seen)})
    assert ended.status_code == 303
    out = client.get("/")
    assert "serveur de Cabinet" not in out.text
    assert client.get("/login").status_code == 200


def test_who_was_in_a_structure_that_left_is_told_so_once(served: Running, tmp_path: Path) -> None:
    practice = fill(served.store, "Cabinet").structure
    client = operator(served, practice)
    form = {"csrf": token(client.get(f"/structures?to={practice}").text), "structure": practice}
    assert client.post("/structures", data=form | {"reason": REASON}).status_code == 200
    owner = next(one for one in served.store.structures() if one.id == practice)
    key = Ed25519PrivateKey.generate()
    office = Office(store=served.store, key=key, now=served.context.clock.now())
    erase(office, owner, Decided(by="Anne", reason="fin de contrat"), tmp_path / "out")
    told = client.get("/")
    assert told.status_code == 410
    assert "Cette structure a quitté Relève" in told.text
    assert "Cabinet" not in told.text, "a cookie shows no name"
    again = client.get("/")
    assert (again.status_code, again.url.path) == (200, "/login"), "and then the door"
    stranger = httpx.Client(base_url=served.url, trust_env=False, follow_redirects=True)
    stranger.cookies.set("releve-place", "s-nothing")
    assert stranger.get("/").url.path == "/login"


def test_nobody_shuts_the_door_on_oneself(served: Running) -> None:
    lead = browser(served, Role.LEAD, "Cabinet")
    text = lead.get("/people").text
    own = lead.post("/people/id-walker-lead/end", data={"csrf": token(text)})
    assert own.status_code == 404


def test_the_situation_shows_what_is_granted_worst_first(tmp_path: Path) -> None:
    with running(tmp_path / "server", jobs=False) as served:  # else legal clocks ring meanwhile
        worst_first(served)


def worst_first(served: Running) -> None:
    calm, hit = fill(served.store, "Calme"), fill(served.store, "Touché")
    other = fill(served.store, "Ailleurs")
    client = operator(served, calm.structure)
    olga: Person | None = served.store.person_by_login("walker-operator")
    assert olga is not None
    now = served.context.clock.now()
    with served.store.unit(hit.structure) as unit:
        access.give(unit, olga, Role.OPERATOR, actor="admin", now=now)
    longest = T0 - dt.timedelta(hours=1)  # the others' calls are of T0
    asked = asking.Asked(id="late-help", source="console", by="x", text="", at=longest)
    asking.ask(served.store, hit.structure, asked, now)
    assert not situations.renew(served.store, hit.structure, now)  # the call wrote it
    for path in ("/situation", "/situation/wall", "/situation?lang=en"):
        text = client.get(path).text
        assert text.index("Touché") < text.index("Calme"), path
        assert "Ailleurs" not in text
        assert other.structure not in text
    assert "1 appel attend" in client.get("/situation?lang=fr").text.replace("\u00a0", " ")
    assert "Soins bloqués" not in client.get("/situation?lang=fr").text
    blocked = asking.Asked(id="blocked", source="console", by="x", at=now, is_blocked=True)
    asking.ask(served.store, calm.structure, blocked, now)
    for path in ("/situation", "/situation/wall"):
        text = client.get(f"{path}?lang=fr").text
        assert text.index("Calme") < text.index("Touché"), path
        assert text.count("Soins bloqués") == 1, path
        assert text.index("Calme") < text.index("Soins bloqués") < text.index("Touché"), path
        assert "Care at a standstill" in client.get(f"{path}?lang=en").text
    with served.store.unit(calm.structure) as unit:
        for request in unit.help_requests(is_open=True):
            answering.acknowledge(unit, request.id, Acknowledged(now, "olga", "Olga"))
    assert situations.renew(served.store, calm.structure, now)
    text = client.get("/situation?lang=fr").text
    assert text.index("Touché") < text.index("Calme")
    assert "quelqu’un s’en occupe" in text
    assert 'href="/situation"' in client.get("/structures").text
    with client.stream("GET", "/situation/live") as answer:
        assert "Touché" in next(answer.iter_text())


def test_a_signed_in_stranger_sees_no_situation(served: Running) -> None:
    fill(served.store, "Cabinet")
    client = browser(served, Role.LEAD, "Cabinet")
    client.headers["accept-language"] = "fr"
    for path in ("/situation", "/situation/wall", "/group", "/insurer"):
        closed = client.get(path)
        assert closed.status_code == 403
        assert "Votre rôle n’ouvre pas cette page" in closed.text
        assert "formulaire" not in closed.text
        assert 'href="/incidents"' in closed.text
    assert 'href="/situation"' not in client.get("/structures").text


def test_one_session_holds_so_many_live_pages_and_no_more(served: Running) -> None:
    fill(served.store, "Cabinet")
    client, other = browser(served, Role.LEAD, "Cabinet"), browser(served, Role.STAFF, "Cabinet")
    with contextlib.ExitStack() as open_:
        shown = []  # httpx closes an answer whose iterator nobody holds
        for _ in range(MOST_WATCHED):
            shown.append(open_.enter_context(client.stream("GET", "/live")).iter_text())
            assert "Cabinet" in next(shown[-1])
        with client.stream("GET", "/live") as answer:
            assert answer.read() == b""
        with other.stream("GET", "/live") as answer:
            assert "Cabinet" in next(answer.iter_text())
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with client.stream("GET", "/live") as answer:
            if next(answer.iter_bytes(), b""):
                return
        time.sleep(0.2)
    pytest.fail("the pages that were closed are still counted")


def test_an_operator_whose_own_firm_guards_nothing_works_on_the_clients(served: Running) -> None:
    practice = fill(served.store, "Cabinet").structure
    client = operator(served, practice)
    arrived = client.get("/")
    assert arrived.url.path == "/situation"
    assert "Infogérant" not in arrived.text.split("<main")[1]
    assert "Cabinet" in arrived.text
