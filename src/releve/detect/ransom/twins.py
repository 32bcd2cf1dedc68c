"""Does the new file really hold the original? Archives are honest when they do."""

import binascii
import zlib

from releve.detect.ransom.formats import Bytes, ContentLimits, Shape
from releve.detect.ransom.formats.sealed import seven_zip_header
from releve.detect.ransom.formats.zips import directory, member

_STEP = 1 << 20
_HEAD = 65_536
_MOST_FITTING = 16  # members with the original's size and sum
_MOST_MEMORY = 128 << 20


def holds(new: Bytes, shape: Shape, before: Bytes, limits: ContentLimits) -> bool:
    """True only on evidence: decoded head and sums that match the original's."""
    if shape.encrypted or shape.state not in ("valid", "carrier"):
        return False
    match shape.kind:
        case "gzip":
            return _gzip(new, before, limits)
        case "bzip2" | "xz" | "zstd":
            return _stream(new, shape.kind, before)
        case "zip" | "docx" | "xlsx" | "pptx" | "odt" | "epub":
            return _zip(new, before, limits)
        case "7z":
            header = seven_zip_header(new) or b""
            return crc32(before, limits).to_bytes(4, "little") in header
        case "tar":
            return _tar(new, before)
        case "encoded" | "text":
            return _base64(new, before)
        case _:
            return False


def crc32(data: Bytes, limits: ContentLimits) -> int:
    """CRC-32 of a file, up to the limit (-1 beyond it: equal to nothing)."""
    if data.size > limits.twin_bytes:
        return 0xFFFFFFFF
    total = 0
    for at in range(0, data.size, _STEP):
        total = zlib.crc32(data.read(at, _STEP), total)
    return total


def _gzip(new: Bytes, before: Bytes, limits: ContentLimits) -> bool:
    try:
        head = zlib.decompressobj(31).decompress(new.read(0, _HEAD), _HEAD)
    except zlib.error:
        return False
    if head != before.read(0, len(head)) or (before.size and not head):
        return False
    trailer = new.read(new.size - 8, 8)
    size_fits = int.from_bytes(trailer[4:], "little") == before.size & 0xFFFFFFFF
    sum_fits = before.size > limits.twin_bytes or int.from_bytes(trailer[:4], "little") == crc32(
        before, limits
    )
    return size_fits and sum_fits


def _stream(new: Bytes, kind: str, before: Bytes) -> bool:
    head = _decoded(kind, new.read(0, _STEP))
    return bool(head) and head == before.read(0, len(head))


def _decoded(kind: str, packed: bytes) -> bytes:
    """The first bytes of a stream; empty if it does not decode."""
    import bz2  # only when such an archive stands for an original: the guard stays small
    import lzma

    import zstandard

    try:
        match kind:
            case "bzip2":
                return bz2.BZ2Decompressor().decompress(packed, _HEAD)
            case "xz":
                return lzma.LZMADecompressor(memlimit=_MOST_MEMORY).decompress(packed, _HEAD)
            case _:
                with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
                    return reader.read(_HEAD)
    except (OSError, EOFError, lzma.LZMAError, zstandard.ZstdError):
        return b""


def _zip(new: Bytes, before: Bytes, limits: ContentLimits) -> bool:
    found = directory(new)
    if found is None:
        return False
    fitting = [
        entry for entry in found.entries if entry.size == before.size and not entry.encrypted
    ]
    if not fitting:
        return False
    wanted = crc32(before, limits)
    for entry in [entry for entry in fitting if entry.crc == wanted][:_MOST_FITTING]:
        opened = member(new, entry, _HEAD)
        if opened is not None and opened[0] == before.read(0, len(opened[0])):
            return True
    return False


def _tar(new: Bytes, before: Bytes) -> bool:
    head = before.read(0, 4096)
    at = 0
    for _ in range(64):
        header = new.read(at, 512)
        digits = header[124:136].strip(b"\0 ")
        if not digits.isdigit():
            return False
        size = int(digits, 8)
        if size == before.size and new.read(at + 512, len(head)) == head:
            return True
        at += 512 + (size + 511) // 512 * 512
    return False


def _base64(new: Bytes, before: Bytes) -> bool:
    packed = new.read(0, 8192).translate(None, b"\r\n")
    try:
        head = binascii.a2b_base64(packed[: len(packed) & ~3])
    except binascii.Error:
        return False
    return len(head) >= min(16, before.size) and head == before.read(0, len(head))
