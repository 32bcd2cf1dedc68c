"""ZIP and what is built on it: docx, xlsx, pptx, odt, epub, jar."""

import struct
import zlib
from collections.abc import Iterator
from itertools import islice

import msgspec

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.packed import inflate, payload_is_uniform
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import looks_uniform

_END = b"PK\x05\x06"
_ENTRY = struct.Struct("<4s6H3I5H2I")
# Of a central directory; the end record may say 4 GB, and a file with holes has them.
_MOST_BYTES, _MOST_ENTRIES = 32 << 20, 300_000  # 0.5 s
_MEDIA = (
    ".png", ".jpg", ".jpeg", ".gif", ".emf", ".wmf", ".mp4", ".mp3", ".zip", ".gz", ".docx",
    ".xlsx", ".odt", ".pdf", ".webp", ".bin", ".xz", ".bz2", ".7z", ".gpg", ".age", ".jar",
    ".odttf", ".fntdata", ".woff", ".woff2", ".zst", ".jp2", ".rels.sig", ".p7s", ".sig",
    ".dcm",
)  # fmt: skip


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the central directory."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    at: int

    @property
    def encrypted(self) -> bool:
        return bool(self.flags & 1)


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """The central directory, read from the end of the file."""

    entries: tuple[Entry, ...]
    at: int
    shift: int  # bytes before the archive (self-extracting)


def directory(data: Bytes) -> Directory | None:
    """The central directory, or None if it is not where the end record says."""
    tail_at = max(0, data.size - 22)
    tail = data.read(tail_at, 22)
    if not tail.startswith(_END):
        tail_at = max(0, data.size - 22 - 65_535)
        tail = data.read(tail_at, 22 + 65_535)
    found = tail.rfind(_END)
    if found < 0 or len(tail) < found + 22:
        return None
    _, _, _, count, length, at, comment = struct.unpack("<4H2IH", tail[found + 4 : found + 22])
    if found + 22 + comment > len(tail):
        return None
    real = tail_at + found - length
    if at == 0xFFFFFFFF or count == 0xFFFF:  # zip64: the sizes are elsewhere
        return _zip64(data, tail_at + found)
    if real < at or length > _MOST_BYTES:
        return None
    listed = data.read(real, length)
    entries = tuple(islice(_entries(listed, real - at), count + 1))
    if len(entries) != count:
        return None
    return Directory(entries=entries, at=real, shift=real - at)


def _zip64(data: Bytes, end: int) -> Directory | None:
    locator = data.read(end - 20, 20)
    if locator[:4] != b"PK\x06\x07":
        return None
    record = data.read(int.from_bytes(locator[8:16], "little"), 56)
    if record[:4] != b"PK\x06\x06" or len(record) < 56:
        return None
    length, at = struct.unpack("<2Q", record[40:56])
    if at + length > data.size:
        return None
    listed = data.read(at, min(length, _MOST_BYTES))
    return Directory(entries=tuple(islice(_entries(listed, 0), _MOST_ENTRIES)), at=at, shift=0)


def _entries(listed: bytes, shift: int) -> Iterator[Entry]:
    at, unpack, end = 0, _ENTRY.unpack_from, len(listed) - 46
    while at <= end:
        magic, _, _, flags, method, _, _, crc, packed, size, *lengths, local = unpack(listed, at)
        if magic != b"PK\x01\x02":
            return
        names, extra, comment = lengths[:3]
        name = listed[at + 46 : at + 46 + names].decode("utf-8", "replace")
        yield Entry(
            name=name,
            flags=flags,
            method=method,
            crc=crc,
            packed=packed,
            size=size,
            at=local + shift,
        )
        at += 46 + names + extra + comment


def member(data: Bytes, entry: Entry, most: int) -> tuple[bytes, bool] | None:
    """Up to `most` bytes of a member, and whether all of it (CRC held); None if broken."""
    local = data.read(entry.at, 30)
    if len(local) < 30 or local[:4] != b"PK\x03\x04":
        return None
    if int.from_bytes(local[8:10], "little") != entry.method:
        return None
    names, extra = struct.unpack("<2H", local[26:30])
    packed = data.read(entry.at + 30 + names + extra, min(entry.packed, most))
    if entry.method == 0:
        out, ended = packed, len(packed) == entry.size
    elif entry.method == 8:  # deflate
        opened = inflate(packed, -15, most)
        if opened is None:
            return None
        out, ended = opened[0], opened[1] and len(opened[0]) == entry.size
        if not ended and len(packed) == entry.packed and len(out) < most:
            return None
    else:
        return b"", False
    if ended and zlib.crc32(out) != entry.crc:
        return None
    return out, ended


