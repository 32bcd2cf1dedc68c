"""Talks to PostgreSQL and MariaDB through their own command-line programs, each wait with an end."""

import os
import shutil
import subprocess
import threading
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import msgspec

from releve.model.sources import MariaDbSource, PostgresSource

CONNECT_S = "10"
LOCK_S = 60
PATIENCE_S = 3600.0  # to count the rows of all tables
_END = "releve-end"
_TABLES = """FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%'
AND n.nspname <> 'information_schema' ORDER BY 1"""


class ProgramMissing(Exception):  # noqa: N818 (becomes a Lack, never told as an error)
    """A program of the database is not installed."""


class TalkFailed(Exception):  # noqa: N818 (as above)
    """The database does not answer, refuses, or its program failed; the words say which."""


class Talk(Protocol):
    """A database, while the block is entered."""

    environment: dict[str, str]  # for its programs; holds no secret

    @abstractmethod
    def version(self) -> str: ...
    @abstractmethod
    def tables(self) -> list[str]: ...
    @abstractmethod
    def rows(self) -> dict[str, int]: ...
    @abstractmethod
    def dumper(self, *more: str) -> list[str]: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class PostgresTalk(Talk):
    """One transaction that sees one state, open while the block lasts."""

    def __init__(self, source: PostgresSource) -> None:
        self._source = source
        self.environment = bare_environment() | {"PGCONNECT_TIMEOUT": CONNECT_S}
        if source.password_file:
            self.environment["PGPASSFILE"] = source.password_file

    def __enter__(self) -> Self:
        words = ["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", *self._where()]
        self._psql = _start([self._program("psql"), *words], self.environment)
        try:
            self._ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._psql)

    def version(self) -> str:
        return self._ask("SHOW server_version;")[0]

    def export(self) -> str:
        """The name of the state that this transaction sees, for a dump to see the same."""
        return self._ask("SELECT pg_export_snapshot();")[0]

    def tables(self) -> list[str]:
        return self._ask(f"SELECT n.nspname || '.' || c.relname {_TABLES};")

    def rows(self) -> dict[str, int]:
        count = "SELECT json_build_array(%L, count(*)) FROM ONLY %I.%I"
        each = f"format('{count}', n.nspname || '.' || c.relname, n.nspname, c.relname)"
        said = self._ask(f"SELECT {each} {_TABLES}\n\\gexec")
        return dict(msgspec.json.decode(line, type=tuple[str, int]) for line in said)

    def dumper(self, *more: str) -> list[str]:
        gently = ["-w", f"--lock-wait-timeout={LOCK_S}s"]
        return [self._program("pg_dump"), "-Fc", "-Z0", *gently, *more, *self._where()]

    def _where(self) -> list[str]:
        source = self._source
        named = (("-h", source.host), ("-p", str(source.port)), ("-U", source.user))
        words = [word for option, value in named if value for word in (option, value)]
        return [*words, "-d", source.database]

    def _program(self, name: str) -> str:
        return _found((name,), self._source.programs)

    def _ask(self, words: str) -> list[str]:
        """Lines of the answer. Raises: TalkFailed."""
        said: list[str] = []
        watch = threading.Timer(PATIENCE_S, self._psql.kill)
        watch.start()
        try:
            if self._psql.stdin is None or self._psql.stdout is None:
                raise AssertionError("both are pipes here")
            self._psql.stdin.write(f"{words}\n\\echo {_END}\n")
            self._psql.stdin.flush()
            for line in self._psql.stdout:
                if line.rstrip("\n") == _END:
                    return said
                said.append(line.rstrip("\n"))
        except BrokenPipeError:
            pass  # why is on its stderr
        finally:
            watch.cancel()
        raise TalkFailed(_complaint(self._psql))


class MariaDbTalk(Talk):
    """Each question is asked by a program of its own."""

    def __init__(self, source: MariaDbSource) -> None:
        self._source = source
        self.environment = bare_environment()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def version(self) -> str:
        return self._ask("SELECT VERSION();")[0]

    def tables(self) -> list[str]:
        return self._ask(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
            "AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1;"
        )

    def rows(self) -> dict[str, int]:
        tables = self.tables()
        if not tables:
            return {}
        quoted = ["`" + table.replace("`", "``") + "`" for table in tables]
        asked = " UNION ALL ".join(
            f"SELECT {at}, COUNT(*) FROM {table}"  # noqa: S608 (a name, quoted above)
            for at, table in enumerate(quoted)
        )
        pairs = (line.split("\t") for line in self._ask(f"{asked};"))
        return {tables[int(at)]: int(count) for at, count in pairs}

    def dumper(self, *more: str) -> list[str]:
        """One state of InnoDB tables; no date in it, so that an unchanged database adds nothing."""
        program = _found(("mariadb-dump", "mysqldump"))
        state = ["--single-transaction", "--quick", "--skip-lock-tables", "--skip-dump-date"]
        whole = ["--routines", "--events", "--triggers", "--hex-blob", "--databases"]
        return [program, *self._where(), *state, *whole, *more, self._source.database]

    def _where(self) -> list[str]:
        source, file = self._source, self._source.password_file
        words = [f"--defaults-file={file}" if file else "--no-defaults"]
        named = (("socket", source.socket), ("host", source.host), ("user", source.user))
        words += [f"--{name}={value}" for name, value in named if value]
        return words + ([f"--port={source.port}"] if source.host else [])

    def _ask(self, words: str) -> list[str]:
        program = _found(("mariadb", "mysql"))
        command = [program, *self._where(), f"--connect-timeout={CONNECT_S}", "-N", "-B", "-r"]
        try:
            ended = subprocess.run(
                [*command, f"--database={self._source.database}"],
                input=words,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TalkFailed(str(error)) from error
        if ended.returncode:
            raise TalkFailed(ended.stderr.strip() or f"status {ended.returncode}")
        return ended.stdout.splitlines()


def bare_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def _found(names: Sequence[str], folder: str = "") -> str:
    """Raises: ProgramMissing."""
    for name in names:
        place = Path(folder) / name
        found = (str(place) if place.is_file() else None) if folder else shutil.which(name)
        if found:
            return found
    raise ProgramMissing(f"{names[0]} is not installed{f' in {folder}' if folder else ''}")


def _start(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _complaint(program: subprocess.Popen[str]) -> str:
    program.kill()
    said = program.stderr.read() if program.stderr else ""
    return said.strip().removeprefix("psql: ").replace("\n", " ") or "it ended without a word"


def _end(program: subprocess.Popen[str]) -> None:
    program.kill()
    program.communicate()
