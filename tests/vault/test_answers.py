"""Whatever answers at an address of heads, or of the server: the vault goes on, and its token stays with it."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.vault import date_sources, server
from releve.adapters.vault.heads import Heads
from releve.adapters.vault.notices import Notices
from releve.adapters.vault.reports import Reports
from releve.adapters.vault.server import Server, post
from releve.flow.vault.chain import FIRST, Link

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Place:
    """Answers each connection with the same bytes; what it was sent."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.heard = raw, list[bytes]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(5)
                    self.heard.append(self._hear(connection))
                    self._answer(connection)

    def _hear(self, connection: socket.socket) -> bytes:
        heard = b""
        while not heard.rstrip().endswith(b"}") and (more := connection.recv(65536)):
            heard += more
            if b"GET " in heard:
                break
        return heard

    def _answer(self, connection: socket.socket) -> None:
        connection.sendall(self.raw)

    def close(self) -> None:
        self._listener.close()


class Dripping(Place):
    """Says its bytes one by one, a tenth of a second apart, and never ends."""

    def _hear(self, connection: socket.socket) -> bytes:
        return connection.recv(65536)

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                for one in self.raw:
                    connection.sendall(bytes([one]))
                    time.sleep(0.1)


@pytest.fixture
def place() -> Iterator[object]:
    with contextlib.ExitStack() as held:

        def make(raw: bytes) -> Place:
            made = Place(raw)
            held.callback(made.close)
            return made

        yield make


@pytest.mark.parametrize(
    "raw", [b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x1b]0;x\x07\r\n\r\n"]
)
def test_a_place_that_speaks_no_http_has_failed_and_no_more(place, tmp_path: Path, raw: bytes):
    stranger, usb = place(raw), tmp_path / "usb"
    usb.mkdir()
    (tmp_path / "heads").mkdir()
    key = Ed25519PrivateKey.from_private_bytes(b"k".ljust(32))
    heads = Heads(tmp_path / "heads", key, (stranger.url, str(usb)))
    (failed,) = heads.send(heads.sign(Link(seq=0, hash=FIRST), 10**18, 10**18))
    assert failed.place == stranger.url
    assert failed.why.isprintable()
    assert (usb / "latest.json").exists(), "the other place has its head"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "raw", [b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 90, b"\x16\x03\x03\x40\x00\x02"]
)
def test_a_place_that_drips_its_answer_keeps_nobody_longer_than_one_that_is_silent(
    monkeypatch, scheme: str, raw: bytes
):
    """Each byte began the patience anew: one such place held the heads of all the others."""
    monkeypatch.setattr(server, "_PATIENCE_S", 1)
    slow = Dripping(raw)
    before, began = threading.active_count(), time.monotonic()
    answer = post(slow.url.replace("http", scheme), b"{}")
    assert time.monotonic() - began < 3
    assert answer.why
    assert not answer.is_final
    slow.close()
    assert threading.active_count() <= before + 1, "nobody is left that reads on"


def test_nobody_is_followed_elsewhere_with_the_token(place):
    login = place(OK)
    there = f"HTTP/1.1 302 Found\r\nLocation: {login.url}/login\r\nContent-Length: 0\r\n\r\n"
    answer = post(place(there.encode()).url, b"{}", "secret")
    assert (answer.why, answer.is_final) == ("HTTP 302", False), "nothing was taken"
    assert login.heard == []


def test_notices_of_one_that_is_gone_wait_for_a_server_that_knows_it_again(place, tmp_path: Path):
    """As after a server was brought back from a copy of before the vault was enrolled."""
    now, file = [10**18], tmp_path / "notices.jsonl"
    server = place(GONE)
    reports = Reports(tmp_path / "reporting.json", lambda: now[0])
    tell = Server(server.url, {"cabinet": "t"}, reports=reports)
    notices = Notices(file, lambda: now[0], server=tell)
    for _ in range(3):
        now[0] += 10**9
        notices.tell("seal_broken", str(now[0]), structure="cabinet")
    assert len(server.heard) == 1, "asked once"
    server.raw = OK
    now[0] += 25 * 3600 * 10**9
    notices.deliver()
    bodies = [json.loads(heard.partition(b"\r\n\r\n")[2]) for heard in server.heard[1:]]
    assert [body["about"] for body in bodies] == [f"{10**18 + n * 10**9}" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nDate: nonsense\r\n\r\n",
    ],
)
def test_another_clock_that_says_nonsense_did_not_answer(raw: bytes):
    """Before anything is dropped the other clocks are asked: one of them ended the retention."""
    stranger = Dripping(b"")
    stranger._answer = lambda connection: connection.sendall(raw)  # type: ignore[method-assign]
    assert date_sources.offsets([stranger.url]) == [(stranger.url, None)]
    stranger.close()


def test_another_clock_that_drips_its_date_keeps_nobody(monkeypatch):
    monkeypatch.setattr(date_sources, "_PATIENCE_S", 1)
    slow = Dripping(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 90)
    began = time.monotonic()
    assert date_sources.offsets([slow.url]) == [(slow.url, None)]
    assert time.monotonic() - began < 3
    slow.close()
