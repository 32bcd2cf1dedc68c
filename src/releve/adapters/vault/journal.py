"""The chain on disk: one file, append only, durable before anybody is told.

Several processes of the vault may append (gate, commands): each holds the file's lock for the
moment, reads what others added since, and links after it.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from releve.adapters.durable import sync_folder
from releve.flow.vault import chain
from releve.model.errors import ReleveError
from releve.model.vault import AnyEntry

_BLOCK = 8 << 20


class JournalBrokenError(ReleveError):
    """The journal of receipts was changed, or its disk fails."""

    status = 122
    remedy = (
        "Do not write to this vault. Compare with the signed heads elsewhere, and call for help."
    )

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"The journal {path} is not what was written: {why}.")


def entries(path: Path) -> Iterator[AnyEntry]:
    """All entries, in order, as they stand; whether they hang together is the Journal's to check."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield from chain.read([line])


class Journal:
    """The entries of one vault. `heard` gets every entry once, in order, whoever wrote it."""

    def __init__(
        self,
        path: Path,
        now_ns: Callable[[], int],
        heard: Callable[[Sequence[AnyEntry]], object] = lambda _: None,
    ) -> None:
        self._path, self._now_ns, self._heard = path, now_ns, heard
        fresh = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if fresh:
            sync_folder(path.parent)
        self._offset = 0
        self.end = chain.Link()

    def append(self, entries: Sequence[AnyEntry]) -> list[AnyEntry]:
        """Put the entries at the end; they are on disk when this returns.

        Raises: OSError (nothing was added), JournalBrokenError.
        """
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._read_on(mend=True)
            at, lines, placed = self.end, [], list[AnyEntry]()
            for entry in entries:
                linked, line = chain.link(at, entry, self._now_ns())
                at = chain.end_of(linked)
                lines.append(line)
                placed.append(linked)
            self._write(b"".join(lines))
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self.end = at
        self._heard(placed)
        return placed

    def catch_up(self) -> None:
        """Hear what others added. Raises: JournalBrokenError."""
        fcntl.flock(self._file, fcntl.LOCK_SH)
        try:
            self._read_on(mend=False)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, lines: bytes) -> None:
        try:
            written = os.write(self._file, lines)
            if written != len(lines):
                raise OSError(28, "No space left on device")  # noqa: TRY301 (mended below)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._offset)  # a torn line was told to nobody
            raise
        self._offset += len(lines)

    def _read_on(self, *, mend: bool) -> None:
        size = os.fstat(self._file).st_size
        if size < self._offset:
            raise JournalBrokenError(str(self._path), "it became shorter")
        rest = b""
        while self._offset + len(rest) < size:
            block = os.pread(self._file, _BLOCK, self._offset + len(rest))
            if not block:
                break
            whole, newline, rest = (rest + block).rpartition(b"\n")
            self._take((whole + newline).splitlines(keepends=True))
            self._offset += len(whole) + len(newline)
        if rest and mend:  # torn by a crash in mid-write: nobody was told of it
            os.ftruncate(self._file, self._offset)

    def _take(self, lines: list[bytes]) -> None:
        entries: list[AnyEntry] = []
        for line in lines:
            try:
                [entry] = chain.read([line])
            except msgspec.DecodeError as error:
                raise JournalBrokenError(str(self._path), str(error)) from error
            if why := chain.why_broken(self.end, line, entry):
                raise JournalBrokenError(str(self._path), f"entry {entry.seq}: {why}")
            self.end = chain.end_of(entry)
            entries.append(entry)
        if entries:
            self._heard(entries)
