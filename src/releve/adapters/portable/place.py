"""Protected files by inode number and birth time, found again through the last path known.

A path is only a hint: what is opened by it counts when it is the very inode that was asked for.
"""

import contextlib
import errno
import os
import stat as stat_
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from releve.adapters.portable.identity import Look, look, look_at
from releve.model.held import Name

_RECENT: Final = 65_536  # files whose path is remembered until the index knows it
_SEARCH_EVERY_S: Final = 0.1  # a directory is searched for a lost inode at most this often
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


class InodePlace:
    """One file system without handles.

    Args:
        folder: any folder on it.
    """

    attribution = "evidence"

    def __init__(self, folder: str) -> None:
        self.device = os.stat(folder).st_dev
        number = getattr(os.statvfs(folder), "f_fsid", 0) if hasattr(os, "statvfs") else 0
        self.fsid = ((number or self.device) & (1 << 64) - 1).to_bytes(8, "little")
        self.names_of: Callable[[bytes], list[Name]] = lambda _key: []
        self._paths: dict[bytes, str] = {}  # of directories
        self._keys: dict[str, bytes] = {}
        self._recent: OrderedDict[bytes, str] = OrderedDict()
        self._searched: dict[str, tuple[float, dict[bytes, str]]] = {}
        self._lock = threading.RLock()

    # keys

    def key_at(self, directory: int, name: str) -> bytes:
        """Key of an entry of the open directory (a symbolic link itself, not its target)."""
        found = look(name, directory=directory)
        above = self._paths.get(look_at(directory).key)
        if above is not None:
            self.remember(found, os.path.join(above, name))
        return found.key

    def key_of(self, path: str) -> bytes:
        found = look(path)
        self.remember(found, path)
        return found.key

    def key_of_folder(self, folder: int, path: str) -> bytes:
        """Key of an open directory; it is remembered under `path`."""
        found = look_at(folder)
        self.remember(found, path)
        return found.key

    def remember(self, found: Look, path: str) -> None:
        """`found` stands at `path` now."""
        with self._lock:
            if stat_.S_ISDIR(found.mode):
                old = self._paths.get(found.key)
                if old is not None and old != path:
                    self._move(old, path)
                self._paths[found.key] = path
                self._keys[path] = found.key
                return
            self._recent[found.key] = path
            self._recent.move_to_end(found.key)
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)

    def _move(self, old: str, new: str) -> None:
        """A directory is elsewhere, and all below it."""
        for path in [p for p in self._keys if p == old or p.startswith(old + os.sep)]:
            key = self._keys.pop(path)
            if self._paths.get(key) == path:
                there = new + path[len(old) :]
                self._paths[key] = there
                self._keys[there] = key

    def directory_key(self, path: str) -> bytes | None:
        """Key of the directory that stands, or last stood, at `path`; None if never seen."""
        try:
            found = look(path)
        except OSError:
            return self._keys.get(path)
        if not stat_.S_ISDIR(found.mode):
            return self._keys.get(path)
        self.remember(found, path)
        return found.key

    # finding again

    def open(self, key: bytes, flags: int) -> int:
        """Open by key. Raises: OSError, ESTALE when the inode is not found any more."""
        for path in self._candidates(key):
            try:
                return self._open_at(path, key, flags)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
        raise OSError(errno.ESTALE, "the file is gone, or moved out of sight")

    def _open_at(self, path: str, key: bytes, flags: int) -> int:
        try:
            fd = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            found = look(path)  # raises ENOENT when nothing is there
            if found.key != key:
                raise OSError(errno.ESTALE, "another file stands there", path) from error
            if error.errno not in _DENIED or not flags & (os.O_WRONLY | os.O_RDWR):
                raise
            fd = _open_read_only(path, found, flags)
        found = look_at(fd)
        if found.key != key:
            os.close(fd)
            raise OSError(errno.ESTALE, "another file stands there", path)
        self.remember(found, path)
        return fd

    def _candidates(self, key: bytes) -> Iterator[str]:
        tried: list[str] = []
        for table in (self._recent, self._paths):
            path = table.get(key)
            if path is not None:
                tried.append(path)
                yield path
        for name in self.names_of(key):
            above = self.directory_path(name.directory)
            if above is not None:
                path = os.path.join(above, os.fsdecode(name.name))
                if path not in tried:
                    tried.append(path)
                    yield path
        for folder in dict.fromkeys(os.path.dirname(path) for path in tried):
            path = self._search(folder).get(key)
            if path is not None and path not in tried:
                yield path

    def _search(self, folder: str) -> dict[bytes, str]:
        """Every entry of a folder by key: renamed files are mostly still beside their old name."""
        now = time.monotonic()
        last, found = self._searched.get(folder, (-1e9, {}))
        if now - last < _SEARCH_EVERY_S:
            return found
        found = {}
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    found[look(entry.path).key] = entry.path
        if len(self._searched) > 64:
            self._searched.clear()
        self._searched[folder] = (time.monotonic(), found)
        return found

    def directory_path(self, key: bytes) -> str | None:
        """Where a directory is now, None when it is gone."""
        path = self._paths.get(key)
        if path is not None and _is(path, key):
            return path
        for name in self.names_of(key):
            above = self.directory_path(name.directory)
            if above is None:
                continue
            path = os.path.join(above, os.fsdecode(name.name))
            if _is(path, key):
                self.key_of(path)
                return path
        return None

    def nearest_path(self, key: bytes) -> str | None:
        """Its own path: what lies deeper than a path can name was never found by one."""
        return self.directory_path(key)

    def close(self) -> None:
        with self._lock:
            self._recent.clear()
            self._searched.clear()


def _is(path: str, key: bytes) -> bool:
    try:
        return look(path).key == key
    except OSError:
        return False


def _open_read_only(path: str, found: Look, flags: int) -> int:
    """A file that its owner may not write (mode 0444) is opened all the same; roll-back sets the mode again."""
    os.chmod(path, stat_.S_IMODE(found.mode) | stat_.S_IRUSR | stat_.S_IWUSR)
    try:
        return os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    finally:
        os.chmod(path, stat_.S_IMODE(found.mode))
