"""Webhooks on a real server and a real receiver: signed, tried again, given up, and never lost."""

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import random
import socket
import time
from pathlib import Path

import anyio
import msgspec
import pytest
import sqlalchemy as sa

from releve.adapters.http.poster import HttpPoster
from releve.adapters.sql import tables as t
from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server import casework, incidents
from releve.flow.server.assist import asking
from releve.flow.server.incidents import Word
from releve.flow.server.ingest import take
from releve.flow.server.live import Live
from releve.flow.server.tool_ports import PostFailed
from releve.flow.server.tools import signing, webhooks
from releve.flow.server.tools.sending import Patience, Sender
from releve.model.webhook import Delivery, Webhook
from tests.server.api_world import LOOPBACK, Message, receiver, tool
from tests.server.test_killed_server import Server
from tests.server.world import (
    T0,
    EnrolledHost,
    Running,
    SetClock,
    add_host,
    batch,
    running,
    stopped,
)

QUICK = Patience(retries=(dt.timedelta(seconds=0.5),) * 3)
KEY = bytes(range(32))


def verified(message: Message, secret: str) -> bool:
    """As a receiver does, by the words of the Standard Webhooks specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    identity, at = message.headers["webhook-id"], message.headers["webhook-timestamp"]
    signed = f"{identity}.{at}.".encode() + message.body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return message.headers["webhook-signature"] == f"v1,{wanted}"


def test_the_signature_is_the_one_of_the_specifications_libraries() -> None:
    # The example that the reference libraries of Standard Webhooks test themselves with.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body, identity = b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek"
    told = signing.headers(identity, 1614265330, body, key)
    assert told["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_happens_is_told_signed_and_by_ids_only(tmp_path: Path) -> None:
    with running(tmp_path / "s", networks=LOOPBACK) as served, receiver() as there:
        host = add_host(served.store, "serveur de Claire")
        one = tool(served, host.structure)
        secret = one.post("/webhooks", {"url": there.url}).json()["secret"]
        now = served.context.clock.now()
        take(served.store, host.structure, host.id, batch(stopped("f", now)), now)
        served.context.live.touch(host.structure)
        opened, called = sorted(there.wait(2), key=lambda m: m.type, reverse=True)
        assert called.type == "help.asked"  # by the server itself: an attack rings who is on call
        (incident,) = one.get("/incidents").json()["items"]
        assert opened.type == "incident.opened"
        told = msgspec.json.decode(opened.body)
        assert told["data"]["incident"] == incident["id"]
        assert told["data"]["structure"] == host.structure
        assert one.get(f"/incidents/{told['data']['incident']}").status_code == 200
        assert verified(opened, secret)
        assert b"Claire" not in opened.body
        assert one.post("/help", {"text": "Mme Durand"}).status_code == 201
        asked = there.wait(3)[2]
        assert asked.type == "help.asked"
        assert b"Durand" not in asked.body
        assert len({m.headers["webhook-id"] for m in there.messages}) == 3
        hook = one.get("/webhooks").json()["items"][0]
        assert (hook["why"], hook["failing_since"]) == ("", None)


def test_only_the_events_that_were_asked_for_are_told(tmp_path: Path) -> None:
    with running(tmp_path / "s", networks=LOOPBACK) as served, receiver() as there:
        host = add_host(served.store, "h")
        one = tool(served, host.structure)
        one.post("/webhooks", {"url": there.url, "events": ["incident.opened"]})
        one.post("/help", {"text": "x"})
        now = served.context.clock.now()
        take(served.store, host.structure, host.id, batch(stopped("f", now)), now)
        served.context.live.touch(host.structure)
        assert [message.type for message in there.wait(1)] == ["incident.opened"]


def test_a_message_that_is_not_taken_comes_again_under_its_id(tmp_path: Path) -> None:
    settings = {"networks": LOOPBACK, "patience": QUICK}
    with running(tmp_path / "s", **settings) as served, receiver() as there:
        host = add_host(served.store, "h")
        one = tool(served, host.structure)
        secret = one.post("/webhooks", {"url": there.url}).json()["secret"]
        # A redirect is an answer like another: it is not followed.
        there.answers += [(500, {}), (302, {"location": f"{there.url}/elsewhere"})]
        one.post("/help", {"text": "x"})
        tries = there.wait(3)
        assert {message.path for message in tries} == {"/hook"}
        assert len({(m.headers["webhook-id"], m.body) for m in tries}) == 1
        assert all(verified(message, secret) for message in tries)


def test_a_receiver_that_never_answers_keeps_no_other_structure_waiting(tmp_path: Path) -> None:
    with (
        running(tmp_path / "s", networks=LOOPBACK) as served,
        socket.create_server(("127.0.0.1", 0), backlog=200) as silent,
        receiver() as quick,
    ):
        first, second = (add_host(served.store, name, name).structure for name in ("s1", "s2"))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with served.store.unit(first) as unit:
            webhooks.add(unit, hook("w1", address), KEY)
            for n in range(100):
                webhooks.test(unit, "w1", actor="a", identity=f"a{n}", now=T0)
        served.context.live.touch(first)
        silent.settimeout(20)
        under_way = [silent.accept()[0] for _ in range(8)]
        with served.store.unit(second) as unit:
            webhooks.add(unit, hook("w2", quick.url), KEY)
            webhooks.test(unit, "w2", actor="b", identity="b", now=T0)
        served.context.live.touch(second)
        assert len(quick.wait(1, seconds=5)) == 1
        silent.settimeout(0.3)
        with pytest.raises(TimeoutError):  # no more of it at a time
            silent.accept()
        under_way.pop().close()
        silent.settimeout(5)
        under_way.append(silent.accept()[0])  # what ends makes room for the next
        for connection in under_way:
            connection.close()


def hook(identity: str, url: str) -> Webhook:
    return Webhook(id=identity, url=url, events=(), made_by="claire", made_at=T0, after=0)


# The driver on a driven clock, on both databases: what it would do in days.


class Way:
    """A way out whose answers are told."""

    def __init__(self) -> None:
        self.status, self.sent = 500, list[dict[str, str]]()

    async def post(self, _: str, headers: dict[str, str], __: bytes) -> int:
        self.sent.append(headers)
        return self.status


class Driven:
    """A sender whose rounds are made by hand."""

    def __init__(self, store: SqlStore, host: EnrolledHost) -> None:
        self.store, self.host, self.clock, self.way = store, host, SetClock(), Way()
        self._numbers = iter(range(10**6))
        self.sender = Sender(
            store,
            self.clock,
            Live(),
            poster=self.way,
            new_id=lambda: f"d{next(self._numbers)}",
            patience=Patience(),
        )

    def round(self) -> int:
        """Send what is due; how many."""
        claimed, _ = self.sender.claim(self.host.structure)
        for delivery in claimed:
            anyio.run(self.sender.send, self.host.structure, delivery)
        return len(claimed)

    def hook(self) -> Webhook:
        with self.store.unit(self.host.structure, writes=False) as unit:
            return unit.webhooks()[0]

    def messages(self) -> list[Delivery]:
        with self.store.unit(self.host.structure, writes=False) as unit:
            return unit.deliveries("w")


@pytest.fixture
def driven(store: SqlStore) -> Driven:
    host = add_host(store, "h")
    with store.unit(host.structure) as unit:
        hook = Webhook(id="w", url="https://x.fr/", made_by="a", made_at=T0, after=0)
        webhooks.add(unit, hook, KEY)
    return Driven(store, host)


def ask(driven: Driven, identity: str = "q") -> None:
    asked = asking.Asked(id=identity, source="console", by="a", at=driven.clock.at)
    asking.ask(driven.store, driven.host.structure, asked, driven.clock.at)


def test_the_tries_follow_their_schedule_and_end(driven: Driven) -> None:
    ask(driven)
    at = [driven.clock.at]
    assert driven.round() == 1
    for wait in Patience().retries[:6]:
        driven.clock.at += wait - dt.timedelta(seconds=1)
        assert driven.round() == 0
        driven.clock.forward(seconds=1)
        assert driven.round() == 1
        at.append(driven.clock.at)
    assert at[-1] - at[0] < Patience().disable_after
    assert (driven.messages()[0].tries, driven.messages()[0].why) == (7, "status 500")
    driven.way.status = 204
    driven.clock.at += Patience().retries[6]
    assert driven.round() == 1
    (message,) = driven.messages()
    assert (message.due_at, message.why, message.tries) == (None, "", 8)
    assert driven.hook().failing_since is None


def test_one_that_takes_nothing_for_days_is_disabled_and_it_is_said(driven: Driven) -> None:
    for number in range(12):
        ask(driven, f"q{number}")
        driven.round()
        driven.clock.forward(hours=12)
    hook = driven.hook()
    assert hook.disabled_at is not None
    assert hook.why == "status 500"
    with driven.store.unit(driven.host.structure, writes=False) as unit:
        disabled = [e for e in unit.trail() if e.verb == "disable"]
    assert [(e.actor, e.object) for e in disabled] == [("server", "webhook/w")]
    sent = len(driven.way.sent)
    ask(driven, "later")
    driven.clock.forward(days=2)
    assert driven.round() == 0
    assert len(driven.way.sent) == sent
    # Tried again by a person: what happened meanwhile is told too.
    driven.way.status = 200
    with driven.store.unit(driven.host.structure) as unit:
        assert webhooks.test(unit, "w", actor="a", identity="t", now=driven.clock.at)
    while driven.round():
        pass
    told = [m for m in driven.messages() if m.taken_at is not None]
    assert {"webhook.test", "help.asked"} == {m.type for m in told}
    assert driven.hook().disabled_at is None
    assert not [m for m in driven.messages() if m.due_at is not None]


def test_one_that_says_it_is_gone_is_believed(driven: Driven) -> None:
    driven.way.status = 410
    ask(driven)
    driven.round()
    assert driven.hook().disabled_at is not None


def test_a_message_whose_sender_died_is_sent_by_another(driven: Driven) -> None:
    ask(driven)
    claimed, _ = driven.sender.claim(driven.host.structure)
    assert len(claimed) == 1
    other = Driven(driven.store, driven.host)
    assert other.round() == 0  # the lease is still held
    other.clock.forward(seconds=61)
    assert other.round() == 1
    assert other.way.sent[0]["webhook-id"] == claimed[0].id


def test_every_entry_becomes_one_message_however_often_it_is_gathered(driven: Driven) -> None:
    store, host, clock = driven.store, driven.host, driven.clock
    take(store, host.structure, host.id, batch(stopped("f")), clock.at)
    with store.unit(host.structure) as unit:
        case = unit.incidents()[0].id
        word = Word(by="a", at=clock.at, why="fini", id="w1")
        incidents.close(unit, case, word)
        line = casework.line_of("acknowledged", "n", clock.at, "a", "Ali")
        casework.tell(unit, case, line, "acknowledged", "n")
    ids = iter("abcdefgh")
    for _ in range(3):
        with store.unit(host.structure) as unit:
            webhooks.gather(unit, lambda: next(ids), clock.at)
    kinds = sorted(message.type for message in driven.messages())
    assert kinds == ["help.asked", "incident.acknowledged", "incident.closed", "incident.opened"]


def test_one_that_was_removed_is_told_nothing_more(driven: Driven) -> None:
    ask(driven)
    claimed, _ = driven.sender.claim(driven.host.structure)
    with driven.store.unit(driven.host.structure) as unit:
        assert webhooks.remove(unit, "w", actor="a", now=driven.clock.at)
        assert not webhooks.remove(unit, "w", actor="a", now=driven.clock.at)
    anyio.run(driven.sender.send, driven.host.structure, claimed[0])
    assert driven.way.sent == []
    with driven.store.unit(driven.host.structure) as unit:
        assert unit._connection.execute(sa.select(t.webhook_delivery)).all() == []


KILLS = 6


@pytest.mark.root
@pytest.mark.need("namespaces")
@pytest.mark.timeout(180)
def test_killed_between_the_event_and_its_delivery_no_message_is_lost(tmp_path: Path) -> None:
    """`releve server run` is killed with -9 while calls for help come in and messages go out."""
    home = Home(tmp_path / "home")
    home.make()
    (tmp_path / "shipped").mkdir()
    store = make_store(home)
    host = add_host(store, "h", "Cabinet")
    server, chance, asked = Server(home.path, tmp_path / "shipped"), random.Random(7), []
    server.words += ["--webhook-network", "127.0.0.0/8"]
    with receiver() as there, contextlib.ExitStack() as at_last:
        at_last.callback(server.kill9)
        there.seconds = 0.3  # so that it is killed while a message is on its way, too
        with store.unit(host.structure) as unit:
            now = dt.datetime.now(dt.UTC)
            hook = Webhook(id="w", url=there.url, made_by="a", made_at=now, after=0)
            webhooks.add(unit, hook, KEY)
        for life in range(KILLS):
            server.start()
            for number in range(4):
                now = dt.datetime.now(dt.UTC)
                identity = f"q{life}-{number}"
                call = asking.Asked(id=identity, source="console", by=f"a{life}", at=now)
                asking.ask(store, host.structure, call, now)
                asked.append(identity)
                time.sleep(chance.uniform(0, 0.4))
            server.kill9()
        server.start()
        until = time.monotonic() + 120
        while time.monotonic() < until and set(asked) - told_of(there.messages):
            time.sleep(0.2)
        server.kill9()
    known = told_of(there.messages)
    ids = {m.headers["webhook-id"] for m in there.messages}
    print(f"{KILLS} kills, {len(asked)} events, {len(there.messages)} posts, {len(ids)} messages")
    assert set(asked) == known
    assert len(ids) == len(asked)  # what came twice came under one id


def told_of(messages: list[Message]) -> set[str]:
    told = [msgspec.json.decode(m.body) for m in list(messages)]
    return {one["data"]["help"] for one in told if one["type"] == "help.asked"}


def test_no_name_of_this_machine_or_network_is_reached(tmp_path: Path) -> None:
    """The receiver listens; the server does not post there unless its network was allowed."""
    with running(tmp_path / "s", patience=QUICK) as served, receiver() as there:
        host = add_host(served.store, "h")
        one, port = tool(served, host.structure), there.url.rpartition(":")[2]
        names = ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]"]
        names += ["[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "169.254.169.254"]
        names.append(socket.gethostname())
        for name in names:
            url = f"http://{name}:{port}"
            assert one.post("/webhooks", {"url": url}).status_code == 201, url
        one.post("/help", {"text": "x"})
        until = time.monotonic() + 20
        while time.monotonic() < until:
            hooks = one.get("/webhooks").json()["items"]
            if all(hook["failing_since"] for hook in hooks):
                break
            time.sleep(0.2)
        assert {hook["why"] for hook in hooks} <= {"address", "name"}, hooks
        assert there.messages == []
        assert len(hooks) == len(names)


def test_the_way_out_goes_to_the_address_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere when asked again (rebinding) is asked once."""
    asked = []

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(anyio, "getaddrinfo", resolve)
    with receiver() as there:
        port = there.url.rpartition(":")[2].partition("/")[0]
        url = f"http://outils.exemple.fr:{port}/hook?x=1"
        assert anyio.run(HttpPoster(LOOPBACK).post, url, {"webhook-id": "m"}, b"{}") == 204
        (message,) = there.messages
    assert asked == ["outils.exemple.fr"]
    assert message.path == "/hook?x=1"
    assert message.headers["host"] == f"outils.exemple.fr:{port}"


def test_a_page_of_the_running_server_is_not_reached_either(served: Running) -> None:
    with pytest.raises(PostFailed, match="address"):
        anyio.run(HttpPoster().post, f"{served.url}/login", {}, b"{}")
