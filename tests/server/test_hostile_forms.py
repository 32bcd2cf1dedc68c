"""Every form without its token, with a wrong one, from another site; texts that no database takes."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from releve.adapters.sql.store import SqlStore
from releve.apps.console.verbs import OPEN, VERBS
from releve.flow.server import signin
from releve.flow.server.verify import verify
from releve.model.access import Role
from tests.server.test_access import person
from tests.server.test_structures_apart import PASSWORD, fill, kept
from tests.server.world import Running, running

POSTS = sorted(route.partition(" ")[2] for route in OPEN | set(VERBS) if route.startswith("POST "))
# Of who has no session yet: there is no token, and another site is known by its origin alone.
BEFORE_SIGN_IN = {
    "/setup", "/login", "/login/passkey/ask", "/login/passkey", "/login/break-glass",
    "/a/{code:str}",
}  # fmt: skip
# No browser's form: an identity service posts there, and signs what it says (test_identity.py).
SIGNED = {"/login/identity/{name:str}/ended"}
STAGES = {"/enrol": "enrol", "/login/second": "password"}
FROM_ELSEWHERE = (
    {"origin": "https://elsewhere.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)
HOSTILE = ("%00", "a%00b", "%ed%a0%80", "..%2f..%2fetc%2fpasswd", "%0d%0aset-cookie:%20x=1")
FIELDS = (
    "login", "password", "code", "text", "phone", "structure", "reason", "title", "why", "name",
    "by", "role", "days", "service", "decision", "sha256", "kept", "credential", "version",
)  # fmt: skip


class People:
    """One lead, signed in at each stage of the door."""

    def __init__(self, served: Running) -> None:
        self.lead = person(served.store, "A", "lena", Role.LEAD, served.context.clock.now())
        self.at = {stage: self._browser(served, stage) for stage in ("full", *STAGES.values())}

    def _browser(self, served: Running, stage: str) -> httpx.Client:
        secret, now = served.context.new_secret, served.context.clock.now()
        opened = signin.open_session(served.store, self.lead, stage, secret, now)
        cookies = {"releve": opened.secret}
        client = httpx.Client(base_url=served.url, cookies=cookies, trust_env=False, timeout=20)
        client.headers["x-csrf"] = opened.session.csrf
        return client

    def of(self, path: str) -> httpx.Client:
        return self.at[STAGES.get(path, "full")]


@pytest.fixture
def world(store: SqlStore, tmp_path: Path) -> Iterator[tuple[Running, People, str]]:
    host = fill(store, "A")
    with running(tmp_path / "server", store, jobs=False) as served:
        yield served, People(served), host.structure


def filled(path: str, value: str = "x") -> str:
    return re.sub(r"\{\w+:(?:str|path)\}", value, path)


@pytest.mark.timeout(120)
def test_every_form_needs_the_token_of_its_session_and_our_own_page(
    world: tuple[Running, People, str],
) -> None:
    served, people, structure = world
    before = kept(served.store, structure)
    for path in sorted(set(POSTS) - SIGNED):
        client = people.of(path)
        right = client.headers["x-csrf"]
        wrong = ({}, {"csrf": ""}, {"csrf": "0" * len(right)}, {"csrf": right[:-1]}, {"csrf": "é"})
        for form in wrong if path not in BEFORE_SIGN_IN else ():
            assert client.post(filled(path), data=form).status_code == 403, (path, form)
        for headers in FROM_ELSEWHERE:
            answer = client.post(filled(path), data={"csrf": right}, headers=headers)
            assert answer.status_code == 403, (path, headers)
    assert kept(served.store, structure) == before


@pytest.mark.timeout(120)
def test_no_text_makes_the_server_stumble_or_breaks_the_trail(
    world: tuple[Running, People, str],
) -> None:
    served, people, structure = world
    bad = []
    for route in sorted((OPEN | set(VERBS)) - {"POST /logout", "POST /account/sessions/end"}):
        method, _, path = route.partition(" ")
        client = people.of(path)
        form = {"csrf": client.headers["x-csrf"], **dict.fromkeys(FIELDS, "a\x00b")}
        for value in HOSTILE if "{" in path else HOSTILE[:1] if method == "POST" else ():
            data = form if method == "POST" else None
            answer = client.request(method, filled(path, value), data=data)
            if answer.status_code >= 500 or "set-cookie:" in str(answer.headers.keys()):
                bad.append((route, value, answer.status_code))
    assert not bad
    with served.store.unit(structure) as unit:
        unit.record(served.context.clock.now(), "a\x00b", "c\x00d", "say", "e\x00f")
        assert unit.trail(most=1)[0].detail == "e\N{REPLACEMENT CHARACTER}f"
    (told,) = verify(served.store, [], None, "A")
    assert not {fault.what for fault in told.faults} & {"changed", "removed"}


def test_a_session_that_somebody_else_prepared_is_never_the_one_that_is_let_in(
    world: tuple[Running, People, str],
) -> None:
    served, people, _ = world
    prepared = people.at["password"].cookies["releve"]
    victim = httpx.Client(base_url=served.url, cookies={"releve": prepared}, trust_env=False)
    came = victim.post("/login", data={"login": "lena", "password": PASSWORD})
    assert came.status_code == 303
    assert came.cookies["releve"] != prepared
    assert served.store.session(signin.digest(prepared)) is None
