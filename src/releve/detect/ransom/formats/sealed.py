"""Containers that say they are encrypted (OpenPGP, age, openssl enc, LUKS), and 7z."""

import zlib

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.shape import Bytes, Check, Spots, broken, valid

_AES_7Z = b"\x06\xf1\x07\x01"
_HEADS = (
    (b"Salted__", "openssl"),
    (b"age-encryption.org/v1", "age"),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "age"),
    (b"-----BEGIN PGP MESSAGE-----", "gpg"),
    (b"LUKS\xba\xbe", "luks"),
)
_MOST_MEMORY = 128 << 20  # of a decoder: a stream may ask for 4 GB
_SEALED_TAGS = (9, 18, 20)  # OpenPGP packets of encrypted data


def check(data: Bytes) -> Check | None:
    """The encrypted container, or None if the head is none of those known here."""
    head = data.read(0, 1024)
    for magic, kind in _HEADS:
        if head.startswith(magic):
            return valid(kind, "says so itself", encrypted=True)
    if _is_openpgp(head):
        return valid("gpg", "session key packet, then encrypted data", encrypted=True)
    return None


def _is_openpgp(head: bytes) -> bool:
    """Session key packets (tags 1 and 3) followed by encrypted data (tags 9, 18, 20)."""
    at, keys = 0, 0
    while at + 6 < len(head) and head[at] & 0x80:
        tag, body, length = _packet(head, at)
        if tag in _SEALED_TAGS:
            return keys > 0 or (tag == 18 and at == 0 and head[body : body + 1] == b"\x01")
        version = head[body]
        if not (tag == 1 and version in (2, 3, 6)) and not (tag == 3 and version in (4, 5, 6)):
            return False
        at, keys = body + length, keys + 1
    return False


def _packet(head: bytes, at: int) -> tuple[int, int, int]:
    """(tag, offset of the body, length) of an old or new packet header."""
    first = head[at]
    if first & 0x40:
        size = head[at + 1]
        if size < 192:  # RFC 4880, 4.2.2
            return first & 0x3F, at + 2, size
        if size < 224:
            return first & 0x3F, at + 3, ((size - 192) << 8) + head[at + 2] + 192
        return first & 0x3F, at + (6 if size == 255 else 2), 1 << 30
    octets = (1, 2, 4, 0)[first & 3]
    length = int.from_bytes(head[at + 1 : at + 1 + octets], "big") if octets else 1 << 30
    return (first >> 2) & 0xF, at + 1 + octets, length


def seven_zip(data: Bytes, _name: str, _spots: Spots, _limits: ContentLimits) -> Check:
    """7z: both header sums, then whether the (possibly packed) header names AES."""
    header = seven_zip_header(data)
    if header is None:
        return broken("7z", "header checksum")
    if _AES_7Z in header:
        return valid("7z", "AES", encrypted=True)
    return valid("7z")


def seven_zip_header(data: Bytes) -> bytes | None:
    """The end header, unpacked if it is packed but not encrypted; None if a sum is wrong."""
    head = data.read(0, 32)
    if len(head) < 32 or zlib.crc32(head[12:32]) != int.from_bytes(head[8:12], "little"):
        return None
    at, size = 32 + int.from_bytes(head[12:20], "little"), int.from_bytes(head[20:28], "little")
    if size > 16 << 20 or at + size > data.size:
        return None
    header = data.read(at, size)
    if zlib.crc32(header) != int.from_bytes(head[28:32], "little"):
        return None
    if header[:1] == b"\x17" and _AES_7Z not in header:
        return header + _unpacked(data, header)
    return header


def _unpacked(data: Bytes, header: bytes) -> bytes:
    """Contents of an encoded header packed with LZMA alone, the usual case; else empty."""
    import lzma  # only archives need it

    fields: list[int] = []
    at = 2 if header[1:2] == b"\x06" else len(header)
    for _ in range(2):  # offset of the packed stream, number of streams
        value, at = _number(header, at)
        fields.append(value)
    coder = header.find(b"\x03\x01\x01\x05\x5d")  # LZMA, five bytes of properties
    if fields[1] != 1 or header[at : at + 1] != b"\x09" or coder < 0:
        return b""
    packed_size, _ = _number(header, at + 1)
    unpacked_at = header.find(b"\x0c", coder + 9)
    size, _ = _number(header, unpacked_at + 1)
    props = header[coder + 4 : coder + 9]
    alone = props + min(size, 1 << 24).to_bytes(8, "little")
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE, _MOST_MEMORY).decompress(
            alone + data.read(32 + fields[0], min(packed_size, 1 << 22)), 1 << 20
        )
    except (lzma.LZMAError, EOFError):
        return b""


def _number(header: bytes, at: int) -> tuple[int, int]:
    """7z's variable-length number and the offset behind it."""
    if at < 0 or at >= len(header):
        return 0, len(header)
    first, mask = header[at], 0x80
    value = 0
    for octet in range(8):
        if not first & mask:
            return value | (first & (mask - 1)) << (8 * octet), at + 1 + octet
        value |= (header[at + 1 + octet] if at + 1 + octet < len(header) else 0) << (8 * octet)
        mask >>= 1
    return value, at + 9
