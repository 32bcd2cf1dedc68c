"""Calls by mail, from a real IMAP server and answered through a real SMTP socket."""

import datetime as dt
import email
import email.policy
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from releve.adapters.mail.imap import ImapLetters
from releve.adapters.mail.way import WayError, way_of
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.cli import main
from releve.apps.server.help_words import replying
from releve.apps.server.home import Home
from releve.apps.server.mailbox import MailboxFile, mailbox_there, write_mailbox
from releve.apps.server.opening import make_store
from releve.flow.server.assist.answering import close
from releve.flow.server.assist.mailing import Mailroom
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.live import Live
from releve.flow.server.mail_ports import MailFailed
from releve.flow.server.profiles import put as put_profile
from releve.model.help import HelpRequest
from releve.model.mail import MailboxState
from releve.model.structure import Contact, Profile, StructureKind
from tests.server.help_world import Inbox, dead_port, mail_inbox
from tests.server.mail_world import ADDRESS, PASSWORD, Dovecot, dovecot, mail

pytestmark = pytest.mark.need("dovecot")
NOW = SystemClock().now


@pytest.fixture
def imap() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


@pytest.fixture
def smtp() -> Iterator[Inbox]:
    with mail_inbox(whole=True) as inbox:
        yield inbox


def introduce(store: SqlStore, name: str, *mails: str, role: str = "lead") -> str:
    """A structure whose contacts have these addresses."""
    owner = ensure_structure(store, name, f"s-{name.lower()}", NOW())
    contacts = tuple(Contact(name="Claire", role=role, mail=one) for one in mails)
    profile = Profile(kind=StructureKind.PRACTICE, legal_name=name, contacts=contacts)
    put_profile(store, owner.id, profile, actor="a", now=NOW())
    return owner.id


def port_of(inbox: Inbox) -> int:
    return int(inbox.url.partition("127.0.0.1:")[2].partition("/")[0])


def write_config(folder: Path, imap: Dovecot, smtp_port: int) -> MailboxFile:
    folder.mkdir(exist_ok=True)
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    known = MailboxFile(
        imap=imap.url,
        smtp=f"smtp://127.0.0.1:{smtp_port}",
        address=ADDRESS,
        password_file=str(password),
        authority=str(imap.authority),
    )
    write_mailbox(folder, known)
    return known


class Desk:
    """The mailroom of one server; its mailbox begins empty."""

    def __init__(self, store: SqlStore, folder: Path, imap: Dovecot, smtp_port: int) -> None:
        self.store, self.folder, self.imap = store, folder, imap
        self.known = write_config(folder, imap, smtp_port)
        letters = self.known.letters()
        state = MailboxState(validity=letters.validity, uid=letters.last_uid(), looked_at=NOW())
        store.put_mailbox(self.known.key, state)
        letters.close()
        self.room = self.new_room()

    def new_room(self) -> Mailroom:
        return Mailroom(
            self.store,
            SystemClock(),
            Live(),
            read=lambda: mailbox_there(self.folder),
            write=replying("http://releve"),
        )

    def look(self, *, anew: bool = False) -> None:
        """`anew`: by a server that was started in between."""
        self.room = self.new_room() if anew else self.room
        self.room.look()
        self.room.answer()

    def take(self, *raws: bytes) -> None:
        for raw in raws:
            self.imap.deliver(raw)
        self.look()

    def calls(self, structure: str) -> list[HelpRequest]:
        with self.store.unit(structure, writes=False) as unit:
            return unit.help_requests()

    def whys(self) -> list[str]:
        return sorted(stray.why for stray in self.store.strays())


@pytest.fixture
def desk(store: SqlStore, tmp_path: Path, imap: Dovecot, smtp: Inbox) -> Desk:
    return Desk(store, tmp_path / "home", imap, port_of(smtp))


def test_a_mail_of_somebody_known_is_a_call_whose_clock_began_when_it_arrived(
    desk: Desk, smtp: Inbox
) -> None:
    structure = introduce(desk.store, "Parc", "claire@parc.example")
    arrived = NOW().replace(microsecond=0) - dt.timedelta(minutes=42)
    raw = b"Received: from mx.parc.example by mail.releve.example\r\n" + mail(
        "Réseau", "Plus rien."
    )
    desk.imap.deliver(raw, arrived)
    assert desk.imap.read() == 0
    desk.look()
    (call,) = desk.calls(structure)
    assert call.course.opened_at == arrived
    assert (call.source, call.asked_by) == ("mail", "claire@parc.example")
    assert call.text == "Réseau\nPlus rien."
    assert desk.imap.read() == 1
    with desk.store.unit(structure, writes=False) as unit:
        (kept,) = unit.mails_of(call.id)
        assert unit.trail()[0].verb == "ask"
    assert kept.received == "from mx.parc.example by mail.releve.example"
    (answer,) = smtp.wait(1)
    said = email.message_from_string(answer.text, policy=email.policy.default)
    assert answer.path == "claire@parc.example"
    assert said["Auto-Submitted"] == "auto-replied"
    assert said["Precedence"] == "bulk"
    assert call.id[:8] in said["Subject"]
    assert "Réseau" not in answer.text
    assert call.id[:8] in said.get_content()
    desk.look()
    assert len(smtp.received) == 1


