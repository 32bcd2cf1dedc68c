"""Marks: small notes that must be on disk before the next step, each a file of its own.

Written without any lock and without the index, in some ten microseconds: what waits for them is
a program that destroys files. They survive kill -9 (not a power cut, after which nobody is left).
"""

import contextlib
import os


class Marks:
    """Notes by name in one folder.

    Args:
        folder: made if absent; root only.
    """

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder = folder

    def put(self, name: str, body: bytes) -> None:
        """Write it, whole or not at all. `name` has no slash."""
        fresh = os.path.join(self._folder, f"{name}.new")
        with open(fresh, "wb", buffering=0) as file:
            file.write(body)
        os.rename(fresh, os.path.join(self._folder, name))

    def drop(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._folder, name))

    def all(self) -> list[bytes]:
        """Every note; one that was never whole is cleared away."""
        found = []
        for name in sorted(os.listdir(self._folder)):
            if name.endswith(".new"):
                self.drop(name)
                continue
            with open(os.path.join(self._folder, name), "rb") as file:
                found.append(file.read())
        return found
