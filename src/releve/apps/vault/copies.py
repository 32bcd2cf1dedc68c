"""What is known of this vault's copies, on disk: DATA/copies/<name>/."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from releve.adapters.durable import write
from releve.adapters.vault.layout import Layout
from releve.flow.vault.copying import CopyUnknownError, CopyUnreachableError
from releve.flow.vault.names import is_word
from releve.model.copies import Copy, CopyKind, Probe, Progress

S = TypeVar("S", bound=msgspec.Struct)


class Copies:
    """The copies of one vault."""

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.data / "copies"

    def add(self, copy: Copy) -> None:
        """Raises: CopyUnknownError."""
        if not is_word(copy.name):
            raise CopyUnknownError(copy.name, "it is no name (a to z, digits, . _ -)")
        if (self._folder / copy.name / "copy.json").exists():
            raise CopyUnknownError(copy.name, "there is one of that name already")
        (self._folder / copy.name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._put(copy.name, "copy", copy)

    def get(self, name: str, *kinds: CopyKind) -> Copy:
        """Raises: CopyUnknownError."""
        found = self._get(name, "copy", Copy) if is_word(name) else None
        if found is None:
            raise CopyUnknownError(name)
        if kinds and found.kind not in kinds:
            raise CopyUnknownError(name, f"it is of the kind {found.kind}")
        return found

    def all(self) -> list[Copy]:
        names = sorted(path.parent.name for path in self._folder.glob("*/copy.json"))
        return [self.get(name) for name in names]

    def progress(self, name: str) -> Progress:
        return self._get(name, "progress", Progress) or Progress()

    def keep_progress(self, name: str, progress: Progress) -> None:
        self._put(name, "progress", progress)

    def probe(self, name: str) -> Probe | None:
        return self._get(name, "probe", Probe)

    def keep_probe(self, name: str, probe: Probe) -> None:
        self._put(name, "probe", probe)

    @contextlib.contextmanager
    def only_run(self, name: str) -> Iterator[None]:
        """Hold while a run of this copy is under way. Raises: CopyUnreachableError."""
        lock = os.open(self._folder / name / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise CopyUnreachableError(name, "another run is under way") from error
        finally:
            os.close(lock)

    def mirror(self, name: str) -> Path:
        """The source's journal, line by line as it is there."""
        return self._folder / name / "journal.jsonl"

    def _get(self, name: str, what: str, kind: type[S]) -> S | None:
        try:
            return msgspec.json.decode(
                (self._folder / name / f"{what}.json").read_bytes(), type=kind
            )
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise CopyUnknownError(name, f"{what}.json cannot be read ({error})") from error

    def _put(self, name: str, what: str, record: msgspec.Struct) -> None:
        text = msgspec.json.format(msgspec.json.encode(record)) + b"\n"
        write(self._folder / name / f"{what}.json", text)
