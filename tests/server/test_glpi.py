"""Calls as tickets of a GLPI: its recorded exchanges, replayed over a real socket, on both databases."""

import contextlib
import datetime as dt
import gzip
import http.server
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.adapters.glpi import GlpiDesk
from releve.adapters.sql.store import SqlStore
from releve.apps.cli import main
from releve.apps.server.help_words import ticketing
from releve.assist.escalation import Acknowledged
from releve.flow.server.assist.answering import acknowledge, close
from releve.flow.server.assist.asking import Asked, ask
from releve.flow.server.assist.ticketing import Tickets
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.live import Live
from releve.flow.server.ticket_ports import GlpiFailed
from releve.model.help import HelpRequest
from releve.model.ticket import Glpi, Mapping, Ticket
from tests.loopback import serving
from tests.server.glpi_world import APP_TOKEN, BY_NAME, USER_TOKEN, Replay, replay
from tests.server.help_world import dead_port
from tests.server.world import T0, SetClock

ID = "abcdef0123456789"


@pytest.fixture
def glpi() -> Iterator[Replay]:
    with replay() as world:
        yield world
        assert world.wrong == []


class Hospital:
    """One structure with its GLPI, and a clock that is set."""

    def __init__(self, store: SqlStore, url: str, identity: str = "s1") -> None:
        self.store, self.clock = store, SetClock()
        self.structure = ensure_structure(store, f"Hôpital {identity}", identity, T0).id
        self.known = Glpi(
            url=url,
            app_token=APP_TOKEN,
            user_token=USER_TOKEN,
            mapping=Mapping(entity=3, category=12),
            since=T0,
        )
        with store.unit(self.structure) as unit:
            unit.put_glpi(self.known)
        self.tickets = self.new_driver()

    def new_driver(self) -> Tickets:
        words = ticketing("https://releve.example")
        return Tickets(self.store, self.clock, Live(), open_desk=GlpiDesk, words=words)

    def call(self, *, blocked: bool = False, identity: str = ID) -> None:
        asked = Asked(
            id=identity, source="console", by="claire", text="<script>Mme DUPONT</script>",
            is_blocked=blocked, phone="0299000001", at=self.clock.now(),
        )  # fmt: skip
        ask(self.store, self.structure, asked, self.clock.now())

    def take(self) -> None:
        with self.store.unit(self.structure) as unit:
            acknowledge(unit, ID, Acknowledged(self.clock.now(), "ali", "Ali <Martin>"))

    def later(self, **of: float) -> None:
        self.clock.forward(**of)
        self.tickets.look()

    def request(self) -> HelpRequest:
        with self.store.unit(self.structure, writes=False) as unit:
            found = unit.help_request(ID)
        assert found is not None
        return found

    def ticket(self) -> Ticket:
        with self.store.unit(self.structure, writes=False) as unit:
            found = unit.ticket(ID)
        assert found is not None
        return found


@pytest.fixture
def hospital(store: SqlStore, glpi: Replay) -> Hospital:
    return Hospital(store, glpi.url)


def test_a_call_is_one_ticket_and_each_change_is_told_once(
    hospital: Hospital, glpi: Replay
) -> None:
    hospital.call(blocked=True)
    hospital.tickets.look()
    assert glpi.names() == ["ticket", "assigned"]
    (made,) = glpi.bodies("ticket")
    assert made["name"] == "Soins bloqués\xa0: demande d’aide (Relève abcdef01)"
    assert (made["type"], made["urgency"], made["entities_id"], made["itilcategories_id"]) == (
        1,
        5,
        3,
        12,
    )
    assert "0299000001" in made["content"]
    assert f"https://releve.example/help/{ID}" in made["content"]
    assert "DUPONT" not in json.dumps(glpi.asked, default=str)  # what was written stays here
    assert hospital.ticket().status == 2
    hospital.take()
    hospital.later(seconds=5)
    assert len(glpi.names()) == 2  # read back once a minute
    hospital.later(minutes=1)
    (said,) = glpi.bodies("followup")
    assert (said["itemtype"], said["items_id"]) == ("Ticket", 15)
    assert "Ali &lt;Martin&gt;" in said["content"]
    with hospital.store.unit(hospital.structure) as unit:
        close(unit, ID, "Commutateur remplacé", actor="ali", now=hospital.clock.now())
    hospital.later(minutes=1)
    assert len(glpi.bodies("solution")) == 1
    hospital.later(hours=1)
    assert (
        len(glpi.bodies("solution"))
        == len(glpi.bodies("followup"))
        == len(glpi.bodies("ticket"))
        == 1
    )
    assert hospital.ticket().due_at is None


