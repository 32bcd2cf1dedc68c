"""A view of the disks of this process's own, in which the live data cannot be written to."""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_RDONLY, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 32, 4096, 16384, 1 << 18


def shut_in(live: Sequence[str], keep: Sequence[str]) -> bool:
    """Make the live folders read-only for this process and its children, for good.

    Only for a process that does nothing else afterwards. A live folder `/` stays as it is: the
    clean room itself lies in it. `keep`: our own folders, which stay writable where they lie in a
    live one. False: not possible here (not root, no right to mount, no Linux).
    """
    real = [os.path.realpath(folder) for folder in live]
    if "/" in real or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        _checked(libc.unshare(_CLONE_NEWNS))
        _mount(libc, None, "/", _REC | _PRIVATE)
        ours = [os.path.realpath(folder) for folder in keep]
        for folder in filter(os.path.isdir, real):
            _mount(libc, folder, folder, _BIND | _REC)
            inside = [one for one in ours if one.startswith(folder + "/")]
            for one in inside:
                _mount(libc, one, one, _BIND | _REC)
            for point in _points(folder):
                if not any(point == one or point.startswith(one + "/") for one in inside):
                    _mount(libc, None, point, _REMOUNT | _BIND | _RDONLY)
    except (OSError, AttributeError):  # AttributeError: a libc without these calls
        return False
    return True


def show_at(folder: str, point: str) -> None:
    """Let `folder` be seen at `point` too, by this process and its children. After `shut_in`."""
    _mount(ctypes.CDLL(None, use_errno=True), folder, point, _BIND)


def _points(folder: str) -> list[str]:
    """The folder's mount and those below it: a read-only remount holds for one mount only."""
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode()
        if point == folder or point.startswith(folder + "/"):
            points.append(point)
    return points


def _mount(libc: ctypes.CDLL, source: str | None, point: str, flags: int) -> None:
    words = [os.fsencode(source) if source else None, os.fsencode(point), None]
    _checked(libc.mount(*words, ctypes.c_ulong(flags), None))


def _checked(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
