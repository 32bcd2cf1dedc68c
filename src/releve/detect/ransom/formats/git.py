"""What git keeps: packs, their indexes, and loose objects (zlib streams with a typed header)."""

import hashlib
import re
import struct
import zlib

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.packed import payload_is_uniform
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid

_STEP = 1 << 16
_DELTA_AT, _DELTA_OF = 6, 7  # a delta names its base by distance, or by the base's hash
_LOOSE = re.compile(rb"(blob|tree|commit|tag) (\d{1,12})\0")
_HASH = 20
_FAN = 256 * 4
_LEAST_COST = 1024  # bytes that an object counts for: one without any is opened, too
_LONGEST_HEAD = 10 + 10 + _HASH  # size, distance, hash


def pack(data: Bytes, _name: str, _spots: Spots, limits: ContentLimits) -> Check:
    """The objects decode one after the other (sums included), as many as `deep_bytes` allow."""
    head = data.read(0, 12)
    version, count = struct.unpack(">2I", head[4:].ljust(8, b"\0"))
    if len(head) < 12 or version not in (2, 3):
        return broken("git-pack", "header")
    at, left, uniform, read = 12, limits.deep_bytes, 0, 0
    for _ in range(count):
        opened = _object(data, at, min(left, limits.deep_bytes))
        if opened is None:
            return broken("git-pack", "an object does not inflate")
        at, payload, size = opened
        left -= max(size, _LEAST_COST)
        read += len(payload)
        uniform += len(payload) * payload_is_uniform(payload, limits)
        if left <= 0:
            break
    else:
        if not _sum_holds(data, at, limits):
            return broken("git-pack", "its sum does not hold")
    if uniform * 2 > read:
        return carrier("git-pack", "objects inflate to uniform bytes")
    return valid("git-pack")


def _object(data: Bytes, at: int, most: int) -> tuple[int, bytes, int] | None:
    """Where the object at `at` ends, its first bytes, its length; None if it does not decode.

    An object that is larger than `most` is believed as far as it was read.
    """
    head = data.read(at, _LONGEST_HEAD)
    begins = _behind_head(head)
    if begins is None:
        return None
    at += begins
    stream, first, size = zlib.decompressobj(), b"", 0
    try:
        while not stream.eof and size <= most:
            packed = stream.unconsumed_tail or data.read(at, _STEP)
            if not packed:
                return None
            at += 0 if stream.unconsumed_tail else len(packed)
            out = stream.decompress(packed, _STEP)
            first = first or out
            size += len(out)
    except zlib.error:
        return None
    return at - len(stream.unused_data), first, size


def _behind_head(head: bytes) -> int | None:
    """Length of an object's type, size and base."""
    at = _behind_number(head, 0)
    kind = head[0] >> 4 & 7 if head else 0
    if at is None or kind in (0, 5):
        return None
    if kind == _DELTA_AT:
        return _behind_number(head, at)
    return at + _HASH if kind == _DELTA_OF else at


def _behind_number(head: bytes, at: int) -> int | None:
    """Numbers run on while their bytes have the high bit."""
    while at < len(head) and head[at] & 0x80:
        at += 1
    return at + 1 if at < len(head) else None


def _sum_holds(data: Bytes, end: int, limits: ContentLimits) -> bool:
    """SHA-1 of all before it; what is longer than we read is believed."""
    if data.size > limits.deep_bytes:
        return True
    told = hashlib.sha1(data.read(0, end), usedforsecurity=False).digest()
    return data.read(end, _HASH) == told and data.size == end + _HASH


def index(data: Bytes, _name: str, _spots: Spots, limits: ContentLimits) -> Check:
    """Names in order, counted by their first byte: random bytes are in no order."""
    head = data.read(0, 8 + _FAN)
    if len(head) < 8 + _FAN or head[4:8] != b"\0\0\0\2":
        return broken("git-index", "header")
    fan = struct.unpack(">256I", head[8:])
    count = fan[-1]
    least = 8 + _FAN + count * (_HASH + 8) + 2 * _HASH
    if list(fan) != sorted(fan) or not least <= data.size <= least + count * 8:
        return broken("git-index", "counts and length")
    names = data.read(8 + _FAN, min(count * _HASH, limits.diff_bytes))
    listed = [names[at : at + _HASH] for at in range(0, len(names), _HASH)]
    if listed != sorted(listed):
        return broken("git-index", "names are in no order")
    return valid("git-index")


def loose(data: Bytes, limits: ContentLimits) -> Check | None:
    """A loose object, whole; None if it is not one: two bytes of magic are too little to tell."""
    head = data.read(0, 2)
    if len(head) < 2 or head[0] != 0x78 or int.from_bytes(head, "big") % 31:
        return None
    if data.size > limits.diff_bytes:
        return None
    stream = zlib.decompressobj()
    try:
        payload = stream.decompress(data.read(0, data.size), limits.deep_bytes)
    except zlib.error:
        return None
    named = _LOOSE.match(payload)
    if named is None or stream.unused_data:
        return None
    size = len(payload) - named.end()
    if stream.eof and size != int(named[2]):
        return None
    if named[1] == b"blob" and payload_is_uniform(payload[named.end() :], limits):
        return carrier("git-object", "inflates to uniform bytes")
    return valid("git-object")
