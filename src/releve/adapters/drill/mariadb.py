"""Loads MariaDB and MySQL dumps into a scratch server in the clean room, and counts the rows.

The server listens on a socket in the room only, without network, and dies with us. A dump is SQL that
somebody else wrote: it is read by the client in its sandbox, as a user without rights, by a server
that may touch no file but its own.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from releve.adapters.drill import scratch as rooms
from releve.adapters.drill.scratch import NoServer
from releve.adapters.drill.sqlite import moment
from releve.model.drill import Opened

BIN = "RELEVE_MARIADB_BIN"  # the folder of mariadbd and its programs, when not the system's
_START_S = 60.0
_SYSTEM = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
# A scratch server that is thrown away need not survive a power cut.
_SETTINGS = (
    "--skip-networking",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=128M",
    "--skip-log-bin",
    "--event-scheduler=OFF",
    "--local-infile=0",
)
# The client obeys it from here on: no command of a dump reaches a shell or another file.
_SANDBOX = "/*M!999999\\- enable the sandbox mode */\n"
_TABLES = (
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
    " AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1"
)
_COLUMNS = (
    "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS JOIN information_schema.TABLES"
    " USING (TABLE_SCHEMA, TABLE_NAME) WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'"
    " AND DATA_TYPE IN ('date', 'datetime', 'timestamp')"
)


def load(
    paths: Sequence[str], named: Sequence[str], scratch: str, *, is_shut_in: bool
) -> tuple[list[Opened], str]:
    """Each dump on its own, one after the other; or why no server could be had."""
    try:
        with _server(Path(scratch), is_shut_in=is_shut_in) as server:
            return [server.loaded(*both) for both in zip(paths, named, strict=True)], ""
    except NoServer as why:
        return [], str(why)


def programs() -> dict[str, str]:
    """Server, installer and client; empty when one lacks."""
    named = os.environ.get(BIN, "")
    where = named or f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/usr/libexec"
    wanted = {
        "server": ("mariadbd", "mysqld"),
        "install": ("mariadb-install-db", "mysql_install_db"),
        "client": ("mariadb", "mysql"),
    }
    found = {
        kind: next((at for name in names if (at := shutil.which(name, path=where))), "")
        for kind, names in wanted.items()
    }
    return found if all(found.values()) else {}


@contextlib.contextmanager
def _server(scratch: Path, *, is_shut_in: bool) -> Iterator["_Server"]:
    """Raises: NoServer."""
    found = programs()
    if not found:
        raise NoServer("no MariaDB on this machine")
    place, user = rooms.place_for(scratch, "my", ("mysql",), is_shut_in=is_shut_in)
    with rooms.running(_Server(found, place, user), scratch / "my") as server:
        yield server


class _Server:
    """One scratch server; root has no password, for nobody else reaches its socket."""

    def __init__(self, programs: dict[str, str], place: str, user: str) -> None:
        self._programs, self._place, self._user = programs, place, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises: NoServer."""
        data = [f"--datadir={self._place}/data", f"--tmpdir={self._place}"]
        normal = [
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]
        install = [self._programs["install"], "--no-defaults", *data, *normal]
        made = rooms.run(
            rooms.as_user(install, self._user, self._place), self._environment(), cwd="/"
        )
        if made.returncode:
            raise NoServer(f"mariadb-install-db ended with {made.returncode}")
        own = [f"--socket={self._place}/s", f"--pid-file={self._place}/pid"]
        own.append(f"--secure-file-priv={self._place}/data")
        command = [self._programs["server"], "--no-defaults", *data, *own, *_SETTINGS]
        self._process = subprocess.Popen(
            rooms.as_user(command, self._user, self._place),
            env=self._environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        until = time.monotonic() + _START_S
        while self._ask("SELECT 1").returncode:
            if self._process.poll() is not None or time.monotonic() > until:
                raise NoServer("it does not start")
            time.sleep(0.05)

    def stop(self) -> None:
        rooms.stop(self._process)

    def loaded(self, dump: str, belongs: str) -> Opened:
        """A dump that does not load whole is damaged: its rows count for nothing."""
        before = self._databases()
        try:
            if self._read(dump):
                return Opened(path=belongs, kind="mariadb", error="load")
            fresh = sorted(self._databases() - before)
            if len(fresh) != 1:
                return Opened(path=belongs, kind="mariadb", error="databases")
            return self._counted(fresh[0], belongs)
        finally:
            for name in self._databases() - before:
                self._ask(f"DROP DATABASE {_quoted(name)}")

    def _read(self, dump: str) -> int:
        with tempfile.TemporaryFile(dir=Path(self._place)) as whole:
            whole.write(_SANDBOX.encode())
            with Path(dump).open("rb") as file:
                shutil.copyfileobj(file, whole, 1 << 20)
            whole.seek(0)
            command = rooms.as_user(self._client("--binary-mode"), self._user, self._place)
            return rooms.run(command, self._environment(), "/", whole).returncode

    def _databases(self) -> set[str]:
        return set(self._ask("SHOW DATABASES").stdout.split("\n")) - _SYSTEM - {""}

    def _counted(self, database: str, belongs: str) -> Opened:
        """Rows of all tables, and the newest date up to now that one holds."""
        tables, newest = {}, ""
        for name in filter(None, self._ask(_TABLES, database).stdout.split("\n")):
            said = self._ask(f"SELECT COUNT(*) FROM {_quoted(name)}", database)  # noqa: S608
            if said.returncode:
                return Opened(path=belongs, kind="mariadb", error="count")
            tables[name] = int(said.stdout)
        for row in filter(None, self._ask(_COLUMNS, database).stdout.split("\n")):
            table, _, column = (_quoted(word) for word in row.partition("\t"))
            soon = "NOW() + INTERVAL 1 DAY"
            query = f"SELECT MAX({column}) FROM {table} WHERE {column} < {soon}"  # noqa: S608
            newest = max(newest, moment(self._ask(query, database).stdout.strip()))
        return Opened(path=belongs, kind="mariadb", tables=tables, newest=newest)

    def _ask(self, query: str, database: str = "") -> subprocess.CompletedProcess[str]:
        words = ["-N", "-B", "-r", *([f"--database={database}"] if database else []), "-e", query]
        command = rooms.as_user(self._client(*words), self._user, self._place)
        return rooms.run(command, self._environment(), cwd="/")

    def _client(self, *words: str) -> list[str]:
        own = ["--no-defaults", f"--socket={self._place}/s", "-u", "root", "--connect-timeout=10"]
        return [self._programs["client"], *own, "--default-character-set=utf8mb4", *words]

    def _environment(self) -> dict[str, str]:
        kept = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH") if k in os.environ}
        return kept | {"HOME": self._place, "LC_ALL": "C", "TZ": "UTC"}


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