def test_further_mails_of_the_thread_join_their_call_and_answers_are_not_answered(
    desk: Desk, smtp: Inbox
) -> None:
    structure = introduce(desk.store, "Parc", "claire@parc.example", "paul@parc.example")
    desk.take(mail(Message_ID="<first@x>"))
    ours = email.message_from_string(smtp.wait(1)[0].text)["Message-ID"]
    desk.take(
        mail("Re", "Encore ceci.", In_Reply_To=ours),
        mail("Re", "Et cela.", sender="paul@parc.example", References="<first@x>"),
        mail("Absent", "Je suis absent.", In_Reply_To=ours, Auto_Submitted="auto-replied"),
    )
    (call,) = desk.calls(structure)
    with desk.store.unit(structure, writes=False) as unit:
        assert [m.text for m in unit.mails_of(call.id)][1:] == ["Re\nEncore ceci.", "Re\nEt cela."]
        assert [s.kind for s in unit.help_steps(call.id)].count("again") == 2
    assert len(smtp.received) == 1
    assert desk.whys() == ["automatic"]
    with desk.store.unit(structure) as unit:
        close(unit, call.id, "fait", actor="a", now=NOW())
    desk.take(mail("Re", "Cela recommence.", References="<first@x>"))
    assert len(desk.calls(structure)) == 2  # a call that is closed stays so


def test_who_is_not_known_rings_nobody_hears_nothing_and_stands_in_the_queue(
    desk: Desk, smtp: Inbox
) -> None:
    introduce(desk.store, "Parc", "claire@parc.example", "deux@x.example")
    introduce(desk.store, "Lac", "deux@x.example")
    introduce(desk.store, "Assureur", "insurer@x.example", role="insurer")
    desk.take(
        mail(sender="eve@evil.example"),
        mail(sender="deux@x.example"),
        mail(sender="insurer@x.example"),
        mail(sender=ADDRESS),
        mail(Precedence="list"),
        b"Authentication-Results: mx; dmarc=fail\r\n" + mail(),
        b"\x00\xff" * 1000,
    )
    assert desk.whys() == [
        "automatic",
        "automatic",
        "forged",
        "several",
        "unknown",
        "unknown",
        "unknown",
    ]
    assert all(not desk.calls(s.id) for s in desk.store.structures())
    assert smtp.received == []
    assert desk.imap.read() == 7
    assert all(b"Rien ne marche" not in msgspec.json.encode(s) for s in desk.store.strays())


def test_one_person_cannot_ring_without_end(desk: Desk) -> None:
    structure = introduce(desk.store, "Parc", "claire@parc.example")
    desk.take(*(mail(f"n{n}") for n in range(25)))
    assert len(desk.calls(structure)) == 20
    assert desk.whys() == ["too_many"] * 5


def test_the_same_mail_twice_is_one_call_and_a_mailbox_made_anew_loses_nothing(
    desk: Desk, smtp: Inbox
) -> None:
    structure = introduce(desk.store, "Parc", "claire@parc.example")
    raw = mail()
    desk.take(raw, raw)
    assert len(desk.calls(structure)) == 1
    desk.imap.make_anew()
    desk.imap.deliver(mail("Autre"))
    desk.look(anew=True)
    assert len(desk.calls(structure)) == 2
    assert len(smtp.wait(2)) == 2


def test_a_huge_mail_is_read_at_its_beginning_only(desk: Desk) -> None:
    structure = introduce(desk.store, "Parc", "claire@parc.example")
    desk.take(mail("Gros", "début\r\n" + "x" * 3_000_000))
    (call,) = desk.calls(structure)
    assert call.text.startswith("Gros\ndébut")
    with desk.store.unit(structure, writes=False) as unit:
        assert unit.mails_of(call.id)[0].is_cut


def test_what_a_hostile_mail_says_is_text_everywhere(desk: Desk, smtp: Inbox) -> None:
    structure = introduce(desk.store, "Parc", "claire@parc.example")
    evil = "=?utf-8?b?PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg0KQmNjOiBldmlsQHguZnI=?="
    desk.take(
        mail(evil, "<img src=x onerror=alert(1)>\x00\r\n\ud800".encode("utf-8", "replace").decode())
    )
    (call,) = desk.calls(structure)
    assert call.text.startswith("<script>alert(1)</script> Bcc: evil@x.fr")
    said = smtp.wait(1)[0].text
    assert "evil@x.fr" not in said
    assert "<script>" not in said


