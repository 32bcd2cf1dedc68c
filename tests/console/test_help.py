"""Help in the browser: the doctor asks, sees live who is rung and who comes; the desk takes and closes."""

import time
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from releve.flow.server.assist import rotas
from releve.model.access import Role
from releve.model.help import ClockCall, Rota
from releve.model.structure import Contact, Profile, StructureKind
from tests.assist.people import always, person
from tests.console.test_browser import Watched, set_up
from tests.console.test_pages import sign_in
from tests.server.help_world import Inbox, web_inbox
from tests.server.test_access import browser as of_role
from tests.server.world import Running


@pytest.fixture
def web() -> Iterator[Inbox]:
    with web_inbox() as inbox:
        yield inbox


def keep(served: Running, known: Rota) -> str:
    structure = served.store.structures()[0].id
    rotas.keep(served.store, structure, known, actor="a", now=served.context.clock.now())
    return structure


@pytest.mark.browser
@pytest.mark.parametrize(
    ("locale", "looking", "comes", "none"),
    [
        ("fr-FR", "On cherche quelqu’un", "Ali Martin s’en occupe", "Personne n’attend d’aide."),
        ("en-GB", "Looking for somebody", "Ali Martin takes care of it", "Nobody waits for help."),
    ],
)
def test_from_the_button_to_a_named_person_and_to_what_was_done(
    served: Running, chromium: Browser, web: Inbox, locale: str, looking: str, comes: str, none: str
) -> None:
    served.home.make_setup_code()
    watched = Watched(chromium, served, locale)
    page = watched.page
    set_up(served, watched)
    keep(served, always(person("ali", url=web.url)))
    page.click("nav a.help-link")
    page.fill("#text", "<b>L’imprimante</b> fume.")
    page.check("input[name=blocked][value=yes]")
    page.fill("#phone", "02 99 00 00 01")
    page.click("main button[type=submit]")
    expect(page.locator(".state-name")).to_have_text(looking)
    expect(page.locator(".state p").nth(1)).to_contain_text("Ali Martin", timeout=10_000)
    expect(page.locator(".said")).to_have_text("<b>L’imprimante</b> fume.")
    page.evaluate("window.notReloaded = true")
    rung = web.wait(1)[0]
    assert "L’imprimante" not in rung.text  # it travels through other people's gateways
    phone_page(chromium, served, locale).goto(f"/a/{rung.code}")
    other = phone_page(chromium, served, locale)
    other.goto(f"/a/{rung.code}")
    other.click("main button")
    expect(other.locator("main [role=status]")).to_contain_text("Ali")
    expect(page.locator(".state-name")).to_have_text(comes, timeout=10_000)
    assert page.evaluate("window.notReloaded")
    page.fill("#done", "Éteinte et remplacée.")
    page.click("form.help-form button")
    expect(page.locator(".card, p.dim").filter(has_text=none).first).to_be_visible()
    expect(page.locator("main")).to_contain_text("Éteinte et remplacée.")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert watched.complaints == []
    assert [a for a in watched.asked if not a.startswith(served.url)] == []


def phone_page(chromium: Browser, served: Running, locale: str) -> Page:
    """The phone of who is on call: nobody is signed in there."""
    return chromium.new_context(locale=locale, base_url=served.url).new_page()


@pytest.mark.browser
def test_the_desk_shows_live_what_waits_and_takes_it(
    served: Running, chromium: Browser, web: Inbox
) -> None:
    from releve.flow.server.assist.asking import PhoneRing, take_ring

    served.home.make_setup_code()
    watched = Watched(chromium, served, "fr-FR")
    page = watched.page
    set_up(served, watched)
    structure = keep(served, always(person("ali", url=web.url)))
    page.click("nav a[href='/desk']")
    expect(page.locator("main")).to_contain_text("Quelqu’un est d’astreinte à toute heure.")
    ring = PhoneRing(call="c1", caller="0299000001")
    take_ring(served.store, structure, ring, served.context.clock.now())
    served.context.live.touch(structure)
    expect(page.locator("article.help-row")).to_contain_text("0299000001", timeout=10_000)
    page.click("article.help-row button")
    expect(page.locator(".state-name")).to_have_text("claire s’en occupe")
    page.click(".crumb a")
    expect(page.locator("#level-title + dl")).to_contain_text("1 / 1")
    assert watched.complaints == []


