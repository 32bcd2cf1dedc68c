"""Runs a command in a mount namespace of its own that dies with who began it.

Only the standard library, for it runs alone: python -IS own_space.py PID COMMAND...
"""

import ctypes
import os
import signal
import sys

_NEWNS, _SLAVE, _REC, _DETACH, _DEATH = 0x20000, 0x80000, 0x4000, 2, 1


def main(words: list[str]) -> None:
    """Become the command, as a child of PID; ends with it if that is gone.

    Raises: OSError where no such namespace is to be had.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _must(libc.prctl(_DEATH, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != int(words[0]):  # it died before we asked
        return
    _must(libc.unshare(_NEWNS))
    # Slave: what is unmounted outside goes in here, too; where the outside shares it.
    _must(libc.mount(b"none", b"/", None, ctypes.c_ulong(_SLAVE | _REC), None))
    for point in _of_recoveries():  # where it does not, we would keep them from being closed
        libc.umount2(point, _DETACH)
    os.execv(words[1], words[1:])  # noqa: S606 - what it is for


def _of_recoveries() -> list[bytes]:
    with open("/proc/self/mountinfo", "rb") as file:
        lines = [line.split() for line in file]
    ours = [line for line in lines if b"releve-reprise" in line or b"restic" in line]
    return [_plain(line[4]) for line in reversed(ours)]


def _plain(point: bytes) -> bytes:
    """The kernel writes blanks, tabs, line ends and backslashes as three octal digits."""
    parts = point.split(b"\\")
    return parts[0] + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in parts[1:])


def _must(failed: int) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
