"""Judging the snapshots of this machine: what it is made of, after each backup and by `releve recover`."""

import contextlib
import datetime as dt
import fcntl
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click
import msgspec

from releve.adapters.restic.engine import Restic
from releve.adapters.restic.fingerprints import FOLDER as FINGERPRINTS
from releve.adapters.scan import travel
from releve.adapters.scan.catalogue import SqliteCatalogue
from releve.adapters.scan.past import SnapshotPast
from releve.adapters.scan.rules import NoRules, YaraRules, rules
from releve.apps.backup.state import State, SystemClock
from releve.apps.web.terminal import plain
from releve.flow.scan import BUDGET, Scan
from releve.flow.scan_ports import Reading, Scanned
from releve.model.clean import Verdict, Why
from releve.model.errors import ReleveError
from releve.report.text import Voice

WORDS: Mapping[Verdict, str] = {
    Verdict.CLEAN: "saine",
    Verdict.UNJUDGED: "pas encore jugée",
    Verdict.SUSPECT: "douteuse",
    Verdict.BAD: "atteinte",
}
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
    """The catalogue beside the backup's state; the first time it is made, and judging goes on from then.

    Raises: BackupNotSetUpError, CatalogueError.
    """
    check_backed_up(state)
    opened = SqliteCatalogue(state.folder / CATALOGUE)
    try:
        yield opened
    finally:
        opened.close()


@contextlib.contextmanager
def bench(
    state: State, *, live: bool = True, mounted: Path | None = None, engine: Restic | None = None
) -> Iterator[Bench]:
    """Everything a scan needs; `engine`: reads by another right than the machine's own.

    Raises: BackupNotSetUpError, CatalogueError, RulesError, ScanRunningError.
    """
    config = state.config()
    own = state.folder / RULES
    known = rules(own if own.is_dir() else None)
    with _alone(state.folder), catalogue(state) as kept, contextlib.ExitStack() as stack:
        shutil.rmtree(state.folder / SCRATCH, ignore_errors=True)  # of a scan that was killed
        past = SnapshotPast(
            engine or state.engine(), config.url, state.folder / SCRATCH, live=live, mounted=mounted
        )
        stack.callback(past.close)
        yield Bench(scan=Scan(past, kept, known, SystemClock()), catalogue=kept, rules=known)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The kernel lets go of the lock when its holder dies, however it dies."""
    with (folder / "scan.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ScanRunningError(str(folder)) from error
        yield


def scan_now(
    state: State,
    minutes: float | None = None,
    *,
    live: bool = True,
    mounted: Path | None = None,
    engine: Restic | None = None,
    teller: "Teller",
) -> Iterable[Scanned]:
    """Judge what waits; also called after each backup. Raises: those of `bench`."""
    budget = BUDGET if minutes is None else dt.timedelta(minutes=minutes)
    with bench(state, live=live, mounted=mounted, engine=engine) as made:
        if not made.rules.names and not teller.as_json:
            click.echo("Sans règles YARA : l'option `scan` n'est pas installée.", err=True)
        yield from made.scan.run(budget, teller)
    _travel(state)


def _travel(state: State) -> None:
    """The next backup takes the catalogue along, beside its list of fingerprints."""
    folder = state.folder / FINGERPRINTS
    folder.mkdir(mode=0o700, exist_ok=True)
    travel.copy(state.folder / CATALOGUE, folder / CATALOGUE)


class ScanRunningError(ReleveError):
    """Another scan of this machine's snapshots is running."""

    status = 31
    remedy = "Wait for it to end; the backup that is made now is judged by the next scan."

    def __init__(self, folder: str) -> None:
        super().__init__(f"A scan is running already (lock in {folder}).")


class SnapshotHarmedError(ReleveError):
    """The snapshot was made, but what changed since the one before was destroyed or is malicious."""

    status = 30
    remedy = (
        "Look at `releve recover plan`: it names the last clean snapshots. If a person knows the"
        " change as good: `releve recover accept`."
    )

    remedy_fr = (
        "Regarder `releve recover plan` : il nomme les dernières sauvegardes saines. Si une personne sait"
        " ce changement bon : `releve recover accept`."
    )

    def __init__(self, snapshot: str, why: Why) -> None:
        super().__init__(f"Snapshot {snapshot[:8]} shows harm: {why.en}.")
        self.fr = f"La sauvegarde {snapshot[:8]} est faite, et montre un dégât : {why.fr}."
        self.snapshot = snapshot


def is_enabled(state: State) -> bool:
    """Whether each backup is judged: from the first `releve recover scan` on."""
    return (state.folder / CATALOGUE).exists()


def check_backed_up(state: State) -> None:
    """Without a catalogue and without a backup nothing can be asked here. Raises: BackupNotSetUpError."""
    if not is_enabled(state):
        state.config()


def after_backup(state: State, snapshot: str, *, as_json: bool) -> None:
    """Judge the new snapshot and those before it that wait; the backup is made whatever happens here.

    Raises: SnapshotHarmedError.
    """
    harm: Why | None = None
    try:
        for done in scan_now(state, teller=Teller(as_json=as_json)):
            tell_scanned(done, as_json=as_json)
            if done.snapshot == snapshot and done.verdict is Verdict.BAD:
                harm = next(j.why[0] for j in done.judgements if j.verdict is Verdict.BAD)
    except ReleveError as error:
        _tell_not_judged(error.status, str(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - a full disk, a flaw of ours: the backup was made all the same
        _tell_not_judged(1, f"{type(error).__name__}: {error}", as_json=as_json)
    if harm:
        raise SnapshotHarmedError(snapshot, harm)


def _tell_not_judged(status: int, why: str, *, as_json: bool) -> None:
    if as_json:
        _print({"event": "not_judged", "status": status, "why": why})
    else:
        click.echo(f"Sauvegarde faite, mais pas jugée : {why}", err=True)


class Teller:
    """Shows how far a scan is: JSON lines, or one changing line on a terminal's stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._last: dt.datetime | None = None

    def __call__(self, reading: Reading) -> None:
        now = SystemClock().now()
        if self._last is not None and now - self._last < dt.timedelta(milliseconds=400):
            return
        self._last = now
        if self.as_json:
            _print(reading)
        elif sys.stderr.isatty():
            click.echo(f"\r{reading.files}/{reading.of} fichiers jugés\033[K", nl=False, err=True)


def tell_scanned(done: Scanned, *, as_json: bool) -> None:
    if as_json:
        _print(done)
        return
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    said = Voice("fr")
    waiting = f", {done.waiting} encore à juger" if done.waiting else ""
    click.echo(
        f"Sauvegarde {done.snapshot[:8]} : {WORDS[done.verdict]} ({done.files} fichiers jugés,"
        f" {said.size(done.bytes)}, {said.duration(done.ms)}{waiting})."
    )
    for j in done.judgements:
        for why in j.why:
            click.echo(plain(f"  {j.data_set} : {why.fr}"))
    for name, doubt in done.doubts:
        click.echo(plain(f"  {name} : rien de neuf n'est abîmé ; {doubt.fr}"))


def _print(what: object) -> None:
    click.echo(msgspec.json.encode(what).decode())
