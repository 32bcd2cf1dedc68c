"""The whole story in a real browser: an attack, help, the playbook, the recovery, dossiers, the statement."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.assist.people import always, person
from tests.console.story import HOST, OTHER, PASSWORD, Practice, until
from tests.console.test_accessible import violations
from tests.console.test_browser import Watched, set_up
from tests.console.test_help import phone_page
from tests.server.help_world import Inbox, web_inbox
from tests.server.world import Running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.need("root", "namespaces", "setpriv", "restic", "overlay"),
    pytest.mark.timeout(600),
]
PROMISE_S = 180
_ASKS = "demande de l’aide"  # what a call for help says, and that of an attack does not
PICTURES = os.environ.get("RELEVE_PICTURES", "")  # a folder: scripts/screenshots.py
WORDS = {
    "fr": {
        "stopped": "Attaque arrêtée", "help": "Un programme inconnu bloque le dossier patient.",
        "comes": "Ali Martin s’en occupe", "people": "2 personnes différentes",
        "done": "Vérifié et rendu", "resumed": "A repris", "statement": "Établir le relevé",
        "kept": "Établir à nouveau", "lang": "fr",
    },
    "en": {
        "stopped": "Attack stopped", "help": "An unknown program blocks the records.",
        "comes": "Ali Martin takes care of it", "people": "2 different people",
        "done": "Verified and handed over", "resumed": "Goes on",
        "statement": "Make the statement", "kept": "Make it again", "lang": "en",
    },
}  # fmt: skip


@pytest.fixture
def web() -> Iterator[Inbox]:
    with web_inbox() as inbox:
        yield inbox


@pytest.fixture
def practice(served: Running) -> Iterator[Practice]:
    served.home.make_setup_code()
    made = Practice(served)
    yield made
    made.close()


def shoot(page: Page, name: str, top: str = "") -> None:
    """What a person sees, from the element `top` on."""
    page.set_viewport_size({"width": 1180, "height": 1000})
    page.evaluate(
        "top => top ? document.querySelector(top).scrollIntoView() : window.scrollTo(0, 0)", top
    )
    page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


class Story:
    """One telling of it: the doctor's window, and what was wrong on the way."""

    def __init__(self, practice: Practice, watched: Watched, chromium: Browser, lang: str) -> None:
        self.practice, self.watched, self.chromium = practice, watched, chromium
        self.page, self.say = watched.page, WORDS[lang]
        self.locale = "fr-FR" if lang == "fr" else "en-GB"
        self.incident = ""
        self.wrong: list[str] = []

    def look(self, at: str, picture: str = "", top: str = "") -> None:
        """Axe, on the page as it is; before it a picture for the docs, if they are being made."""
        if picture and PICTURES:
            shoot(self.page, picture, top)
        self.wrong += violations(self.page, at)

    def attack(self) -> None:
        """The real guard stops a real program; the page that is open shows it by itself."""
        before = self.practice.contents()
        self.practice.attack()
        state = self.page.locator(".state-name")
        expect(state).to_have_text(self.say["stopped"], timeout=60_000)
        until(lambda: self.practice.contents() == before)
        expect(self.page.locator(".figure.main .big")).to_have_text("0", timeout=30_000)
        self.look("the attack on the first page", "1-attack")
        self.page.click("section.incident a.button")
        self.incident = self.page.url.rpartition("/")[2]

    def ring(self, web: Inbox) -> None:
        """Nobody asked: the attack itself rings who is on call; its page says who has it."""
        phone = phone_page(self.chromium, self.practice.served, self.locale)
        phone.goto(f"/a/{web.wait(1)[0].code}")
        self.wrong += violations(phone, "the link of an attack")
        phone.click("main button")
        expect(self.page.locator("#alarm")).to_contain_text(self.say["comes"], timeout=15_000)

    def call(self, web: Inbox) -> None:
        """Who is on call takes it by the link on the phone, within three minutes."""
        page = self.page
        page.click("nav a.help-link")
        page.fill("#text", self.say["help"])
        page.check("input[name=blocked][value=yes]")
        page.click("main button[type=submit]")
        until(lambda: any(_ASKS in one.text for one in web.received))
        rung = next(one for one in web.received if _ASKS in one.text)
        phone = phone_page(self.chromium, self.practice.served, self.locale)
        phone.goto(f"/a/{rung.code}")
        self.wrong += violations(phone, "the link on the phone")
        if PICTURES:
            phone.set_viewport_size({"width": 390, "height": 700})
            phone.screenshot(path=str(Path(PICTURES) / "3-phone.png"))
        phone.click("main button")
        expect(page.locator(".state-name")).to_have_text(self.say["comes"], timeout=15_000)
        self.look("the call", "2-call")
        structure = self.practice.served.store.structures()[0].id
        with self.practice.served.store.unit(structure, writes=False) as unit:
            (asked,) = (call for call in unit.help_requests() if call.is_asked)
        assert asked.answer_s is not None
        assert asked.answer_s < PROMISE_S
        assert [known.id for known in asked.context.incidents] == [self.incident]
        page.goto(f"/incidents/{self.incident}")
        expect(page.locator(".course").nth(1)).to_contain_text("Ali Martin")

    def follow(self) -> None:
        """A step that touches care hosts waits; a second person looks, and says no: it is stopped."""
        page = self.page
        self.practice.same_on_the_other()
        expect(page.locator("h1")).to_contain_text(HOST)
        page.select_option("#playbooks select[name=playbook]", "ransomware")
        page.click("#playbooks form.row button")
        for step in ("lead", "call", "unplug"):
            page.click(f"#playbooks form[action$='/ransomware/{step}'] button.strong")
        expect(page.locator("h1")).to_contain_text(OTHER)
        page.click("#playbooks form[action$='/ransomware/isolate'] button.danger")
        self.look("the incident with its playbook", "4-incident")
        page.goto("/")
        asked = page.locator("section[aria-labelledby=waiting-title] .ask")
        expect(asked).to_have_count(2)
        for one in (0, 1):
            expect(asked.nth(one)).to_contain_text(self.say["people"])
        page.click(f".ask:has-text('{HOST}') button.danger")
        expect(page.locator(f".ask:has-text('{HOST}')")).to_contain_text("claire")
        expect(asked).to_have_count(2)  # one person alone sends nothing
        self.look("what waits for a second person", "5-two-people")
        second = self.second_person()
        for left in (1, 0):
            no = second.locator(".ask").first
            no.locator("details > summary").click()
            no.locator("input[name=why]").fill("elle consulte, on débranche")
            no.locator("form[action$=refuse] button").click()
            expect(second.locator(".ask")).to_have_count(left)
        structure = self.practice.served.store.structures()[0].id
        with self.practice.served.store.unit(structure, writes=False) as unit:
            assert {r.action.state for r in unit.actions()} == {"refused"}

    def second_person(self) -> Page:
        secret = self.practice.person("paul")
        page = self.chromium.new_context(
            locale=self.locale, base_url=self.practice.served.url
        ).new_page()
        page.goto("/login")
        page.fill("input[name=login]", "paul")
        page.fill("input[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.fill("input[name=code]", pyotp.TOTP(secret).now())
        page.click("main button[type=submit]")
        expect(page.locator("#waiting-title")).to_be_visible()
        return page

    def recover(self) -> None:
        """By the words on the incident's page; its steps come back to it, live."""
        page = self.page
        page.goto(f"/incidents/{self.incident}")
        page.click("#recovery summary")
        words = page.locator("#recovery code.command").inner_text()
        assert f"--incident {self.incident}" in words
        page.evaluate("window.notReloaded = true")
        self.practice.begin_recovery(words)
        shown = page.locator("#recovery article")
        expect(shown).to_contain_text("Dossiers du cabinet", timeout=60_000)
        expect(shown.locator("dd")).not_to_have_count(0)
        until(
            lambda: (
                self.practice.releve("recover", "status", self.practice.target)["phase"] == "local"
            )
        )
        told = self.practice.releve("recover", "status", self.practice.target)
        assert told["incident"] == self.incident
        self.look("the recovery under way", "6-recovery", "#recovery")
        report = self.practice.finish_recovery()
        assert report["doubtful"] == []
        assert report["verified"] == len(self.practice.contents())
        expect(shown).to_contain_text(self.say["done"], timeout=30_000)
        expect(page.locator("#timeline")).to_contain_text(HOST)
        assert page.evaluate("window.notReloaded")
        back = {str(p.relative_to(self.practice.target)): p.read_bytes()
                for p in self.practice.target.rglob("*.*")}  # fmt: skip
        assert back == self.practice.contents()

    def resume_care(self) -> None:
        page = self.page
        page.click("#care-consultations button.strong")
        expect(page.locator("#care-consultations .pill")).to_have_text(self.say["resumed"])
        expect(page.locator("#care-consultations form")).to_have_count(1)  # the clock stands
        self.look("care resumed", "7-course", "section[aria-labelledby=course-title]")

    def file(self) -> None:
        """The duties, a dossier filled by itself; a blank is written, a person signs, it is taken."""
        page = self.page
        page.click(f"a[href='/incidents/{self.incident}/obligations']")
        page.fill("input[name=by]", "Dr Morel")
        page.select_option("select[name='answer.risk']", "high")
        page.click("section form button.strong")
        expect(page.locator("article.clock").first).to_be_visible()
        self.look("the legal clocks", "8-clocks")
        page.click(f"a[href$='/{self.incident}/dossiers/cnil-initial']")
        expect(page.locator("main")).to_contain_text(re.compile(r"1.?800"))
        blanks = page.locator("section[aria-labelledby=gaps-title] a")
        count = blanks.count()
        assert count > 0
        field = blanks.first.get_attribute("href")
        page.fill(str(field), "Écrit par le Dr Morel.")
        page.click("form[action$=edit] button")
        expect(blanks).to_have_count(count - 1)
        self.look("the dossier", "9-dossier")
        page.fill("form[action$=sign] input[name=name]", "Dr Morel")
        page.fill("form[action$=sign] input[name=role]", "gérante")
        page.click("form[action$=sign] button")
        expect(page.locator("main")).to_contain_text("SHA-256")
        for kind in ("pdf", "docx", "json"):
            with page.expect_download() as taken:
                page.click(f"a.button[href$='/cnil-initial/{kind}']")
            assert taken.value.path().stat().st_size > 1000

    def state(self) -> None:
        """The month's page shows the call, the incident and how long care stood still."""
        page = self.page
        page.goto("/statements")
        page.get_by_role("button", name=self.say["statement"]).first.click()
        expect(page.get_by_role("button", name=self.say["kept"])).to_be_visible()
        self.look("the month's statement")
        found = page.locator(f"a[href$='.{self.say['lang']}.html']").first.get_attribute("href")
        text = page.request.get(str(found)).text()
        assert self.incident in text
        assert "Consultations" in text
        assert re.search(r"1 sur 1|1 of 1", text)
        if PICTURES:
            alone = self.chromium.new_page()
            alone.set_content(text)
            shoot(alone, "10-statement")


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_from_the_attack_to_the_months_statement(
    practice: Practice, served: Running, chromium: Browser, web: Inbox, lang: str
) -> None:
    watched = Watched(chromium, served, "fr-FR" if lang == "fr" else "en-GB")
    set_up(served, watched)
    practice.tell_profile()
    practice.put_on_call(always(person("ali", url=web.url)))
    practice.back_up()
    practice.watch()
    story = Story(practice, watched, chromium, lang)
    story.page.goto("/")
    expect(story.page.locator(".pill.mood-well")).to_have_count(1, timeout=60_000)
    story.attack()
    story.ring(web)
    story.call(web)
    story.follow()
    story.recover()
    story.resume_care()
    story.file()
    story.state()
    assert story.wrong == []
    assert watched.complaints == []
    assert [a for a in watched.asked if not a.startswith(served.url)] == []
