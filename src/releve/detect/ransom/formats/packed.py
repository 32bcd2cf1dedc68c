"""Compressed streams: gzip, bzip2, xz, zstd; and how a payload is judged once it is decoded."""

import struct
import zlib

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import looks_uniform, places

# What may honestly be uniform inside of a container, because it is compressed itself.
_PACKED_HEADS = (
    b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf",
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"RIFF", b"OggS", b"ID3", b"\0\0\0",
    b"\xff\x4f\xff\x51", b"wOF", b"Rar!", b"MSCF", b"\xd0\xcf\x11\xe0", b"FWS", b"CWS",
    b"\x00\x01\x00\x00", b"OTTO", b"\x01\x00\x00\x00", b"\xd7\xcd\xc6\x9a", b"\x04\x22\x4d\x18",
    b"SQLite format 3", b"ustar", b"\x1a\x45\xdf\xa3", b"fLaC", b"%!PS",
)  # fmt: skip
_GZIP_HEAD = 10
_MOST_BLOCKS = 512  # of at most 128 KiB
_ROOT_OF_PI = 0x177245385090
_ZSTD, _ZSTD_OWN = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"  # the latter from its second byte on


def payload_is_uniform(payload: bytes, limits: ContentLimits) -> bool:
    """Whether decoded bytes look like ciphertext: uniform, and no known compressed format."""
    if payload.startswith(_PACKED_HEADS) or payload[257:262] == b"ustar":
        return False
    width = limits.window_bytes
    windows = [payload[at : at + width] for at in places(len(payload), 6, width)]
    told = [window for window in windows if len(window) >= limits.sample_least]
    return bool(told) and sum([looks_uniform(window, limits) for window in told]) * 2 > len(told)


def inflate(packed: bytes, wbits: int, most: int) -> tuple[bytes, bool] | None:
    """At most `most` bytes of a stream, and whether it ended (checksum held); None if broken."""
    stream = zlib.decompressobj(wbits)
    try:
        out = stream.decompress(packed, most)
    except zlib.error:
        return None
    return out, stream.eof


def gzip(data: Bytes, _name: str, spots: Spots, limits: ContentLimits) -> Check:
    """Inflates the head, and on to the last changed place."""
    head = data.read(0, _GZIP_HEAD)
    if len(head) < _GZIP_HEAD or head[2] != 8 or head[3] & 0xE0:  # deflate, reserved flags
        return broken("gzip", "header")
    packed = data.read(0, limits.inflate_bytes)
    opened = inflate(packed, 31, limits.inflate_bytes)
    if opened is None:
        return broken("gzip", "does not inflate")
    payload, ended = opened
    if not ended and len(payload) < limits.inflate_bytes and len(packed) == data.size:
        return broken("gzip", "ends before its stream does")
    if (ended or spots) and (wrong := _beyond(data, max(spots, default=0), limits)):
        return wrong
    if payload_is_uniform(payload, limits):
        return carrier("gzip", "inflates to uniform bytes")
    return valid("gzip")


def _beyond(data: Bytes, spot: int, limits: ContentLimits) -> Check | None:
    """What is wrong up to a place (or as far as we can afford); None: all streams decode, sums included.

    A small whole stream may stand before what is none: gzip itself passes over that.
    """
    stream, at, left = zlib.decompressobj(31), 0, limits.deep_bytes
    try:
        while at < min(spot + limits.inflate_bytes, data.size) and left > 0:
            packed = data.read(at, limits.inflate_bytes)
            at += len(packed)
            while packed and left > 0:
                left -= len(stream.decompress(packed, limits.whole_bytes))
                packed = stream.unconsumed_tail
            if stream.eof:
                at -= len(stream.unused_data)
                if data.read(at, 2) != b"\x1f\x8b":
                    is_more = _hides(data, at, limits)
                    return carrier("gzip", "something else behind its end") if is_more else None
                left -= limits.inflate_bytes  # else a million streams of nothing would be for free
                stream = zlib.decompressobj(31)
    except zlib.error:
        return broken("gzip", "does not inflate at a changed place, or behind its end")
    if stream.eof or at < data.size or left <= 0:
        return None
    return broken("gzip", "ends before its stream does")


def _hides(data: Bytes, end: int, limits: ContentLimits) -> bool:
    """Whether more than padding, or a signature, follows the end of what was packed."""
    rest, width = data.size - end, limits.window_bytes
    if rest <= limits.footer_bytes:
        return False
    windows = [data.read(end + at, width) for at in places(rest, limits.windows, width)]
    return any(looks_uniform(window, limits) for window in windows)


def bzip2(data: Bytes, _name: str, _spots: Spots, _limits: ContentLimits) -> Check:
    head = data.read(0, 10)
    if head[4:] not in (b"1AY&SY", b"\x17rE8P\x90"):
        return broken("bzip2", "no block begins after the header")
    return _unended(data) or valid("bzip2")


def xz(data: Bytes, _name: str, _spots: Spots, _limits: ContentLimits) -> Check:
    """Header and footer agree, with their CRCs."""
    head, tail = data.read(0, 12), data.read(data.size - 12, 12)
    if struct.unpack("<I", head[8:12].ljust(4, b"\0"))[0] != zlib.crc32(head[6:8]):
        return broken("xz", "header checksum")
    if (
        tail[10:] != b"YZ"
        or tail[8:10] != head[6:8]
        or tail[:4] != struct.pack("<I", zlib.crc32(tail[4:10]))
    ):
        return broken("xz", "footer")
    return valid("xz")


def zstd(data: Bytes, _name: str, _spots: Spots, limits: ContentLimits) -> Check:
    """The chain of blocks of each frame, and that nothing is hidden behind the last one."""
    at, left = 0, _MOST_BLOCKS
    while left > 0 and (head := data.read(at, 18))[:4] == _ZSTD:
        descriptor = head[4] if len(head) > 4 else 0xFF
        if descriptor & 0x08:
            return broken("zstd", "reserved bit")
        at += 5 + (not descriptor & 0x20) + (0, 1, 2, 4)[descriptor & 3]
        at += (1 if descriptor & 0x20 else 0, 2, 4, 8)[descriptor >> 6]
        is_last = False
        while left > 0 and not is_last:
            block = int.from_bytes(data.read(at, 3), "little")
            kind, size, is_last = (block >> 1) & 3, block >> 3, bool(block & 1)
            at, left = at + 3 + (1 if kind == 1 else size), left - 1
            if kind == 3 or size > 1 << 17:
                return broken("zstd", "chain of blocks")
            if at > data.size:
                return broken("zstd", "a block leads out of the file")
        at = _past_marks(data, at + (4 if descriptor & 0x04 else 0), limits)
    if left > 0 and _hides(data, at, limits):
        return carrier("zstd", "something else behind its end")
    return valid("zstd")


def _past_marks(data: Bytes, at: int, limits: ContentLimits) -> int:
    """Behind the small frames of users' own data, which programs put between the others."""
    for _ in range(2):
        mark = data.read(at, 8)
        size = int.from_bytes(mark[4:], "little")
        if mark[1:4] != _ZSTD_OWN or size > limits.footer_bytes:
            break
        at += 8 + size
    return at


def _unended(data: Bytes) -> Check | None:
    """bzip2 streams end in the square root of pi, at some bit of the last bytes."""
    tail = int.from_bytes(data.read(data.size - 16, 16), "big")
    if any((tail >> shift) & 0xFFFFFFFFFFFF == _ROOT_OF_PI for shift in range(32, 42)):
        return None
    return broken("bzip2", "no end mark")