def check(data: Bytes, _name: str, spots: Spots, limits: ContentLimits) -> Check:
    found = directory(data)
    if found is None:
        return broken("zip", "no end record, or the central directory is not where it says")
    kind = _kind(found.entries)
    if not found.entries:
        return (
            valid("zip", "empty archive")
            if data.size < limits.window_bytes
            else broken("zip", "no entries")
        )
    if any(entry.encrypted for entry in found.entries):
        return valid(kind, "encrypted entries", encrypted=True)
    return (
        _members(data, kind, found, spots, limits)
        or _gaps(data, kind, found, limits)
        or valid(kind)
    )


def _members(
    data: Bytes, kind: str, found: Directory, spots: Spots, limits: ContentLimits
) -> Check | None:
    read = uniform = 0
    left = limits.deep_bytes
    for entry in _chosen(found, spots, limits):
        reach = _reach(entry, spots, left, limits)
        opened = member(data, entry, reach)
        if opened is None:
            return broken(kind, "a member does not decode or its CRC is wrong")
        payload, _ = opened
        left -= len(payload)  # what it says of its size may be a lie
        if entry.name.endswith("manifest.xml") and b"encryption-data" in payload:
            return valid(kind, "password", encrypted=True)
        if kind != "zip" and entry.name.endswith(".xml") and payload and not _is_xml(payload):
            return carrier(kind, "an XML part is no XML")
        read += len(payload)
        if not entry.name.lower().endswith(_MEDIA) and payload_is_uniform(payload, limits):
            uniform += len(payload)
    if uniform * 2 > read:
        return carrier(kind, "members inflate to uniform bytes")
    return None


def _chosen(found: Directory, spots: Spots, limits: ContentLimits) -> list[Entry]:
    """The members at the changed places, the telling ones, and some spread over the archive."""
    entries = [entry for entry in found.entries if entry.size]
    if len(entries) <= limits.members:
        return entries
    picked = {entry.at: entry for entry in entries if _is_hit(entry, spots)}
    telling = ("[Content_Types].xml", "META-INF/manifest.xml", "word/document.xml", "content.xml")
    picked |= {entry.at: entry for entry in entries if entry.name in telling}
    step = max(1, len(entries) // limits.members)
    picked |= {entry.at: entry for entry in entries[::step]}
    return list(picked.values())[: limits.members + limits.spots]


def _is_hit(entry: Entry, spots: Spots) -> bool:
    return any(entry.at <= spot < entry.at + 62 + entry.packed for spot in spots)


def _reach(entry: Entry, spots: Spots, left: int, limits: ContentLimits) -> int:
    """How much of a member is decoded: all that is affordable where it was changed."""
    least = limits.inflate_bytes // limits.members
    return max(least, left) if _is_hit(entry, spots) else least


def _is_xml(payload: bytes) -> bool:
    return payload.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<" or payload[:2] in (
        b"\xff\xfe",
        b"\xfe\xff",
    )


def _gaps(data: Bytes, kind: str, found: Directory, limits: ContentLimits) -> Check | None:
    """Room that no member accounts for, filled with uniform bytes."""
    named = sum([entry.packed + 30 + len(entry.name) for entry in found.entries])
    gap = found.at - named
    if gap < max(1024, data.size // 4):
        return None
    # Before the first member or, where members were moved apart, behind the last one.
    first = min(entry.at for entry in found.entries)
    last = max(entry.at + 30 + len(entry.name) + entry.packed for entry in found.entries)
    start, length = (0, first) if first > found.at - last else (last, found.at - last)
    pieces = [data.read(start + length * part // 4, min(length // 4, 4096)) for part in range(4)]
    if sum([looks_uniform(piece, limits) for piece in pieces]) > 2:
        return carrier(kind, "uniform bytes that no member accounts for")
    return None


def _kind(entries: tuple[Entry, ...]) -> str:
    names = {entry.name.split("/", 1)[0] for entry in entries[:64]}
    for folder, kind in (("word", "docx"), ("xl", "xlsx"), ("ppt", "pptx")):
        if folder in names and "[Content_Types].xml" in names:
            return kind
    if entries and entries[0].name == "mimetype":
        return "odt" if "content.xml" in names else "epub"
    return "zip"
