"""PDF: header, cross-reference, end mark, and streams that decode."""

import bisect
import re
import zlib
from collections.abc import Iterator

from releve.detect.ransom.formats.jpeg import is_foreign
from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.packed import payload_is_uniform
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import looks_uniform, places

_STRIDE = 1024
_OBJECT = re.compile(rb"\s*(xref|\d+\s+\d+\s+obj)")
_START = re.compile(rb"startxref\s+(\d+)")
_TAIL = 4096
_OTHER_FILTERS = re.compile(rb"/(ASCII85|ASCIIHex|LZW|RunLength|Crypt)")


def check(data: Bytes, _name: str, spots: Spots, limits: ContentLimits) -> Check:
    head, tail = data.read(0, 1024), data.read(max(0, data.size - _TAIL), _TAIL)
    if b"%PDF-" not in head:
        return broken("pdf", "header")
    if b"%%EOF" not in tail:
        return broken("pdf", "no end mark")
    if not _table_holds(data, head, tail):
        return broken("pdf", "startxref leads to no table")
    if b"/Encrypt" in tail or b"/Encrypt" in _table(data, tail):
        return valid("pdf", "password", encrypted=True)
    marks = _marks(data, spots, limits)
    starts = _chosen(marks, spots, limits)
    return (
        _streams(data, starts, spots, limits) or _loose(data, marks, spots, limits) or valid("pdf")
    )


def _table_holds(data: Bytes, head: bytes, tail: bytes) -> bool:
    found = _START.findall(tail)
    if not found:
        return False
    at = int(found[-1][:12])
    # Junk before the header moves every offset; linearised files say 0 in their first table.
    return any(_OBJECT.match(data.read(at + shift, 64)) for shift in {0, head.find(b"%PDF-")})


def _table(data: Bytes, tail: bytes) -> bytes:
    found = _START.findall(tail)
    return data.read(int(found[-1][:12]), 2048) if found else b""


def _streams(data: Bytes, starts: list[int], spots: Spots, limits: ContentLimits) -> Check | None:
    """Decodes some streams; those with other filters are left alone."""
    found: list[str] = []
    for index, at in enumerate(starts):
        following = starts[index + 1] if index + 1 < len(starts) else data.size
        hits = [spot for spot in spots if at <= spot < following]
        before = data.read(max(0, at - 512), min(512, at))
        words = before[before.rfind(b" obj") :] if b" obj" in before else before
        if b"/DCTDecode" in words:
            found.append(_picture(data, hits))
        elif b"/FlateDecode" in words and not _OTHER_FILTERS.search(words):
            judged = _flate(data, at, hits, limits)
            packed = b"/Image" in words or b"/FontFile" in words
            found.append("fine" if packed and judged == "uniform" else judged)
    if "bad" in found:
        return broken("pdf", "a stream does not decode")
    if found.count("uniform") * 2 > len(found):
        return carrier("pdf", "streams inflate to uniform bytes")
    return None


def _picture(data: Bytes, hits: list[int]) -> str:
    return "bad" if any(is_foreign(data.read(spot - 512, 1024)) for spot in hits) else "fine"


def _flate(data: Bytes, at: int, hits: list[int], limits: ContentLimits) -> str:
    """Fine, bad or uniform; ciphertext behind the stream's own end is bad too."""
    reach = limits.deep_bytes // 8 if hits else limits.inflate_bytes // limits.members
    stream, packed = zlib.decompressobj(), data.read(at, reach)
    try:
        out = stream.decompress(packed, reach)
    except zlib.error:
        return "bad"
    end = at + len(packed) - len(stream.unused_data)
    if stream.eof:
        behind = [data.read(spot, _STRIDE) for spot in hits if spot > end + _STRIDE]
        if any(looks_uniform(one, limits) for one in behind):
            return "bad"
    return "uniform" if payload_is_uniform(out, limits) else "fine"


def _marks(data: Bytes, spots: Spots, limits: ContentLimits) -> list[tuple[int, bool]]:
    """(offset behind the word, opens) of `stream` and `endstream`, in order."""
    if data.size <= limits.whole_bytes * 4:
        pieces = [(0, data.read(0, data.size))]
    else:
        reach = limits.whole_bytes // 4
        where = {*places(data.size, limits.members, limits.window_bytes)}
        where |= {max(0, spot - reach) for spot in spots}
        pieces = [(at, data.read(at, reach + limits.window_bytes)) for at in sorted(where)]
    return sorted(
        {
            (at + found, piece[found - 9 : found - 6] != b"end")
            for at, piece in pieces
            for found in _words(piece)
        }
    )


def _words(piece: bytes) -> Iterator[int]:
    """Offsets behind `stream` and its end of line, or behind `endstream`."""
    at = piece.find(b"stream")
    while at >= 0:
        end = at + 6
        if piece[at - 3 : at] == b"end":
            yield end
        elif piece[end : end + 1] == b"\n":
            yield end + 1
        elif piece[end : end + 2] == b"\r\n":
            yield end + 2
        at = piece.find(b"stream", end)


def _chosen(marks: list[tuple[int, bool]], spots: Spots, limits: ContentLimits) -> list[int]:
    """Streams: those before changed places first, then some spread over the file."""
    starts = [at for at, opens in marks if opens]
    before = [bisect.bisect_right(starts, spot) for spot in spots]
    picked = {starts[index - 1] for index in before if index}
    step = max(1, len(starts) // limits.members)
    return sorted(picked | set(starts[::step][: limits.members]))


def _loose(
    data: Bytes, marks: list[tuple[int, bool]], spots: Spots, limits: ContentLimits
) -> Check | None:
    """Uniform windows that lie between objects, where only words belong."""
    where = spots or places(data.size, limits.members * 2, _STRIDE)
    for at in where:
        index = bisect.bisect_right(marks, (at, True))
        # Unknown ground in a big file: no word near enough to say what this is.
        inside = marks[index - 1][1] if index else data.size > limits.whole_bytes * 4
        following = marks[index][0] if index < len(marks) else data.size
        if not inside and looks_uniform(data.read(at, min(_STRIDE, following - at)), limits):
            return carrier("pdf", "uniform bytes outside of every stream")
    return None
