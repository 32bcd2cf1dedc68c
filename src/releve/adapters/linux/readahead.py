"""Reads a big file of a slow mount ahead of the kernel's copy-up, several pieces at once.

The kernel copies one piece after the other, and a FUSE program answers each in turn: fetched,
decrypted, unpacked, while the disk and the other cores wait. Pieces that were read side by side are
in the page cache when the kernel comes to them.
"""

import os
import threading
from typing import Self

_PIECE = 1 << 20
_READERS = 6
_WAIT_S = 0.02
_SHARE_OF_MEMORY = 4  # at most a quarter of what is free is read before the copy needs it


class ReadAhead:
    """Reads while the block is entered; the block's own thread is the one that copies.

    It never fails: what cannot be read here, the copy says.
    """

    def __init__(self, path: str, *, most_ahead: int = 0) -> None:
        """At most `most_ahead` bytes ahead of the copy; 0: by what memory is free."""
        self._path, self._most_ahead = path, most_ahead
        self._lock = threading.Lock()
        self.bytes_read = 0
        self._next = 0
        self._end = threading.Event()
        self._readers: list[threading.Thread] = []
        self._file = -1

    def __enter__(self) -> Self:
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return self
        self._copier = threading.get_native_id()
        self._written = _written(self._copier)
        room = self._most_ahead or _free_memory() // _SHARE_OF_MEMORY
        self._room = max(_READERS * _PIECE, room)
        self._readers = [threading.Thread(target=self._read, daemon=True) for _ in range(_READERS)]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for reader in self._readers:
            reader.join()
        if self._file >= 0:
            os.close(self._file)

    def _read(self) -> None:
        buffer = [bytearray(_PIECE)]
        while not self._end.is_set():
            with self._lock:
                at, self._next = self._next, self._next + _PIECE
            while at - (_written(self._copier) - self._written) > self._room:
                if self._end.wait(_WAIT_S):
                    return
            try:
                read = os.preadv(self._file, buffer, at)
            except OSError:
                return
            if not read:
                return
            with self._lock:
                self.bytes_read += read


def _written(thread: int) -> int:
    """Bytes that a thread of ours made dirty so far: how far the copy is."""
    try:
        with open(f"/proc/self/task/{thread}/io", "rb") as file:
            for line in file:
                if line.startswith(b"write_bytes:"):
                    return int(line[12:])
    except OSError:
        pass
    return 0


def _free_memory() -> int:
    try:
        with open("/proc/meminfo", "rb") as file:
            for line in file:
                if line.startswith(b"MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
