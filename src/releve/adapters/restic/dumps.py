"""Dumps of PostgreSQL and MariaDB, streamed uncompressed into snapshots of their own.

Uncompressed (`-Z0`): restic compresses, and only plain dumps share most of their data from one
hour to the next. Passwords are in files that only we can read, never words or environment.
"""

import contextlib
import datetime as dt
import hashlib
import io
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from releve.adapters.restic import notes, tee
from releve.adapters.restic.engine import DUMP, Restic
from releve.adapters.restic.talks import MariaDbTalk, PostgresTalk, ProgramMissing, TalkFailed
from releve.flow.backup import EngineFailedError, Tell, VerificationFailedError
from releve.flow.sources import SourceNameError
from releve.model.backup import Progress
from releve.model.sources import (
    DumpMade,
    Lack,
    MariaDbSource,
    PostgresSource,
    SourcesManifest,
    TableRows,
    Want,
)

TAG = "releve-dump"
_WORDS = 300  # of a program's complaint


class _Passed(msgspec.Struct):
    status: int
    size: int
    sha256: str
    said: str = ""


class Dumps(Restic):
    """Dumper: by this repository."""

    def take(self, source: PostgresSource | MariaDbSource, tell: Tell) -> DumpMade | Lack:
        try:
            check_private(source.password_file)
            if isinstance(source, PostgresSource):
                return self._postgres(source, tell)
            return self._mariadb(source, tell)
        except (ProgramMissing, TalkFailed) as error:
            return _missing(source, str(error))

    def lack(self, source: PostgresSource | MariaDbSource) -> Lack | None:
        try:
            check_private(source.password_file)
            talk = (
                PostgresTalk(source) if isinstance(source, PostgresSource) else MariaDbTalk(source)
            )
            with talk:
                talk.dumper()
                tables = talk.rows() if source.count_rows else dict.fromkeys(talk.tables(), 1)
        except (ProgramMissing, TalkFailed) as error:
            return _missing(source, str(error))
        if not any(tables.values()):
            why = "no table has a row" if tables else "the database has no table"
            return Lack(source=source.name, want=Want.EMPTY, why=why)
        return None

    def manifest(self, snapshot: str = "") -> SourcesManifest:
        """Of a backup, the newest by default; empty when it has none.

        Raises: SourceNameError when there is no such backup, and those of the repository.
        """
        whole = [one for one in self.snapshots() if notes.folder_of(one.folders)]
        found = [one for one in whole if one.id.startswith(snapshot)]
        if not found:
            raise SourceNameError(snapshot or "latest", "no backup names its sources")
        into = io.BytesIO()
        place = f"{notes.folder_of(found[-1].folders)}/{notes.MANIFEST}"
        self.dump(found[-1].id, place, into)
        return msgspec.json.decode(into.getvalue(), type=SourcesManifest)

    def fetch(self, made: DumpMade, into: Path) -> None:
        """Write a dump to a new file that only we can read; kept only if it is what was dumped.

        Raises: VerificationFailedError, FileExistsError.
        """
        into.touch(mode=0o600, exist_ok=False)
        with contextlib.ExitStack() as undo:
            undo.callback(into.unlink)
            with into.open("wb") as file:
                self.dump(made.snapshot, made.path, file)
            with into.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != made.sha256:
                raise VerificationFailedError(made.path, "its SHA-256 is not the dump's")
            undo.pop_all()

    def _postgres(self, source: PostgresSource, tell: Tell) -> DumpMade | Lack:
        """Rows are counted in the very state that is dumped: the dump reads our exported snapshot."""
        with PostgresTalk(source) as talk:
            state, version = talk.export(), talk.version()
            counts = talk.rows() if source.count_rows else dict.fromkeys(talk.tables(), 0)
            command = talk.dumper(f"--snapshot={state}")
            rows = {name: TableRows(low=count, high=count) for name, count in counts.items()}
            return self._made(source, "pgdump", command, talk.environment, version, rows, tell)

    def _mariadb(self, source: MariaDbSource, tell: Tell) -> DumpMade | Lack:
        """MariaDB exports no state to share: rows are counted before and after the dump."""
        with MariaDbTalk(source) as talk:
            version, ask = talk.version(), talk.rows
            before = ask() if source.count_rows else dict.fromkeys(talk.tables(), 0)
            made = self._made(source, "sql", talk.dumper(), talk.environment, version, {}, tell)
            after = ask() if source.count_rows else before
        if isinstance(made, Lack):
            return made
        rows = {
            name: TableRows(low=min(pair), high=max(pair))
            for name in before.keys() & after.keys()
            if (pair := (before[name], after[name]))
        }
        return msgspec.structs.replace(made, rows=dict(sorted(rows.items())))

    def _made(
        self,
        source: PostgresSource | MariaDbSource,
        ending: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        version: str,
        rows: dict[str, TableRows],
        tell: Tell,
    ) -> DumpMade | Lack:
        path = f"{DUMP}{source.name}.{ending}"
        with tempfile.TemporaryDirectory(prefix="releve-dump-") as scratch:
            report = Path(scratch) / "report"
            passing = [sys.executable, "-I", str(tee.__file__), str(report), *command]
            try:
                snapshot, at = self._stream(path, source.name, passing, environment, tell)
            except EngineFailedError as error:
                passed = _passed(report)
                if passed is None:
                    return _missing(source, f"the dump broke off: {error.said}")
                said = passed.said.replace("\n", "; ")[-_WORDS:] or error.said
                return _missing(source, f"the dump ended with {passed.status}: {said}")
            passed = _passed(report)
        if passed is None:
            raise EngineFailedError(0, "a dump was stored without its report")
        return DumpMade(
            source=source.name,
            kind=str(type(source).__struct_config__.tag),
            database=source.database,
            snapshot=snapshot,
            path=path,
            size=passed.size,
            sha256=passed.sha256,
            at=at,
            server_version=version,
            rows=rows,
            counted=source.count_rows,
        )

    def _stream(
        self,
        path: str,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        tell: Tell,
    ) -> tuple[str, dt.datetime]:
        """The snapshot that restic made of what the command said, if it ended well."""
        self._need()
        words = ["--stdin-filename", path, "--tag", f"{TAG},{name}", "--stdin-from-command"]
        with self._besides(environment):
            made = self._backup(
                ["backup", *words, "--", *command],
                lambda done: tell(Progress(phase="dump", files=0, bytes=done.bytes)),
            )
        return made.snapshot, made.at

    @contextmanager
    def _besides(self, more: Mapping[str, str]) -> Iterator[None]:
        before, self._more = self._more, dict(more)
        try:
            yield
        finally:
            self._more = before


def check_private(file: str) -> None:
    """Raises: TalkFailed, when others can read a password file or it is not there."""
    if not file:
        return
    try:
        mode = Path(file).stat().st_mode
    except OSError as error:
        raise TalkFailed(f"password file {file}: {error.strerror}") from error
    if mode & 0o077:
        raise TalkFailed(f"others can read the password file {file}: chmod 600")


def _missing(source: PostgresSource | MariaDbSource, why: str) -> Lack:
    return Lack(source=source.name, want=Want.MISSING, why=why)


def _passed(report: Path) -> _Passed | None:
    try:
        return msgspec.json.decode(report.read_bytes(), type=_Passed)
    except (OSError, msgspec.DecodeError):
        return None