def test_a_ticket_that_is_solved_closes_the_call_that_somebody_took(
    hospital: Hospital, glpi: Replay
) -> None:
    hospital.call()
    hospital.take()
    glpi.now("solved")
    hospital.tickets.look()
    request = hospital.request()
    assert (request.course.phase, request.closed_by) == ("closed", "glpi")
    assert request.done == "Résolu dans GLPI, ticket 15."
    assert request.course.name == "Ali <Martin>"
    assert glpi.bodies("solution") == []


def test_a_ticket_is_nobody_who_came(hospital: Hospital, glpi: Replay) -> None:
    hospital.call()
    glpi.now("solved")
    hospital.tickets.look()
    assert hospital.ticket().status == 5
    assert hospital.request().course.phase == "ringing"
    assert hospital.request().answer_s is None


@pytest.mark.parametrize("form", ["found", "found in a list"])
def test_an_answer_that_was_lost_makes_no_second_ticket(
    hospital: Hospital, glpi: Replay, form: str
) -> None:
    hospital.call()
    glpi.loses_answers_of = "ticket"
    hospital.tickets.look()
    assert hospital.ticket().trouble == "unreachable"
    glpi.loses_answers_of = ""
    glpi.now(form)
    hospital.later(minutes=1)
    assert glpi.names() == ["ticket", form, "assigned"]
    assert glpi.asked[-3].query["criteria[0][value]"] == ["Relève abcdef01"]
    assert hospital.ticket().number == 15


def test_a_server_killed_before_the_answer_was_kept_looks_for_its_ticket(
    hospital: Hospital, glpi: Replay
) -> None:
    hospital.call()
    claimed = Ticket(request=ID, due_at=T0)
    with hospital.store.unit(hospital.structure) as unit:  # as the killed one left it
        assert unit.claim_ticket(claimed, T0 + dt.timedelta(minutes=2))
        assert not unit.claim_ticket(claimed, T0 + dt.timedelta(minutes=2))
    hospital.later(minutes=1)
    assert glpi.asked == []  # another may still be at it
    glpi.now("found")
    hospital.later(minutes=2)
    assert glpi.names() == ["found", "assigned"]


def test_a_glpi_that_is_away_delays_its_ticket_and_no_call(store: SqlStore) -> None:
    hospital = Hospital(store, f"http://127.0.0.1:{dead_port()}/apirest.php")
    hospital.call()
    hospital.tickets.look()
    hospital.take()
    assert hospital.request().course.phase == "acknowledged"
    assert hospital.ticket().trouble == "unreachable"
    waits = []
    for _ in range(12):
        due = hospital.ticket().due_at
        assert due is not None
        waits.append((due - hospital.clock.now()).total_seconds())
        hospital.clock.at = due
        hospital.tickets.look()
    assert waits == sorted(waits)
    assert waits[-1] == 1800
    with replay() as world:
        with store.unit(hospital.structure) as unit:
            unit.put_glpi(Glpi(url=world.url, app_token=APP_TOKEN, user_token=USER_TOKEN, since=T0))
        hospital.later(hours=1)
        assert world.names() == ["not found", "ticket", "followup", "assigned"]
        assert world.wrong == []


def test_refusals_are_told_apart(hospital: Hospital, glpi: Replay) -> None:
    glpi.now("bad token")
    with pytest.raises(GlpiFailed, match="login"):
        GlpiDesk(hospital.known)
    glpi.now("session", "no right", "deleted")
    desk = GlpiDesk(hospital.known)
    with pytest.raises(GlpiFailed, match="login"):
        desk.create("n", "c", 4)
    with pytest.raises(GlpiFailed, match="gone"):
        desk.status(15)
    desk.close()


@contextlib.contextmanager
def glpi_in_an_attackers_hands(
    say: Callable[[http.server.BaseHTTPRequestHandler], None],
) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):  # who asked may have gone
                say(self)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server) as address:
        yield f"{address}/apirest.php"


def _answer(to: http.server.BaseHTTPRequestHandler, body: bytes, **headers: str) -> None:
    to.send_response(200)
    for name, value in headers.items():
        to.send_header(name, value)
    to.send_header("content-length", str(len(body)))
    to.end_headers()
    to.wfile.write(body)


def packed(to: http.server.BaseHTTPRequestHandler) -> None:
    _answer(
        to,
        gzip.compress(b'{"session_token":"t","id":15,"status":2}'),
        **{"content-encoding": "gzip"},
    )


