"""PDF: header, cross-reference, end mark, and streams that decode."""

import re

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.packed import inflate, payload_is_uniform
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import looks_uniform, places

_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_OBJECT = re.compile(rb"\s*(xref|\d+\s+\d+\s+obj)")
_START = re.compile(rb"startxref\s+(\d+)")
_TAIL = 4096


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
    return _streams(data, spots, limits) or _loose(data, spots, limits) or valid("pdf")


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


def _streams(data: Bytes, spots: Spots, limits: ContentLimits) -> Check | None:
    """Inflates some Flate streams; the rest of the filters are not decoded here."""
    read = bad = uniform = 0
    for at in _starts(data, spots, limits):
        before = data.read(max(0, at - 512), min(512, at))
        words = before[before.rfind(b" obj") :] if b" obj" in before else before
        if b"/FlateDecode" not in words or b"/Crypt" in words:
            continue
        opened = inflate(
            data.read(at, limits.deep_bytes if spots else limits.inflate_bytes),
            15,
            limits.inflate_bytes,
        )
        read += 1
        if opened is None:
            bad += 1
        elif b"/Image" not in words and b"/FontFile" not in words:
            uniform += payload_is_uniform(opened[0], limits)
    if bad:
        return broken("pdf", f"{bad} of {read} streams do not inflate")
    if uniform * 2 > read:
        return carrier("pdf", "streams inflate to uniform bytes")
    return None


def _starts(data: Bytes, spots: Spots, limits: ContentLimits) -> list[int]:
    """Offsets behind `stream`: those before changed places first, then spread."""
    if data.size <= limits.whole_bytes * 4:
        whole = data.read(0, data.size)
        ends = [match.end() for match in _STREAM.finditer(whole)]
    else:
        ends = []
        for at in places(data.size, limits.windows, limits.window_bytes):
            piece = data.read(at, limits.whole_bytes // 4)
            ends += [at + match.end() for match in _STREAM.finditer(piece)][:2]
    picked = {max((end for end in ends if end <= spot), default=0) for spot in spots} - {0}
    step = max(1, len(ends) // limits.members)
    return sorted(picked | set(ends[::step][: limits.members]))


def _loose(data: Bytes, spots: Spots, limits: ContentLimits) -> Check | None:
    """Uniform windows that lie between objects, where only words belong."""
    reach, loose, looked = limits.whole_bytes, 0, 0
    for at in spots or places(data.size, limits.members, limits.window_bytes):
        if not looks_uniform(data.read(at, limits.window_bytes), limits):
            continue
        looked += 1
        start = max(0, at - reach)
        back = data.read(start, at - start)
        opened = max((match.end() for match in _STREAM.finditer(back)), default=-1)
        closed = back.rfind(b"endstream")
        loose += closed > opened or (start == 0 and opened < 0)
    if loose and loose * 2 > looked:
        return carrier("pdf", "uniform bytes outside of every stream")
    return None
