"""Writable shared mappings, read from /proc/PID/maps: mmap is silent until munmap."""

from collections.abc import Iterator
from typing import Final

from releve.adapters.linux import procfs

_MOST: Final = 64 << 20  # bytes of one process's list; 65,530 mappings with usual paths take 8 MB
_FORGET: Final = 15  # rounds after which kernel threads are looked for again
_KTHREADD: Final = 2


class MapsOpeners:
    """Looks at every process that has an address space of its own.

    Args:
        own: pids never looked at.
    """

    def __init__(self, own: frozenset[int]) -> None:
        self._own = own
        self._bare: set[int] = set()  # kernel threads: no mappings
        self._rounds = 0

    def writers(self) -> Iterator[tuple[int, str]]:
        """(pid, path) of every writable shared mapping of a regular file."""
        self._rounds += 1
        if self._rounds % _FORGET == 0:
            self._bare.clear()  # their numbers go to other processes in time
        for pid in procfs.pids():
            if pid in self._own or pid in self._bare:
                continue
            try:
                # Buffered: one read(2) of it ends after 4 kB, some fifty mappings.
                with open(f"/proc/{pid}/maps", "rb") as file:
                    maps = file.read(_MOST)
            except OSError:
                continue
            if not maps:
                if _is_kernels(pid):
                    self._bare.add(pid)
                continue
            if b"s " not in maps:
                continue
            for line in maps.split(b"\n"):
                parts = line.split(None, 5)
                if (
                    len(parts) == 6
                    and parts[1][1:2] == b"w"
                    and parts[1][3:4] == b"s"
                    and parts[4] != b"0"
                ):
                    yield pid, parts[5].decode(errors="surrogateescape")


def _is_kernels(pid: int) -> bool:
    """A kernel thread: a process that just ended has no mappings either, and its number comes again."""
    found = procfs.stat(pid)
    return found is not None and (pid == _KTHREADD or found[1] == _KTHREADD)
