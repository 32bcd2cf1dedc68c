"""What the commands about judged snapshots are made of."""

import contextlib
import datetime as dt
from collections.abc import Iterator

import msgspec

from releve.adapters.scan.catalogue import SqliteCatalogue
from releve.adapters.scan.past import SnapshotPast
from releve.adapters.scan.rules import NoRules, YaraRules, rules
from releve.apps.backup.state import State, SystemClock
from releve.flow.scan import Scan

CATALOGUE = "catalogue.sqlite"
SCRATCH = "scan"
RULES = "yara"  # a practice's own rules, beside the catalogue


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """A scan with what it writes to."""

    scan: Scan
    catalogue: SqliteCatalogue
    rules: YaraRules | NoRules


@contextlib.contextmanager
def catalogue(state: State) -> Iterator[SqliteCatalogue]:
    """The catalogue beside the backup's state. Raises: CatalogueError."""
    state.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = SqliteCatalogue(state.folder / CATALOGUE)
    try:
        yield opened
    finally:
        opened.close()


@contextlib.contextmanager
def bench(state: State, *, live: bool = True) -> Iterator[Bench]:
    """Everything a scan needs. Raises: BackupNotSetUpError, CatalogueError, RulesError."""
    config = state.config()
    own = state.folder / RULES
    known = rules(own if own.is_dir() else None)
    with catalogue(state) as kept:
        past = SnapshotPast(state.engine(), config.url, state.folder / SCRATCH, live=live)
        yield Bench(scan=Scan(past, kept, known, SystemClock()), catalogue=kept, rules=known)


def when(said: str) -> dt.datetime:
    """A time as people type it; local if it names no zone."""
    return dt.datetime.fromisoformat(said).astimezone(dt.UTC)
