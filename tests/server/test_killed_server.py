"""The server is killed with -9 while it writes: what it acknowledged is there, and the trail verifies.

`RELEVE_KILLS=200` kills that often instead of the usual few.
"""

import datetime as dt
import fcntl
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.audit_heads import read_lines
from releve.adapters.http.client import EnrolmentRefusedError, HttpServer
from releve.adapters.sql import tables as t
from releve.adapters.sql.store import SqlStore
from releve.apps.agent.config import public_bytes
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.agent.ports import TemporaryError
from releve.flow.server.enrol import ensure_structure, make_token
from releve.flow.server.verify import verify
from releve.flow.wire import EnrolRequest
from releve.model.event import BaselineAdvanced
from tests.server.world import EnrolledHost, add_host, batch

_KILLS = int(os.environ.get("RELEVE_KILLS", "8"))
_TOKENS_PER_LIFE = 25
_EVENTS = 3
pytestmark = [
    pytest.mark.root,
    pytest.mark.need("namespaces"),
    pytest.mark.timeout(60 + 15 * _KILLS),
]


class Server:
    """`releve server run`, in a namespace of its own that ends with it."""

    def __init__(self, home: Path, shipped: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            listen = f"127.0.0.1:{free.getsockname()[1]}"
        self.url, self._lock = f"http://{listen}", home / "server.lock"
        self.words = [
            "unshare", "-pfm", "--kill-child", "--mount-proc", sys.executable, "-m",
            "releve.apps.cli.main", "server", "run", "--home", str(home), "--listen", listen,
            "--ship-heads", str(shipped), "--json",
        ]  # fmt: skip
        self._said = (home.parent / "server.log").open("ab")

    def start(self) -> None:
        with self._lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the one before has ended, whatever it left
        self._process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=self._said)
        told = json.loads(self._process.stdout.readline())
        assert told["url"] == self.url

    def kill9(self) -> None:
        """The namespace's first process gets SIGKILL with unshare, and all in it with that."""
        self._process.kill()
        self._process.wait()


class Writers:
    """Keep what the server acknowledged; they try again whatever becomes of it."""

    def __init__(self, server: Server, home: Home, hosts: list[EnrolledHost], secrets: list[bytes]):
        self._server, self._key = server, home.public_key()
        self.stored = {host.id: 0 for host in hosts}
        self.enrolled: list[str] = []
        self._secrets = list(secrets)
        self._over = threading.Event()
        runs: list[Callable[[], None]] = [self._enrol]
        runs += [lambda host=host: self._send(host) for host in hosts]
        self._threads = [threading.Thread(target=run) for run in runs]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _send(self, host: EnrolledHost) -> None:
        async def scene() -> None:
            client = HttpServer(
                self._server.url, agent=f"{host.structure}/{host.id}", key=host.key,
                server_key=self._key,
            )  # fmt: skip
            while not self._over.is_set():
                first = self.stored[host.id] + 1
                now = dt.datetime.now(dt.UTC)
                events = [
                    BaselineAdvanced(seen_at=now, folder="1", phase="hold", files=n, percent=1.0)
                    for n in range(_EVENTS)
                ]
                try:
                    self.stored[host.id] = (
                        await client.send(batch(*events, first=first))
                    ).watermark
                except TemporaryError:
                    await anyio.sleep(0.02)
            await client.close()

        anyio.run(scene)

    def _enrol(self) -> None:
        """Each acknowledged enrolment is one entry of the trail, known by its host."""

        async def scene() -> None:
            key = Ed25519PrivateKey.generate()
            client = HttpServer(self._server.url, agent="new", key=key, server_key=self._key)
            secret = self._secrets.pop()
            while not self._over.is_set():
                request = EnrolRequest(secret=secret, public_key=public_bytes(key), name="poste")
                try:
                    self.enrolled.append((await client.enrol(request)).host)
                    secret = self._secrets.pop()
                except TemporaryError:
                    await anyio.sleep(0.02)
                except EnrolmentRefusedError:  # used before the answer was cut off: not counted
                    secret = self._secrets.pop()
                await anyio.sleep(0.02)
            await client.close()

        anyio.run(scene)


def test_killed_while_it_writes_nothing_that_was_acknowledged_is_missing(tmp_path: Path) -> None:
    home, shipped = Home(tmp_path / "home"), tmp_path / "shipped"
    home.make()
    shipped.mkdir()
    store = make_store(home)
    hosts = [add_host(store, f"serveur {n}", "Cabinet") for n in range(2)]
    secrets = make_secrets(store, _TOKENS_PER_LIFE * _KILLS)
    server = Server(home.path, shipped)
    writers = Writers(server, home, hosts, secrets)
    chance = random.Random(_KILLS)
    try:
        for _ in range(_KILLS):
            server.start()
            known = progress(writers)
            deadline = time.monotonic() + 30
            while progress(writers) == known and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.4))
            assert progress(writers) != known, "the server that came back takes nothing"
            server.kill9()
        server.start()
    finally:
        writers.end()
        server.kill9()
    found = verify(store, [home.public_key()], read_lines(shipped))
    assert [one.faults for one in found] == [()]
    structure = hosts[0].structure
    missing = set(writers.enrolled) - enrolled(store, structure)
    short = [
        h for h, seq in writers.stored.items() if set(range(1, seq + 1)) - seqs(store, structure, h)
    ]
    print(
        f"{_KILLS} kills: {sum(writers.stored.values())} events and {len(writers.enrolled)} entries"
        f" acknowledged, {len(missing)} entries and {len(short)} hosts' events missing;"
        f" trail of {found[0].entries} entries, {found[0].heads} heads, {found[0].shipped} shipped"
    )
    assert not missing
    assert not short
    assert len(writers.enrolled) >= _KILLS
    assert min(writers.stored.values()) >= _KILLS


def make_secrets(store: SqlStore, many: int) -> list[bytes]:
    now = dt.datetime.now(dt.UTC)
    owner = ensure_structure(store, "Cabinet", "unused", now)
    secrets = [os.urandom(32) for _ in range(many)]
    for secret in secrets:
        make_token(store, owner.id, secret, now, now + dt.timedelta(days=1))
    return secrets


def progress(writers: Writers) -> int:
    return sum(writers.stored.values())


def enrolled(store: SqlStore, structure: str) -> set[str]:
    with store.unit(structure, writes=False) as unit:
        trail = unit.trail_after(0)
        return {e.object.removeprefix("host/") for e in trail if e.verb == "enrol"}


def seqs(store: SqlStore, structure: str, host: str) -> set[int]:
    with store.unit(structure, writes=False) as unit:
        query = sa.select(t.event.c.seq).where(t.event.c.host == host)
        return set(unit._connection.execute(query).scalars())
