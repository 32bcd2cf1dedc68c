"""GLPI's side of recorded exchanges, by a real HTTP server on loopback."""

import contextlib
import http.server
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.loopback import serving

_FILES = Path(__file__).parent / "glpi"
RECORDED = json.loads((_FILES / "recorded.json").read_text("utf-8"))
EXCHANGES = [*json.loads((_FILES / "exchanges.json").read_text("utf-8")), *RECORDED]
BY_NAME = {one["name"]: one for one in EXCHANGES}
APP_TOKEN, USER_TOKEN = "f7g3csp8mgatg5ebc5elnazakw20i9fyev1qopya7", "mystringapikey"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    query: dict[str, list[str]]
    body: Any


class Replay:
    """Answers as recorded; of several exchanges of one request, the one whose turn was set."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.turn = ["session", "end", "ticket", "not found", "followup", "solution", "assigned"]
        self.loses_answers_of = ""  # done there, and the line breaks before the answer
        self.wrong: list[str] = []

    def now(self, *names: str) -> None:
        """From here on these answer what they are recorded for."""
        ways = {(BY_NAME[n]["method"], BY_NAME[n]["path"]) for n in names}
        others = [n for n in self.turn if (BY_NAME[n]["method"], BY_NAME[n]["path"]) not in ways]
        self.turn = [*others, *names]

    def names(self) -> list[str]:
        return [one.name for one in self.asked if one.name not in ("session", "end")]

    def bodies(self, name: str) -> list[dict[str, Any]]:
        return [one.body["input"] for one in self.asked if one.name == name]


@contextlib.contextmanager
def replay() -> Iterator[Replay]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            parts = urlsplit(self.path)
            found = [BY_NAME[n] for n in world.turn if BY_NAME[n]["method"] == method]
            found = [one for one in found if one["path"] == parts.path]
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            if not found or (method == "GET" and length):
                world.wrong.append(f"{method} {self.path}")
                self._say(400, '["ERROR_METHOD_NOT_ALLOWED", ""]')
                return
            one = found[0]
            for name, value in one["headers"].items():
                if self.headers.get(name) != value:
                    world.wrong.append(f"{one['name']}: {name}")
            world.asked.append(Asked(name=one["name"], query=parse_qs(parts.query), body=body))
            if one["name"] == world.loses_answers_of:
                self.close_connection = True
                return
            raw = one.get("raw")
            self._say(one["status"], json.dumps(one["answer"]) if raw is None else raw)

        def _say(self, status: int, answer: str) -> None:
            raw = answer.encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    world = Replay()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server) as address:
        world.url = f"{address}/apirest.php"
        yield world
