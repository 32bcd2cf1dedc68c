"""Who a directory entry is: inode number and time of birth, with what changes when it is written.

The inode number alone is not enough: an encryptor that writes a new file and deletes the old one
gets the old one's number for its next file. The birth time, in ns, tells the two apart.
"""

import ctypes
import os
import struct
from typing import Final, NamedTuple

_AT_FDCWD: Final = -100
_NOFOLLOW: Final = 0x100
_EMPTY_PATH: Final = 0x1000
_WANTED: Final = 0x7FF | 0x800  # the basic fields and the birth time
_BIRTH: Final = 0x800
# struct statx: mask, nlink, uid, gid, mode, inode, size, then birth, ctime and mtime
_HEAD = struct.Struct("=I12xIIIH2xQQ")
_TIME = struct.Struct("=qI")
_libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
_statx = getattr(
    _libc, "statx", None
)  # glibc 2.28, musl 1.2.5; elsewhere stat tells, with st_birthtime


class Look(NamedTuple):
    """One entry as it stands now; times in ns since the epoch."""

    key: bytes
    mode: int
    uid: int
    gid: int
    nlink: int
    size: int
    mtime_ns: int
    ctime_ns: int


def look(path: str | bytes, *, directory: int = _AT_FDCWD) -> Look:
    """The entry itself, never what a link points to. Raises: OSError."""
    if _statx is not None:
        return _by_statx(directory, os.fsencode(path), _NOFOLLOW)
    place = None if directory == _AT_FDCWD else directory
    return _by_stat(os.stat(path, dir_fd=place, follow_symlinks=False))


def look_at(fd: int) -> Look:
    """The open entry. Raises: OSError."""
    if _statx is not None:
        return _by_statx(fd, b"", _EMPTY_PATH)
    return _by_stat(os.fstat(fd))


def _by_statx(directory: int, path: bytes, flags: int) -> Look:
    buffer = ctypes.create_string_buffer(256)
    if _statx is None or _statx(directory, path, flags, _WANTED, buffer) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(path))
    mask, nlink, uid, gid, mode, inode, size = _HEAD.unpack_from(buffer, 0)
    birth = _ns(buffer, 80) if mask & _BIRTH else 0
    return Look(_key(inode, birth), mode, uid, gid, nlink, size, _ns(buffer, 112), _ns(buffer, 96))


def _ns(buffer: "ctypes.Array[ctypes.c_char]", at: int) -> int:
    seconds, fraction = _TIME.unpack_from(buffer, at)
    return int(seconds) * 1_000_000_000 + int(fraction)


def _by_stat(st: os.stat_result) -> Look:
    birth = getattr(st, "st_birthtime_ns", 0) or int(getattr(st, "st_birthtime", 0) * 1e9)
    return Look(
        _key(st.st_ino, birth), st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_size,
        st.st_mtime_ns, st.st_ctime_ns,
    )  # fmt: skip


def _key(inode: int, birth_ns: int) -> bytes:
    return inode.to_bytes(8, "little") + birth_ns.to_bytes(8, "little", signed=True)
