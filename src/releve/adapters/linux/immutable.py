"""The mark of a folder in which no name may come or go, for root neither: `chattr +i`."""

import array
import fcntl
import os

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS
_IMMUTABLE = 0x10


def is_marked(folder: str) -> bool | None:
    """None: a file system without such marks, or the folder is not there."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return bool(_flags(held) & _IMMUTABLE)
    except OSError:
        return None
    finally:
        os.close(held)


def mark(folder: str, *, on: bool) -> bool:
    """Set or clear the mark; False where that is not possible. Raises: OSError when it is not there."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        before = _flags(held)
        after = before | _IMMUTABLE if on else before & ~_IMMUTABLE
        if after != before:
            fcntl.ioctl(held, _SET_FLAGS, array.array("l", [after]))
            return bool(_flags(held) & _IMMUTABLE) is on
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(held)


def _flags(held: int) -> int:
    flags = array.array("l", [0])
    fcntl.ioctl(held, _GET_FLAGS, flags)
    return flags[0]
