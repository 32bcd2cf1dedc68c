"""Held originals: what the guard knows of a file, its names and its generations.

A key names an inode for as long as it lives: opaque bytes, (handle type + handle) where the
kernel gives handles, (device + inode number) elsewhere. Paths are for people and for roll-back.
"""

from enum import IntEnum

import msgspec


class Kind(IntEnum):
    """What an entry is."""

    FILE = 1
    DIRECTORY = 2
    LINK = 3
    OTHER = 4


class Judged(IntEnum):
    """What the judge said of a generation against the last clean one."""

    NOT_YET = 0
    CLEAN = 1  # positive evidence of honest work, or held before anyone attacked
    UNKNOWN = 2  # nothing speaks against it, nothing proves it
    BAD = 3


class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What stat(2) and the extended attributes say of an entry; times in ns since the epoch."""

    kind: Kind
    size: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    ctime_ns: int
    nlink: int = 1
    xattrs: bytes = b""  # msgpack map name -> value, ACLs included (system.posix_acl_*)
    target: bytes = b""  # of a symbolic link


class Name(msgspec.Struct, frozen=True, gc=False):
    """One name of an inode: the directory's key and the last component."""

    directory: bytes
    name: bytes


class Generation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One held version of a file. `settled`: not torn, and no writer was left when it was taken."""

    id: int
    node: int
    facts: Facts
    pack: int  # 0: an object of its own; else the pack it lies in
    offset: int
    taken_ns: int
    writer: str  # family that wrote it; "" for the baseline
    judged: Judged
    settled: bool


_CLOCK_NS = 20_000_000


def is_same(generation: Generation, ctime_ns: int, ahead_ns: int = 0) -> bool:
    """The file is still what this generation holds.

    `ahead_ns`: how far the guard's time is ahead of the wall clock, which ctime follows.

    Before Linux 6.13 ctime moves in steps of up to 10 ms: a version that was held within such a
    step of its change may have been overwritten in the same step, so it is not trusted.
    """
    taken_after = generation.taken_ns - ahead_ns - ctime_ns
    return generation.facts.ctime_ns == ctime_ns and taken_after > _CLOCK_NS


class Node(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A protected inode as last seen. `gone_ns` is 0 while it lives."""

    id: int
    key: bytes
    folder: int
    facts: Facts
    born_ns: int
    gone_ns: int = 0


class HoldResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What holding a key gave. `generation` is None when nothing had changed since the last."""

    key: bytes
    node: int
    facts: Facts | None
    generation: Generation | None
    is_new: bool = False  # the inode was not known before
    lost_names: tuple[Name, ...] = ()  # names that a comparison no longer found
    new_names: tuple[Name, ...] = ()  # names of a known inode that a comparison found first
    refused: str = ""  # "gone", "full", "big", "busy", or the error
