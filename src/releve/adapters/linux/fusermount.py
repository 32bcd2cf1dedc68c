"""What libfuse's `fusermount` does, for root only: so that a rescue box needs no further package.

restic runs a program of this name: it opens /dev/fuse, mounts, and hands the descriptor back
through the socket whose number is in _FUSE_COMMFD. Only the standard library, for it runs alone.
"""

import array
import ctypes
import os
import socket
import sys

_NOSUID, _NODEV, _RDONLY, _DETACH = 2, 4, 1, 2
_FLAGS = {"ro": _RDONLY, "rw": 0, "nosuid": _NOSUID, "nodev": _NODEV, "noexec": 8}


def main(words: list[str]) -> int:
    """Mount (-o OPTIONS -- POINT) or unmount (-u [-z] POINT)."""
    libc = ctypes.CDLL(None, use_errno=True)
    point = os.fsencode(words[-1])
    if "-u" in words:
        failed = libc.umount2(point, _DETACH if "-z" in words else 0)
    else:
        options = words[words.index("-o") + 1].split(",") if "-o" in words else []
        failed = _mount(libc, point, options)
    if failed:
        sys.stderr.write(f"fusermount: {os.strerror(ctypes.get_errno())}\n")
    return 1 if failed else 0


def _mount(libc: ctypes.CDLL, point: bytes, options: list[str]) -> int:
    flags, source, kind = _NOSUID | _NODEV, "restic", "fuse"
    device = os.open("/dev/fuse", os.O_RDWR)
    rest = [f"fd={device}", "rootmode=40000", "user_id=0", "group_id=0"]
    for option in options:
        name, _, value = option.partition("=")
        if option in _FLAGS:
            flags |= _FLAGS[option]
        elif name == "fsname":
            source = value
        elif name == "subtype":
            kind = f"fuse.{value}"
        else:
            rest.append(option)
    words = source.encode(), point, kind.encode(), flags, ",".join(rest).encode()
    failed: int = libc.mount(words[0], words[1], words[2], ctypes.c_ulong(words[3]), words[4])
    if not failed:
        with socket.socket(fileno=int(os.environ["_FUSE_COMMFD"])) as back:
            held = array.array("i", [device])
            back.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, held)])
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
