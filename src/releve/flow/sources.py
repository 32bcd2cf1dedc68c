"""What a backup takes besides folders: ports, what counts as a lack, and the errors that tell it."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, assert_never

import msgspec

from releve.flow.backup import Databases, Tell
from releve.model.backup import Manifest, Progress
from releve.model.errors import ReleveError
from releve.model.sources import (
    DicomFound,
    DicomSource,
    DumpMade,
    Gathered,
    Hook,
    Lack,
    MariaDbSource,
    PostgresSource,
    Source,
    SourcesManifest,
    SqliteSource,
    Want,
)

_T = TypeVar("_T")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class SourceNameError(ReleveError):
    """The name of a source is taken, unknown, or cannot be used."""

    status = 7
    remedy = "See `releve backup sources list`; names are small letters, digits, dot, hyphen and underscore."

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"Source {name!r}: {why}.")


class Dumper(Protocol):
    """Sends what a database program says into a snapshot of its own."""

    def take(self, source: PostgresSource | MariaDbSource, tell: Tell) -> DumpMade | Lack:
        """A Lack when no whole dump was made: then there is no snapshot of it, either.

        Raises: those of the backup server: without it the whole backup fails.
        """

    def lack(self, source: PostgresSource | MariaDbSource) -> Lack | None:
        """What is wrong with it right now, asked without dumping."""


class Surveyed(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a folder of images, and which of them are left for the next backup."""

    found: DicomFound
    arriving: tuple[str, ...] = ()  # paths


class Surveyor(Protocol):
    def survey(self, source: DicomSource, tell: Tell) -> Surveyed | Lack: ...
    def is_empty(self, folder: str) -> bool:
        """No file anywhere below; False when it is not there at all (told elsewhere)."""


class Hooks(Protocol):
    def run(self, hook: Hook) -> Lack | None: ...


class Notes(Protocol):
    """Keeps the manifest of the sources."""

    folder: str  # part of the snapshot

    def write(self, manifest: SourcesManifest) -> None: ...


class Gatherer:
    """One run's sources: commands before, dumps, surveys, the manifest; then commands after."""

    def __init__(
        self,
        sources: Sequence[Source],
        hooks: Sequence[Hook],
        *,
        dumper: Dumper,
        surveyor: Surveyor,
        commands: Hooks,
        notes: Notes,
    ) -> None:
        self._sources, self._hooks = sources, hooks
        self._dumper, self._surveyor = dumper, surveyor
        self._commands, self._notes = commands, notes

    def before(self, folders: Sequence[str], databases: Manifest, tell: Tell) -> Gathered:
        """A command that fails stops nothing: a backup without it is better than none, and is told."""
        lacks = self._ran("before")
        dumps: list[DumpMade] = []
        surveys: list[Surveyed] = []
        for source in self._sources:
            tell(Progress(phase="sources", files=len(dumps), bytes=sum(d.size for d in dumps)))
            match source:
                case PostgresSource() | MariaDbSource():
                    _sort(self._dumper.take(source, tell), dumps, lacks, _empty_dump)
                case DicomSource():
                    _sort(self._surveyor.survey(source, tell), surveys, lacks, _empty_store(source))
                case SqliteSource():
                    lacks += _lack_of_sqlite(source, databases)
                case _:
                    assert_never(source)
        lacks += [
            Lack(source=folder, want=Want.EMPTY, why="there is no file in it")
            for folder in folders
            if self._surveyor.is_empty(folder)
        ]
        found = tuple(one.found for one in surveys)
        manifest = SourcesManifest(dumps=tuple(dumps), dicom=found, lacks=tuple(lacks))
        self._notes.write(manifest)
        return Gathered(
            folders=(
                *(one.folder for one in found if one.folder not in folders),
                self._notes.folder,
            ),
            leave=tuple(path for one in surveys for path in one.arriving),
            manifest=manifest,
        )

    def after(self) -> list[Lack]:
        """Whatever became of the backup."""
        return self._ran("after")

    def _ran(self, when: str) -> list[Lack]:
        ran = (self._commands.run(hook) for hook in self._hooks if hook.when == when)
        return [lack for lack in ran if lack is not None]


def lacks_now(
    source: Source, dumper: Dumper, surveyor: Surveyor, databases: Databases
) -> list[Lack]:
    """What a backup of this source would lack right now; nothing is sent."""
    quiet: Tell = lambda _: None  # noqa: E731
    found: list[Lack] = []
    match source:
        case PostgresSource() | MariaDbSource():
            lack = dumper.lack(source)
            return [lack] if lack else []
        case DicomSource():
            _sort(surveyor.survey(source, quiet), [], found, _empty_store(source))
            return found
        case SqliteSource():
            return _lack_of_sqlite(source, databases.stage((), (), quiet))
        case _:
            assert_never(source)


def check_name(name: str, sources: Sequence[Source]) -> None:
    """Raises: SourceNameError."""
    if not _NAME.fullmatch(name):
        raise SourceNameError(name, "it cannot be a name")
    if any(source.name == name for source in sources):
        raise SourceNameError(name, "it is taken")


def _sort(
    found: _T | Lack, good: list[_T], lacks: list[Lack], judge: Callable[[_T], list[Lack]]
) -> None:
    if isinstance(found, Lack):
        lacks.append(found)
        return
    good.append(found)
    lacks += judge(found)


def _empty_dump(dump: DumpMade) -> list[Lack]:
    if not dump.rows:
        return [Lack(source=dump.source, want=Want.EMPTY, why="the database has no table")]
    if dump.counted and not any(rows.high for rows in dump.rows.values()):
        return [Lack(source=dump.source, want=Want.EMPTY, why="no table has a row")]
    return []


def _empty_store(source: DicomSource) -> Callable[[Surveyed], list[Lack]]:
    def judge(surveyed: Surveyed) -> list[Lack]:
        found = surveyed.found
        if not found.files and not surveyed.arriving:
            return [Lack(source=source.name, want=Want.EMPTY, why="there is no image in it")]
        if found.stale:
            days = f"nothing new for {source.stale_days:g} days"
            return [Lack(source=source.name, want=Want.STALE, why=days)]
        return []

    return judge


def _lack_of_sqlite(source: SqliteSource, databases: Manifest) -> list[Lack]:
    for skipped in databases.skipped:
        if skipped.path == source.path:
            return [Lack(source=source.name, want=Want.MISSING, why=skipped.why)]
    for copy in databases.databases:
        if copy.path == source.path:
            if any(copy.rows.values()):
                return []
            return [Lack(source=source.name, want=Want.EMPTY, why="no table has a row")]
    return [Lack(source=source.name, want=Want.MISSING, why="there is no SQLite database")]
