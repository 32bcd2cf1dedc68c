"""Calls for help on the real clock: a server process, Apprise, HTTP receivers, kill -9 in the middle."""

import contextlib
import datetime as dt
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
from assist_outcome import Outcome, outcome

from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server.assist import rotas
from releve.flow.server.assist.asking import make_line
from releve.flow.server.enrol import ensure_structure
from releve.model.help import Channel, Responder, Rota, Shift
from tests.server.help_world import Inbox, dead_port, web_inbox

HERE = Path(__file__).parent
_ROUNDS_S = 6  # how many answers' time the ringing goes on


def real(folder: Path, requests: int, chance: Random, answer_s: float) -> Outcome:
    """So many callers; two of ten are answered by nobody."""
    home = Home(folder)
    home.make()
    store, port = make_store(home), dead_port()
    structure = ensure_structure(store, "Cabinet", "s1", dt.datetime.now(dt.UTC)).id
    words = [str(folder), str(port), str(answer_s), str(answer_s * _ROUNDS_S)]
    ids: list[str] = []
    outages: list[tuple[dt.datetime, dt.datetime]] = []
    with web_inbox() as inbox:
        now = dt.datetime.now(dt.UTC)
        rotas.keep(store, structure, rota(inbox.url), actor="bench", now=now)
        make_line(store, structure, "line", actor="bench", now=now)
        people = threading.Thread(target=answering, args=(inbox, port, chance), daemon=True)
        with server(words, port):
            people.start()
            for number in range(requests):
                ids.append(call(port, number, requests))
                time.sleep(chance.uniform(0, 0.3))
            time.sleep(answer_s * 0.9)
            killed_at = dt.datetime.now(dt.UTC)
        with server(words, port):  # after a kill -9
            outages.append((killed_at, dt.datetime.now(dt.UTC)))
            until_over(store, structure, answer_s * _ROUNDS_S * 2 + 60)
        again = len(inbox.received) - rings_handed_over(store, structure)
    return outcome(store, ids, outages, max(0, again))


@contextlib.contextmanager
def server(words: list[str], port: int) -> Iterator[None]:
    """A real server; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "assist_server.py"), *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/up", trust_env=False).text == "ok":
                    break
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


def call(port: int, number: int, of: int) -> str:
    """The phone system tells of a caller; 0800… is answered by nobody."""
    caller = f"0{8 if number >= of * 0.8 else 2}00{number:06d}"
    told = httpx.post(
        f"http://127.0.0.1:{port}/api/v1/help/ring",
        json={"call": f"c{number}", "caller": caller},
        headers={"authorization": "Bearer line"},
        trust_env=False,
    )
    return str(told.raise_for_status().json()["request"])


def answering(inbox: Inbox, port: int, chance: Random) -> None:
    """The third one on call presses the link, now sooner, now later; the first two never do."""
    seen = 0
    while True:
        received = inbox.wait(seen + 1, 600, path="/cyr")
        for one in received[seen:]:
            if "08000" in one.text:
                continue
            time.sleep(chance.uniform(0, 0.2))
            with contextlib.suppress(httpx.HTTPError):
                httpx.post(
                    f"http://127.0.0.1:{port}/a/{one.code}",
                    headers={"origin": f"http://127.0.0.1:{port}"},
                    trust_env=False,
                )
        seen = len(received)


def until_over(store: SqlStore, structure: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with store.unit(structure, writes=False) as unit:
            if all(r.course.phase != "ringing" for r in unit.help_requests()):
                return
        time.sleep(0.2)


def rings_handed_over(store: SqlStore, structure: str) -> int:
    with store.unit(structure, writes=False) as unit:
        steps = [s for r in unit.help_requests() for s in unit.help_steps(r.id)]
    return sum(s.kind == "delivered" for s in steps)


def rota(url: str) -> Rota:
    dead = f"json://127.0.0.1:{dead_port()}/"
    people = tuple(
        Responder(
            id=name,
            name=f"{name.capitalize()} Martin",
            channels=tuple(Channel(name=f"c{n}", url=way) for n, way in enumerate(ways)),
        )
        for name, ways in (
            ("ali", (f"{url}ali",)),
            ("bea", (dead, f"{url}bea")),
            ("cyr", (f"{url}cyr",)),
        )
    )
    return Rota(
        people=people, shifts=tuple(Shift(person=p.id, rank=n) for n, p in enumerate(people))
    )
