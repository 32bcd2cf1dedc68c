"""A tool for tests of the API: its token, its client, and a receiver of webhooks on loopback."""

import contextlib
import datetime as dt
import http.server
import ipaddress
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import msgspec

from releve.flow.server.tools import tokens
from releve.model.tool import ApiToken, Scope
from tests.loopback import serving
from tests.server.world import Running

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
ALL = tuple(Scope)


def make_token(
    served: Running,
    *structures: str,
    scopes: tuple[Scope, ...] = ALL,
    person: str = "",
    name: str = "outil",
    days: int = 1,
) -> tuple[ApiToken, str]:
    """(token, secret)."""
    now = served.context.clock.now()
    token = ApiToken(
        id=served.context.new_id(),
        name=name,
        scopes=scopes,
        made_by="a",
        made_at=now,
        expires_at=now + dt.timedelta(days=days),
        person=person,
    )
    secret = tokens.new_token(served.context.new_secret)
    tokens.make(served.store, structures, token, secret)
    return token, secret


class Tool:
    """An HTTP client with a token; each write has a key of its own unless one is given."""

    def __init__(self, served: Running, secret: str, structure: str = "") -> None:
        self._http = httpx.Client(
            base_url=f"{served.url}/api/v1",
            headers={"authorization": f"Bearer {secret}"},
            trust_env=False,
            timeout=20,
        )
        self.at = f"/structures/{structure}"
        self._new_key = served.context.new_id

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self._http.get(self.at + path if path.startswith("/") else f"/{path}", params=query)

    def post(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        """`key` empty: without one."""
        known = self._new_key() if key is None else key
        headers = {"idempotency-key": known} if known else {}
        return self._http.post(self.at + path, json=body, headers=headers)

    def delete(self, path: str) -> httpx.Response:
        return self._http.delete(self.at + path)


def tool(served: Running, *structures: str, **settings: Any) -> Tool:
    _, secret = make_token(served, *structures, **settings)
    return Tool(served, secret, structures[0])


class Message(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    at: float

    @property
    def type(self) -> str:
        return str(msgspec.json.decode(self.body)["type"])


class Receiver:
    """Keeps what was posted; answers each with the next of `answers`, else 204."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.seconds = 0.0  # that an answer takes
        self.messages: list[Message] = []
        self.news = threading.Condition()

    def wait(self, count: int, seconds: float = 20) -> list[Message]:
        with self.news:
            self.news.wait_for(lambda: len(self.messages) >= count, seconds)
            return list(self.messages)


@contextlib.contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # who sent it died in the middle
            with known.news:
                status, headers = known.answers.pop(0) if known.answers else (204, {})
                named = {name.lower(): value for name, value in self.headers.items()}
                known.messages.append(
                    Message(path=self.path, headers=named, body=body, at=time.time())
                )
                known.news.notify_all()
            time.sleep(known.seconds)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    known = Receiver(server.server_address[1])
    with serving(server):
        yield known
