"""Identity services over HTTP: cookies, forms of others, where one lands, and another person's answer."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from releve.flow.server import signin
from releve.flow.server.identity import links
from releve.flow.server.ports import Session
from releve.model.identity import Provider, Vouched
from tests.console.test_pages import sign_in
from tests.console.test_ways_in import account_of
from tests.server.forger import Forger, forging
from tests.server.world import Running

PASSWORD = "une phrase assez longue"


@pytest.fixture
def forger() -> Iterator[Forger]:
    with forging() as made:
        yield made


@pytest.fixture
def provider(served: Running, forger: Forger) -> Provider:
    now = served.context.clock.now()
    made = forger.provider(require_amr=("mfa",), added_at=now)
    links.keep_provider(served.store, made, actor="admin", now=now)
    return made


@pytest.fixture
def browser(served: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client:
        yield client


def linked(served: Running, provider: Provider) -> None:
    """Claire has linked the account u1."""
    session = session_of(served)
    now = served.context.clock.now()
    links.add(served.store, provider, Vouched(subject="u1"), session, now)


def session_of(served: Running) -> Session:
    with served.store.unit("a1", writes=False) as unit:
        return unit.sessions_of("p1")[0][1]


def brought_back(served: Running, forger: Forger, answer: httpx.Response) -> str:
    """The address that the service sends the browser to, with a true answer."""
    there = answer.headers.get("location") or answer.text.partition('strong" href="')[2]
    query = urlsplit(there.partition('">')[0].replace("&amp;", "&")).query
    asked = {name: said[0] for name, said in parse_qs(query).items()}
    claims = forger.claims(served.context.clock.now(), nonce=asked["nonce"], amr=["mfa"])
    forger.sign(claims)
    return f"{asked['redirect_uri']}?state={asked['state']}&code=c0de"


def test_one_lands_on_the_first_page_whatever_else_is_asked_for(
    served: Running, browser: httpx.Client, forger: Forger, provider: Provider
) -> None:
    sign_in(served, httpx.Client())
    linked(served, provider)
    evil = "next=https://evil.example&redirect_uri=https://evil.example&return=//evil.example"
    gone = browser.get(f"/login/identity/forger?{evil}")
    assert gone.status_code == 303
    assert "evil" not in gone.headers["location"]
    cookie = gone.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("releve-identity=", "httponly", "samesite=lax"))
    back = browser.get(f"{brought_back(served, forger, gone)}&{evil}")
    assert (back.status_code, back.headers["location"]) == (303, "/")
    assert browser.get("/account").status_code == 200


def test_an_answer_without_the_cookie_of_its_browser_counts_as_a_wrong_try(
    served: Running, browser: httpx.Client, forger: Forger, provider: Provider
) -> None:
    sign_in(served, httpx.Client())
    linked(served, provider)
    back = brought_back(served, forger, browser.get("/login/identity/forger"))
    stranger = httpx.Client(base_url=served.url, trust_env=False)
    for _ in range(30):
        assert stranger.get(back).status_code == 422
    assert "releve" not in stranger.cookies
    assert forger.forms == []
    waits = stranger.get("/login/identity/forger", headers={"accept-language": "fr"})
    assert (waits.status_code, "Trop d’essais" in waits.text) == (422, True)


def test_linking_takes_the_form_of_ones_own_page_and_the_session_that_asked(
    served: Running, browser: httpx.Client, forger: Forger, provider: Provider
) -> None:
    csrf = sign_in(served, browser)
    assert browser.post("/account/identity/forger/link").status_code == 403
    page = browser.post("/account/identity/forger/link", data={"csrf": csrf})
    assert page.status_code == 200
    back = brought_back(served, forger, page)
    # Somebody else has signed in at this browser since.
    now, store = served.context.clock.now(), served.store
    owner = next(one for one in store.structures() if one.id == "a1")
    paul = signin.create_person(store, owner, "paul", PASSWORD, "p2", now)
    assert paul is not None
    other = signin.open_session(store, paul, "full", served.context.new_secret, now)
    browser.cookies.set("releve", other.secret)
    assert browser.get(back).status_code == 422
    with store.unit("a1", writes=False) as unit:
        assert unit.identities() == []


def test_an_account_is_unlinked_by_its_owner_only(
    served: Running, browser: httpx.Client, provider: Provider
) -> None:
    sign_in(served, httpx.Client())
    linked(served, provider)
    now, store = served.context.clock.now(), served.store
    owner = next(one for one in store.structures() if one.id == "a1")
    paul = signin.create_person(store, owner, "paul", PASSWORD, "p2", now)
    assert paul is not None
    other = signin.open_session(store, paul, "full", served.context.new_secret, now)
    browser.cookies.set("releve", other.secret)
    with store.unit("a1", writes=False) as unit:
        (link,) = unit.identities()
    address = f"/account/identity/{link.id}/unlink"
    assert browser.post(address, data={"csrf": other.session.csrf}).status_code == 404
    with store.unit("a1", writes=False) as unit:
        assert unit.identities() == [link]


def test_at_another_address_the_way_leads_to_the_servers_own(
    served: Running, browser: httpx.Client, provider: Provider
) -> None:
    csrf = sign_in(served, browser)
    elsewhere = {"host": "localhost:1", "accept-language": "fr"}
    here = httpx.get(f"{served.url}/login", headers=elsewhere, trust_env=False)
    assert f'href="{served.url}/login/identity/forger"' in here.text
    page = browser.post("/account/identity/forger/link", data={"csrf": csrf}, headers=elsewhere)
    assert page.status_code == 422
    assert "ouvrez la console par le nom du serveur" in page.text


def test_a_logout_that_the_service_did_not_sign_ends_nothing(
    served: Running, browser: httpx.Client, forger: Forger, provider: Provider
) -> None:
    sign_in(served, browser)
    linked(served, provider)
    events = {"http://schemas.openid.net/event/backchannel-logout": {}}
    forger.sign_with_none(forger.claims(served.context.clock.now(), events=events))
    address = f"{served.url}/login/identity/forger/ended"
    for form in ({"logout_token": forger.token}, {"logout_token": "x"}, {}):
        assert httpx.post(address, data=form, trust_env=False).status_code == 400
    assert browser.get("/account").status_code == 200


def entered(
    served: Running, browser: httpx.Client, forger: Forger, provider: Provider
) -> tuple[Session, str]:
    """The session that the service opened, and the token that it showed."""
    sign_in(served, httpx.Client())
    linked(served, provider)
    back = brought_back(served, forger, browser.get("/login/identity/forger"))
    assert browser.get(back).headers["location"] == "/"
    with served.store.unit("a1", writes=False) as unit:
        (session,) = (one for _, one in unit.sessions_of("p1") if one.by == "identity")
    return session, forger.token


def is_open(served: Running) -> bool:
    with served.store.unit("a1", writes=False) as unit:
        return any(one.by == "identity" for _, one in unit.sessions_of("p1"))


def test_who_came_by_a_service_leaves_here_first_and_is_shown_the_way_out_there(
    served: Running, browser: httpx.Client, forger: Forger, provider: Provider
) -> None:
    forger.metadata = {"end_session_endpoint": f"{forger.url}/out"}
    session, token = entered(served, browser, forger, provider)
    assert browser.post("/logout").status_code == 403  # another's form ends nothing
    assert is_open(served)
    page = browser.post("/logout", data={"csrf": session.csrf}, headers={"accept-language": "fr"})
    assert not is_open(served)
    assert "releve" not in browser.cookies
    assert "claire" not in page.text.partition("<main")[0]
    address = page.text.partition('strong" href="')[2].partition('">')[0].replace("&amp;", "&")
    words = {name: said[0] for name, said in parse_qs(urlsplit(address).query).items()}
    assert words["id_token_hint"] == token
    back = f"{words['post_logout_redirect_uri']}?state={words['state']}"
    stranger = httpx.get(back, trust_env=False)
    assert (stranger.status_code, stranger.headers["location"]) == (303, "/login")
    assert "vous renvoie ici" in browser.get(back, headers={"accept-language": "fr"}).text
    assert browser.get(back).headers["location"] == "/login"


def test_the_session_ends_whatever_the_service_can(
    served: Running, browser: httpx.Client, forger: Forger, provider: Provider
) -> None:
    session, _ = entered(served, browser, forger, provider)
    gone = browser.post("/logout", data={"csrf": session.csrf})
    assert (gone.status_code, gone.headers["location"]) == (303, "/login")
    assert not is_open(served)


def test_the_way_out_is_kept_through_the_second_factor(
    served: Running, browser: httpx.Client, forger: Forger
) -> None:
    now = served.context.clock.now()
    weak = forger.provider(added_at=now)
    links.keep_provider(served.store, weak, actor="admin", now=now)
    forger.metadata = {"end_session_endpoint": f"{forger.url}/out"}
    sign_in(served, httpx.Client())
    totp = account_of(served)
    linked(served, weak)
    back = brought_back(served, forger, browser.get("/login/identity/forger"))
    assert browser.get(back).headers["location"] == "/login/second"
    token = forger.token
    with served.store.unit("a1", writes=False) as unit:
        (waiting,) = (one for _, one in unit.sessions_of("p1") if one.stage == "password")
    form = {"csrf": waiting.csrf, "code": totp.now()}
    assert browser.post("/login/second", data=form).headers["location"] == "/"
    with served.store.unit("a1", writes=False) as unit:
        (session,) = (one for _, one in unit.sessions_of("p1") if one.by == "identity")
    assert f"id_token_hint={token}" in browser.post("/logout", data={"csrf": session.csrf}).text
