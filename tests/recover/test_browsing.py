"""The working data by browser: a real recovery, the command as people start it, a real Chromium."""

import datetime as dt
import http.client
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect

from releve.adapters.chained import ChainBrokenError, Journal
from releve.adapters.passes import Passes
from releve.adapters.restic.lent import Program
from releve.apps.recover.opened import Opened, OpenedJournal
from releve.apps.recover.sealing import Seal
from tests.conftest import need
from tests.console.test_accessible import violations
from tests.recover.practice import RELEVE, Recovery, kill

LETTER = "patients/001_NOM1_Jean/CR n°10 [a].doc"


class Page:
    """`releve recover serve` of one recovery, and a person who came in by a link."""

    def __init__(self, recovery: Recovery, *words: str) -> None:
        self.recovery = recovery
        command = [*RELEVE, "recover", "serve", str(recovery.target), "--listen", "127.0.0.1:0"]
        self._process = subprocess.Popen(
            [*command, "--json", *words], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.url = json.loads(self._process.stdout.readline())["url"]
        self._seal = Seal((recovery.home.path / "pages.key").read_bytes())

    def link(self, person: str, *words: str) -> dict[str, str]:
        return json.loads(
            self.recovery.run("link", str(self.recovery.target), person, "--json", *words)
        )

    def person(self, name: str, *rights: str) -> "Person":
        """Somebody with a link as the command makes them, without starting it."""
        passes, now = Passes(self.recovery.home.path / "passes"), dt.datetime.now(dt.UTC)
        issued = passes.issue(name, rights, now=now, hours=1, session_hours=1, with_code=False)
        return Person(self, f"{self.url}/entrer/{issued.token}")

    def sealed(self, path: str) -> str:
        return self._seal.close(path)

    def log(self) -> list[dict[str, str]]:
        said = self.recovery.run("log", str(self.recovery.target), "--json")
        return [json.loads(line) for line in said.splitlines()]

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=20)


class Person:
    """Somebody with a session, who speaks plain HTTP."""

    def __init__(self, page: Page, link: str) -> None:
        self._host = urlsplit(page.url).netloc
        self._cookie = ""
        status, headers, _ = self.ask("POST", urlsplit(link).path, body=b"")
        assert status == 303, status
        self._cookie = headers["set-cookie"].partition(";")[0]
        home = self.ask("GET", "/")[2].decode()
        self.csrf = re.search(r'name="csrf" value="([^"]+)"', home)[1]

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str):
        connection = http.client.HTTPConnection(self._host, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"cookie": self._cookie, **given})
        answer = connection.getresponse()
        said = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return said

    def send(self, path: str, body: bytes, **headers: str) -> tuple[int, dict]:
        status, _, said = self.ask("PUT", path, body, x_csrf=self.csrf, **headers)
        return status, json.loads(said) if status == 200 else {}


@pytest.fixture
def opened(recovery):
    """A recovery that comes home, with its page."""
    recovery.begin()
    recovery.reached("open")
    page = Page(recovery)
    yield page
    page.close()


@pytest.fixture(scope="module")
def shared(made, tmp_path_factory):
    """One for tests that end nothing and use names of their own."""
    need("root", "restic", "overlay")
    root, source = made
    recovery = Recovery(root, source, tmp_path_factory.mktemp("shared") / "cabinet")
    recovery.begin()
    recovery.reached("open")
    left = recovery.target / "patients" / ".releve-envoi-0123"
    left.write_text("a page was killed while it stored this")
    page = Page(recovery)
    assert not left.exists()
    yield page
    page.close()
    recovery.close()


def shot(page, name: str) -> None:
    if where := os.environ.get("RELEVE_SCREENSHOTS"):
        page.screenshot(path=f"{where}/{name}.png", full_page=True)


@pytest.mark.browser
def test_a_doctor_works_by_browser_and_every_opening_is_noted(opened, chromium, tmp_path) -> None:
    recovery = opened.recovery
    link = opened.link("Dr Martin", "--may-see-log")["link"]
    context = chromium.new_context(locale="fr-FR", base_url=opened.url, accept_downloads=True)
    page, found, asked = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(link)
    page.click("main button[type=submit]")
    expect(page.locator("h1")).to_have_text("cabinet")
    found += violations(page, "the folder")
    shot(page, "6-folder")
    changes_a_letter(page, recovery, tmp_path / "got.doc")
    sends_a_new_one(page, recovery, tmp_path / "Lettre à Élise.txt")
    found += violations(page, "after sending")
    shot(page, "8-sent")
    page.click("header nav a >> nth=1")
    expect(page.locator("tbody tr").first).to_contain_text("Lettre à Élise.txt")
    found += violations(page, "the journal")
    shot(page, "9-journal")
    context.close()
    assert found == []
    assert not [url for url in asked if "NOM1" in url or "lise" in url]
    lines = opened.log()
    assert [(line["user"], line["how"], line["path"]) for line in lines if line["path"]] == [
        ("Dr Martin", "read", LETTER),
        ("Dr Martin", "write", LETTER),
        ("Dr Martin", "write", "Lettre à Élise.txt"),
    ]
    assert all(line["token"] for line in lines if line["path"])
    outlives_the_vault_and_says_when_the_folder_is_closed(opened)
    report = recovery.finish()
    assert report["changed"] == [LETTER]
    assert report["new"] == ["Lettre à Élise.txt"]
    assert report["doubtful"] == []


