"""Help with real channels and a real server: dead and hanging channels, kill -9, the phone's webhook."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from releve.adapters.apprise import AppriseRinger, is_address
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.cli import main
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server.assist import rotas
from releve.flow.server.assist.asking import Asked, ask, make_line
from releve.flow.server.assist.ports import ChannelFailed, Message
from releve.flow.server.enrol import ensure_structure
from releve.model.help import Channel, HelpRequest, Responder, Rota, Shift, Step
from tests.server.help_world import (
    Inbox,
    dead_port,
    mail_inbox,
    silent_port,
    web_inbox,
)
from tests.server.world import Running, running

ROOT = Path(__file__).parents[2]
MESSAGE = Message(title="Relève : aide", body="Je m’en charge : http://h/a/code1")
NOW = SystemClock().now


@pytest.fixture
def web() -> Iterator[Inbox]:
    with web_inbox() as inbox:
        yield inbox


def rota(*people: tuple[str, tuple[str, ...]]) -> Rota:
    """Everybody at every hour, in order, each with these addresses."""
    known = tuple(
        Responder(
            id=name,
            name=f"{name.capitalize()} Martin",
            channels=tuple(Channel(name=f"c{n}", url=url) for n, url in enumerate(urls, 1)),
        )
        for name, urls in people
    )
    shifts = tuple(Shift(person=p.id, rank=n) for n, p in enumerate(known, 1))
    return Rota(people=known, shifts=shifts)


def read(store: SqlStore, structure: str) -> tuple[HelpRequest, list[Step]]:
    with store.unit(structure, writes=False) as unit:
        request = unit.help_requests()[0]
        return request, unit.help_steps(request.id)


def wait_for(store: SqlStore, structure: str, phase: str, seconds: float = 30) -> list[Step]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        request, steps = read(store, structure)
        if request.course.phase == phase:
            return steps
        time.sleep(0.05)
    raise AssertionError([(s.kind, s.person, s.why) for s in read(store, structure)[1]])


def test_apprise_hands_a_message_to_a_webhook_and_to_a_mail_server(web: Inbox) -> None:
    AppriseRinger().ring(web.url + "ali", MESSAGE)
    with mail_inbox() as mail:
        AppriseRinger().ring(mail.url + "ali@example.org", MESSAGE)
        assert "Je m’en charge : http://h/a/code1" in mail.wait(1)[0].text
        assert mail.received[0].path == "ali@example.org"
    assert web.wait(1)[0].code == "code1"


def test_a_dead_channel_fails_and_a_silent_one_does_so_in_time() -> None:
    ringer = AppriseRinger()
    with pytest.raises(ChannelFailed, match="refused"):
        ringer.ring(f"json://127.0.0.1:{dead_port()}/", MESSAGE)
    with pytest.raises(ChannelFailed, match="address"):
        ringer.ring("nothing://", MESSAGE)
    with silent_port() as port:
        for scheme in ("json", "mailto"):
            url = f"{scheme}://127.0.0.1:{port}/?from=a@example.org&to=b@example.org"
            begun = time.monotonic()
            with pytest.raises(ChannelFailed):
                ringer.ring(url, MESSAGE)
            assert time.monotonic() - begun < 9


def test_an_address_must_lead_to_somebody() -> None:
    assert is_address("ntfys://ntfy.example.org/topic")
    assert not is_address("syslog://")
    assert not is_address("file:///etc/passwd")
    assert not is_address("what")


def test_no_address_and_no_code_gets_into_the_logs(
    tmp_path: Path, web: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as served:
        url = f"json://user:hidden@127.0.0.1:{dead_port()}/"
        known = rota(("ali", (url,)), ("bea", (web.url + "bea",)))
        structure = asking(served, known)
        code = web.wait(1)[0].code
        wait_for(served.store, structure, "ringing")
    said = "".join(capfd.readouterr())
    assert "help_rung" in said
    assert "hidden" not in said
    assert code not in said


def asking(served: Running, known: Rota) -> str:
    structure = ensure_structure(served.store, "Cabinet A", "s1", NOW()).id
    rotas.keep(served.store, structure, known, actor="admin", now=NOW())
    asked = Asked(id="r1", source="console", by="claire", phone="0299000001", at=NOW())
    ask(served.store, structure, asked, NOW())
    return structure


def test_a_hanging_and_a_dead_channel_delay_nobody(served: Running, web: Inbox) -> None:
    with silent_port() as silent:
        hanging = f"json://127.0.0.1:{silent}/"
        known = rota(
            ("ali", (f"json://127.0.0.1:{dead_port()}/",)), ("bea", (hanging, web.url + "bea"))
        )
        begun = time.time()
        structure = asking(served, known)
        taken = web.wait(1)[0]
        assert taken.at - begun < 5
        assert "Cabinet A" in taken.text
        assert "0299000001" in taken.text
        path = f"{served.url}/a/{taken.code}"
        seen = httpx.get(path, trust_env=False)
        assert "Bea" in seen.text
        assert "Martin" not in seen.text
        assert "0299000001" not in seen.text
        assert read(served.store, structure)[0].course.phase == "ringing"
        foreign = httpx.post(path, headers={"origin": "http://evil.example"}, trust_env=False)
        assert foreign.status_code == 403
        done = httpx.post(path, headers={"origin": served.url}, trust_env=False)
        assert done.status_code == 200
        steps = wait_for(served.store, structure, "acknowledged")
        assert (steps[-1].name, steps[-1].channel) == ("Bea Martin", "c2")
        assert httpx.get(f"{served.url}/a/unknown", trust_env=False).status_code == 404


@contextlib.contextmanager
def server_process(home: Path, port: int, answer_s: float) -> Iterator[subprocess.Popen[bytes]]:
    words = [str(ROOT / "bench/assist_server.py"), str(home), str(port), str(answer_s), "60"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    server = subprocess.Popen([sys.executable, *words], env=environment)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/up", trust_env=False).text == "ok":
                    break
            time.sleep(0.05)
        yield server
    finally:
        server.kill()
        server.wait()


def test_a_server_killed_in_mid_chain_goes_on_after_its_restart(tmp_path: Path, web: Inbox) -> None:
    home, port = Home(tmp_path), dead_port()
    home.make()
    store = make_store(home)
    structure = ensure_structure(store, "Cabinet A", "s1", NOW()).id
    rotas.keep(
        store,
        structure,
        rota(*((name, (web.url + name,)) for name in ("ali", "bea", "cyr"))),
        actor="admin",
        now=NOW(),
    )
    make_line(store, structure, "line", actor="admin", now=NOW())
    call = {"call": "c1", "caller": "0299000001"}
    headers = {"authorization": "Bearer line"}
    ring = f"http://127.0.0.1:{port}/api/v1/help/ring"
    with server_process(tmp_path, port, 2):
        assert httpx.post(ring, json=call, headers=headers, trust_env=False).status_code == 200
        web.wait(1)
    # kill -9; the phone system, which heard nothing, tells it again.
    with server_process(tmp_path, port, 2):
        again = httpx.post(ring, json=call, headers=headers, trust_env=False).json()
        assert again["phase"] == "ringing"
        assert web.wait(1, path="/bea")
        assert 1 <= len(web.wait(1, path="/ali")) <= 2  # twice if its outcome was not kept
    with server_process(tmp_path, port, 2) as last:
        taken = web.wait(1, path="/cyr")[0]
        answered = httpx.post(
            f"http://127.0.0.1:{port}/a/{taken.code}",
            headers={"origin": f"http://127.0.0.1:{port}"},
            trust_env=False,
        )
        assert answered.status_code == 200
        last.kill()
    steps = wait_for(store, structure, "acknowledged", 1)  # what was answered is kept
    assert [s.number for s in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].name == "Cyr Martin"


def test_the_phone_s_webhook_wants_its_token_and_waits_longer_after_wrong_ones(
    served: Running,
) -> None:
    structure = ensure_structure(served.store, "Cabinet A", "s1", NOW()).id
    make_line(served.store, structure, "line", actor="admin", now=NOW())
    ring = f"{served.url}/api/v1/help/ring"

    def post(token: str, body: bytes = b'{"call": "c1"}') -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.post(ring, content=body, headers=headers, trust_env=False)

    first = post("line")
    assert first.status_code == 200
    assert post("line").json()["request"] == first.json()["request"]
    assert post("line", b"{}").status_code == 400
    assert post("line", b'{"call": ""}').status_code == 400
    assert post("line", b"x" * 5000).status_code == 413
    statuses = [post("wrong").status_code for _ in range(14)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert post("line").status_code == 200  # whoever guesses there silences no phone


def test_help_asked_on_a_host_is_signed_and_says_who_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], web: Inbox
) -> None:
    with running(tmp_path / "server") as served:
        home = str(tmp_path / "server")
        words = ["server", "token", "create", "--home", home, "--structure", "Cabinet A", "--json"]
        said = run(capsys, *words, "--url", served.url)
        agent = ["--home", str(tmp_path / "agent")]
        run(capsys, "agent", "enrol", *agent, "--token", said["token"], "--json")
        path = tmp_path / "rota.toml"
        path.write_text(
            f'[[people]]\nid = "ali"\nname = "Ali"\nchannels = [{{ name = "web", url = "{web.url}ali" }}]\n'
            '[[shifts]]\nperson = "ali"\n'
        )
        rota_words = ["--home", home, "--structure", "Cabinet A", "--json"]
        assert run(capsys, "desk", "rota", "set", str(path), *rota_words)["holes_14_days"] == 0
        shown = run(capsys, "desk", "rota", "show", *rota_words)
        assert shown["people"] == [{"id": "ali", "name": "Ali", "by": ["web"]}]
        assert run(capsys, "desk", "rota", "holes", *rota_words)["holes"] == []
        told = run(capsys, "help", "ask", "L’imprimante fume.", *agent, "--blocked", "--json")
        assert told["phase"] == "ringing"
        web.wait(1)
        listed = run(capsys, "desk", "list", "--home", home, "--json")
        assert (listed["source"], listed["blocked"]) == ("host", True)
        assert main.run(["desk", "list", "--home", home]) == 0
        assert "soins bloqués" in capsys.readouterr().out
        taken = run(
            capsys, "desk", "ack", told["request"][:6], "--as", "Ali", "--home", home, "--json"
        )
        assert taken["comes"] == "Ali"
        closed = run(
            capsys, "desk", "close", told["request"], "--as", "Ali", "--done", "Remis.",
            "--home", home, "--json",
        )  # fmt: skip
        assert (closed["phase"], closed["done"]) == ("closed", "Remis.")
        capsys.readouterr()
        for words in (("close", told["request"], "--as", "Bea", "--done", "x"), ("list", "--all")):
            assert main.run(["desk", *words, "--home", home]) == 0
            assert capsys.readouterr().out.endswith("  Ali  close / closed  Remis.\n"), words
        assert main.run(["desk", "ack", "zz", "--as", "x", "--home", home]) == 58


def test_a_host_that_waits_is_told_who_comes_or_that_nobody_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], web: Inbox
) -> None:
    with running(tmp_path / "server") as served:
        words = ["--home", str(tmp_path / "server"), "--structure", "Cabinet A", "--json"]
        token = run(capsys, "server", "token", "create", *words, "--url", served.url)["token"]
        agent = ["--home", str(tmp_path / "agent")]
        run(capsys, "agent", "enrol", *agent, "--token", token, "--json")
        capsys.readouterr()
        assert main.run(["help", "ask", "Panne.", *agent, "--wait", "30", "--json"]) == 59
        assert json.loads(capsys.readouterr().out)["phase"] == "ended"
        structure = served.store.structures()[0].id
        known = rota(("ali", (web.url + "ali",)))
        rotas.keep(served.store, structure, known, actor="admin", now=NOW())
        thread = threading.Thread(target=press, args=(web, served.url))
        thread.start()
        told = run(capsys, "help", "ask", "Panne.", *agent, "--wait", "30", "--json")
        thread.join()
        assert (told["phase"], told["comes"]) == ("acknowledged", "Ali Martin")


def press(web: Inbox, url: str) -> None:
    code = web.wait(1)[0].code
    httpx.post(f"{url}/a/{code}", headers={"origin": url}, trust_env=False)


def test_a_rota_s_file_that_cannot_be_is_refused_and_a_hole_is_an_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "server")
    home.make()
    ensure_structure(make_store(home), "Cabinet A", "s1", NOW())
    words = ["--home", str(home.path), "--structure", "Cabinet A"]
    path = tmp_path / "rota.toml"
    assert main.run(["desk", "rota", "holes", *words]) == 57
    for text in (
        "x",
        'people = []\nshifts = [{ person = "ali" }]',
        "people = []\nshifts = []\nz = 1",
    ):
        path.write_text(text)
        assert main.run(["desk", "rota", "set", str(path), *words]) == 56
    assert main.run(["desk", "rota", "template"]) == 0
    path.write_text(capsys.readouterr().out)
    assert main.run(["desk", "rota", "set", str(path), *words]) == 0
    path.write_text(path.read_text().replace("smseagle://token", "nothing://token"))
    assert main.run(["desk", "rota", "set", str(path), *words]) == 56
    assert "token" not in capsys.readouterr().err
    path.write_text(
        '[[people]]\nid = "a"\nname = "A"\nchannels = [{ name = "n", url = "ntfy://h/t" }]\n'
        '[[shifts]]\nperson = "a"\nhours = "00:00-23:00"\n'
    )
    assert main.run(["desk", "rota", "set", str(path), *words]) == 0
    capsys.readouterr()
    assert main.run(["desk", "rota", "holes", *words, "--days", "3", "--json"]) == 60
    assert len(json.loads(capsys.readouterr().out)["holes"]) >= 3


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert main.run(words) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)
