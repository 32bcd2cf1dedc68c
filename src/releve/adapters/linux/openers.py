"""Writable shared mappings, read from /proc/PID/maps: mmap is silent until munmap."""

from collections.abc import Iterator

from releve.adapters.linux import procfs


class MapsOpeners:
    """Looks at every process that has an address space of its own.

    Args:
        own: pids never looked at.
    """

    def __init__(self, own: frozenset[int]) -> None:
        self._own = own
        self._bare: set[int] = set()  # kernel threads: no mappings, for as long as they live

    def writers(self) -> Iterator[tuple[int, str]]:
        """(pid, path) of every writable shared mapping of a regular file."""
        for pid in procfs.pids():
            if pid in self._own or pid in self._bare:
                continue
            try:
                with open(f"/proc/{pid}/maps", "rb", buffering=0) as file:
                    maps = file.read(1 << 22)
            except OSError:
                continue
            if not maps:
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
