"""The help page of a host: a real agent, a real server that goes away and comes back, a real browser."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from releve.adapters.linux.loopback import user_of
from releve.apps.server.home import Home as ServerHome
from releve.apps.server.opening import make_store
from releve.flow.server.assist import rotas
from releve.flow.server.assist.answering import close
from releve.flow.server.profiles import put
from releve.model.help import HelpRequest
from releve.model.structure import Contact, Profile, StructureKind
from tests.agent.hands import wait_for
from tests.agent.test_with_server import Site, releve
from tests.assist.people import always, person
from tests.console.test_accessible import violations
from tests.server.help_world import Inbox, dead_port, web_inbox
from tests.server.world import T0

PHONE = "0299000001"
ASK_AS = """
import os, pwd, re, sys, httpx
url, token, text, user = sys.argv[1:]
httpx.get(url, trust_env=False)  # loads all it needs: the interpreter may be in root's own folder
with httpx.Client(base_url=url, trust_env=False) as client:
    os.setuid(pwd.getpwnam(user).pw_uid)
    page = client.get("/")
    token = token or re.search('name="token" value="([0-9a-f]+)"', page.text)[1]
    answer = client.post("/ask", data={"token": token, "text": text})
    print(answer.status_code, "pour moi" in client.get("/").text)
"""


class Desk:
    """A site whose agent serves its help page."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.port = site, dead_port()
        site.serve()
        site.enrol()
        words = ("--home", str(site.agent_home), "--port", str(self.port))
        self.said = releve("help", "install", *words, "--applications", str(folder / "apps"))
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = make_store(ServerHome(site.server_home))
        self.structure = self.store.structures()[0].id
        contacts = (Contact(name="Ali", role="it", phone=PHONE),)
        told = Profile(kind=StructureKind.PRACTICE, legal_name="Cabinet", contacts=contacts)
        put(self.store, self.structure, told, actor="a", now=T0)

    def run(self) -> None:
        self.site.run_agent()
        wait_for(lambda: self.page() != "", 40)

    def page(self) -> str:
        try:
            return httpx.get(self.url, trust_env=False).text
        except httpx.HTTPError:
            return ""

    def calls(self) -> list[HelpRequest]:
        with self.store.unit(self.structure, writes=False) as unit:
            return unit.help_requests()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    site = Site(tmp_path)
    yield Desk(site, tmp_path)
    site.close()


@pytest.fixture
def web() -> Iterator[Inbox]:
    with web_inbox() as inbox:
        yield inbox


@pytest.mark.browser
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("locale", "looking", "comes"),
    [
        ("fr-FR", "On cherche quelqu’un", "Ali Martin s’en occupe"),
        ("en-GB", "Looking for somebody", "Ali Martin takes care of it"),
    ],
)
def test_from_the_button_on_the_host_to_a_named_person(
    desk: Desk, chromium: Browser, web: Inbox, locale: str, looking: str, comes: str
) -> None:
    rotas.keep(desk.store, desk.structure, always(person("ali", url=web.url)), actor="a", now=T0)
    desk.run()
    page = chromium.new_context(locale=locale, base_url=desk.url).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto("/")
    page.fill("#text", "<b>L’imprimante</b> fume.")
    page.check("input[name=blocked][value=yes]")
    page.fill("#phone", "02 99 00 00 01")
    page.click("main button[type=submit]")
    expect(page.locator(".state-name")).to_have_text(looking, timeout=15_000)
    assert violations(page, "help") == []
    rung = web.wait(1)[0]
    origin = {"origin": desk.site.url}
    httpx.post(f"{desk.site.url}/a/{rung.code}", headers=origin, trust_env=False)
    expect(page.locator(".state-name")).to_have_text(comes, timeout=15_000)
    expect(page.locator("#live")).to_contain_text("<b>L’imprimante</b> fume.")
    (call,) = desk.calls()
    assert (call.source, call.user, call.is_blocked) == ("host", "root", True)
    assert violations(page, "help, taken") == []
    with desk.store.unit(desk.structure) as unit:
        close(unit, call.id, "fait", actor="a", now=T0)
    expect(page.locator(".state-name")).to_have_count(0, timeout=15_000)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert complaints == []