@pytest.fixture
def browser(served: Running) -> httpx.Client:
    return httpx.Client(
        base_url=served.url, trust_env=False, timeout=30, headers={"accept-language": "fr"}
    )


def test_a_call_wants_the_form_s_token_and_some_word(
    served: Running, browser: httpx.Client
) -> None:
    assert browser.get("/help").status_code == 303  # to the door
    csrf = sign_in(served, browser)
    form = {"text": "Plus rien ne marche.", "blocked": "yes"}
    assert browser.post("/help", data=form).status_code == 403
    assert browser.post("/help", data={"csrf": csrf, "text": " "}).status_code == 422
    asked = browser.post("/help", data={**form, "csrf": csrf})
    assert asked.status_code == 303
    at = asked.headers["location"]
    assert browser.post(f"{at}/take", data={}).status_code == 403
    assert browser.post(f"{at}/take", data={"csrf": csrf}).status_code == 403  # one's own
    assert browser.post(f"{at}/close", data={}).status_code == 403
    assert "Plus rien ne marche." in browser.get(at).text
    first = browser.get("/").text.replace("\u00a0", " ")  # who comes in for it reads it at once
    assert 'Soins bloqués : 1 demande d’aide attend encore quelqu’un. <a href="/desk">' in first
    for path in ("/", "/incidents", "/vault", "/health", "/desk", "/help", at):
        assert 'class="help-link"' in browser.get(path).text, path
    assert browser.get("/help/none").status_code == 404


def test_what_a_colleague_asks_is_read_by_who_answers_and_a_clock_by_who_minds_it(
    served: Running,
) -> None:
    staff, dpo = of_role(served, Role.STAFF), of_role(served, Role.DPO)
    form = {"text": "Mes fichiers ont disparu.", "csrf": staff.headers["x-csrf"]}
    at = staff.post("/help", data=form).headers["location"]
    for who, may in ((staff, True), (of_role(served, Role.OPERATOR), True), (dpo, False)):
        page, listed = who.get(at), who.get("/help").text
        assert (page.status_code == 200) is may
        assert ("Mes fichiers" in page.text) is may
        assert (f'href="{at}"' in listed) is may
        if not may:
            assert who.get(f"{at}/live").status_code == 404
    lead = of_role(served, Role.LEAD)
    form = {"text": "Le serveur fume.", "csrf": lead.headers["x-csrf"]}
    other = lead.post("/help", data=form).headers["location"]
    assert staff.get(other).status_code == 404
    call = served.store.person_by_login("walker-lead")
    assert call is not None
    with served.store.unit(call.structure) as unit:
        found = unit.help_request(other.rpartition("/")[2])
        assert found is not None
        clock = ClockCall(
            incident="i", duty="L1", name="CNIL", name_en="CNIL", mark="90",
            at=found.course.opened_at,
        )  # fmt: skip
        unit.put_help(msgspec.structs.replace(found, clocks=(clock,)), None)
    assert dpo.get(other).status_code == 200
    assert staff.get(other).status_code == 404


def test_with_nobody_on_duty_the_page_says_so_and_whom_to_turn_to(
    served: Running, browser: httpx.Client
) -> None:
    csrf = sign_in(served, browser)
    asked = browser.post("/help", data={"text": "Plus rien.", "blocked": "yes", "csrf": csrf})
    at, deadline = asked.headers["location"], time.monotonic() + 30
    while "Personne n’est d’astreinte" not in (text := browser.get(at).text):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "Personne n’a répondu" not in text
    assert "Aucun numéro n’est enregistré" in text
    assert 'href="https://17cyber.gouv.fr"' in text
    assert "CERT Santé" in text
    assert "numéro non vérifié" in text
    structure = served.store.structures()[0].id
    it = Contact(name="Ali", role="it", phone="02 99 00 00 01")
    with served.store.unit(structure) as unit:
        unit.put_profile(Profile(kind=StructureKind.PRACTICE, legal_name="A", contacts=(it,)))
    link = '<strong>Ali <a class="phone" href="tel:0299000001">02 99 00 00 01</a></strong>'
    assert link in browser.get(at).text
    assert link in browser.get("/help").text
    desk = browser.get("/desk").text
    assert "plus de 5 sur 100" in desk
    assert "jamais" not in desk.split("<main")[1]
