"""Formats checked by their headers and lengths alone."""

import struct

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.packed import payload_is_uniform
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, carrier, valid
from releve.detect.ransom.formats.uniform import places, uniform_share

_MOST_MEMBERS = 12
_GIF_WALK = 1 << 20


def gif(data: Bytes, _name: str, _spots: Spots, _limits: ContentLimits) -> Check:
    """The chain of blocks and sub-blocks leads to the trailer (or further than we walk)."""
    head = data.read(0, 13)
    if len(head) < 13:
        return broken("gif", "header")
    content = data.read(0, _GIF_WALK)
    at = 13 + (3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0)
    while at < len(content):
        kind = content[at]
        if kind == 0x3B:
            return valid("gif")
        if kind == 0x21:
            at = _behind_sub_blocks(content, at + 2)
        elif kind == 0x2C and at + 10 < len(content):
            flags = content[at + 9]
            at = _behind_sub_blocks(
                content, at + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            )
        else:
            return broken("gif", "chain of blocks")
    return broken("gif", "no trailer") if len(content) == data.size else valid("gif")


def _behind_sub_blocks(content: bytes, at: int) -> int:
    while at < len(content) and content[at]:
        at += content[at] + 1
    return at + 1


def bmp(data: Bytes, _name: str, _spots: Spots, limits: ContentLimits) -> Check:
    size, _, pixels, header = struct.unpack("<4I", data.read(2, 16).ljust(16, b"\0"))
    fits = (
        size <= data.size + 4 and pixels <= data.size and header in (12, 40, 52, 56, 64, 108, 124)
    )
    if not fits:
        return broken("bmp", "sizes")
    return _raw_or_carrier("bmp", data, limits)


def _raw_or_carrier(kind: str, data: Bytes, limits: ContentLimits) -> Check:
    """Uncompressed pixels and samples are never uniform; ciphertext in their place is."""
    if uniform_share(data, limits) >= limits.nearly_all:
        return carrier(kind, "uncompressed content is uniform")
    return valid(kind)


def tiff(data: Bytes, _name: str, _spots: Spots, limits: ContentLimits) -> Check:
    """The first directory lies in the file and its tags are sorted."""
    order = "<" if data.read(0, 2) == b"II" else ">"
    at = struct.unpack(order + "I", data.read(4, 4).ljust(4, b"\0"))[0]
    listed = data.read(at, 2)
    count = struct.unpack(order + "H", listed)[0] if len(listed) == 2 else 0
    table = data.read(at + 2, count * 12)
    tags = [struct.unpack(order + "H", table[i : i + 2])[0] for i in range(0, len(table) - 11, 12)]
    if not 0 < count < 512 or len(tags) != count or tags != sorted(tags):
        return broken("tiff", "directory")
    packing = tags.index(259) * 12 + 8 if 259 in tags else -1
    raw = packing > 0 and struct.unpack(order + "H", table[packing : packing + 2])[0] == 1
    return _raw_or_carrier("tiff", data, limits) if raw else valid("tiff")


def riff(data: Bytes, _name: str, _spots: Spots, limits: ContentLimits) -> Check:
    head = data.read(0, 16)
    kind = {b"WEBP": "webp", b"WAVE": "wav", b"AVI ": "avi"}.get(head[8:12], "riff")
    size = int.from_bytes(head[4:8], "little") + 8
    fits = head[12:16].strip().isalnum() and data.size >= size - 1
    if fits and kind == "wav":
        return _raw_or_carrier(kind, data, limits)
    return valid(kind) if fits else broken(kind, "length")


def mp4(data: Bytes, _name: str, _spots: Spots, _limits: ContentLimits) -> Check:
    """The boxes of the top level lead exactly to the end."""
    at = 0
    for _ in range(512):
        head = data.read(at, 16)
        if at == data.size:
            return valid("mp4")
        if len(head) < 8 or not (head[4:8].isalnum() or head[4:5] == b"\xa9"):
            return broken("mp4", "chain of boxes")
        size = int.from_bytes(head[:4], "big")
        if size == 0:
            return valid("mp4")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8 or at + size > data.size:
            return broken("mp4", "a box leads out of the file")
        at += size
    return valid("mp4")


def tar(data: Bytes, _name: str, _spots: Spots, limits: ContentLimits) -> Check:
    """Header sums of the first members; a tar is raw bytes, so overwriting shows as uniform."""
    at = read = uniform = 0
    for _ in range(_MOST_MEMBERS):
        head = data.read(at, 512)
        if len(head) < 512:
            return broken("tar", "cut")
        if not head.strip(b"\0"):
            break
        stated = head[148:156].strip(b"\0 ")
        total = sum(head) - sum(head[148:156]) + 8 * 32
        if not stated.isdigit() or int(stated, 8) != total:
            return broken("tar", "header sum")
        digits = head[124:136].strip(b"\0 ")
        size = int(digits, 8) if digits.isdigit() else int.from_bytes(head[128:136], "big")
        if at + 512 + size > data.size:
            return broken("tar", "a member leads out of the file")
        payload = data.read(at + 512, min(size, limits.inflate_bytes // 4))
        read += len(payload)
        uniform += len(payload) * payload_is_uniform(payload, limits)
        at += 512 + (size + 511) // 512 * 512
    if uniform * 2 > read:
        return carrier("tar", "members are uniform bytes")
    return valid("tar")


def elf(data: Bytes, _name: str, _spots: Spots, _limits: ContentLimits) -> Check:
    head = data.read(0, 64)
    fits = len(head) >= 52 and head[4] in (1, 2) and head[5] in (1, 2) and head[6] == 1
    return valid("elf") if fits else broken("elf", "header")


def evtx(data: Bytes, _name: str, _spots: Spots, _limits: ContentLimits) -> Check:
    first = data.read(4096, 8)
    return valid("evtx") if first == b"ElfChnk\0" else broken("evtx", "first chunk")


def ogg(data: Bytes, _name: str, spots: Spots, limits: ContentLimits) -> Check:
    """A page begins within the longest page's length of every place looked at."""
    for at in {*places(data.size, limits.members, limits.window_bytes), *spots}:
        if b"OggS\0" not in data.read(at - 65_307, 65_307 + 4096):
            return broken("ogg", "pages")
    return valid("ogg")
