"""JPEG: segments, byte stuffing everywhere looked at, and Huffman codes that make sense."""

import re

from releve.detect.ransom.formats import huffman
from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import looks_uniform, places

_AFTER_FF = re.compile(rb"\xff([^\x00\xff\xd0-\xd9\xc4\xda\xdb\xdd])")
_ALL_FF = re.compile(rb"\xff[^\xff]")
_EOI = b"\xff\xd9"
_MOST_SEGMENTS = 256
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA})
_HUFFMAN_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_NEXT_MARK = re.compile(rb"\xff[\xd0-\xd9\xc4\xda]")
Segment = tuple[int, int, int]  # marker, offset of the content, length


def check(data: Bytes, _name: str, spots: Spots, limits: ContentLimits) -> Check:
    segments, scan = _segments(data)
    kinds = {kind for kind, _, _ in segments}
    if not scan or not kinds & _FRAMES or not kinds & {0xDB, 0xC3}:
        return broken("jpeg", "segments do not lead to a scan")
    end = _end(data, scan, limits)
    if end < 0:
        return broken("jpeg", "no end of image")
    if not _is_stuffed(data, scan, end, spots, limits):
        return broken("jpeg", "marker codes inside the scan that no encoder writes")
    if not _decodes(data, segments, scan, limits):
        return broken("jpeg", "Huffman codes of the scan make no blocks")
    return _hidden(data, segments, end, limits) or valid("jpeg")


def _segments(data: Bytes) -> tuple[list[Segment], int]:
    """Segments up to the first scan, and where that begins (0 if there is none)."""
    at, segments = 2, list[Segment]()
    for _ in range(_MOST_SEGMENTS):
        head = data.read(at, 4)
        if len(head) < 4 or head[0] != 0xFF:
            return segments, 0
        if head[1] == 0xFF:  # fill byte
            at += 1
            continue
        length = int.from_bytes(head[2:], "big")
        if length < 2 or head[1] < 0xC0:
            return segments, 0
        segments.append((head[1], at + 4, length - 2))
        at += 2 + length
        if head[1] == 0xDA:
            return segments, at
    return segments, 0


def _end(data: Bytes, scan: int, limits: ContentLimits) -> int:
    """Offset behind the last end-of-image mark in the tail, then anywhere; -1 if there is none."""
    for reach in (limits.window_bytes, limits.deep_bytes):
        start = max(scan, data.size - reach)
        found = data.read(start, data.size - start).rfind(_EOI)
        if found >= 0:
            return start + found + 2
    return -1


def _is_stuffed(data: Bytes, scan: int, end: int, spots: Spots, limits: ContentLimits) -> bool:
    width = limits.window_bytes
    where = [(scan + at, width) for at in places(end - scan, limits.windows, width)]
    # Around a changed place only its own bytes count: 512 of noise hold two marker codes.
    where += [(max(scan, at - 512), 1024) for at in spots if scan <= at < end]
    for at, length in where:
        window = data.read(at, min(length, end - at))
        if is_foreign(window):  # tables between scans
            return False
    return True


def is_foreign(window: bytes) -> bool:
    """Whether bytes of a scan hold codes that no encoder writes there, as ciphertext does."""
    wrong = len(_AFTER_FF.findall(window))
    return wrong > 2 and wrong * 5 > len(_ALL_FF.findall(window))  # tables stand between scans


def _hidden(data: Bytes, segments: list[Segment], end: int, limits: ContentLimits) -> Check | None:
    """Uniform bytes behind the end, or as comments, that outweigh the picture."""
    tail = data.size - end
    if tail > max(1024, data.size // 4):
        windows = [data.read(end + tail * part // 4, limits.window_bytes) for part in range(4)]
        known = data.read(end, 12)
        if (
            known[:2] != b"\xff\xd8"
            and known[4:8] != b"ftyp"
            and all(looks_uniform(one, limits) for one in windows)
        ):
            return carrier("jpeg", "uniform bytes behind the end of the image")
    large = 1024  # below this nothing worth hiding fits
    extra = [(at, length) for kind, at, length in segments if kind >= 0xE0 and length > large]
    if sum([length for _, length in extra]) * 2 > data.size and all(
        looks_uniform(data.read(at + length // 2, min(limits.window_bytes, length // 2)), limits)
        for at, length in extra
    ):
        return carrier("jpeg", "uniform bytes in comment segments")
    return None


def _decodes(data: Bytes, segments: list[Segment], scan: int, limits: ContentLimits) -> bool:
    """Decode the first symbols of the first scan with the file's own tables."""
    frame = next((one for one in segments if one[0] in _HUFFMAN_FRAMES), None)
    if frame is None:
        return True  # lossless or arithmetic coding: judged by its stuffing alone
    sos = segments[-1]
    blocks = _blocks(data.read(frame[1], frame[2]), data.read(sos[1], sos[2]))
    if blocks is None:
        return False
    found = huffman.tables(data.read(at, length) for kind, at, length in segments if kind == 0xC4)
    # Random bits fail within 400 symbols in half of the cases, within 3,000 in 95 of 100; real
    # scans are rarely uniform (chi2 715), so only those that are pay for the long walk.
    first, last = data.read(sos[1] + sos[2] - 3, 2)
    near, far = data.read(scan, 4096), data.read(scan + 4096, 4096)
    long = last == 63 and looks_uniform(near, limits)
    long = long and (len(far) < limits.sample_least or looks_uniform(far, limits))
    budget = limits.symbols_uniform if long else limits.symbols
    raw = data.read(scan, budget * 2)
    cut = _NEXT_MARK.search(raw)
    raw = (raw[: cut.start()] if cut else raw).replace(b"\xff\x00", b"\xff")
    return huffman.makes_blocks(raw, found, blocks, (first, last), budget)


def _blocks(frame: bytes, scan: bytes) -> huffman.Blocks | None:
    """Tables of each block of one minimum coded unit; None if frame and scan disagree."""
    if len(frame) < 6 or len(scan) < 4 or len(frame) < 6 + 3 * frame[5]:
        return None
    sampling = {frame[6 + 3 * i]: frame[7 + 3 * i] for i in range(frame[5])}
    count = scan[0]
    if not 1 <= count <= 4 or len(scan) < 4 + 2 * count:
        return None
    blocks: huffman.Blocks = []
    for i in range(count):
        part, table = scan[1 + 2 * i], scan[2 + 2 * i]
        if part not in sampling:
            return None
        factor = (sampling[part] >> 4) * (sampling[part] & 15) if count > 1 else 1
        blocks += [(table >> 4, 0x10 | table & 15)] * max(1, factor)
    return blocks
