"""The console as a person sees it: Chromium, from the first start to a live attack."""

import re

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from releve.flow.server.ingest import take
from tests.server.vaults import busy_vault
from tests.server.world import Running, add_host, batch, rolled_back, stopped

pytestmark = pytest.mark.browser
PASSWORD = "une phrase assez longue"


class Watched:
    """A page, and everything that it asked for or complained about."""

    def __init__(self, browser: Browser, served: Running, locale: str) -> None:
        self.page: Page = browser.new_context(
            locale=locale, base_url=served.url, viewport={"width": 390, "height": 844}
        ).new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("console", self._heard)

    def _heard(self, message: object) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


def set_up(served: Running, watched: Watched) -> str:
    """First start: account, second factor, recovery codes; the key of the second factor."""
    page = watched.page
    page.goto("/")
    page.fill("input[name=code]", served.home.make_setup_code())
    page.fill("input[name=structure]", "Cabinet A")
    page.fill("input[name=login]", "claire")
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.click("main button[type=submit]")
    expect(page.locator(".qr")).to_be_visible()
    secret = page.locator("#totp-secret").inner_text().replace(" ", "")
    page.fill("input[name=code]", pyotp.TOTP(secret).now())
    page.click("main button[type=submit]")
    expect(page.locator(".codes li")).to_have_count(8)
    page.click("main a.strong")
    return secret


@pytest.mark.parametrize(
    ("locale", "lacking", "well", "attack", "lost"),
    [
        ("fr-FR", "Installation à finir", "Tout va bien", "Attaque arrêtée", "Fichiers perdus"),
        ("en-GB", "Set-up to be finished", "All is well", "Attack stopped", "Files lost"),
    ],
)
def test_from_first_start_to_a_live_attack(
    served: Running,
    chromium: Browser,
    locale: str,
    lacking: str,
    well: str,
    attack: str,
    lost: str,
) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, locale)
    page = watched.page
    set_up(served, watched)
    host = add_host(served.store, "serveur-fichiers")
    now = served.context.clock.now()

    def tell(*events: object, first: int) -> None:
        take(served.store, host.structure, host.id, batch(*events, first=first), now)

    from releve.model.event import BackupRan, DrillRan, GuardReady

    tell(GuardReady(seen_at=now, folders=(), enforce=True), first=1)
    expect(page.locator(".state-name")).to_have_text(lacking, timeout=10_000)
    expect(page.locator(".state .concerns li")).to_have_count(2)
    tell(BackupRan(seen_at=now, ok=True, ms=1), DrillRan(seen_at=now, ok=True), first=2)
    expect(page.locator(".state-name")).to_have_text(well, timeout=10_000)
    page.evaluate("window.notReloaded = true")
    page.locator("details.acts summary").click()
    tell(stopped("f", now), rolled_back("f", now), first=4)
    expect(page.locator(".state-name")).to_have_text(attack, timeout=10_000)
    expect(page.locator(".figure.main dt")).to_have_text(lost)
    expect(page.locator(".figure.main .big")).to_have_text("0")
    assert page.evaluate("window.notReloaded")
    assert (
        page.locator("details.acts").get_attribute("open") is not None
    )  # stays as the reader left it
    page.click("section.incident a.button")
    expect(page.locator("h1")).to_contain_text("serveur-fichiers")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert watched.complaints == []
    assert [a for a in watched.asked if not a.startswith(served.url)] == []


def test_signing_in_again_with_the_second_factor(served: Running, chromium: Browser) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, "fr-FR")
    page, secret = watched.page, set_up(served, watched)
    page.click("header form button")
    expect(page).to_have_url(re.compile("/login$"))
    page.fill("input[name=login]", "claire")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    next_step = served.context.clock.now().timestamp() + 30  # the code shown at set-up is used up
    page.fill("input[name=code]", pyotp.TOTP(secret).at(int(next_step)))
    page.click("main button[type=submit]")
    expect(page.locator(".state-name")).to_be_visible()
    assert watched.complaints == []


def test_a_button_on_the_live_page_works(served: Running, chromium: Browser) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, "fr-FR")
    set_up(served, watched)
    host = add_host(served.store, "serveur-fichiers")
    page = watched.page
    page.goto("/")
    page.locator("details.acts summary").click()
    page.locator("details.acts button").first.click()
    expect(page.locator(".ask strong")).to_contain_text("Isoler")
    page.locator(".ask button.danger").click()
    expect(page.locator("#way-title")).to_be_visible()
    with served.store.unit(host.structure, writes=False) as unit:
        assert [r.action.state for r in unit.actions()] == ["sent"]
    assert watched.complaints == []


def test_the_vault_s_page_shows_live_what_the_vault_tells(
    served: Running, chromium: Browser
) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, "fr-FR")
    page = watched.page
    set_up(served, watched)
    host = add_host(served.store, "serveur-fichiers")
    page.click("nav a[href='/vault']")
    expect(page.locator(".state-name")).to_have_text("Aucun coffre relié", timeout=10_000)
    expect(page.locator("#host-serveur-fichiers")).to_contain_text("pas encore mesuré")
    page.evaluate("window.notReloaded = true")
    busy_vault(served.store, host, served.context.clock.now())
    served.context.live.touch(host.structure)
    expect(page.locator(".state-name")).to_have_text("Action requise", timeout=10_000)
    expect(page.locator("#host-serveur-fichiers .pill").first).to_have_text("Prouvé")
    page.locator("summary", has_text="Certificat 20261120-2000-4f1a2b").click()
    expect(page.locator("#drill-20261120-2000-4f1a2b")).to_contain_text("41 s")
    row = page.locator("tr", has_text="s3-lyon")
    expect(row).to_contain_text("9 attaques tentées, toutes repoussées")
    expect(page.locator("tr", has_text="s3-paris")).to_contain_text("non prouvé")
    expect(page.locator("tr", has_text="prévoir la place")).to_contain_text("2 échecs de suite")
    drill = page.locator(".rights li", has_text="essai de restauration")
    expect(drill).to_contain_text("ouvert par le coffre (chemin essais)")
    assert page.evaluate("window.notReloaded")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert watched.complaints == []
    assert [a for a in watched.asked if not a.startswith(served.url)] == []
