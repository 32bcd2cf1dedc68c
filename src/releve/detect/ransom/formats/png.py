"""PNG: chunk chain, CRCs, and image data that inflate."""

import bisect
import zlib

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.packed import payload_is_uniform
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import looks_uniform

_MOST_CHUNKS = 4096
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})


def check(data: Bytes, _name: str, spots: Spots, limits: ContentLimits) -> Check:
    chunks = _chunks(data)
    if not chunks or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        return broken("png", "the chain of chunks does not lead from IHDR to IEND")
    end = chunks[-1][1] + 4
    if data.size - end > max(1024, data.size // 4) and looks_uniform(
        data.read(end, limits.window_bytes), limits
    ):
        return carrier("png", "uniform bytes behind the end")
    if not _sums_hold(data, chunks, spots, limits):
        return broken("png", "CRC of a chunk")
    foreign = sum([length for kind, _, length in chunks if kind not in _CRITICAL])
    if foreign * 2 > data.size and _uniform_chunk(data, chunks, limits):
        return carrier("png", "uniform bytes in a private chunk")
    return _image(data, chunks, limits)


def _chunks(data: Bytes) -> list[tuple[bytes, int, int]]:
    """(kind, offset of the content, length) in order; ends early where the chain breaks."""
    at, chunks = 8, []
    for _ in range(_MOST_CHUNKS):
        head = data.read(at, 8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or not head[4:].isalpha() or at + 12 + length > data.size:
            break
        chunks.append((head[4:], at + 8, length))
        at += 12 + length
        if head[4:] == b"IEND":
            break
    return chunks


def _sums_hold(
    data: Bytes, chunks: list[tuple[bytes, int, int]], spots: Spots, limits: ContentLimits
) -> bool:
    """CRC of the chunks at changed places, then of as many others as the budget allows."""
    starts = [at for _, at, _ in chunks]
    at_spots = [chunks[max(0, bisect.bisect_right(starts, spot) - 1)] for spot in spots]
    left = limits.crc_bytes
    for kind, at, length in at_spots + chunks:
        left -= length
        if left < 0:
            return True
        body = data.read(at, length + 4)
        if zlib.crc32(body[:length], zlib.crc32(kind)).to_bytes(4, "big") != body[length:]:
            return False
    return True


def _uniform_chunk(
    data: Bytes, chunks: list[tuple[bytes, int, int]], limits: ContentLimits
) -> bool:
    _, at, length = max((one for one in chunks if one[0] not in _CRITICAL), key=lambda one: one[2])
    return looks_uniform(data.read(at + length // 2, min(limits.window_bytes, length // 2)), limits)


def _image(data: Bytes, chunks: list[tuple[bytes, int, int]], limits: ContentLimits) -> Check:
    stream, out = zlib.decompressobj(), b""
    try:
        for kind, at, length in chunks:
            if len(out) >= limits.inflate_bytes:
                break
            if kind == b"IDAT":
                packed = data.read(at, min(length, limits.inflate_bytes))
                out += stream.decompress(packed, limits.inflate_bytes)
    except zlib.error:
        return broken("png", "image data do not inflate")
    header = data.read(16, 10)
    colour = header[9]
    if len(out) < min(limits.inflate_bytes, _rows_bytes(header)) // 2:
        return broken("png", "fewer pixels than the header says")
    if not _filters_hold(out, header):
        return broken("png", "a row begins with no filter")
    if colour != 3 and payload_is_uniform(out, limits):
        return carrier("png", "pixels are uniform bytes")
    return valid("png")


def _row(header: bytes) -> int:
    width, depth, colour = int.from_bytes(header[:4], "big"), header[8], header[9]
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    return 1 + (width * depth * samples + 7) // 8


def _rows_bytes(header: bytes) -> int:
    return _row(header) * int.from_bytes(header[4:8], "big")


def _filters_hold(out: bytes, header: bytes) -> bool:
    if len(header) < 10:
        return False
    return max(out[:: _row(header)], default=0) <= 4  # five filters
