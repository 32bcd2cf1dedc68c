"""The keys of a restic repository. A new key travels by a file in memory, never by words."""

import contextlib
import datetime as dt
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from releve.adapters.restic.engine import Restic
from releve.model.keys import RepositoryKey


class _Key(msgspec.Struct):
    id: str
    user_name: str = msgspec.field(name="userName", default="")
    created: str = ""
    current: bool = False


_SAVED = re.compile(rb"\bID ([0-9a-f]{8})")
_listed = msgspec.json.Decoder(list[_Key]).decode


class KeyRing(Restic):
    """Ring: the repository, opened by the key that it was given."""

    def keys(self) -> list[RepositoryKey]:
        return [
            RepositoryKey(
                id=key.id[:8],
                label=key.user_name,
                made_at=_when(key.created),
                current=key.current,
            )
            for key in _listed(self._answer("key", "list") or b"[]")
        ]

    def add(self, password: str, label: str) -> str:
        said: list[bytes] = []
        with secret_file(password) as place:
            words = ["add", "--new-password-file", place, "--user", label]
            self._told(said.append, "key", *words)
        # Asking the repository would cost one more opening, slow on purpose.
        if told := _SAVED.search(b" ".join(said)):
            return told[1].decode()
        return next(key.id for key in reversed(self.keys()) if key.label == label)


@contextlib.contextmanager
def secret_file(secret: str) -> Iterator[str]:
    """A path by which our children read the secret while the block lasts; it is on no disk.

    Where the system has no files in memory: a file that only we can read, gone after.
    """
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryDirectory() as folder:  # 0700
            place = Path(folder) / "key"
            place.touch(mode=0o600)
            place.write_text(secret)
            yield str(place)
            return
    descriptor = os.memfd_create("releve", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, secret.encode())
        # By our own pid: the child may open it because it runs as the same user.
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _when(created: str) -> dt.datetime | None:
    """Restic gives local time without a zone here."""
    try:
        return dt.datetime.fromisoformat(created).astimezone(dt.UTC)
    except ValueError:
        return None
