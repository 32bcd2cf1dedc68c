"""Held bytes: a reflink clone per version where the file system can, else copies (small ones in packs).

A trial decides, not the kernel's version. Packs keep the inode count low (200,000 small files used
up all inodes of an ext4 when each copy was a file of its own); dropped versions are punched out, so
room returns without compaction.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import tempfile
from typing import Final

_FICLONE = 0x40049409
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_NOCOW = 0x00800000
_PUNCH_HOLE_KEEP_SIZE = 0x03
SMALL: Final = 1 << 20  # up to here a copy goes into a pack
_PACK_BYTES: Final = 256 << 20
_libc = ctypes.CDLL(None, use_errno=True)


class HeldBytes:
    """Random access to one held version or to a live file; close it after use."""

    __slots__ = ("_base", "fd", "size")

    def __init__(self, fd: int, size: int, base: int = 0) -> None:
        self.fd, self.size, self._base = fd, size, base

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        return os.pread(self.fd, length, self._base + offset) if length > 0 else b""

    def close(self) -> None:
        os.close(self.fd)


class Objects:
    """The folder of held bytes below a store. Methods raise OSError (ENOSPC, EDQUOT, EIO)."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._objects = os.path.join(folder, "objects")
        self._packs = os.path.join(folder, "packs")
        os.makedirs(self._objects, mode=0o700, exist_ok=True)
        os.makedirs(self._packs, mode=0o700, exist_ok=True)
        self._pack = max((int(n) for n in os.listdir(self._packs)), default=0)
        self._pack_fd = -1
        self._pack_end = 0
        self._made: set[int] = set()

    def path(self, generation: int) -> str:
        shelf = generation >> 10
        folder = f"{self._objects}/{shelf:x}"
        if shelf not in self._made:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            self._made.add(shelf)
        return f"{folder}/{generation:x}"

    def clone(self, source: int, generation: int) -> None:
        """Hold the bytes behind `source` by reflink; costs no data until one of the two changes."""
        path = self.path(generation)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _clone(source, fd)
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(fd)

    def copy(self, source: int, size: int, generation: int) -> tuple[int, int]:
        """Hold `size` bytes by copying; answers (pack, offset), (0, 0) for an object of its own."""
        if size <= SMALL:
            return self._into_pack(source, size)
        path = self.path(generation)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _copy(source, fd, size, 0)
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        return 0, 0

    def _into_pack(self, source: int, size: int) -> tuple[int, int]:
        if self._pack_fd < 0 or self._pack_end + size > _PACK_BYTES:
            self._next_pack()
        offset = self._pack_end
        _copy(source, self._pack_fd, size, offset)
        self._pack_end = offset + (size + 511 & ~511)
        return self._pack, offset

    def _next_pack(self) -> None:
        if self._pack_fd >= 0:
            os.close(self._pack_fd)
        self._pack += 1
        path = f"{self._packs}/{self._pack}"
        self._pack_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._pack_end = 0

    def open(self, generation: int, size: int, pack: int, offset: int) -> HeldBytes:
        """Raises FileNotFoundError when the store is damaged."""
        path = f"{self._packs}/{pack}" if pack else self.path(generation)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if size and os.fstat(fd).st_size < offset + size:  # an empty one may lie behind the end
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, "held version is shorter than it was", path)
        return HeldBytes(fd, size, offset)

    def drop(self, generation: int, size: int, pack: int, offset: int) -> None:
        """Give the room of one version back."""
        if not pack:
            try:
                os.unlink(self.path(generation))
            except FileNotFoundError:
                return
            return
        if size:
            fd = os.open(f"{self._packs}/{pack}", os.O_RDWR | os.O_CLOEXEC)
            try:
                _punch(fd, offset, size)
            finally:
                os.close(fd)

    def close(self) -> None:
        if self._pack_fd >= 0:
            os.close(self._pack_fd)
            self._pack_fd = -1


def give_back(held: HeldBytes, destination: int, *, base: int) -> None:
    """Write a held version over the open file `destination`: by reflink, else by copying."""
    os.ftruncate(destination, 0)
    if base == 0:
        try:
            fcntl.ioctl(destination, _FICLONE, held.fd)
        except OSError as error:
            if error.errno not in (
                errno.EXDEV,
                errno.EOPNOTSUPP,
                errno.EINVAL,
                errno.ENOTTY,
                errno.EPERM,
            ):
                raise
        else:
            os.ftruncate(destination, held.size)
            return
    _copy(held.fd, destination, held.size, 0, source_offset=base)
    os.ftruncate(destination, held.size)


def can_clone(folder: str, beside: str) -> bool:
    """Try it: clone a small file from `beside` into `folder`."""
    # New names: `beside` may be a folder of users, who could have put a link under a known one.
    try:
        a, source = tempfile.mkstemp(prefix=".releve-trial-", dir=beside)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return False  # only ever tried there if the store is on another device: copies are right
    b, target = tempfile.mkstemp(prefix=".trial-", dir=folder)
    try:
        os.write(a, b"releve" * 1000)
        fcntl.ioctl(b, _FICLONE, a)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(a)
        os.close(b)
        os.unlink(source)
        os.unlink(target)


def keep_in_place(path: str) -> None:
    """Make an empty file that btrfs overwrites where it stands.

    A mapped page that it would write elsewhere ends the process by SIGBUS when the disk is full.
    Elsewhere, and where there is no room for a file, nothing is done.
    """
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not os.fstat(fd).st_size:
                fcntl.ioctl(fd, _FS_IOC_SETFLAGS, _NOCOW.to_bytes(8, "little"))
        finally:
            os.close(fd)


def _clone(source: int, target: int) -> None:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # btrfs: a nodatacow file can only be cloned into a nodatacow file
        flags = bytearray(8)
        fcntl.ioctl(source, _FS_IOC_GETFLAGS, flags)
        if not int.from_bytes(flags[:4], "little") & _NOCOW:
            raise
        fcntl.ioctl(target, _FS_IOC_SETFLAGS, _NOCOW.to_bytes(8, "little"))
        fcntl.ioctl(target, _FICLONE, source)


def _copy(source: int, target: int, size: int, offset: int, *, source_offset: int = 0) -> None:
    done = 0
    while done < size:
        try:
            n = os.copy_file_range(source, target, size - done, source_offset + done, offset + done)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            block = os.pread(source, min(size - done, 1 << 20), source_offset + done)
            n = os.pwrite(target, block, offset + done) if block else 0
        if n == 0:
            break  # it became shorter meanwhile: the caller sees that ctime moved
        done += n
    if done < size:
        raise OSError(errno.ESTALE, "the file became shorter while it was copied")


def _punch(fd: int, offset: int, size: int) -> None:
    done = _libc.fallocate(fd, _PUNCH_HOLE_KEEP_SIZE, ctypes.c_long(offset), ctypes.c_long(size))
    if done < 0:
        number = ctypes.get_errno()
        if number != errno.EOPNOTSUPP:
            raise OSError(number, "fallocate")
