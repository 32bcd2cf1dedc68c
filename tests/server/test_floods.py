"""What a stranger or somebody signed in can begin again and again: bounded, on both databases."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.store import SqlStore
from releve.flow.server import signin
from releve.flow.server.identity import links
from releve.flow.server.ports import Attempts
from releve.flow.server.signin import MOST_BEGUN
from releve.model.access import Role
from tests.server.forger import forging
from tests.server.world import T0, Running, add_host, running

PASSWORD = "une phrase assez longue"


@pytest.fixture
def served(store: SqlStore, tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "server", store, jobs=False) as made:
        yield made


@pytest.fixture
def stranger(served: Running) -> Iterator[httpx.Client]:
    url = served.url.replace("127.0.0.1", "localhost")
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        yield client


def challenges(store: SqlStore) -> int:
    with store._engine.begin() as connection:
        return int(
            connection.execute(sa.select(sa.func.count()).select_from(t.challenge)).scalar_one()
        )


def signed_in(served: Running, login: str, role: Role) -> tuple[httpx.Client, str]:
    now, store = served.context.clock.now(), served.store
    add_host(store, f"poste-{login}", "Cabinet A")
    (structure,) = store.structures()
    made = signin.create_person(store, structure, login, PASSWORD, login, now, role=role)
    assert made is not None
    opened = signin.open_session(store, made, "full", served.context.new_secret, now)
    client = httpx.Client(
        base_url=served.url, cookies={"releve": opened.secret}, trust_env=False, timeout=30,
        headers={"accept-language": "fr"},
    )  # fmt: skip
    return client, opened.session.csrf


def asks(client: httpx.Client, csrf: str, text: str = "plus rien ne marche") -> httpx.Response:
    return client.post("/help", data={"csrf": csrf, "text": text})


def test_sign_ins_begun_from_one_address_are_bounded_until_the_span_is_over(
    store: SqlStore,
) -> None:
    place, other = "address:198.51.100.7", "address:198.51.100.8"
    for _ in range(MOST_BEGUN):
        signin.count_begun(store, place, T0)
    with pytest.raises(signin.TooManyTries) as refused:
        signin.count_begun(store, place, T0 + dt.timedelta(minutes=2))
    assert refused.value.until == T0 + dt.timedelta(minutes=3)
    signin.count_begun(store, other, T0)
    signin.count_begun(store, place, T0 + dt.timedelta(minutes=3))
    signin.check_tries(store, (place,), T0)  # no wrong try: a password is asked for as ever


def test_asking_by_passkey_or_identity_service_writes_no_row_without_end(
    served: Running, stranger: httpx.Client
) -> None:
    """The server's own address is told as localhost: passkeys are made for a name."""
    now, store = served.context.clock.now(), served.store
    begun = Attempts(count=MOST_BEGUN - 2, until=now + dt.timedelta(minutes=3))
    store.put_attempts("begun:address:127.0.0.1", begun)
    with forging() as there:
        links.keep_provider(store, there.provider(added_at=now), actor="admin", now=now)
        assert stranger.get("/login/identity/forger").status_code == 303
    assert stranger.post("/login/passkey/ask").status_code == 200
    assert challenges(store) == 2
    assert stranger.post("/login/passkey/ask").status_code == 429
    refused = stranger.get("/login/identity/forger", headers={"accept-language": "fr"})
    assert (refused.status_code, "Trop d’essais" in refused.text) == (422, True)
    assert challenges(store) == 2


def test_who_is_signed_in_rings_no_more_often_than_a_phone_can(served: Running) -> None:
    claire, csrf = signed_in(served, "claire", Role.STAFF)
    paul, other = signed_in(served, "paul", Role.STAFF)
    for _ in range(20):
        assert asks(claire, csrf).status_code == 303
    refused = asks(claire, csrf)
    assert (refused.status_code, "Attendez une minute" in refused.text) == (429, True)
    assert asks(paul, other).status_code == 303
    with served.store.unit(served.store.structures()[0].id, writes=False) as unit:
        assert len(unit.help_requests(most=100)) == 21


def test_staff_read_their_own_calls_and_see_that_others_are_under_way(served: Running) -> None:
    claire, csrf = signed_in(served, "claire", Role.STAFF)
    paul, other = signed_in(served, "paul", Role.STAFF)
    lead, _ = signed_in(served, "anne", Role.LEAD)
    at = asks(claire, csrf, "le docteur s’est trompé de dossier").headers["location"]
    assert claire.get(at).status_code == 200
    assert lead.get(at).status_code == 200
    assert paul.get(at).status_code == 404
    assert paul.get(f"{at}/live").status_code == 404
    page = paul.get("/help").text
    assert "On cherche quelqu’un" in page
    assert at not in page
    assert asks(paul, other).headers["location"] in paul.get("/help").text