def test_an_answer_that_cannot_go_is_tried_again_and_the_call_does_not_wait(
    store: SqlStore, tmp_path: Path, imap: Dovecot
) -> None:
    desk = Desk(store, tmp_path / "home", imap, dead_port())
    structure = introduce(store, "Parc", "claire@parc.example")
    desk.take(mail())
    assert len(desk.calls(structure)) == 1
    with store.unit(structure, writes=False) as unit:
        later = NOW() + dt.timedelta(minutes=1)
        assert [one.tries for one in unit.waiting_answers(later)] == [1]
    with mail_inbox(whole=True) as inbox:
        write_config(desk.folder, imap, port_of(inbox))
        with store.unit(structure) as unit:
            (waiting,) = unit.waiting_answers(later)
            unit.put_answer(waiting.mail.id, NOW(), 1)
        desk.look(anew=True)
        assert len(inbox.wait(1)) == 1


def test_a_mail_server_that_is_away_is_told_and_read_again(desk: Desk) -> None:
    structure = introduce(desk.store, "Parc", "claire@parc.example")
    desk.look()
    password = desk.folder / "password"
    password.write_text("wrong\n")
    desk.look(anew=True)
    state = desk.store.mailbox(desk.known.key)
    assert state is not None
    assert state.trouble == "login"
    password.write_text(PASSWORD)
    desk.imap.deliver(mail())
    desk.look(anew=True)
    state = desk.store.mailbox(desk.known.key)
    assert state is not None
    assert state.trouble == ""
    assert len(desk.calls(structure)) == 1


def test_a_certificate_that_is_not_trusted_is_refused(imap: Dovecot) -> None:
    with pytest.raises(MailFailed, match="tls"):
        ImapLetters(way_of(imap.url, kind="imap"), PASSWORD)


@pytest.mark.parametrize("url", ["http://x", "imaps://", "imaps://a:secret@x"])
def test_an_address_that_would_not_do_is_refused(url: str) -> None:
    with pytest.raises(WayError):
        way_of(url, kind="imap")


def test_the_commands_set_test_show_and_remove(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], imap: Dovecot, smtp: Inbox
) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    imap.deliver(mail("D’avant"))
    home = ["--home", str(tmp_path / "server"), "--json"]
    words = ["server", "mailbox", "set", "--imap", imap.url, "--smtp", f"smtp://127.0.0.1:{port_of(smtp)}",
             "--address", ADDRESS, "--password-file", str(password)]  # fmt: skip
    assert main.run(["server", "mailbox", "show", *home]) == 62
    make_store(Home(tmp_path / "server")).close()
    assert main.run([*words, *home]) == 61  # its authority is not trusted
    assert main.run([*words, "--ca", str(imap.authority), *home]) == 0
    assert main.run(["server", "mailbox", "test", *home]) == 0
    store = make_store(Home(tmp_path / "server"))
    introduce(store, "Parc", "claire@parc.example")
    imap.deliver(mail(sender="eve@evil.example"))
    room = Mailroom(
        store,
        SystemClock(),
        Live(),
        read=lambda: mailbox_there(tmp_path / "server"),
        write=replying("u"),
    )
    room.look()
    capsys.readouterr()
    assert main.run(["server", "mailbox", "show", *home]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [s["sender"] for s in shown["strays"]] == [
        "eve@evil.example"
    ]  # and not what came before
    assert PASSWORD not in json.dumps(shown)
    assert PASSWORD not in (tmp_path / "server" / "mailbox.json").read_text()
    assert main.run(["server", "mailbox", "remove", *home]) == 0
    room.look()
    assert main.run(["server", "mailbox", "test", *home]) == 62


def run_server(home: Path, port: int) -> subprocess.Popen[bytes]:
    words = ["-m", "releve.apps.cli.main", "server", "run", "--home", str(home)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, *words, "--listen", f"127.0.0.1:{port}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.timeout(240)
def test_a_server_killed_while_it_reads_loses_no_mail_and_takes_none_twice(
    tmp_path: Path, imap: Dovecot, smtp: Inbox
) -> None:
    home, port, chance = Home(tmp_path / "server"), dead_port(), random.Random(4)
    home.make()
    store = make_store(home)
    desk = Desk(store, home.path, imap, port_of(smtp))
    senders = [f"p{n}@parc.example" for n in range(4)]
    structure = introduce(store, "Parc", *senders)
    written = 0
    for _ in range(8):
        server = run_server(home.path, port)
        try:
            until = time.monotonic() + 40
            while time.monotonic() < until and not is_up(port):
                time.sleep(0.05)
            for n in range(6):
                imap.deliver(mail(f"appel {written}", sender=senders[n % 4]))
                written += 1
            time.sleep(chance.uniform(0.0, 3.5))
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()
    desk.look()
    calls = desk.calls(structure)
    assert sorted(c.text for c in calls) == sorted(
        f"appel {n}\nRien ne marche." for n in range(written)
    )
    assert desk.whys() == []
    assert imap.read() == written


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/up", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