def endless(to: http.server.BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.end_headers()
    for _ in range(200):
        to.wfile.write(b" " * (1 << 20))
    to.wfile.write(b'{"session_token":"t","id":15,"status":2}')


def dripping(to: http.server.BaseHTTPRequestHandler) -> None:
    to.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
    for _ in range(300):
        time.sleep(0.2)
        to.wfile.write(b"x")
        to.wfile.flush()


@pytest.mark.parametrize(
    ("say", "why"), [(packed, "refused"), (endless, "refused"), (dripping, "unreachable")]
)
def test_a_glpi_in_an_attackers_hands_takes_neither_memory_nor_time(
    store: SqlStore,
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[http.server.BaseHTTPRequestHandler], None],
    why: str,
) -> None:
    monkeypatch.setattr("releve.adapters.glpi._SECONDS", 1.0)
    with glpi_in_an_attackers_hands(say) as url:
        hospital = Hospital(store, url)
        hospital.call()
        began = time.monotonic()
        hospital.tickets.look()
        assert hospital.ticket().trouble == why
        assert time.monotonic() - began < 20


def test_what_the_glpi_of_one_answers_delays_nobody_elses_ticket(
    store: SqlStore, glpi: Replay
) -> None:
    def nonsense(to: http.server.BaseHTTPRequestHandler) -> None:
        _answer(to, b'{"session_token":"t","id":15,"data":{"../x":{}}}')

    with glpi_in_an_attackers_hands(nonsense) as url:
        first = Hospital(store, url)
        first.call()
        with store.unit(first.structure) as unit:  # a try before left nobody knows what
            assert unit.claim_ticket(Ticket(request=ID, due_at=T0), T0)
        second = Hospital(store, glpi.url, "s2")
        second.call()
        second.tickets.look()
        assert first.ticket().trouble == "refused"
        assert second.ticket().number == 15


def test_a_slow_glpi_has_its_minute_and_then_it_is_the_others_turn(
    store: SqlStore, glpi: Replay
) -> None:
    hospital, second = Hospital(store, glpi.url), Hospital(store, glpi.url, "s2")
    for n in range(8):
        hospital.call(identity=f"{n}bcdef0123456789")
    second.call()
    made: list[str] = []

    class Slow(GlpiDesk):
        def create(self, name: str, content: str, urgency: int) -> int:
            hospital.clock.forward(seconds=25)
            made.append(name)
            return super().create(name, content, urgency)

    words = ticketing("https://releve.example")
    Tickets(store, hospital.clock, Live(), open_desk=Slow, words=words).look()
    assert len(made) == 3 + 1
    assert second.ticket().number == 15
    Tickets(store, hospital.clock, Live(), open_desk=Slow, words=words).look()
    assert len(made) == 3 + 1 + 3  # nothing of what waited is lost


def test_a_job_that_fails_for_one_structure_is_done_for_the_next(
    store: SqlStore, glpi: Replay
) -> None:
    broken, second = Hospital(store, "http://127.0.0.1:9/"), Hospital(store, glpi.url, "s2")
    broken.call()
    second.call()

    def open_desk(known: Glpi) -> GlpiDesk:
        if known.url != glpi.url:
            raise RuntimeError(known.url)
        return GlpiDesk(known)

    words = ticketing("https://releve.example")
    Tickets(store, second.clock, Live(), open_desk=open_desk, words=words).look()
    assert second.ticket().number == 15


def test_a_ticket_that_was_deleted_is_not_asked_for_again(hospital: Hospital, glpi: Replay) -> None:
    hospital.call()
    glpi.now("deleted")
    hospital.tickets.look()
    assert hospital.ticket().due_at is None
    hospital.later(hours=2)
    assert glpi.names() == ["ticket", "deleted"]


def test_calls_of_before_make_no_ticket(hospital: Hospital, glpi: Replay) -> None:
    hospital.clock.forward(hours=-2)
    hospital.call()
    hospital.clock.forward(hours=2)
    hospital.tickets.look()
    assert glpi.asked == []


def test_the_commands_set_test_show_and_remove_and_seal_the_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], glpi: Replay
) -> None:
    (tmp_path / "app").write_text(APP_TOKEN + "\n")
    (tmp_path / "user").write_text(USER_TOKEN + "\n")
    file = tmp_path / "glpi.toml"
    lines = f'url = "{glpi.url}"\napp_token_file = "app"\nuser_token_file = "user"\n'
    file.write_text(lines + "[mapping]\ncategory = 12\n")
    home = ["--home", str(tmp_path / "server"), "--json"]
    owner = ["--structure", "Hôpital", *home]
    assert main.run(["server", "token", "create", *owner]) == 0
    assert main.run(["server", "glpi", "show", *owner]) == 71
    assert main.run(["server", "glpi", "set", str(file), *owner]) == 0
    assert main.run(["server", "glpi", "test", *owner]) == 0
    capsys.readouterr()
    assert main.run(["server", "glpi", "show", *owner]) == 0
    said = capsys.readouterr().out
    assert json.loads(said)["mapping"]["category"] == 12
    assert USER_TOKEN not in said
    for path in (tmp_path / "server").glob("releve.db*"):
        assert USER_TOKEN.encode() not in path.read_bytes()
    glpi.now("bad token")
    assert main.run(["server", "glpi", "test", *owner]) == 67
    assert main.run(["server", "glpi", "remove", *owner]) == 0
    assert main.run(["server", "glpi", "test", *owner]) == 71


