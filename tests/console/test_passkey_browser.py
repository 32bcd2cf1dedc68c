"""Passkeys in a real Chromium with a virtual authenticator; what phishers and copies of keys get."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.console.test_accessible import violations
from tests.console.test_pages import PASSWORD, sign_in
from tests.server.test_break_glass import sheet_of
from tests.server.world import Running, running

pytestmark = pytest.mark.browser
_DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def by_name(served: Running) -> str:
    """Browsers make no passkey for a bare address."""
    return served.url.replace("127.0.0.1", "localhost")


class Visitor:
    """A browser of its own, with an authenticator plugged in; signed in when it is told so."""

    def __init__(self, chromium: Browser, served: Running, locale: str = "fr-FR") -> None:
        self.served = served
        self.context = chromium.new_context(
            locale=locale, base_url=by_name(served), viewport={"width": 390, "height": 844}
        )
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.cdp = self.context.new_cdp_session(self.page)
        self.cdp.send("WebAuthn.enable")
        self.device = self.plug(isUserVerified=True)

    def plug(self, **facts: Any) -> str:
        options = {"options": {**_DEVICE, **facts}}
        return str(self.cdp.send("WebAuthn.addVirtualAuthenticator", options)["authenticatorId"])

    def sign_in(self) -> None:
        client = httpx.Client(base_url=self.served.url, trust_env=False)
        sign_in(self.served, client)
        cookie = {"name": "releve", "value": client.cookies["releve"], "url": by_name(self.served)}
        self.context.add_cookies([cookie])

    def add_passkey(self) -> None:
        self.page.goto("/account")
        self.page.fill("input[name=name]", "Téléphone")
        self.page.click("form[data-passkey] button")
        expect(self.page.locator("ul.rows strong").first).to_have_text("Téléphone")

    def leave(self) -> None:
        self.page.click("header form button")
        self.page.wait_for_url("**/login")

    def enter(self) -> None:
        self.page.goto("/login")
        self.page.click("form[data-passkey] button")

    def credential(self) -> dict[str, Any]:
        found = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.device})
        (one,) = found["credentials"]
        return dict(one)


@pytest.fixture
def visitor(served: Running, chromium: Browser) -> Iterator[Visitor]:
    made = Visitor(chromium, served)
    made.sign_in()
    yield made
    made.context.close()
    assert made.complaints == []


def test_a_passkey_is_made_and_opens_without_login_or_password(visitor: Visitor) -> None:
    visitor.add_passkey()
    visitor.leave()
    visitor.enter()
    expect(visitor.page.locator("header .who")).to_have_text("claire")
    visitor.page.goto("/account")
    expect(visitor.page.locator("ul.rows li").first).to_contain_text("utilisée")
    expect(visitor.page.locator("main")).to_contain_text("par clé d’accès")


def test_a_copy_of_a_passkey_is_told_apart_by_its_counter(visitor: Visitor) -> None:
    visitor.add_passkey()
    copy = visitor.credential()
    visitor.leave()
    visitor.enter()
    visitor.leave()
    old = {"authenticatorId": visitor.device, "credentialId": copy["credentialId"]}
    visitor.cdp.send("WebAuthn.removeCredential", old)
    placed = {"authenticatorId": visitor.device, "credential": copy}
    visitor.cdp.send("WebAuthn.addCredential", placed)
    visitor.enter()
    expect(visitor.page.locator(".wrong:visible")).to_contain_text("copiée")
    with visitor.served.store.unit("a1", writes=False) as unit:
        assert "counter_went_back" in [entry.verb for entry in unit.trail()]


def test_a_removed_passkey_opens_nothing(visitor: Visitor) -> None:
    visitor.add_passkey()
    with visitor.served.store.unit("a1") as unit:
        (key,) = unit.passkeys_of("p1")
        unit.drop_passkey(key.id)
    visitor.leave()
    visitor.enter()
    expect(visitor.page.locator(".wrong:visible")).to_contain_text("n’a pas pu être vérifiée")


def test_without_verifying_its_holder_a_key_makes_no_passkey(visitor: Visitor) -> None:
    visitor.cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": visitor.device})
    visitor.plug(isUserVerified=False)
    visitor.page.goto("/account")
    visitor.page.fill("input[name=name]", "Clé")
    visitor.page.click("form[data-passkey] button")
    expect(visitor.page.locator(".wrong:visible")).to_be_visible(timeout=20_000)
    with visitor.served.store.unit("a1", writes=False) as unit:
        assert unit.passkeys_of("p1") == []


def test_what_the_browser_sent_opens_nothing_a_second_time(visitor: Visitor) -> None:
    visitor.add_passkey()
    visitor.leave()
    sent: list[Request] = []
    visitor.page.on("request", lambda r: sent.append(r) if r.url.endswith("/passkey") else None)
    visitor.enter()
    expect(visitor.page.locator("header .who")).to_be_visible()
    (request,) = sent
    headers = {k: v for k, v in request.all_headers().items() if not k.startswith(":")}
    again = httpx.post(
        request.url, content=request.post_data, headers=headers, trust_env=False, timeout=20
    )
    assert again.status_code == 422
    assert "releve" not in again.cookies


def test_a_page_of_another_origin_gets_a_signature_that_opens_nothing(
    visitor: Visitor, tmp_path: Path
) -> None:
    """Same host, other port: the browser signs for it, the server sees for whom it was signed."""
    visitor.add_passkey()
    true = httpx.Client(base_url=by_name(visitor.served), trust_env=False, timeout=20)
    asked = true.post("/login/passkey/ask").json()
    with running(tmp_path / "phisher") as phisher:
        visitor.page.goto(f"{by_name(phisher)}/up")
        said = visitor.page.evaluate(
            """async (asked) => {
              const bytes = (t) => Uint8Array.from(
                atob(t.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
              const key = await navigator.credentials.get(
                {publicKey: {...asked, challenge: bytes(asked.challenge), allowCredentials: []}});
              return JSON.stringify(key.toJSON());
            }""",
            asked,
        )
    answer = true.post("/login/passkey", data={"credential": said})
    assert answer.status_code == 422
    assert "releve" not in true.cookies


def test_at_a_bare_address_the_page_offers_the_password_only(
    served: Running, chromium: Browser
) -> None:
    client = httpx.Client(base_url=served.url, trust_env=False)
    sign_in(served, client)
    page = chromium.new_context(locale="fr-FR").new_page()
    page.goto(f"{served.url}/login")
    assert page.locator("form[data-passkey]").count() == 0
    assert httpx.post(f"{served.url}/login/passkey/ask", trust_env=False).status_code == 404
    page.context.close()


def test_without_scripts_the_password_still_works(served: Running, chromium: Browser) -> None:
    sign_in(served, httpx.Client(base_url=served.url, trust_env=False))
    context = chromium.new_context(base_url=by_name(served), java_script_enabled=False)
    page = context.new_page()
    page.goto("/login")
    assert not page.locator("form[data-passkey]").is_visible()
    page.fill("input[name=login]", "claire")
    page.fill("input[name=password]", PASSWORD)
    page.click("form[action='/login'] button")
    expect(page).to_have_url(re.compile("/enrol$"))
    context.close()


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
def test_the_pages_of_ways_in_are_accessible(
    served: Running, chromium: Browser, locale: str
) -> None:
    visitor, found = Visitor(chromium, served, locale), []
    visitor.sign_in()
    page = visitor.page
    page.goto("/account")
    found += violations(page, "/account without a passkey")
    visitor.add_passkey()
    found += violations(page, "/account")
    person = served.store.person_by_login("claire")
    assert person is not None
    code = sheet_of(served.store, person)[0]
    visitor.leave()
    found += violations(page, "/login with passkeys")
    page.click("a[href='/login/break-glass']")
    found += violations(page, "/login/break-glass")
    for said in ("wrong", code):
        page.fill("input[name=login]", "claire")
        page.fill("input[name=code]", said)
        page.click("main button")
        page.wait_for_load_state()
        found += violations(page, f"after a code {said == code}")
    expect(page.locator("#glass-title")).to_be_visible()
    page.goto("/account")
    found += violations(page, "/account by a printed code")
    assert page.locator("form[data-passkey]").count() == 0
    visitor.context.close()
    assert found == []
    assert visitor.complaints == []
