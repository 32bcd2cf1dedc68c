"""Wiring of `releve key`: from the backup's state folder to the drivers."""

import datetime as dt
import re
import secrets
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from releve.adapters.durable import write_new
from releve.adapters.keys.book import KeyBooks
from releve.adapters.private import is_ours
from releve.adapters.restic.engine import Repository
from releve.adapters.restic.keys import KeyRing, secret_file
from releve.apps.backup.state import DEFAULT, Config, State, SystemClock
from releve.flow.keys import Keys, is_generation, next_generation
from releve.model.errors import ReleveError
from releve.model.keys import Place

FIRST = "1"  # the generation of a repository whose address names none
_NO_NAME = re.compile(r"[^a-zA-Z0-9._-]+")


class SheetPlaceError(ReleveError):
    """The folder for the sheets is not safe, or holds some already."""

    status = 9
    remedy = "Name an empty folder of root's with --out; best one in memory, below /run."

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(f"No sheet is written to {folder}: {why}.")


class SystemChance:
    """Chance: the system's."""

    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


def typed(words: str, state: State) -> str:
    """A command of the backup as it is typed here, in quotes: in another folder it has to say so."""
    at = "" if str(state.folder) == DEFAULT else f" --state {shlex.quote(str(state.folder))}"
    return f"`releve {words}{at}`"


def place_of(config: Config) -> Place:
    """…/structure/host/generation/ at a gate, …/host/ or …/host/generation/ at a plain server."""
    parts = [part for part in urlsplit(config.url).path.split("/") if part]
    generation = parts.pop() if parts and is_generation(parts[-1]) else FIRST
    host = parts.pop() if parts else config.user
    return Place(
        structure=config.structure or (parts[-1] if parts else ""),
        host=host,
        generation=generation,
        url=config.url,
        user=config.user,
    )


def keys_of(state: State) -> Keys:
    """Raises: BackupNotSetUpError."""
    clock = SystemClock()
    ring, books = KeyRing(state.repository()), books_of(state)
    return Keys(place_of(state.config()), ring, books, clock=clock, chance=SystemChance())


def books_of(state: State) -> KeyBooks:
    return KeyBooks(state.folder, SystemClock())


@contextmanager
def ring_by(secret: str, repository: Repository) -> Iterator[KeyRing]:
    """The repository opened by another key, with a cache of its own that goes with the block."""
    with secret_file(secret) as file, tempfile.TemporaryDirectory(prefix="releve-key-") as cache:
        yield KeyRing(msgspec.structs.replace(repository, password_file=file, cache=cache))


def rotate(state: State, why: str) -> Place:
    """A new repository with a new password, from the next backup on; the old one stays readable.

    Nothing changes on this host before the new repository opened; done twice, it makes two.

    Raises: BackupRunningError, BackupNotSetUpError, and those of the backup server.
    """
    with state.alone():
        config, now = state.config(), dt.datetime.now(dt.UTC)
        old, keys = place_of(config), keys_of(state)
        taken = {old.generation, *(gone.generation for gone in books_of(state).load().retired)}
        name = next_generation(now, taken)
        base = config.url.rstrip("/")
        base = base.rpartition("/")[0] if old.generation != FIRST else base
        new = msgspec.structs.replace(
            config, url=f"{base}/{name}/", password_file=state.new_password(name)
        )
        KeyRing(state.repository(new)).init()
        state.keep_generation(old.generation, config)
        keys.retire(why)
        state.reconfigure(new)
        state.forget_record()
    return place_of(new)


def sheet_folder(named: str) -> Path:
    """A private folder that is made here, empty.

    Raises: SheetPlaceError.
    """
    folder = Path(named).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise SheetPlaceError(named, str(error)) from error
    if not is_ours(folder):
        raise SheetPlaceError(named, "others could put another folder in its place")
    if any(folder.iterdir()):
        raise SheetPlaceError(named, "it is not empty; erase sheets that were printed")
    return folder


def sheet_name(place: Place, mark: str, number: int) -> str:
    """Without anything secret: it shows in lists of printed documents."""
    part = f"-part{number}" if number else ""
    return _NO_NAME.sub("_", f"cle-{place.host}-{place.generation}-{mark}{part}")


def write_secret(file: Path, secret: str) -> None:
    """A new file that only we can read from its first moment.

    Raises: SheetPlaceError when something is there already.
    """
    try:
        write_new(file, secret.encode())
    except OSError as error:
        raise SheetPlaceError(str(file.parent), f"{file.name}: {error.strerror}") from error
