"""Room set aside in a store, for the moment when somebody has filled the disk to the last block."""

import contextlib
import os

_MOST_BYTES = 8 << 20
_SHARE = 512  # of the disk, at most one part in so many
_FEW_INODES = 4


class Ballast:
    """One file of allocated blocks, given up in one step so that a conviction can be written down.

    Args:
        store: the folder of the store; the file stands in it.
    """

    def __init__(self, store: str) -> None:
        self._store, self._path = store, os.path.join(store, "ballast")
        v = os.statvfs(store)
        self._bytes = min(_MOST_BYTES, v.f_blocks * v.f_frsize // _SHARE)
        self._is_there = False
        self.fill()

    def is_tight(self, times: int = 1) -> bool:
        """Whether root has so little room left that a commit may fail half way; `times` as much of it."""
        v = os.statvfs(self._store)
        few = v.f_files > 0 and v.f_ffree < _FEW_INODES * times
        return few or v.f_bfree * v.f_frsize < self._bytes // 2 * times

    def fill(self) -> None:
        """Set it aside, where there is room enough that nobody misses it."""
        v = os.statvfs(self._store)
        if self._is_there or v.f_bavail * v.f_frsize < 4 * self._bytes:
            return
        with contextlib.suppress(OSError):  # of the disk: the guard works without, too
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, self._bytes)
            finally:
                os.close(fd)
            self._is_there = True

    def spend(self) -> bool:
        """Give the room up; False when there is none any more."""
        self._is_there = False
        try:
            os.unlink(self._path)
        except OSError:
            return False
        return True
