"""Signing out where one came from: what is kept for it, what is sent, and who counts as back."""

import datetime as dt
import os
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
import sqlalchemy as sa

from releve.adapters.http.identity import HttpProviders
from releve.adapters.sql import tables as t
from releve.adapters.sql.store import SqlStore
from releve.flow.server import access, signin
from releve.flow.server.id_token import opened, sealed
from releve.flow.server.identity import links
from releve.flow.server.identity.discovery import Discovery
from releve.flow.server.identity.leaving import Leaving
from releve.model.access import Grant, Role
from releve.model.identity import Provider
from tests.server.forger import CLIENT, Forger, forging
from tests.server.test_passkeys import person_in
from tests.server.world import T0, SetClock, add_host

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjbGFpcmUifQ.c2ln"


def new() -> bytes:
    return os.urandom(32)


class World:
    """One browser that came by one provider."""

    def __init__(self, store: SqlStore, forger: Forger) -> None:
        self.store, self.clock, self.forger = store, SetClock(), forger
        self.provider = forger.provider()
        links.keep_provider(store, self.provider, actor="admin", now=T0)
        discovery = Discovery(HttpProviders(), self.clock)
        self.leaving = Leaving(store, discovery, self.clock, new, "https://releve.cabinet.fr")

    def ask(self, token: str = TOKEN, *, provider: Provider | None = None) -> str:
        return anyio.run(self.leaving.ask, provider or self.provider, token, "cookie")

    def is_back(self, state: str, *, browser: str = "cookie", name: str = "forger") -> bool:
        return anyio.run(self.leaving.is_back, self.forger.provider(name), browser, state)


@pytest.fixture
def forger() -> Iterator[Forger]:
    with forging() as made:
        made.metadata = {"end_session_endpoint": f"{made.url}/out?realm=a"}
        yield made


@pytest.fixture
def world(store: SqlStore, forger: Forger) -> World:
    return World(store, forger)


def words_of(address: str) -> dict[str, str]:
    return {name: said[0] for name, said in parse_qs(urlsplit(address).query).items()}


def test_it_says_who_leaves_and_where_to_send_back_to(world: World) -> None:
    address = world.ask()
    assert address.startswith(f"{world.forger.url}/out?realm=a&")
    words = words_of(address)
    assert len(words.pop("state")) == 43
    assert words == {
        "realm": "a",
        "client_id": CLIENT,
        "id_token_hint": TOKEN,
        "post_logout_redirect_uri": "https://releve.cabinet.fr/login/identity/forger/left",
    }
    assert "id_token_hint" not in words_of(world.ask(""))


def test_who_comes_back_is_known_once_for_minutes_in_the_same_browser(world: World) -> None:
    first, second, third = (words_of(world.ask())["state"] for _ in range(3))
    assert not world.is_back(first, browser="another")
    assert not world.is_back(first, name="other")
    assert not world.is_back("made up")
    assert world.is_back(first)
    assert not world.is_back(first)
    world.clock.at += dt.timedelta(minutes=9)
    assert world.is_back(second)
    world.clock.at += dt.timedelta(minutes=2)
    assert not world.is_back(third)


@pytest.mark.parametrize("endpoint", ["", "javascript:alert(1)", "ftp://there/out", "/out"])
def test_without_a_place_to_sign_out_nobody_is_sent(world: World, endpoint: str) -> None:
    world.forger.metadata = {"end_session_endpoint": endpoint}
    assert world.ask() == ""


def test_a_provider_that_is_gone_keeps_nobody(store: SqlStore) -> None:
    with forging() as there:
        world = World(store, there)
    assert world.ask() == ""


def test_the_token_is_opened_by_its_own_session_only(store: SqlStore) -> None:
    claire = person_in(store)
    made = signin.open_session(store, claire, "full", new, T0, by="identity", id_token=TOKEN)
    with store.unit(claire.structure, writes=False) as unit:
        (body,) = unit._connection.execute(sa.select(t.session.c.body)).scalars().all()
    assert TOKEN.encode() not in bytes(body)
    assert made.secret.encode() not in bytes(body)
    kept = made.session.id_token
    assert opened(kept, made.secret) == TOKEN
    assert opened(kept, signin.digest(made.secret)) == ""  # what the database knows of it
    assert opened("", made.secret) == ""
    assert sealed("", made.secret) == ""
    assert sealed("t" * 6001, made.secret) == ""


def test_it_goes_along_into_another_structure(store: SqlStore) -> None:
    claire, host = person_in(store), add_host(store, "poste-1", "Cabinet B")
    made = signin.open_session(store, claire, "full", new, T0, by="identity", id_token=TOKEN)
    with store.unit(host.structure) as unit:
        unit.put_grant(
            Grant(
                person=claire.id, login=claire.login, role=Role.LEAD, is_home=False, by="admin",
                at=T0,
            )
        )  # fmt: skip
    secret, entered = access.go_to(
        store, made.session, made.secret, host.structure, "panne du lecteur de carte",
        new_secret=new, identity="a1", now=T0,
    )  # fmt: skip
    assert opened(entered.id_token, secret) == TOKEN
    assert opened(entered.id_token, made.secret) == ""