TOLD = 'url = "https://glpi.example/apirest.php"\nuser_token_file = "user"\n'


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (TOLD.replace("https", "http"), "url: https:// is wanted"),
        (TOLD.replace("https://glpi.example", "glpi"), "is no address of the form"),
        (TOLD.replace("glpi.example", "[glpi"), "is no address"),
        ("url = 1", "url: a text in quotes is wanted, not a whole number"),
        ("user_token_file = 'user'", "url is missing"),
        (TOLD + "x = 1", "x is not a word of this file"),
        (TOLD + "[mapping]\nurgency = 9", "mapping.urgency: a number <= 5 is wanted"),
        (
            TOLD + "[mapping]\nsolved = 5",
            "mapping.solved: a list in [ ] is wanted, not a whole number",
        ),
        ("url = ", "it is no TOML"),
        (
            TOLD.replace('"user"', '"nowhere"'),
            "user_token_file: there is no file nowhere beside it",
        ),
        (TOLD.replace('"user"', '"empty"'), "user_token_file: empty holds no token"),
        (TOLD.replace('"user"', '"."'), "user_token_file: . cannot be read"),
        (TOLD + 'app_token_file = "two"', "app_token_file: two holds no token, in one line"),
        (TOLD + 'app_token_file = "raw"', "app_token_file: raw is no text"),
        (TOLD + 'ca_file = "user"', "ca_file: user holds no certificate (PEM)"),
    ],
)
def test_a_file_that_is_no_glpi_is_refused_in_plain_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: str, said: str
) -> None:
    for name, text in (("user", b"tok"), ("empty", b"\n"), ("two", b"a\nb"), ("raw", b"\xff")):
        (tmp_path / name).write_bytes(text)
    file = tmp_path / "glpi.toml"
    file.write_text(lines)
    owner = ["--structure", "Hôpital", "--home", str(tmp_path / "server")]
    assert main.run(["server", "token", "create", *owner]) == 0
    assert main.run(["server", "glpi", "set", str(file), *owner]) == 70
    told = capsys.readouterr().err
    assert said in told
    assert "releve server glpi template" in told
    for raw in ("Errno", "Traceback", "Object ", "Expected `", "$."):
        assert raw not in told


def test_a_file_that_is_not_there_is_said_with_what_makes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = ["--structure", "Hôpital", "--home", str(tmp_path / "server")]
    assert main.run(["server", "token", "create", *owner]) == 0
    capsys.readouterr()
    assert main.run(["server", "glpi", "set", str(tmp_path / "no.toml"), *owner]) != 0
    told = capsys.readouterr().err
    assert "there is no such file" in told
    assert "`releve server glpi template > FILE`" in told


@pytest.mark.parametrize(
    ("answer", "said", "remedy"),
    [
        ("recorded: login page", "answers with a web page", "/apirest.php"),
        ("recorded: bad user token", "refuses the tokens", "Make both tokens anew"),
        ("empty", "what its API does not say", "GLPI 9.4 or newer"),
        ("in trouble", "a fault of its own", "php-errors.log"),
    ],
)
def test_a_bad_answer_is_told_in_plain_words_with_its_own_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], glpi: Replay, answer: str, said: str,
    remedy: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "user").write_text(USER_TOKEN)
    (tmp_path / "app").write_text(APP_TOKEN)
    file = tmp_path / "glpi.toml"
    file.write_text(f'url = "{glpi.url}"\nuser_token_file = "user"\napp_token_file = "app"')
    owner = ["--structure", "Hôpital", "--home", str(tmp_path / "server")]
    assert main.run(["server", "token", "create", *owner]) == 0
    capsys.readouterr()
    session = BY_NAME["session"]
    monkeypatch.setitem(BY_NAME, "empty", {**session, "name": "empty", "raw": ""})
    ill = {**session, "name": "in trouble", "status": 500, "raw": "<html></html>"}
    monkeypatch.setitem(BY_NAME, "in trouble", ill)
    glpi.now(answer)
    assert main.run(["server", "glpi", "set", str(file), *owner]) == 67
    told = capsys.readouterr().err
    assert said in told
    assert remedy in told


def test_the_template_is_a_file_that_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["server", "glpi", "template"]) == 0
    file = tmp_path / "glpi.toml"
    file.write_text(capsys.readouterr().out)
    (tmp_path / "glpi-user-token").write_text("token")
    owner = ["--structure", "Hôpital", "--home", str(tmp_path / "server")]
    assert main.run(["server", "token", "create", *owner]) == 0
    assert main.run(["server", "glpi", "set", str(file), *owner]) == 67  # taken, and tried
    assert "glpi.hopital.example/apirest.php: it cannot be reached" in capsys.readouterr().err
