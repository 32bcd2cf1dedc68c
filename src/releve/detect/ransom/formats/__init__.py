"""What the bytes of a file are: a valid file, a broken one, or a carrier of ciphertext.

`look` decodes the head, the tail and some places in between; it never raises on any bytes.
"""

import struct
import zlib
from collections.abc import Callable

from releve.detect.ransom.formats import (
    dicom,
    git,
    jpeg,
    ole,
    other,
    packed,
    pdf,
    png,
    sealed,
    sqlite,
    text,
    zips,
)  # fmt: skip
from releve.detect.ransom.formats.limits import LIMITS, ContentLimits
from releve.detect.ransom.formats.shape import (
    Blob,
    Bytes,
    Check,
    Shape,
    Spots,
    broken,
)  # fmt: skip
from releve.detect.ransom.formats.uniform import is_constant, places, uniform_share

__all__ = [
    "LIMITS",
    "PACKED",
    "TEXTS",
    "Blob",
    "Bytes",
    "ContentLimits",
    "Shape",
    "is_named",
    "look",
    "opaque",
]

_Checker = Callable[[Bytes, str, Spots, ContentLimits], Check]
# Magic bytes, where they stand, and who checks; the first that fits answers.
_TABLE: tuple[tuple[int, bytes, _Checker], ...] = (
    (0, b"PK\x03\x04", zips.check),
    (0, b"PK\x05\x06", zips.check),
    (0, b"%PDF-", pdf.check),
    (0, b"\x89PNG\r\n\x1a\n", png.check),
    (0, b"\xff\xd8\xff", jpeg.check),
    (0, b"\x1f\x8b", packed.gzip),
    (0, b"SQLite format 3\0", sqlite.check),
    (128, b"DICM", dicom.check),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ole.check),
    (0, b"7z\xbc\xaf\x27\x1c", sealed.seven_zip),
    (0, b"BZh", packed.bzip2),
    (0, b"\xfd7zXZ\0", packed.xz),
    (0, b"\x28\xb5\x2f\xfd", packed.zstd),
    (0, b"II*\0", other.tiff),
    (0, b"MM\0*", other.tiff),
    (0, b"GIF8", other.gif),
    (0, b"RIFF", other.riff),
    (0, b"OggS", other.ogg),
    (4, b"ftyp", other.mp4),
    (257, b"ustar", other.tar),
    (0, b"\x7fELF", other.elf),
    (0, b"ElfFile\0", other.evtx),
    (0, b"PACK\0\0\0", git.pack),
    (0, b"\377tOc", git.index),
)
TEXTS = text.TEXTS
# Formats whose bytes are compressed: uniform windows are what they are made of.
PACKED = frozenset({
    "docx", "xlsx", "pptx", "odt", "epub", "zip", "pdf", "png", "jpeg",
    "gzip", "bzip2", "xz", "zstd", "7z", "gif", "webp", "mp4", "ogg", "avi",
    "git-pack", "git-index", "git-object",
})  # fmt: skip


def look(
    data: Bytes, name: str = "", *, spots: Spots = (), limits: ContentLimits = LIMITS
) -> Shape:
    """What `data` is; `spots` are offsets that changed and get looked at first."""
    if data.size == 0:
        return Shape(kind="empty", state="valid", why="no bytes")
    if data.size <= limits.whole_bytes:
        data = Blob(data.read(0, data.size))
    try:
        found = _check(data, name, spots, limits)
    except (
        ValueError,
        IndexError,
        KeyError,
        OverflowError,
        MemoryError,
        struct.error,
        zlib.error,
    ) as error:
        # A parser met bytes that nobody foresaw: for the judge that is a broken file.
        found = broken("unknown", f"check failed: {type(error).__name__}")
    # What decodes needs no guess; a look costs 0.5 ms less for it.
    known = found.state == "valid" and (found.kind in PACKED or found.kind in TEXTS)
    share = 0.0 if known else uniform_share(data, limits)
    return Shape(
        kind=found.kind, state=found.state, encrypted=found.encrypted, uniform=share, why=found.why
    )


def is_named(data: Bytes, limits: ContentLimits = LIMITS) -> bool:
    """Whether the head says of itself what it is; much cheaper than `look`."""
    head = data.read(0, 264)
    if any(head[at : at + len(magic)] == magic for at, magic, _ in _TABLE):
        return True
    try:
        return sealed.check(data) is not None or git.loose(data, limits) is not None
    except (ValueError, IndexError, zlib.error):
        return False


def opaque(shape: Shape, limits: ContentLimits = LIMITS) -> bool:
    """Whether nobody without a key can say what is inside."""
    if shape.encrypted or shape.state == "carrier":
        return True
    return shape.state != "valid" and shape.uniform >= limits.mostly


def _check(data: Bytes, name: str, spots: Spots, limits: ContentLimits) -> Check:
    head = data.read(0, 264)
    for at, magic, checker in _TABLE:
        if head[at : at + len(magic)] == magic:
            return checker(data, name, spots, limits)
    found = sealed.check(data) or git.loose(data, limits)
    if found is not None:
        return found
    if head[:2] == b"BM" and (image := other.bmp(data, name, spots, limits)).state == "valid":
        return image
    if _is_one_pattern(data, limits):
        return broken("constant", "one pattern all over")
    return text.check(data, name, spots, limits) or Check(
        kind="unknown", state="unknown", why="no known format"
    )


def _is_one_pattern(data: Bytes, limits: ContentLimits) -> bool:
    """Whether every window looked at repeats one pattern; the first one decides nearly always."""
    told = 0
    for at in places(data.size, 6, limits.window_bytes):
        window = data.read(at, limits.window_bytes)
        if len(window) < limits.sample_least:
            continue
        told += 1
        if not is_constant(window):
            return False
    return told > 0
