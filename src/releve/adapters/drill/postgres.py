"""Loads PostgreSQL dumps into a scratch server in the clean room, and counts the rows.

The server listens on a socket in the room only, and dies with us. It refuses to run as root: then
it runs as `postgres` (or `nobody`), who cannot enter the room; so in our own view of the disks,
which nobody else sees, its folder is shown at a place that it can reach.
"""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from releve.adapters.drill import namespace
from releve.adapters.drill.sqlite import moment
from releve.adapters.restic.child import dies_with_us
from releve.model.drill import NEWER, Opened

BIN = "RELEVE_PG_BIN"  # the folder of initdb, postgres, pg_restore, psql, when not the system's
_NEEDED = ("initdb", "postgres", "pg_restore", "psql")
# An empty folder that all may enter, in one that only root writes to; others see it empty.
_POINT = Path("/run/releve-drill-pg")
_START_S, _LOAD_S = 60.0, 6 * 3600.0
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


class _NoServer(Exception):  # noqa: N818 (an answer, not an error for people)
    pass


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
    except _NoServer as why:
        return [], str(why)


def binaries() -> str:
    """The folder of the newest PostgreSQL's programs; "" when there is none whole."""
    folders = [named] if (named := os.environ.get(BIN)) else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += [str(p) for p in sorted(debian, key=lambda p: _number(p.parent.name), reverse=True)]
    folders += [str(Path(found).parent)] if (found := shutil.which("initdb")) else []
    return next((f for f in folders if all(Path(f, name).exists() for name in _NEEDED)), "")


def _number(name: str) -> float:
    return float(name) if re.fullmatch(r"\d+(\.\d+)?", name) else 0.0


@contextlib.contextmanager
def _server(scratch: Path, *, is_shut_in: bool) -> Iterator["_Server"]:
    """Raises: _NoServer."""
    folder = binaries()
    if not folder:
        raise _NoServer("no PostgreSQL on this machine")
    place = scratch / "pg"
    shutil.rmtree(place, ignore_errors=True)  # of an interrupted life
    place.mkdir(mode=0o700)
    seen, user = str(place), ""
    if os.geteuid() == 0:
        seen, user = _reachable(place, is_shut_in=is_shut_in)
    server = _Server(folder, seen, user)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(place, ignore_errors=True)


def _reachable(place: Path, *, is_shut_in: bool) -> tuple[str, str]:
    """Raises: _NoServer."""
    if not is_shut_in:
        raise _NoServer("root's clean room cannot be shown to PostgreSQL here")
    user = next((name for name in ("postgres", "nobody") if _known(name)), "")
    if not user:
        raise _NoServer("there is no user for it")
    os.chown(place, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    try:
        _POINT.mkdir(mode=0o755, exist_ok=True)
        namespace.show_at(str(place), str(_POINT))
    except OSError as error:
        raise _NoServer(str(error)) from error
    return str(_POINT), user


def _known(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name).pw_uid)
    except KeyError:
        return False


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
        return _run(command, environment)

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
        """Raises: _NoServer."""
        data = f"{self._place}/data"
        made = self._run("initdb", "-D", data, "-U", "drill", "-A", "trust", "-N", "-E", "UTF8")
        if made.returncode:
            raise _NoServer(f"initdb ended with {made.returncode}")
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        words = self._as_user("postgres", "-D", data, "-k", self._place, *settings)
        self._process = subprocess.Popen(
            dies_with_us(words) if not self._user else words,
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
                raise _NoServer("it does not start")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def loaded(self, dump: str, belongs: str, name: str) -> Opened:
        """A dump that does not load whole is damaged: its rows count for nothing."""
        reachable = f"{self._place}/{name}.dump"
        self._bring(dump, reachable)
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

    def _bring(self, dump: str, reachable: str) -> None:
        shutil.copyfile(dump, reachable)
        if self._user:
            known = pwd.getpwnam(self._user)
            os.chown(reachable, known.pw_uid, known.pw_gid)

    def _ask(self, database: str, query: str) -> subprocess.CompletedProcess[str]:
        return self._run(
            "psql", *_PLAIN, "-h", self._place, "-U", "drill", "-d", database, "-c", query
        )

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        return _run(self._as_user(program, *words), self._environment(), cwd="/")

    def _as_user(self, program: str, *words: str) -> list[str]:
        command = [str(Path(self._bin, program)), *words]
        if not self._user:
            return command
        setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
        group = str(pwd.getpwnam(self._user).pw_gid)
        mask = [setpriv, f"--reuid={self._user}", f"--regid={group}", "--clear-groups"]
        # INT is PostgreSQL's fast shutdown: without its master, no scratch server stays.
        return [*mask, "--pdeathsig", "INT", "--", *command]

    def _environment(self) -> dict[str, str]:
        kept = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH") if k in os.environ}
        return kept | {"HOME": self._place, "LC_ALL": "C", "TZ": "UTC", "PGTZ": "UTC"}


def _run(
    command: Sequence[str], environment: Mapping[str, str], cwd: str | None = None
) -> subprocess.CompletedProcess[str]:
    """To its end, never asking anybody anything."""
    return subprocess.run(
        command,
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_LOAD_S,
        check=False,
    )
