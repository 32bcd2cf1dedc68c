"""What a store does beforehand against the moment when somebody has filled its disk to the last block."""

import contextlib
import errno
import os

_MOST_BYTES, _LEAST_BYTES = 8 << 20, 512 << 10
_SHARE = 512  # of the disk, about one part in so many
_FILES = 4  # as many inodes return with the blocks
_PROBE_BYTES = 256 << 10  # a commit is smaller
_FEW_INODES = 4
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Ballast:
    """Files of allocated blocks, given up in one step so that a conviction can be written down.

    Given up at every start as well: an index on a full disk does not open. `fill` sets it aside again.

    Args:
        store: the folder of the store; the files stand in it.
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self._paths = [os.path.join(store, f"ballast-{number}") for number in range(_FILES)]
        v = os.statvfs(store)
        share = v.f_blocks * v.f_frsize // _SHARE
        self._bytes = max(_LEAST_BYTES, min(_MOST_BYTES, share))
        self._is_there = True
        self.spend()
        self._probe = -1
        with contextlib.suppress(OSError):
            path, flags = os.path.join(store, "probe"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._probe = os.open(path, flags, 0o600)

    def is_tight(self) -> bool:
        """Whether a commit may fail half way: where little is left, what counts is what can be had.

        What statvfs(3) calls free is not: ext4 keeps clusters back, btrfs counts what it cannot give.
        """
        v = os.statvfs(self._store)
        few = v.f_files > 0 and v.f_ffree < _FEW_INODES
        if few or v.f_bavail * v.f_frsize > 8 * self._bytes or self._probe < 0:
            return few
        try:
            os.posix_fallocate(self._probe, 0, _PROBE_BYTES)
            os.ftruncate(self._probe, 0)
        except OSError as error:
            return error.errno in FULL
        return False

    def fill(self) -> None:
        """Set it aside, where there is room enough that nobody misses it."""
        v = os.statvfs(self._store)
        few = v.f_files > 0 and v.f_ffree < 4 * _FILES
        if self._is_there or few or v.f_bavail * v.f_frsize < 4 * self._bytes:
            return
        with contextlib.suppress(OSError):  # of the disk: the guard works without, too
            for path in self._paths:
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    os.posix_fallocate(fd, 0, self._bytes // _FILES)
                finally:
                    os.close(fd)
            self._is_there = True

    def spend(self) -> None:
        """Give the room up."""
        if self._is_there:
            self._is_there = False
            for path in self._paths:
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def close(self) -> None:
        if self._probe >= 0:
            os.close(self._probe)
            self._probe = -1
