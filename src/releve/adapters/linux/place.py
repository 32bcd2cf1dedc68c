"""Protected files by handle: identity that survives renames and cannot be raced (open_by_handle_at)."""

import errno
import os

from releve.adapters.linux import libc


class HandlePlace:
    """One file system whose inodes the kernel names by handle.

    Args:
        folder: any folder on it that stays as long as the guard runs.
    """

    attribution = "exact"

    def __init__(self, folder: str) -> None:
        self._mount = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.fsid = libc.statfs_fsid(self._mount)
        self.device = os.fstat(self._mount).st_dev

    def key_at(self, directory: int, name: str) -> bytes:
        """Key of an entry of the open directory (a symbolic link itself, not its target)."""
        kind, handle = libc.name_to_handle(directory, os.fsencode(name))
        return kind.to_bytes(4, "little", signed=True) + handle

    def key_of(self, path: str) -> bytes:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            kind, handle = libc.name_to_handle(fd, b"")
        finally:
            os.close(fd)
        return kind.to_bytes(4, "little", signed=True) + handle

    def key_of_folder(self, folder: int, path: str) -> bytes:
        """Key of an open directory, wherever it is by now."""
        del path
        kind, handle = libc.name_to_handle(folder, b"")
        return kind.to_bytes(4, "little", signed=True) + handle

    def open(self, key: bytes, flags: int) -> int:
        """Open by key. Raises: OSError(ESTALE) when the inode is gone."""
        return libc.open_by_handle(self._mount, key, flags)

    def directory_path(self, key: bytes) -> str | None:
        """Where a directory is now, None when it is gone. Raises: OSError when that is too long."""
        fd = self._directory(key)
        if fd is None:
            return None
        try:
            path = os.readlink(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
        return _still(path)

    def nearest_path(self, key: bytes) -> str | None:
        """Of a directory that lies deeper than a path can name: of the deepest above it that one can."""
        fd = self._directory(key)
        if fd is None:
            return None
        try:
            while (path := _named(fd)) is None:
                above = os.open("..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
                os.close(fd)
                fd = above
        finally:
            os.close(fd)
        return _still(path)

    def _directory(self, key: bytes) -> int | None:
        try:
            return libc.open_by_handle(self._mount, key, os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return None

    def close(self) -> None:
        os.close(self._mount)


def _named(fd: int) -> str | None:
    """Path of an open directory, None when it is too long for one."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return None


def _still(path: str) -> str | None:
    """A path as the kernel says it, None when what it names is gone."""
    return None if path.endswith(" (deleted)") else path
