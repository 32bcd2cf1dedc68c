"""Loads PostgreSQL dumps into a scratch server in the clean room, and counts the rows.

The server listens on a socket in the room only, and dies with us.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from releve.adapters.drill import scratch as rooms
from releve.adapters.drill.scratch import NoServer
from releve.adapters.drill.sqlite import moment
from releve.model.drill import NEWER, Opened

BIN = "RELEVE_PG_BIN"  # the folder of initdb, postgres, pg_restore, psql, when not the system's
_NEEDED = ("initdb", "postgres", "pg_restore", "psql")
_START_S = 60.0
# A scratch server that is thrown away need not survive a power cut.
_SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "listen_addresses=")
_TABLES = (
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
    " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
)
_COLUMNS = (
    "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name), quote_ident(column_name)"
    " FROM information_schema.columns JOIN pg_tables"
    " ON schemaname = table_schema AND tablename = table_name"
    " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
    " AND data_type IN ('date', 'timestamp without time zone', 'timestamp with time zone')"
)


_PLAIN = ("-X", "-A", "-t", "-q", "-F", "\t")


def load(
    paths: Sequence[str], named: Sequence[str], scratch: str, *, is_shut_in: bool
) -> tuple[list[Opened], str]:
    """Each dump in a database of its own; or why no server could be had."""
    room = Path(scratch).parent
    names = named or [f"{os.path.relpath(path, room)}#dump" for path in paths]
    try:
        with _server(Path(scratch), is_shut_in=is_shut_in) as server:
            both = zip(paths, names, strict=True)
            return [server.loaded(*one, f"d{n}") for n, one in enumerate(both)], ""
    except NoServer as why:
        return [], str(why)


def binaries() -> str:
    """The folder of the newest PostgreSQL's programs; "" when there is none whole."""
    folders = [named] if (named := os.environ.get(BIN)) else []
    folders += rooms.newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    folders += [str(Path(found).parent)] if (found := shutil.which("initdb")) else []
    return next((f for f in folders if all(Path(f, name).exists() for name in _NEEDED)), "")


@contextlib.contextmanager
def _server(scratch: Path, *, is_shut_in: bool) -> Iterator["_Server"]:
    """Raises: NoServer."""
    folder = binaries()
    if not folder:
        raise NoServer("no PostgreSQL on this machine")
    seen, user = rooms.place_for(scratch, "pg", ("postgres",), is_shut_in=is_shut_in)
    with rooms.running(_Server(folder, seen, user), scratch / "pg") as server:
        yield server


def count_server(url: str) -> Opened:
    """A restored database on its own server, read-only; the password comes from PGPASSFILE or .pgpass."""
    parts = urlsplit(url)
    named = {
        "PGHOST": unquote(parts.hostname or ""),
        "PGPORT": str(parts.port or ""),
        "PGUSER": unquote(parts.username or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
    }
    environment = os.environ | {name: value for name, value in named.items() if value}
    environment |= {"PGOPTIONS": "-c default_transaction_read_only=on", "PGTZ": "UTC"}
    environment |= {"PGCONNECT_TIMEOUT": "20"}
    folder = binaries()
    psql = str(Path(folder, "psql")) if folder else shutil.which("psql")

    def ask(query: str) -> subprocess.CompletedProcess[str]:
        command = [psql or "psql", *_PLAIN, "-w", "-c", query]
        return rooms.run(command, environment)

    if psql is None:
        return Opened(path="server", kind="postgresql", error="psql")
    if ask("SELECT 1").returncode:
        return Opened(path="server", kind="postgresql", error="connect")
    return counted(ask, "server")


def counted(ask: Callable[[str], subprocess.CompletedProcess[str]], belongs: str) -> Opened:
    """Rows of all tables, and the newest date up to now that one holds."""
    tables = {}
    for name in filter(None, ask(_TABLES).stdout.split("\n")):
        said = ask(f"SELECT count(*) FROM {name}")  # noqa: S608 (quote_ident)
        if said.returncode:
            return Opened(path=belongs, kind="postgresql", error="count")
        tables[name] = int(said.stdout)
    newest = ""
    for row in filter(None, ask(_COLUMNS).stdout.split("\n")):
        table, _, column = row.partition("\t")
        soon = "now() + interval '1 day'"
        said = ask(f"SELECT max({column}) FROM {table} WHERE {column} < {soon}")  # noqa: S608
        newest = max(newest, moment(said.stdout.strip()))
    return Opened(path=belongs, kind="postgresql", tables=tables, newest=newest)


class _Server:
    """One scratch server."""

    def __init__(self, binaries: str, place: str, user: str) -> None:
        self._bin, self._place, self._user = binaries, place, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises: NoServer."""
        data = f"{self._place}/data"
        made = self._run("initdb", "-D", data, "-U", "drill", "-A", "trust", "-N", "-E", "UTF8")
        if made.returncode:
            raise NoServer(f"initdb ended with {made.returncode}")
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        words = self._as_user("postgres", "-D", data, "-k", self._place, *settings)
        self._process = subprocess.Popen(
            words,
            env=self._environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        until = time.monotonic() + _START_S
        while self._ask("postgres", "SELECT 1").returncode:
            if self._process.poll() is not None or time.monotonic() > until:
                raise NoServer("it does not start")
            time.sleep(0.05)

    def stop(self) -> None:
        rooms.stop(self._process)

    def loaded(self, dump: str, belongs: str, name: str) -> Opened:
        """A dump that does not load whole is damaged: its rows count for nothing."""
        reachable = f"{self._place}/{name}.dump"
        rooms.bring(dump, reachable, self._user)
        try:
            if self._ask("postgres", f"CREATE DATABASE {name}").returncode:
                return Opened(path=belongs, kind="postgresql", error="create")
            words = ("-j2", "--no-owner", "--no-privileges", "-h", self._place, "-U", "drill")
            said = self._run("pg_restore", *words, "-d", name, reachable)
            if said.returncode:
                is_newer = "unsupported version" in said.stderr
                error = NEWER if is_newer else "pg_restore"
                return Opened(path=belongs, kind="postgresql", error=error)
            return counted(partial(self._ask, name), belongs)
        finally:
            Path(reachable).unlink(missing_ok=True)

    def _ask(self, database: str, query: str) -> subprocess.CompletedProcess[str]:
        return self._run(
            "psql", *_PLAIN, "-h", self._place, "-U", "drill", "-d", database, "-c", query
        )

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        return rooms.run(self._as_user(program, *words), self._environment(), cwd="/")

    def _as_user(self, program: str, *words: str) -> list[str]:
        return rooms.as_user([str(Path(self._bin, program)), *words], self._user, self._place)

    def _environment(self) -> dict[str, str]:
        kept = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH") if k in os.environ}
        return kept | {"HOME": self._place, "LC_ALL": "C", "TZ": "UTC", "PGTZ": "UTC"}