@pytest.mark.browser
@pytest.mark.timeout(120)
def test_without_its_server_the_call_is_kept_the_number_shown_and_it_goes_when_it_can(
    desk: Desk, chromium: Browser
) -> None:
    desk.run()
    wait_for(lambda: "Aucun incident ouvert" in desk.page(), 30)
    assert PHONE not in desk.page()
    assert desk.site.server is not None
    assert desk.site.agent is not None
    desk.site.server.kill()
    desk.site.server.wait()
    wait_for(lambda: PHONE in desk.page(), 60)
    page = chromium.new_context(locale="fr-FR", base_url=desk.url).new_page()
    page.goto("/")
    page.fill("#text", "Plus de serveur.")
    page.click("main button[type=submit]")
    expect(page.locator(".state-name")).to_have_text("Demande gardée, pas encore partie")
    expect(page.locator("#live")).to_contain_text(PHONE)
    assert violations(page, "help, server away") == []
    desk.site.agent.kill()
    desk.site.agent.wait()
    expect(page.locator("#live")).to_contain_text("ne répond plus", timeout=15_000)
    desk.run()  # killed in between: the call is on disk
    assert desk.calls() == []
    desk.site.serve()
    wait_for(lambda: len(desk.calls()) == 1, 60)
    assert desk.calls()[0].text == "Plus de serveur."
    expect(page.locator(".state-name")).to_have_text("Personne n’a répondu", timeout=30_000)


@pytest.mark.root
@pytest.mark.timeout(120)
def test_another_user_asks_in_the_own_name_and_sees_only_the_own_calls(desk: Desk) -> None:
    desk.run()
    own = httpx.get(desk.url, trust_env=False).text
    stolen = own.partition('name="token" value="')[2].partition('"')[0]

    def ask(token: str, text: str, user: str = "root") -> str:
        words = [sys.executable, "-c", ASK_AS, desk.url, token, text, user]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    assert ask("", "pour moi") == "303 True"
    assert ask("", "autre chose", user="nobody") == "303 False"
    assert ask(stolen, "au nom de root", user="nobody") == "403 False"
    wait_for(lambda: len(desk.calls()) == 2, 30)
    assert {(c.text, c.user) for c in desk.calls()} == {
        ("pour moi", "root"),
        ("autre chose", "nobody"),
    }
    with httpx.Client(base_url=desk.url, trust_env=False) as client:
        for host in ("evil.example", f"evil.example:{desk.port}", "127.0.0.1"):
            assert client.get("/", headers={"host": host}).status_code == 403
        form = {"token": stolen, "text": "x"}
        foreign = client.post("/ask", data=form, headers={"origin": "http://evil.example"})
        assert foreign.status_code == 403
        assert client.post("/ask", data={"token": stolen, "text": " "}).status_code == 422
        assert client.post("/ask", data=form | {"text": "x" * 20_000}).status_code == 413
        policy = client.get("/").headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
    assert len(desk.calls()) == 2


@pytest.mark.timeout(60)
def test_the_command_writes_a_menu_entry_and_keeps_the_agent_as_it_was(desk: Desk) -> None:
    config = json.loads((desk.site.agent_home / "agent.json").read_text())
    assert (config["help_port"], config["url"]) == (desk.port, desk.site.url)
    entry = Path(desk.said["entry"]).read_text("utf-8")
    assert entry.startswith("[Desktop Entry]\n")
    assert f"Exec=xdg-open {desk.said['url']}\n" in entry
    assert desk.said["url"] == f"{desk.url}/"


def test_only_an_open_connection_names_its_user(tmp_path: Path) -> None:
    rows = tmp_path / "tcp"
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    row = "   0: 0100007F:C350 0100007F:034F {} 00000000:00000000 00:00000000 00000000     0        0 1\n"
    rows.write_text(head + row.format("06"))  # TIME_WAIT: the kernel shows nobody's uid there
    assert user_of(50000, 847, rows) == ""
    rows.write_text(head + row.format("01"))
    assert user_of(50000, 847, rows) == "root"
    assert user_of(50000, 848, rows) == ""
    assert user_of(50000, 847, tmp_path / "none") == ""
