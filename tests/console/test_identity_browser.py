"""Signing in by a real provider (Debian's Glewlwyd) in a real Chromium, through its own pages."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from releve.flow.server.identity import links
from releve.model.identity import Provider
from tests.console.glewlwyd import CLIENT, EMAIL, LOGIN, PASSWORD, SECRET, Glewlwyd
from tests.console.test_accessible import violations
from tests.console.test_pages import sign_in
from tests.console.test_ways_in import account_of
from tests.server.world import Running, running

pytestmark = [pytest.mark.browser, pytest.mark.glewlwyd, pytest.mark.timeout(240)]


class Desk:
    """A browser, a server and the provider that it trusts."""

    def __init__(self, chromium: Browser, served: Running, there: Glewlwyd) -> None:
        self.served, self.there = served, there
        self.context = chromium.new_context(
            locale="fr-FR", base_url=served.url, viewport={"width": 390, "height": 844}
        )
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.visited: list[str] = []
        self.page.on("request", lambda request: self.visited.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda told: self._hear(told.text))

    def _hear(self, told: str) -> None:
        """Ours only: the provider's pages have their own troubles, and a refusal is an error to a browser."""
        if "Content Security Policy" in told:
            self.complaints.append(told)

    def trust(self, **more: tuple[str, ...]) -> Provider:
        provider = Provider(
            name="cabinet", title="Glewlwyd du cabinet", issuer=self.there.issuer,
            discovery=f"{self.there.issuer}/.well-known/openid-configuration", client_id=CLIENT,
            secret=SECRET, scopes=("openid",), added_at=self.served.context.clock.now(), **more,
        )  # fmt: skip
        links.keep_provider(self.served.store, provider, actor="admin", now=provider.added_at)
        return provider

    def sign_in_here(self) -> None:
        client = httpx.Client(base_url=self.served.url, trust_env=False)
        sign_in(self.served, client)
        cookie = {"name": "releve", "value": client.cookies["releve"], "url": self.served.url}
        self.context.add_cookies([cookie])

    def link(self) -> None:
        self.page.goto("/account")
        self.page.click("text=Relier Glewlwyd du cabinet")
        expect(self.page.locator("a.strong")).to_be_visible()
        assert violations(self.page, "/account/identity/cabinet/link") == []
        self.page.click("text=Continuer vers Glewlwyd")
        self.answer_there()
        self.page.wait_for_url(f"{self.served.url}/**")

    def come_by_the_service(self) -> None:
        """Link the account, leave, and come back by the service."""
        self.trust(require_amr=("password",))
        self.sign_in_here()
        self.link()
        self.leave()
        self.page.click("text=Entrer par Glewlwyd du cabinet")
        self.answer_there()
        expect(self.page.locator("header .who")).to_have_text("claire")

    def answer_there(self) -> None:
        """On the provider's own page: who it is, once a browser, and that it may be told."""
        page = self.page
        page.wait_for_url(f"{self.there.url}/login.html**")
        page.wait_for_selector("#username, button:has-text('Continuer')")
        if page.locator("#username").count():
            page.fill("#username", LOGIN)
            page.fill("#password", PASSWORD)
            page.click("#loginbut")
        page.click("button:has-text('Continuer')")

    def leave(self) -> None:
        self.page.click("header form button")
        self.page.wait_for_url("**/login")

    def leave_what_it_opened(self) -> None:
        """The session here has ended, and the way to end the one there is shown."""
        self.page.click("header form button")
        expect(self.page.locator("main h1")).to_have_text("Votre session Relève est fermée")
        assert self.secret() == ""
        assert self.sessions() == []

    def sessions(self) -> list[str]:
        with self.served.store.unit("a1", writes=False) as unit:
            return [one.provider for _, one in unit.sessions_of("p1") if one.provider]

    def secret(self) -> str:
        return next((c["value"] for c in self.context.cookies() if c["name"] == "releve"), "")

    def verbs(self) -> list[tuple[str, str]]:
        with self.served.store.unit("a1", writes=False) as unit:
            return [(e.verb, e.detail) for e in unit.trail()]


@pytest.fixture
def desk(tmp_path: Path, chromium: Browser) -> Iterator[Desk]:
    (tmp_path / "there").mkdir()
    there = Glewlwyd(tmp_path / "there")
    there.start()
    try:
        with running(tmp_path / "server") as served:
            there.set_up(served.url, "cabinet")
            made = Desk(chromium, served, there)
            yield made
            made.context.close()
            assert made.complaints == []
    finally:
        there.stop()


def test_an_account_is_linked_and_opens_with_what_it_must_say(desk: Desk) -> None:
    desk.trust(require_amr=("password",))
    desk.sign_in_here()
    desk.link()
    expect(desk.page.locator("main")).to_contain_text("Glewlwyd du cabinet relié le")
    assert violations(desk.page, "/account") == []
    desk.leave()
    assert violations(desk.page, "/login") == []
    planted = {"name": "releve", "value": "planted-by-somebody-else", "url": desk.served.url}
    desk.context.add_cookies([planted])
    desk.page.goto("/login")
    desk.visited.clear()
    desk.page.click("text=Entrer par Glewlwyd du cabinet")
    desk.answer_there()
    expect(desk.page.locator("header .who")).to_have_text("claire")
    assert desk.secret() not in ("", "planted-by-somebody-else")
    assert ("sign_in", "identity cabinet") in desk.verbs()
    came = next(url for url in desk.visited if "/return?" in url)
    again = desk.context.request.get(came, max_redirects=0)
    assert again.status == 422
    assert "set-cookie" not in again.headers or "releve=" not in again.headers["set-cookie"]


