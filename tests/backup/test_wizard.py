"""The page that brings a file back: real snapshots, a real browser, the command as people start it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.test_accessible import violations

pytestmark = pytest.mark.restic
ASK = """
import ssl, sys, urllib.request
trusted = ssl.create_default_context(cafile=sys.argv[2])
with urllib.request.urlopen(sys.argv[1] + "/up", context=trusted, timeout=20) as answer:
    print(str(answer.headers).lower())
"""
RELEVE = [sys.executable, "-m", "releve.apps.cli.main"]


class Served:
    """`releve restore serve`, as people start it."""

    def __init__(self, state: Path, home: Path, listen: str = "127.0.0.1:0") -> None:
        self.home = home
        words = ["serve", "--listen", listen, "--state", str(state), "--home", str(home)]
        words += ["--agent", str(home / "agent"), "--for", "Mme Martin", "--json"]
        self._process = subprocess.Popen(
            [*RELEVE, "restore", *words], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.url = json.loads(self._process.stdout.readline())["url"]
        told = json.loads(self._process.stdout.readline())
        self.link, self.code = told["link"], told["code"]

    def log(self) -> list[dict[str, str]]:
        command = [*RELEVE, "restore", "log", "--home", str(self.home), "--json"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=20)


@pytest.fixture
def letters(share, back_up):
    """A letter in two versions at the vault and a third, bad one, on the share; one that is gone."""
    folder = share / "Dupont Élise"
    folder.mkdir()
    letter, gone = folder / "Certificat médical.txt", folder / "Ordonnance.txt"
    letter.write_text("première version")
    gone.write_text("ordonnance")
    back_up()
    letter.write_text("seconde version, plus longue")
    gone.unlink()
    back_up()
    letter.write_text("abîmé")
    return letter, gone


@pytest.fixture
def served(state, letters, tmp_path):
    running = Served(state.folder, tmp_path / "restore")
    yield running
    running.close()


class Visitor:
    """A person at the page, and what was found wrong with it on the way."""

    def __init__(self, browser: Browser, served: Served) -> None:
        self._context = browser.new_context(locale="fr-FR", base_url=served.url)
        self.page: Page = self._context.new_page()
        self.found: list[str] = []
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", self._heard)
        self.page.goto(served.link)

    def _heard(self, message) -> None:
        statuses = ("401", "403", "422")  # the browser tells of our own answers, too
        if message.type in ("error", "warning") and not any(n in message.text for n in statuses):
            self.complaints.append(message.text)

    def at(self, title: str, name: str) -> None:
        """Wait for a page; look at it with axe, and at its picture if somebody wants to."""
        expect(self.page.locator("h1")).to_have_text(title)
        self.found += violations(self.page, name)
        if where := os.environ.get("RELEVE_SCREENSHOTS"):
            self.page.screenshot(path=f"{where}/{name}.png", full_page=True)

    def go(self) -> None:
        self.page.click("main button[type=submit]")

    def search(self, words: str, when: str = "") -> None:
        self.page.fill("#nom", words)
        self.page.fill("#quand", when)
        self.page.keyboard.press("Enter")

    def close(self) -> None:
        self._context.close()


@pytest.mark.browser
def test_a_secretary_finds_a_letter_and_brings_it_back(letters, served, chromium) -> None:
    letter, gone = letters
    visitor = Visitor(chromium, served)
    visitor.at("Bonjour Mme Martin", "0-door")
    visitor.go()
    visitor.at("Que cherchez-vous ?", "1-question")
    brings_back_beside_then_in_place(visitor, letter)
    brings_back_what_was_deleted(visitor, gone)
    is_told_what_to_write(visitor)
    visitor.page.click("header form button")
    visitor.at("Il faut un lien pour entrer", "6-nobody")
    visitor.page.goto(served.link)
    expect(visitor.page.locator("h1")).to_have_text("Ce lien ne sert plus")
    visitor.close()
    assert visitor.found == []
    assert visitor.complaints == []
    names = [url for url in visitor.asked if "dical" in url or "lise" in url or "ordo" in url]
    assert names == [], "what is looked for never stands in an address"
    assert [url for url in visitor.asked if not url.startswith(served.url)] == []
    lines = served.log()
    assert {line["person"] for line in lines} == {"Mme Martin"}
    restored = [line for line in lines if line["what"] == "restored"]
    assert [Path(line["path"]) for line in restored] == [letter, letter, gone]
    assert all(line["sha256"] for line in restored)


def brings_back_beside_then_in_place(visitor: Visitor, letter: Path) -> None:
    page = visitor.page
    visitor.search("dupont certificat")
    visitor.at("Certificat médical.txt", "2-versions")
    expect(page.locator("input[name=version]")).to_have_count(2)
    page.check("input[name=version] >> nth=1")
    page.dblclick("main button[type=submit]")  # as many do
    visitor.at("C’est fait", "3-done")
    assert len(list(letter.parent.glob("*(repris du*"))) == 1
    beside = letter.with_name(page.locator(".where").first.inner_text())
    assert beside.read_text() == "première version"
    assert letter.read_text() == "abîmé"
    page.click("text=Prendre une autre version")
    page.check("input[name=version] >> nth=0")
    page.check("input[name=ou][value=place]")
    visitor.go()
    expect(page.locator(".where")).to_have_count(2)
    assert letter.read_text() == "seconde version, plus longue"
    assert letter.with_name(page.locator(".where").nth(1).inner_text()).read_text() == "abîmé"
    page.click("main a.strong")


def brings_back_what_was_deleted(visitor: Visitor, gone: Path) -> None:
    visitor.search("ordonnance")
    expect(visitor.page.locator(".note-box")).to_contain_text("n’existe plus")
    visitor.at("Ordonnance.txt", "4-deleted")
    visitor.go()
    expect(visitor.page.locator("h1")).to_have_text("C’est fait")
    assert gone.read_text() == "ordonnance"
    visitor.page.click("main a.strong")


def is_told_what_to_write(visitor: Visitor) -> None:
    page = visitor.page
    visitor.search("t")
    expect(page.locator("[role=alert]")).to_contain_text("au moins deux lettres")
    visitor.search("cr n°1", "la semaine des quatre jeudis")
    expect(page.locator("[role=alert]")).to_contain_text("n’a pas été compris")
    visitor.search("cr n°1", "31/11/2026 09:00")
    expect(page.locator("[role=alert]")).to_contain_text("cette date n’existe pas")
    visitor.search("cr n°1", "hier")
    visitor.at("11 réponses", "5-answers")
    page.click(".rows a.button >> nth=0")
    expect(page.locator(".note-box")).to_contain_text("Aucune version n’est aussi ancienne")
    page.click("a.lang")
    expect(page.locator("legend").first).to_have_text("Which version?")
    page.click("text=Look for something else")
    expect(page.locator("h1")).to_have_text("What are you looking for?")
    page.click("a.lang")


def test_elsewhere_than_on_loopback_the_page_is_encrypted_and_asks_for_a_code(
    state, share, tmp_path
) -> None:
    running = Served(state.folder, tmp_path / "restore", listen="127.0.0.2:0")
    try:
        assert running.url.startswith("https://127.0.0.2:")
        assert len(running.code) == 6
        # By a program of its own: in here only 127.0.0.1 is allowed.
        asked = subprocess.run(
            [sys.executable, "-c", ASK, running.url, str(tmp_path / "restore/tls/authority.pem")],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        assert "strict-transport-security" in asked.stdout
        assert "default-src 'none'" in asked.stdout
    finally:
        running.close()
