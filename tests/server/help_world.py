"""Real receivers for tests of help: an HTTP server and an SMTP server on loopback, a dead port, a silent one."""

import contextlib
import http.server
import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import msgspec

from tests.loopback import serving

LINK = re.compile(r"http://[\w.:\[\]]+/a/(\w+)")


class Received(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    text: str
    at: float  # time.time()

    @property
    def code(self) -> str:
        found = LINK.search(self.text)
        assert found, self.text
        return found[1]


class Inbox:
    """What came, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[Received] = []
        self._news = threading.Condition()

    def put(self, path: str, text: str) -> None:
        with self._news:
            self.received.append(Received(path=path, text=text, at=time.time()))
            self._news.notify_all()

    def wait(self, count: int, seconds: float = 30, path: str = "") -> list[Received]:
        def some() -> list[Received]:
            return [one for one in self.received if one.path.startswith(path)]

        with self._news:
            self._news.wait_for(lambda: len(some()) >= count, seconds)
            return some()


@contextlib.contextmanager
def web_inbox() -> Iterator[Inbox]:
    """Takes what Apprise posts to json:// addresses."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            inbox.put(self.path, json.loads(body)["message"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inbox = Inbox(f"json://127.0.0.1:{server.server_address[1]}/")
    with serving(server):
        yield inbox


@contextlib.contextmanager
def mail_inbox(*, whole: bool = False) -> Iterator[Inbox]:
    """As much SMTP as a mail needs. `whole`: with its headers, as it came."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 inbox")
            lines: list[bytes] | None = None
            recipient = ""
            for line in self.rfile:
                if lines is not None:
                    if line == b".\r\n":
                        raw = b"".join(lines)
                        inbox.put(recipient, raw.decode() if whole else _text(raw))
                        lines = None
                        self._say("250 taken")
                    else:
                        lines.append(line)
                    continue
                verb = line[:4].upper()
                if verb == b"RCPT":
                    recipient = line.decode().partition("<")[2].partition(">")[0]
                if verb == b"DATA":
                    lines = []
                self._say({b"DATA": "354 go on", b"QUIT": "221 bye"}.get(verb, "250 ok"))
                if verb == b"QUIT":
                    return

        def _say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port = server.server_address[1]
    inbox = Inbox(f"mailto://127.0.0.1:{port}/?from=releve@example.org&to=")
    with serving(server):
        yield inbox


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _text(mail: bytes) -> str:
    import email

    message = email.message_from_bytes(mail)
    parts = [part for part in message.walk() if part.get_content_type() == "text/plain"]
    return parts[0].get_payload(decode=True).decode()
