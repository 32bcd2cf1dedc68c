"""The book of keys and its log, in the backup's state folder."""

import os
from pathlib import Path

import msgspec

from releve.flow.clock import Clock
from releve.model.keys import KeyBook

BOOK, LOG = "keys.json", "keys.log"


class KeyBooks:
    """Books: keys.json, replaced at once; keys.log, one JSON line each, only appended to."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock

    def load(self) -> KeyBook:
        """An unreadable book raises: silently beginning anew would hide that a proof is lost."""
        try:
            content = (self._folder / BOOK).read_bytes()
        except FileNotFoundError:
            return KeyBook()
        return msgspec.json.decode(content, type=KeyBook)

    def save(self, book: KeyBook) -> None:
        new = self._folder / f".{BOOK}.new"
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(book)))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._folder / BOOK)

    def note(self, what: str, **facts: str) -> None:
        record = {"at": self._clock.now().isoformat(), "what": what} | facts
        log = self._folder / LOG
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(record) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