def test_whoever_signs_out_there_is_signed_out_here(desk: Desk) -> None:
    desk.come_by_the_service()
    name, jar = "GLEWLWYD2_OIDC_SID", desk.context.cookies(desk.there.url)
    cookies = {cookie["name"]: cookie["value"] for cookie in jar}
    address = f"{desk.there.url}/api/oidc/session/{cookies[name].partition(';')[0]}"
    answer = httpx.delete(address, cookies=cookies, trust_env=False, timeout=20)
    assert answer.status_code == 200
    desk.page.wait_for_timeout(3000)
    desk.page.goto("/")
    assert desk.page.url.endswith("/login")
    assert "sign_out_there" in [verb for verb, _ in desk.verbs()]


def test_who_signs_out_here_is_led_to_sign_out_there_and_back(desk: Desk) -> None:
    desk.come_by_the_service()
    desk.leave_what_it_opened()
    assert violations(desk.page, "/logout") == []
    desk.page.click("text=Fermer aussi celle de Glewlwyd du cabinet")
    desk.page.wait_for_url(f"{desk.there.url}/login.html**")
    desk.page.click("button:has-text('Se déconnecter')")
    desk.page.wait_for_url(f"{desk.served.url}/login/identity/cabinet/left?**")
    expect(desk.page.locator("main")).to_contain_text("Glewlwyd du cabinet vous renvoie ici")
    assert violations(desk.page, "/login/identity/cabinet/left") == []
    desk.page.reload()
    assert desk.page.url.endswith("/login")
    desk.page.click("text=Entrer par Glewlwyd du cabinet")
    expect(desk.page.locator("#username")).to_be_visible()  # it knows nobody any more


def test_a_provider_that_need_not_say_how_stands_for_the_password_only(desk: Desk) -> None:
    desk.trust()
    desk.sign_in_here()
    totp: pyotp.TOTP = account_of(desk.served)
    desk.link()
    desk.leave()
    desk.page.click("text=Entrer par Glewlwyd du cabinet")
    desk.answer_there()
    desk.page.wait_for_url("**/login/second")
    desk.page.goto("/account")
    assert desk.page.url.endswith("/login/second")
    desk.page.fill("input[name=code]", totp.now())
    desk.page.click("main button")
    expect(desk.page.locator("header .who")).to_have_text("claire")
    desk.page.goto("/account")
    expect(desk.page.locator("main")).to_contain_text("par un autre service")
    expect(desk.page.locator("main")).to_contain_text("Pour relier un compte, entrez par")


def test_what_the_provider_does_not_say_surely_enough_opens_nothing(desk: Desk) -> None:
    desk.trust(require_acr=("eidas1",))
    desk.sign_in_here()
    desk.link()
    expect(desk.page.locator(".wrong")).to_contain_text("pas reconnu assez sûrement")
    with desk.served.store.unit("a1", writes=False) as unit:
        assert unit.identities(person="p1") == []


def test_an_account_that_nobody_linked_and_an_unverified_e_mail_open_nothing(desk: Desk) -> None:
    provider = desk.trust(require_amr=("password",))
    client = httpx.Client(base_url=desk.served.url, trust_env=False)
    sign_in(desk.served, client)
    person = desk.served.store.person_by_login("claire")
    assert person is not None
    now = desk.served.context.clock.now()
    links.invite(desk.served.store, provider, person, EMAIL, actor="admin", now=now)
    desk.page.goto("/login")
    desk.page.click("text=Entrer par Glewlwyd du cabinet")
    desk.answer_there()
    expect(desk.page.locator(".wrong")).to_contain_text("relié à personne")
    assert desk.secret() == ""


def test_new_keys_of_the_provider_are_taken_and_without_it_the_other_ways_are_there(
    desk: Desk,
) -> None:
    desk.trust(require_amr=("password",))
    desk.sign_in_here()
    desk.link()
    desk.leave()
    desk.there.new_keys()
    desk.page.wait_for_timeout(10_500)  # no key is asked for again sooner
    desk.page.click("text=Entrer par Glewlwyd du cabinet")
    desk.answer_there()
    expect(desk.page.locator("header .who")).to_have_text("claire")
    desk.there.stop()
    desk.leave_what_it_opened()
    desk.page.goto("/login")
    desk.page.wait_for_timeout(10_500)
    desk.page.click("text=Entrer par Glewlwyd du cabinet")
    expect(desk.page.locator(".wrong")).to_contain_text("Ce service ne répond pas")
    expect(desk.page.locator("input[name=password]")).to_be_visible()
    expect(desk.page.locator("a[href='/login/break-glass']")).to_be_visible()
    assert violations(desk.page, "/login/identity/cabinet") == []
