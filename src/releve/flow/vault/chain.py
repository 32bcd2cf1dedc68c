"""The chain of entries: each line's hash covers the line before it. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from releve.model.vault import FIRST, AnyEntry, Entry

_decode = msgspec.json.Decoder(AnyEntry).decode
_encode = msgspec.json.Encoder(order="deterministic").encode
_TAIL = len(b',"hash":"') + 64 + len(b'"}')
E = TypeVar("E", bound=Entry)


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chain ends."""

    seq: int = 0
    hash: str = FIRST
    received_ns: int = 0


def link(after: Link, entry: E, now_ns: int) -> tuple[E, bytes]:
    """The entry as the next link, and its line. Time only grows, whatever the clock says."""
    placed = msgspec.structs.replace(
        entry,
        seq=after.seq + 1,
        previous=after.hash,
        received_ns=max(now_ns, after.received_ns + 1),
        hash="",
    )
    body = _encode(placed)
    digest = hashlib.sha256(body).hexdigest()
    line = body[:-1] + b',"hash":"' + digest.encode() + b'"}\n'
    return msgspec.structs.replace(placed, hash=digest), line


def end_of(entry: Entry) -> Link:
    return Link(seq=entry.seq, hash=entry.hash, received_ns=entry.received_ns)


def read(lines: Iterable[bytes]) -> list[AnyEntry]:
    """The entries of lines, trusted: for the vault's own running memory.

    Raises: msgspec.DecodeError.
    """
    return [_decode(line) for line in lines]


def why_broken(after: Link, line: bytes, entry: AnyEntry) -> str:
    """Why a line does not follow; empty when it does."""
    body = line.rstrip(b"\n")
    claimed = body[-_TAIL:]
    if (
        hashlib.sha256(body[:-_TAIL] + b"}").hexdigest() != entry.hash
        or entry.hash.encode() not in claimed
    ):
        return "its content was changed"
    if entry.previous != after.hash or entry.seq != after.seq + 1:
        return "an entry before it was removed, added or changed"
    if entry.received_ns <= after.received_ns:
        return "its time does not follow"
    return ""


def first_break(lines: Sequence[bytes], after: Link | None = None) -> tuple[Link, str]:
    """Check lines in order: the last sound link, and why the next one is not (empty: all sound)."""
    at = after or Link()
    for line in lines:
        try:
            entry = _decode(line)
        except msgspec.DecodeError as error:
            return at, f"entry {at.seq + 1} cannot be read ({error})"
        if why := why_broken(at, line, entry):
            return at, f"entry {at.seq + 1}: {why}"
        at = end_of(entry)
    return at, ""
