"""Mounting, unmounting, and who keeps a mount busy."""

import array
import contextlib
import ctypes
import fcntl
import os
import re
from collections.abc import Callable, Iterator

import msgspec

_libc = ctypes.CDLL(None, use_errno=True)
_PROC = "/proc"
_DETACH = 2
_AT_FDCWD = -100
_RDONLY = 1  # MOUNT_ATTR_RDONLY
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One line of mountinfo."""

    point: str
    device: str  # "0:57"
    kind: str
    source: str
    options: str  # of the file system


def mount(source: str, point: str, kind: str, options: str, flags: int = 0) -> None:
    """Raises: OSError."""
    words = source.encode(), os.fsencode(point), kind.encode(), os.fsencode(options)
    if _libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), point)


def unmount(point: str, *, lazily: bool = False) -> None:
    """Raises: OSError(EBUSY) while somebody uses it, unless `lazily`."""
    if _libc.umount2(os.fsencode(point), _DETACH if lazily else 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), point)


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


def make_read_only(point: str) -> None:
    """Forbid changes through this mount, whoever stands in it.

    Raises: OSError(EBUSY) while a file is open for writing.
    """
    wanted = _Attributes(_RDONLY, 0, 0, 0)
    call = (_SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(point), 0)
    if _libc.syscall(*call, ctypes.byref(wanted), ctypes.c_size_t(ctypes.sizeof(wanted))):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), point)


def sync_file_system(folder: str) -> None:
    """syncfs(2). Raises: OSError."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(held):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), folder)
    finally:
        os.close(held)


def seal(folder: str) -> None:
    """Let nobody, root included, make anything in a folder (as `chattr +i`); where that is possible."""
    _mark(folder, lambda flags: flags | _IMMUTABLE)


def unseal(folder: str) -> None:
    """Undo `seal`."""
    _mark(folder, lambda flags: flags & ~_IMMUTABLE)


def _mark(folder: str, change: Callable[[int], int]) -> None:
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # a file system without such marks
            flags = array.array("l", [0])
            fcntl.ioctl(held, _GET_FLAGS, flags)
            flags[0] = change(flags[0])
            fcntl.ioctl(held, _SET_FLAGS, flags)
    finally:
        os.close(held)


def mounted(point: str, pid: str = "self") -> Mount | None:
    """What is mounted exactly there (the uppermost), or None."""
    found = None
    for entry in mounts(pid):
        if entry.point == point:
            found = entry
    return found


def mounts(pid: str = "self") -> Iterator[Mount]:
    """All mounts of a process' mount namespace; none if it is gone."""
    try:
        with open(f"{_PROC}/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, more = left.split(" "), right.split(" ")
        yield Mount(
            point=_unescape(fields[4]),
            device=fields[2],
            kind=more[0],
            source=_unescape(more[1]),
            options=_unescape(more[2]) if len(more) > 2 else "",
        )


def holders(point: str) -> list[str]:
    """Programs that keep the mount busy: "name (pid)"; our own process is not named.

    Links are read, never followed: what they lead to may hang.
    """
    pids = (pid for pid in os.listdir(_PROC) if pid.isdecimal() and int(pid) != os.getpid())
    return [f"{_name(pid)} ({pid})" for pid in pids if _holds(pid, point)]


def elsewhere(device: str) -> list[str]:
    """Processes in other mount namespaces where the file system is mounted still."""
    seen: set[str] = set()
    found = []
    for pid in filter(str.isdecimal, os.listdir(_PROC)):
        with contextlib.suppress(OSError):
            space = os.readlink(f"{_PROC}/{pid}/ns/mnt")
            if space in seen:
                continue
            seen.add(space)
            if any(entry.device == device for entry in mounts(pid)):
                found.append(f"{_name(pid)} ({pid})")
    return found


def _holds(pid: str, point: str) -> bool:
    base = f"{_PROC}/{pid}"
    links = [f"{base}/cwd", f"{base}/root"]
    for folder in ("fd", "map_files"):
        with contextlib.suppress(OSError):
            links += [f"{base}/{folder}/{name}" for name in os.listdir(f"{base}/{folder}")]
    for link in links:
        with contextlib.suppress(OSError):
            where = os.readlink(link)
            if where == point or where.startswith(f"{point}/"):
                return True
    return False


def _name(pid: str) -> str:
    with contextlib.suppress(OSError), open(f"{_PROC}/{pid}/comm", encoding="utf-8") as file:
        return file.read().strip()
    return "?"


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)
