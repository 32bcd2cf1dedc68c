"""Process connector messages: the kernel's bytes to forks, executions and exits (cn_proc)."""

import struct
from collections.abc import Iterator

import msgspec

_NLMSG = struct.Struct("=IHHII")
_CN_AND_EVENT = struct.Struct("=IIIIHHIIQ")  # cn_msg, then what, cpu, timestamp_ns
_FORK, _EXEC, _UID, _EXIT = 0x1, 0x2, 0x4, 0x80000000
_IDS = struct.Struct("=iiii")
_START = _NLMSG.size + _CN_AND_EVENT.size

_HEAD = (
    "=IHHIIIIIIHH"  # nlmsghdr (len, type, flags, seq, pid), cn_msg (idx, val, seq, ack, len, flags)
)
SUBSCRIBE = struct.pack(_HEAD + "I", 40, 3, 0, 0, 0, 1, 1, 0, 0, 4, 0, 1)
# Since Linux 6.6 (struct proc_input): only the kinds that lineage needs; an older kernel ignores it.
NARROW = struct.pack(
    _HEAD + "II", 44, 3, 0, 0, 0, 1, 1, 0, 0, 8, 0, 1, _FORK | _EXEC | _UID | _EXIT
)


class Forked(msgspec.Struct, frozen=True, gc=False):
    parent: int
    child: int
    at_ns: int  # monotonic clock of the kernel


class Executed(msgspec.Struct, frozen=True, gc=False):
    pid: int


class ChangedUser(msgspec.Struct, frozen=True, gc=False):
    pid: int
    uid: int


class Exited(msgspec.Struct, frozen=True, gc=False):
    pid: int


Life = Forked | Executed | ChangedUser | Exited


def parse(buffer: bytes) -> Iterator[Life]:
    """Yield what one recv(2) brought; threads (child_pid != child_tgid) are left out."""
    at = 0
    while at + _START + _IDS.size <= len(buffer):
        length = _NLMSG.unpack_from(buffer, at)[0]
        what, _, stamp = _CN_AND_EVENT.unpack_from(buffer, at + _NLMSG.size)[6:]
        data = at + _START
        if what == _FORK:
            _, parent, child, group = _IDS.unpack_from(buffer, data)
            if child == group:
                yield Forked(parent, child, stamp)
        elif what == _EXEC:
            _, group = struct.unpack_from("=ii", buffer, data)
            yield Executed(group)
        elif what == _UID:
            pid, group, _, effective = struct.unpack_from("=iiII", buffer, data)
            if pid == group:
                yield ChangedUser(group, effective)
        elif what == _EXIT:
            pid, group = struct.unpack_from("=ii", buffer, data)
            if pid == group:
                yield Exited(group)
        at += (length + 3) & ~3
        if length == 0:
            return
