"""The few system calls that Python does not wrap, by ctypes."""

import contextlib
import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
_LARGE = 128 << 10  # glibc's own first choice, which it gives up for good at the first larger block
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000


def _fail(call: str, path: object = None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}", path)


def one_malloc_arena() -> None:
    """Threads share one heap, and large blocks are given back: 4 to 5 MB less (mallopt(3)).

    Without glibc nothing happens.
    """
    with contextlib.suppress(AttributeError):
        _libc.mallopt(_M_ARENA_MAX, 1)
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)


def give_memory_back() -> None:
    """The holes of the heap go back to the system (malloc_trim(3)). Without glibc nothing happens."""
    with contextlib.suppress(AttributeError):
        _libc.malloc_trim(0)


def fanotify_init(flags: int, event_flags: int) -> int:
    """Make a notification group: see fanotify_init in section 2 of the manual."""
    fd: int = _libc.fanotify_init(ctypes.c_uint(flags), ctypes.c_uint(event_flags))
    if fd < 0:
        raise _fail("fanotify_init")
    return fd


def fanotify_mark(group: int, flags: int, mask: int, path: str) -> None:
    """Mark a file system, a directory or a file for the group."""
    done = _libc.fanotify_mark(
        group, ctypes.c_uint(flags), ctypes.c_uint64(mask), AT_FDCWD, os.fsencode(path)
    )
    if done < 0:
        raise _fail("fanotify_mark", path)


class _Handle(ctypes.Structure):
    _fields_ = (
        ("bytes", ctypes.c_uint),
        ("type", ctypes.c_int),
        ("data", ctypes.c_ubyte * 128),
    )


_HEAD = 8


def name_to_handle(directory: int, name: bytes) -> tuple[int, bytes]:
    """Handle type and bytes of `name` below the open directory (not followed if a link)."""
    handle = _Handle()
    handle.bytes = 128
    mount = ctypes.c_int()
    flags = 0 if name else AT_EMPTY_PATH
    if (
        _libc.name_to_handle_at(directory, name, ctypes.byref(handle), ctypes.byref(mount), flags)
        < 0
    ):
        raise _fail("name_to_handle_at", name)
    return handle.type, bytes(handle.data[: handle.bytes])


def open_by_handle(mount: int, key: bytes, flags: int) -> int:
    """Open what `key` (handle type, 4 bytes, and handle) names, wherever it is now.

    Raises: OSError(ESTALE) when the inode is gone.
    """
    handle = _Handle()
    data = key[4:]
    handle.bytes = len(data)
    handle.type = int.from_bytes(key[:4], "little", signed=True)
    ctypes.memmove(handle.data, data, len(data))
    fd: int = _libc.open_by_handle_at(mount, ctypes.byref(handle), flags | os.O_CLOEXEC)
    if fd < 0:
        raise _fail("open_by_handle_at")
    return fd


def statfs_fsid(fd: int) -> bytes:
    """The 8 bytes of f_fsid that fanotify reports for the file system of `fd`."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.fstatfs(fd, buffer) < 0:
        raise _fail("fstatfs")
    # struct statfs on 64-bit Linux: type, bsize, blocks, bfree, bavail, files, ffree (7 longs), fsid
    return buffer.raw[7 * 8 : 7 * 8 + 8]
