"""A journal of lines where each names the hash of the one before: none can be taken out unseen.

Whoever is root can write a whole new chain; so the head is handed to whom it may concern with every
export, and an older export shows a chain that was made anew or cut short.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from releve.model.errors import ReleveError

_HASH = b'"hash":"'
_STEP = 1 << 16


class ChainBrokenError(ReleveError):
    """A line of the journal was changed, or one before it was taken out."""

    status = 19
    remedy = "Keep the file as it is: it is evidence. Compare with the last export that you have."

    def __init__(self, path: Path, line: int) -> None:
        super().__init__(f"{path}: line {line} does not follow from the one before.")
        self.line = line


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A journal that was checked from its first line to its last."""

    lines: int
    head: str  # hash of the last line; empty: there is none


T = TypeVar("T", bound=msgspec.Struct)


class Journal(Generic[T]):
    """One file, its owner's alone. Several processes may add to it.

    Args:
        path: the file; its folder is there.
        kind: what a line is: a struct whose last two fields are `previous` and `hash`.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self._read = msgspec.json.Decoder(kind).decode

    def add(self, entries: Sequence[T]) -> None:
        """Chain them; on disk when this returns."""
        if not entries:
            return
        with self._alone() as descriptor:
            previous = _end(descriptor)
            lines = []
            for entry in entries:
                placed = msgspec.structs.replace(entry, previous=previous, hash="")
                previous = hashlib.sha256(msgspec.json.encode(placed)).hexdigest()
                whole = msgspec.structs.replace(placed, hash=previous)
                lines.append(msgspec.json.encode(whole) + b"\n")
            with os.fdopen(os.dup(descriptor), "ab") as file:
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())

    def entries(self) -> Iterator[T]:
        """Every line, in order, trusted: `check` is another question."""
        for line in self._lines():
            yield self._read(line)

    def last(self, most: int) -> list[T]:
        """The newest lines, newest first, without reading the whole of a long journal."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            at, said = file.seek(0, os.SEEK_END), b""
            while at and said.count(b"\n") <= most:
                step = min(_STEP, at)
                at -= step
                file.seek(at)
                said = file.read(step) + said
        lines = [line for line in said.split(b"\n")[:-1] if line]
        return [self._read(line) for line in reversed(lines[-most:])]

    def check(self) -> Whole:
        """Raises: ChainBrokenError."""
        previous, number = "", 0
        for number, line in enumerate(self._lines(), 1):
            body, mark, rest = line.rpartition(_HASH)
            said = rest.partition(b'"')[0].decode(errors="replace")
            digest = hashlib.sha256(body + mark + b'"}').hexdigest()
            if not mark or digest != said or f'"previous":"{previous}"'.encode() not in body:
                raise ChainBrokenError(self.path, number)
            previous = said
        return Whole(lines=number, head=previous)

    def _lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):  # else it is being written, or was cut by a crash
                        yield line[:-1]
        except FileNotFoundError:
            return

    @contextmanager
    def _alone(self) -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _end(descriptor: int) -> str:
    """The hash that the chain ends with; what a crash left of a line that nobody was told is cut."""
    size = os.fstat(descriptor).st_size
    at, said = size, b""
    while at and said.count(b"\n") < 2:
        step = min(_STEP, at)
        at -= step
        said = os.pread(descriptor, step, at) + said
    whole, _, torn = said.rpartition(b"\n")
    if torn:
        os.ftruncate(descriptor, size - len(torn))
    last = whole.rpartition(b"\n")[2]
    return last.rpartition(_HASH)[2].partition(b'"')[0].decode() if last else ""
