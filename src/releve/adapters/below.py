"""Opening what lies below a folder without following any link on the way.

Whoever may write into a protected folder could put a link in the place of a folder, and have root
read, write or delete elsewhere.
"""

import ctypes
import errno
import os
import sys
from pathlib import PurePath
from typing import Final

_OPENAT2: Final = 437  # the same number on all systems that have it (Linux 5.6)
_NO_LINKS: Final = 0x08 | 0x04 | 0x02  # beneath, no symbolic links, no magic links
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_CLOEXEC", 0)
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_folder(top: int, path: str) -> int:
    """Open the folder `path`, relative to the open folder `top` ("" is `top` itself), to read it.

    Raises: OSError, ELOOP or ENOTDIR when a link stands anywhere on the way.
    """
    if _libc is not None:
        how = _How(_FOLDER, 0, _NO_LINKS)
        place = ctypes.c_char_p(os.fsencode(path or "."))
        fd: int = _libc.syscall(
            ctypes.c_long(_OPENAT2), ctypes.c_int(top), place, ctypes.byref(how), ctypes.c_size_t(24)
        )  # fmt: skip
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number not in (errno.ENOSYS, errno.EPERM):  # EPERM: a container that does not know it
            raise OSError(number, os.strerror(number), path)
    return _step_by_step(top, path)


def _step_by_step(top: int, path: str) -> int:
    fd = os.open(".", _FOLDER, dir_fd=top)
    for name in PurePath(path).parts:
        try:
            below = os.open(name, _FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def relative(root: str, path: str) -> str:
    """`path` as seen from `root`, which it is or lies below."""
    return path[len(root) :].lstrip(os.sep)
