"""Marks: small notes that must be on disk before the next step, each a file of its own.

Written without any lock and without the index, in some ten microseconds: what waits for them is
a program that destroys files. They survive kill -9 (not a power cut, after which nobody is left).
A few files stand ready with their blocks: who eats every inode first must not be safe by that.
"""

import contextlib
import os

_SPARES, _SPARE_BYTES = 8, 16 << 10
_SPARE = "spare-"
_LENGTH = 4  # a note is as long as its first bytes say: the rest is of the spare


class Marks:
    """Notes by name in one folder.

    Args:
        folder: made if absent; root only.
    """

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder = folder
        self._spares = [name for name in os.listdir(folder) if name.startswith(_SPARE)]
        self._number = 1 + max((int(name[len(_SPARE) :]) for name in self._spares), default=0)
        self._make_spares()

    def _make_spares(self) -> None:
        with contextlib.suppress(OSError):  # of a full disk: what there is has to do
            while len(self._spares) < _SPARES:
                name = f"{_SPARE}{self._number}"
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                fd = os.open(os.path.join(self._folder, name), flags, 0o600)
                try:
                    os.posix_fallocate(fd, 0, _SPARE_BYTES)
                finally:
                    os.close(fd)
                self._number += 1
                self._spares.append(name)

    def put(self, name: str, body: bytes) -> bool:
        """Write it, whole or not at all; False when the disk has no room for it.

        `name` has no slash and is none of the spares'.
        """
        spare = self._spares.pop() if self._spares else f"{name}.new"
        fresh = os.path.join(self._folder, spare)
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                note = len(body).to_bytes(_LENGTH) + body
                if os.pwrite(fd, note, 0) < len(note):
                    return False
            finally:
                os.close(fd)
            os.rename(fresh, os.path.join(self._folder, name))
        except OSError:
            return False
        return True

    def drop(self, name: str) -> None:
        """It is not needed any more; its file stands ready for another."""
        spare = f"{_SPARE}{self._number}"
        path = os.path.join(self._folder, name)
        try:
            if len(self._spares) >= _SPARES:
                os.unlink(path)
                return
            os.rename(path, os.path.join(self._folder, spare))
        except FileNotFoundError:
            return
        self._number += 1
        self._spares.append(spare)
        self._make_spares()

    def all(self) -> list[bytes]:
        """Every note; one that was never whole is cleared away."""
        found = []
        for name in sorted(os.listdir(self._folder)):
            if name.startswith(_SPARE):
                continue
            if name.endswith(".new"):
                os.unlink(os.path.join(self._folder, name))
                continue
            with open(os.path.join(self._folder, name), "rb") as file:
                length = int.from_bytes(file.read(_LENGTH))
                found.append(file.read(length))
        return found
