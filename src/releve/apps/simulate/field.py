"""What an attack is given: the marked share, its own log outside the share, its keys, its cipher."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from releve.apps.simulate.mark import MARK, require_mark

_KEY_BYTES = 32


class Field:
    """The ground of one attack; refuses at once if the share carries no mark."""

    def __init__(self, share: Path, work: Path, limit: int = 0) -> None:
        require_mark(share)
        self.share = share
        self.work = work  # keys, logs, scratch: outside the share
        self.keys = work / "keys"
        self.limit = limit
        self._log = os.open(work / "attack.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        self._pad = b""

    def victims(self) -> Iterator[Path]:
        """Regular files of the share in the order the folders give them, not the mark, not hidden rooms."""
        number = 0
        for folder, inside, names in os.walk(self.share):
            inside[:] = [name for name in inside if not name.startswith(".releve")]
            for name in names:
                path = Path(folder, name)
                if name == MARK or path.is_symlink() or not path.is_file():
                    continue
                number += 1
                if self.limit and number > self.limit:
                    return
                yield path

    def writable(self) -> Iterator[Path]:
        """Those victims that this user may write in place."""
        return (path for path in self.victims() if os.access(path, os.W_OK) and path.stat().st_size)

    def destroying(self, path: Path) -> None:
        """Log, just before the destructive call, that an original goes: the truth that counts."""
        os.write(self._log, b"T %d " % time.time_ns() + self._name(path) + b"\n")

    def committed(self, path: Path, number: int) -> None:
        """Log how many commits of a database in use were acknowledged so far."""
        os.write(self._log, b"C %d " % number + self._name(path) + b"\n")

    def own(self, folder: Path) -> None:
        """Log a folder of somebody's own new files: what appears there is no trace of the attack."""
        os.write(self._log, b"O " + self._name(folder) + b"\n")

    def is_over(self) -> bool:
        """Whether companions shall end: the attack beside them is over."""
        return (self.work / "over").exists()

    def saved(self, path: Path, content: bytes) -> None:
        """Log an honest save that has just been closed: what the newest version was."""
        digest = hashlib.sha256(content).hexdigest().encode()
        moment = b"%d" % path.stat().st_mtime_ns
        os.write(self._log, b"S " + digest + b" " + moment + b" " + self._name(path) + b"\n")

    def _name(self, path: Path) -> bytes:
        """Relative to the share's parent's view: a file outside is named with its folder, never resolved."""
        inside = path.is_relative_to(self.share)
        return os.fsencode(path.relative_to(self.share if inside else self.share.parent))

    def key(self, name: str = "key") -> bytes:
        """A fresh random key, kept in the run's folder: whatever happens, nothing is encrypted for good."""
        file = self.keys / name
        with contextlib.suppress(FileExistsError):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.write(handle, os.urandom(_KEY_BYTES))
            os.close(handle)
        return file.read_bytes()

    def encrypt(self, content: bytes, salt: str) -> bytes:
        """A real stream cipher from the standard library: XOR with SHAKE-256 of key and salt."""
        stream = hashlib.shake_256(self.key() + salt.encode("utf-8", "surrogateescape")).digest(
            len(content)
        )
        return xor(content, stream)

    def encrypt_fast(self, content: bytes) -> bytes:
        """As fast as memory: XOR with one kept pad (the pad is the key)."""
        if len(self._pad) < len(content):
            self._pad = hashlib.shake_256(self.key("pad")).digest(max(len(content), 1 << 20))
        return xor(content, self._pad[: len(content)])


def xor(left: bytes, right: bytes) -> bytes:
    """Bytewise exclusive or of two strings of one length."""
    mixed = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    return mixed.to_bytes(len(left), "little")
