"""Walks protected folders without following a link, and without leaving the file system."""

import errno
import os
import stat as stat_
from collections.abc import Iterator
from typing import NamedTuple

from releve.adapters.below import open_folder, relative
from releve.adapters.store.stock import Stock


class Entry(NamedTuple):
    """One directory entry on a walk; `key` is its directory's."""

    directory: int
    name: str
    st: os.stat_result
    key: bytes
    path: str


class Walk:
    """Every entry, the store itself left out; what cannot be reached is counted as unreadable."""

    def __init__(self, stock: Stock) -> None:
        self._stock, self._place = stock, stock.place

    def below(self, root: str) -> Iterator[Entry]:
        """Every entry below `root`, parents before children; the first is `root` itself (name "")."""
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield Entry(top, "", os.fstat(top), b"", root)
            yield from self._below(top, root)
        finally:
            os.close(top)

    def _below(self, top: int, root: str) -> Iterator[Entry]:
        """No link is followed on the way down: what a user puts there leads nobody elsewhere."""
        device = os.fstat(top).st_dev
        stack: list[str] = [root]
        store = os.path.realpath(self._stock.store)
        while stack:
            path = stack.pop()
            if path == store:
                continue
            try:
                fd = open_folder(top, relative(root, path))
            except OSError as error:
                self._stock.unreadable += error.errno == errno.ENAMETOOLONG  # all below is not held
                continue  # else it went away, or became something else: the events tell
            try:
                key = self._place.key_of_folder(fd, path)
                yield from self._entries(fd, path, key, device, stack)
            except OSError:
                continue
            finally:
                os.close(fd)

    def _entries(
        self, fd: int, path: str, key: bytes, device: int, stack: list[str]
    ) -> Iterator[Entry]:
        with os.scandir(fd) as entries:
            for entry in entries:
                try:
                    st = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                full = os.path.join(path, entry.name)
                if stat_.S_ISDIR(st.st_mode):
                    if full == self._stock.store or (st.st_dev != device and _is_mount(full)):
                        continue  # another file system is another promise; a subvolume is not one
                    stack.append(full)
                yield Entry(fd, entry.name, st, key, full)

    def count_entries(self, folder: int) -> int:
        """Files below a folder by a quick walk that looks into none: what progress is measured by."""
        total, stack = 0, [self._stock.folders[folder]]
        while stack:
            try:
                with os.scandir(stack.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            if entry.path != self._stock.store:
                                stack.append(entry.path)
                        else:
                            total += 1
            except OSError:
                continue
        return total


def _is_mount(path: str) -> bool:
    """Something is mounted there; a btrfs subvolume has a device number of its own and is none."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            points = {line.split()[4].encode().decode("unicode_escape") for line in mounts}
    except OSError:
        return os.path.ismount(path)  # not Linux
    return path in points