def changes_a_letter(page, recovery: Recovery, got: Path) -> None:
    page.fill("input[name=nom]", "NOM1_jean cr n°10")
    page.keyboard.press("Enter")
    expect(page.locator("td.name")).to_have_count(1)
    shot(page, "7-search")
    with page.expect_download() as download:
        page.click("text=Télécharger")
    download.value.save_as(got)
    assert got.read_bytes() == (recovery.source / LETTER).read_bytes()
    assert download.value.suggested_filename == "CR n°10 [a].doc"
    got.write_bytes(b"changed by the doctor")
    page.set_input_files("tbody input[type=file]", got)
    expect(page.locator("#said .done")).to_be_visible()
    assert (recovery.target / LETTER).read_bytes() == b"changed by the doctor"


def sends_a_new_one(page, recovery: Recovery, letter: Path) -> None:
    page.click("nav .trail a")
    letter.write_text("nouvelle")
    page.set_input_files("section input[type=file]", letter)
    expect(page.locator("#said .done")).to_contain_text("Lettre à Élise.txt est enregistré")
    expect(page.locator("tbody")).to_contain_text("Lettre à Élise.txt")
    assert (recovery.target / letter.name).read_text() == "nouvelle"


def outlives_the_vault_and_says_when_the_folder_is_closed(opened: Page) -> None:
    recovery, person = opened.recovery, opened.person("Mme Un", "write")
    recovery.reached("all_local")
    vault: Program | None = recovery.home.state().vault
    if vault is not None and vault.lives():
        kill(vault)
    recovery.until(lambda: person.ask("GET", f"/f/{opened.sealed(LETTER)}")[0] == 200)
    recovery.run("stop", str(recovery.target))
    assert person.ask("GET", "/")[0] == 503
    assert person.send(f"/d/{opened.sealed('')}", b"x", x_name="n.txt")[0] == 503
    assert not Path(recovery.target, "n.txt").exists()


def test_nobody_loses_a_version_to_somebody_elses(shared) -> None:
    target, sealed = shared.recovery.target, shared.sealed(LETTER)
    first, second = shared.person("Mme Un", "write"), shared.person("M. Deux", "write")
    base = first.ask("GET", f"/f/{sealed}")[1]["etag"].strip('"')
    assert first.send(f"/f/{sealed}", b"first", x_base=base)[1]["beside"] is False
    status, told = second.send(f"/f/{sealed}", b"second", x_base=base)
    assert (status, told["beside"]) == (200, True)
    assert "M. Deux" in told["name"]
    assert (target / LETTER).read_bytes() == b"first"
    assert (target / LETTER).with_name(told["name"]).read_bytes() == b"second"
    # A new file of a name that is taken, and a file that a program holds open for writing.
    folder = shared.sealed("patients/001_NOM1_Jean")
    name = quote("CR n°10 [a].doc")
    assert second.send(f"/d/{folder}", b"third", x_name=name)[1]["beside"] is True
    base = first.ask("GET", f"/f/{sealed}")[1]["etag"].strip('"')
    with (target / LETTER).open("r+b"):
        assert first.send(f"/f/{sealed}", b"fourth", x_base=base)[1]["beside"] is True
    assert (target / LETTER).read_bytes() == b"first"
    assert not [p for p in (target / LETTER).parent.iterdir() if p.name.startswith(".releve-")]


def test_there_is_no_way_out_of_the_folder(shared, tmp_path) -> None:
    target = shared.recovery.target
    secret = tmp_path / "secret.txt"
    secret.write_text("outside")
    person = shared.person("Mme Dehors", "write")
    (target / "out").symlink_to(tmp_path)
    (target / "secret.txt").symlink_to(secret)
    os.mkfifo(target / "pipe")
    wrong = ["../secret.txt", "out/secret.txt", "secret.txt", "pipe", "patients/../../secret.txt"]
    for path in (*wrong, "/etc/passwd", "x" * 300, "a\0b", ""):
        assert person.ask("GET", f"/f/{shared.sealed(path)}")[0] == 404, path
    assert person.ask("GET", f"/f/{'A' * 80}")[0] == 404
    assert person.ask("GET", "/f/" + quote("../secret.txt", safe=""))[0] == 404
    for path in ("out/new.txt", "../new.txt", ".releve-x"):
        assert person.send(f"/f/{shared.sealed(path)}", b"x")[0] == 404, path
    for name in ("..", "a/b", "..%2Fnew.txt", ".releve-x", "a%00b", "%0Aa"):
        assert person.send(f"/d/{shared.sealed('')}", b"x", x_name=name)[0] in {400, 404}, name
    assert b"pipe" not in person.ask("GET", "/")[2]
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("new")) == []
    # Without a right, without the form's token, from another site, without a session: nothing.
    reader = shared.person("M. Lecteur")
    body = {"x_name": "n.txt"}
    assert reader.send(f"/d/{shared.sealed('')}", b"x", **body)[0] == 403
    assert reader.ask("GET", "/journal")[0] == 403
    put = ("PUT", f"/d/{shared.sealed('')}", b"x")
    assert person.ask(*put, x_csrf="wrong", **body)[0] == 403
    elsewhere = {"x_csrf": person.csrf, "origin": "https://elsewhere.example"}
    assert person.ask(*put, **elsewhere, **body)[0] == 403
    shared.link("Mme Dehors", "--revoke")
    assert person.ask("GET", "/")[0] == 401
    assert not (target / "n.txt").exists()


