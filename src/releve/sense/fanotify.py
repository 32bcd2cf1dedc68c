"""fanotify records: the kernel's bytes to changes (fanotify(7), FAN_REPORT_DFID_NAME_TARGET).

Identity is (file system id, file handle), never a path: a handle survives renames, names an
inode through all its hard links, and cannot be raced. Names are for people and for roll-back.
"""

import struct
from collections.abc import Iterator

import msgspec

MODIFY = 0x00000002
ATTRIB = 0x00000004
CLOSE_WRITE = 0x00000008
MOVED_FROM = 0x00000040
MOVED_TO = 0x00000080
CREATE = 0x00000100
DELETE = 0x00000200
Q_OVERFLOW = 0x00004000
RENAME = 0x10000000
ONDIR = 0x40000000

_METADATA = struct.Struct("=IBBHQii")  # event_len, vers, reserved, metadata_len, mask, fd, pid
_INFO = struct.Struct("=BBH")  # info_type, pad, len
_HANDLE = struct.Struct("=Ii")  # handle_bytes, handle_type
_FSID = 8
_SMALLEST = _INFO.size + _FSID + _HANDLE.size  # of a record that holds a handle
_FID, _DFID_NAME, _DFID = 1, 2, 3
_OLD_DFID_NAME, _NEW_DFID_NAME = 10, 12


class Change(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One notification. `file` is None when the kernel could not name the inode any more.

    `directory`/`name` are where it is (RENAME: where it was), `new_directory`/`new_name` where a
    RENAME put it. Handles are opaque: fsid (8 bytes) + handle type (4) + handle.
    Several kinds may be merged in one mask; counts and order inside a mask do not survive.
    """

    mask: int
    pid: int
    file: bytes | None
    directory: bytes | None = None
    name: bytes = b""
    new_directory: bytes | None = None
    new_name: bytes = b""


def parse(buffer: bytes) -> Iterator[Change]:
    """Yield the changes of one read(2) of a notification group, in the kernel's order."""
    at, end = 0, len(buffer)
    while at + _METADATA.size <= end:
        length, _, _, header, mask, _, pid = _METADATA.unpack_from(buffer, at)
        if not _METADATA.size <= header <= length or at + length > end:
            return
        yield _record(buffer, at + header, at + length, mask, pid)
        at += length


def _record(buffer: bytes, at: int, end: int, mask: int, pid: int) -> Change:
    file = directory = new_directory = None
    name = new_name = b""
    while at + _INFO.size <= end:
        kind, _, length = _INFO.unpack_from(buffer, at)
        start = at + _INFO.size
        if length < _SMALLEST or at + length > end:
            at += max(length, _INFO.size)  # a pidfd or an error record, or nothing that we know
            continue
        size, _ = _HANDLE.unpack_from(buffer, start + _FSID)
        after = start + _FSID + _HANDLE.size + size
        # fsid + handle type + handle: all that open_by_handle_at needs, and nothing that varies
        handle = buffer[start : start + _FSID] + buffer[start + _FSID + 4 : after]
        if kind == _FID:
            file = handle
        elif kind in (_DFID_NAME, _OLD_DFID_NAME):
            directory, name = handle, buffer[after : at + length].split(b"\0", 1)[0]
        elif kind == _NEW_DFID_NAME:
            new_directory, new_name = handle, buffer[after : at + length].split(b"\0", 1)[0]
        elif kind == _DFID:
            directory = handle
        at += length
    return Change(mask, pid, file, directory, name, new_directory, new_name)
