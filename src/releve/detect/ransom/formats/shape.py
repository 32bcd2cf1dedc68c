"""What the bytes of a file are, and the window through which checks see them."""

from typing import Protocol

import msgspec


class Bytes(Protocol):
    """Random access to one version of a file; a read past the end is short, never an error."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes: ...


class Blob:
    """Bytes in memory."""

    __slots__ = ("content", "size")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)

    def read(self, offset: int, length: int) -> bytes:
        return self.content[max(offset, 0) : max(offset, 0) + max(length, 0)]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is, as far as a bounded look can tell."""

    kind: str
    state: str  # "valid", "broken", "carrier" or "unknown"
    encrypted: bool = False
    uniform: float = 0.0  # share of windows that look uniform; 0 for text and packed that decode
    why: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of one format's check."""

    kind: str
    state: str
    why: str = ""
    encrypted: bool = False


def valid(kind: str, why: str = "", *, encrypted: bool = False) -> Check:
    return Check(kind=kind, state="valid", why=why, encrypted=encrypted)


def broken(kind: str, why: str) -> Check:
    return Check(kind=kind, state="broken", why=why)


def carrier(kind: str, why: str) -> Check:
    return Check(kind=kind, state="carrier", why=why)


Spots = tuple[int, ...]  # offsets that changed: checks look there first