def test_parts_of_big_files_and_what_a_cut_link_leaves(shared) -> None:
    recovery, archive = shared.recovery, "archives/a0.zip"
    whole, person = (recovery.source / archive).read_bytes(), shared.person("Mme Un", "write")
    address = f"/f/{shared.sealed(archive)}"
    status, headers, body = person.ask("GET", address)
    assert (status, body) == (200, whole)
    size = len(whole)
    for said, begin, end in (("0-9", 0, 10), ("7999990-", size - 10, size), ("-5", size - 5, size)):
        status, got, body = person.ask("GET", address, range=f"bytes={said}")
        assert (status, body) == (206, whole[begin:end])
        assert got["content-range"] == f"bytes {begin}-{end - 1}/{size}"
    assert person.ask("GET", address, range="bytes=9000000-")[0] == 416
    stale = person.ask("GET", address, range="bytes=0-9", if_range='"old"')
    assert (stale[0], len(stale[2])) == (200, size)
    host, port = urlsplit(shared.url).hostname, urlsplit(shared.url).port
    with socket.create_connection((host, port)) as link:  # half of it, then the network is gone
        head = f"PUT {address} HTTP/1.1\r\nhost: {host}:{port}\r\ncookie: {person._cookie}\r\n"
        head += f"x-csrf: {person.csrf}\r\nx-base: {headers['etag'][1:-1]}\r\n"
        link.sendall(head.encode() + b"content-length: 5000000\r\n\r\n" + b"x" * 2_000_000)
    assert person.ask("GET", "/up")[0] == 200
    assert (recovery.target / archive).read_bytes() == whole
    assert not list((recovery.home.path / "envois").iterdir())
    status, told = person.send(address, b"y" * 3_000_000, x_base=headers["etag"][1:-1])
    assert (status, told["beside"]) == (200, False)
    assert (recovery.target / archive).stat().st_size == 3_000_000
    reads = [o for o in shared.log() if o["how"] == "read" and o["path"] == archive]
    assert len(reads) == 1, "parts of one file within a minute are one line"


def test_a_link_is_good_once_and_a_code_is_tried_five_times(shared) -> None:
    made = shared.link("Mme Code", "--code")
    assert len(made["code"]) == 6
    wrong = "000000" if made["code"] != "000000" else "111111"
    knocker = shared.person("Mme Autre")
    at, form = urlsplit(made["link"]).path, {"content_type": "application/x-www-form-urlencoded"}
    assert knocker.ask("GET", at)[0] == 200, "looking does not use it up"
    assert knocker.ask("POST", at, f"code={wrong}".encode(), **form)[0] == 422
    status, headers, _ = knocker.ask("POST", at, f"code={made['code']}".encode(), **form)
    assert status == 303
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert knocker.ask("POST", at, f"code={made['code']}".encode(), **form)[0] == 403
    at = urlsplit(shared.link("Mme Code", "--code")["link"]).path
    passes = Passes(shared.recovery.home.path / "passes")
    now = dt.datetime.now(dt.UTC)
    token = at.rpartition("/")[2]
    assert [passes.redeem(token, "12345", now, "") for _ in range(5)] == [None] * 5
    assert passes.look(token, now) is None
    assert [line["how"] for line in shared.log() if line["user"] == "Mme Code"][:2] == [
        "invited",
        "knocked",
    ]


def test_a_changed_or_missing_line_of_the_journal_shows(shared, tmp_path) -> None:
    shared.person("Mme Ligne")
    OpenedJournal(shared.recovery.home).note(
        "x", "1.2.3.4", "a\x1b[2Jb", "read", dt.datetime.now(dt.UTC)
    )
    assert "\x1b" not in shared.recovery.run("log", str(shared.recovery.target))
    whole = (shared.recovery.home.path / "opened.jsonl").read_bytes()
    journal = Journal(tmp_path / "j.jsonl", Opened)
    for wrong in (
        whole.replace(b"Mme Ligne", b"Mme Autre", 1),
        b"".join(whole.splitlines(keepends=True)[1:]),
        b"".join(whole.splitlines(keepends=True)[:-2] + whole.splitlines(keepends=True)[-1:]),
    ):
        journal.path.write_bytes(wrong)
        with pytest.raises(ChainBrokenError):
            journal.check()
    journal.path.write_bytes(whole + b'{"at":"torn by a crash')
    lines = journal.check().lines
    journal.add([Opened(at="", address="", user="x", path="", how="read")])
    assert journal.check().lines == lines + 1
