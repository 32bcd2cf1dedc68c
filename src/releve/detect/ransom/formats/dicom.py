"""DICOM: meta group, transfer syntax, elements up to the pixels, and the pixels."""

import struct
import zlib

import msgspec

from releve.detect.ransom.formats.limits import ContentLimits
from releve.detect.ransom.formats.packed import payload_is_uniform
from releve.detect.ransom.formats.shape import Blob, Bytes, Check, Spots, broken, carrier, valid

_LONG = frozenset(
    {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV"}
)
_SYNTAX = "1.2.840.10008.1.2"
_IMPLICIT, _BIG, _DEFLATED = _SYNTAX, _SYNTAX + ".2", _SYNTAX + ".1.99"
_NATIVE = frozenset({_IMPLICIT, _BIG, _DEFLATED, _SYNTAX + ".1", _SYNTAX + ".1.98"})
_UNDEFINED = 0xFFFFFFFF
_PIXELS, _ROWS, _COLUMNS, _SAMPLES, _FRAMES, _BITS = (
    0x7FE00010, 0x00280010, 0x00280011, 0x00280002, 0x00280008, 0x00280100,
)  # fmt: skip
_MOST_ELEMENTS = 3000
_MOST_NESTED = 100_000  # elements inside of sequences, of one file: 0.3 s


class Walk(msgspec.Struct, kw_only=True):
    """What a walk over the elements met."""

    numbers: dict[int, int]
    pixels_at: int = -1
    pixels_length: int = 0
    failed: str = ""
    elements: int = 0
    syntax: str = ""
    end: int = 0
    nested: int = _MOST_NESTED  # that may still be walked


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """How elements are written."""

    explicit: bool
    order: str


_PLAIN = Code(explicit=True, order="<")
_DEEPEST = 12
_DELIMITERS = (b"\xfe\xff", b"\xff\xfe")


def syntax(data: Bytes) -> str:
    """The declared transfer syntax; empty if there is none."""
    return _walk(data, 132, _PLAIN, meta=True).syntax


def is_raw(data: Bytes) -> bool:
    """Whether the pixels lie in the file uncompressed."""
    return syntax(data) in _NATIVE - {_DEFLATED}


def check(data: Bytes, _name: str, spots: Spots, limits: ContentLimits) -> Check:
    meta = _walk(data, 132, _PLAIN, meta=True)
    if not meta.syntax:
        return broken("dicom", "no transfer syntax in the meta group")
    body, start = data, meta.end
    if meta.syntax == _DEFLATED:
        inflated = _inflated(data, start, limits)
        if inflated is None:
            return broken("dicom", "deflated data set does not inflate")
        body, start = Blob(inflated), 0
    code = Code(explicit=meta.syntax != _IMPLICIT, order=">" if meta.syntax == _BIG else "<")
    walk = _walk(body, start, code)
    if walk.failed and not (meta.syntax == _DEFLATED and walk.elements > 2):  # cut at our limit
        return broken("dicom", walk.failed)
    if walk.elements == 0:
        return broken("dicom", "no elements")
    if walk.pixels_at < 0:
        return valid("dicom", "no pixels")
    if meta.syntax in _NATIVE and walk.pixels_length != _UNDEFINED:
        return _native(body, walk, meta.syntax, spots, limits)
    return _frames(body, walk)


def _inflated(data: Bytes, start: int, limits: ContentLimits) -> bytes | None:
    try:
        return zlib.decompressobj(-15).decompress(
            data.read(start, limits.deep_bytes), limits.deep_bytes
        )
    except zlib.error:
        return None


def _walk(data: Bytes, at: int, code: Code, *, meta: bool = False) -> Walk:
    walk, last = Walk(numbers={}, end=at), 0
    for _ in range(_MOST_ELEMENTS):
        head = data.read(at, 12)
        if len(head) < 8:
            walk.failed = "an element is cut" if head.strip(b"\0") else ""
            break
        group, element = struct.unpack(code.order + "2H", head[:4])
        if (meta and group != 2) or (group == element == 0 and not head.strip(b"\0")):
            break
        if group < last:
            walk.failed = "elements are out of order"
            break
        last = group
        length, at = _length(head, at, code)
        if length < 0 or (length != _UNDEFINED and at + length > data.size):
            walk.failed = "an element leads out of the file"
            break
        walk.elements += 1
        tag = group << 16 | element
        if tag == _PIXELS:
            walk.pixels_at, walk.pixels_length = at, length
            break
        if length == _UNDEFINED:
            at = _behind_sequence(walk, data, at, _inside(head, code))
            if at < 0:
                walk.failed = "a sequence has no end"
                break
        else:
            _note(walk, data, tag, at, length, code.order)
            at += length
        walk.end = at
    return walk


def _length(head: bytes, at: int, code: Code) -> tuple[int, int]:
    """(length of the value, its offset); a length of -1 says that this is no element."""
    if not code.explicit or head[:2] in _DELIMITERS:
        return struct.unpack(code.order + "I", head[4:8])[0], at + 8
    if not (head[4:6].isalpha() and head[4:6].isupper()):
        return -1, at
    if head[4:6] in _LONG:
        value = struct.unpack(code.order + "I", head[8:12])[0] if len(head) == 12 else -1
        return value, at + 12
    return struct.unpack(code.order + "H", head[6:8])[0], at + 8


def _note(walk: Walk, data: Bytes, tag: int, at: int, length: int, order: str) -> None:
    if tag == 0x00020010:  # transfer syntax
        walk.syntax = data.read(at, min(length, 64)).rstrip(b"\0 ").decode("ascii", "replace")
    elif tag in (_ROWS, _COLUMNS, _SAMPLES, _BITS) and length == 2:
        walk.numbers[tag] = struct.unpack(order + "H", data.read(at, 2))[0]
    elif tag == _FRAMES:
        digits = data.read(at, min(length, 12)).strip(b"\0 ")
        walk.numbers[tag] = int(digits) if digits.isdigit() else 1


def _behind_sequence(walk: Walk, data: Bytes, at: int, code: Code, depth: int = 0) -> int:
    """Offset behind a sequence of undefined length, by its items; -1 if they lead nowhere."""
    for _ in range(_MOST_ELEMENTS):
        head = data.read(at, 8)
        walk.nested -= 1
        if len(head) < 8 or depth > _DEEPEST or walk.nested < 0:
            return -1
        group, element, length = struct.unpack(code.order + "2HI", head)
        if (group, element) == (0xFFFE, 0xE0DD):
            return at + 8
        if (group, element) != (0xFFFE, 0xE000):
            return -1
        is_open = length == _UNDEFINED
        at = _behind_item(walk, data, at + 8, code, depth) if is_open else at + 8 + length
        if at < 0:
            return -1
    return -1


def _behind_item(walk: Walk, data: Bytes, at: int, code: Code, depth: int) -> int:
    """Offset behind an item of undefined length, element by element."""
    for _ in range(_MOST_ELEMENTS):
        head = data.read(at, 12)
        walk.nested -= 1
        if len(head) < 8 or walk.nested < 0:
            return -1
        if struct.unpack(code.order + "2H", head[:4]) == (0xFFFE, 0xE00D):
            return at + 8
        length, at = _length(head, at, code)
        if length < 0:
            return -1
        if length == _UNDEFINED:
            at = _behind_sequence(walk, data, at, _inside(head, code), depth + 1)
        else:
            at += length
        if at < 0:
            return -1
    return -1


def _inside(head: bytes, code: Code) -> Code:
    """A sequence of unknown type (UN) is written implicitly, whatever surrounds it."""
    if code.explicit and head[4:6] == b"UN":
        return Code(explicit=False, order="<")
    return code


def _native(
    body: Bytes, walk: Walk, syntax_name: str, spots: Spots, limits: ContentLimits
) -> Check:
    wanted = (
        walk.numbers.get(_ROWS, 0) * walk.numbers.get(_COLUMNS, 0) * walk.numbers.get(_SAMPLES, 1)
        * walk.numbers.get(_FRAMES, 1) * walk.numbers.get(_BITS, 0)
    ) // 8  # fmt: skip
    if wanted and syntax_name != _DEFLATED and walk.pixels_length + 1 < wanted // 2:
        return broken("dicom", "fewer pixels than rows and columns say")
    sample = body.read(walk.pixels_at, min(walk.pixels_length, limits.inflate_bytes))
    middle = body.read(walk.pixels_at + walk.pixels_length // 2, limits.window_bytes * 2)
    if payload_is_uniform(sample, limits) and (
        len(middle) < limits.sample_least or payload_is_uniform(middle, limits)
    ):
        return carrier("dicom", "uncompressed pixels are uniform bytes")
    del spots
    return valid("dicom")


def _frames(body: Bytes, walk: Walk) -> Check:
    """Encapsulated pixels: a chain of items whose first fragment begins as its codec does."""
    at, seen = walk.pixels_at, 0
    for number in range(256):
        head = body.read(at, 8)
        if len(head) < 8:
            break
        group, element, length = struct.unpack("<2HI", head)
        if (group, element) == (0xFFFE, 0xE0DD):
            return valid("dicom", "compressed frames") if seen else broken("dicom", "no frames")
        if (group, element) != (0xFFFE, 0xE000) or at + 8 + length > body.size:
            return broken("dicom", "the chain of fragments breaks")
        if number == 1 and not _is_fragment(body.read(at + 8, min(length, 64)), length):
            return carrier("dicom", "the first fragment begins as no codec does")
        seen += number > 0
        at += 8 + length
    return valid("dicom", "compressed frames") if seen else broken("dicom", "no frames")


def _is_fragment(head: bytes, length: int) -> bool:
    if head.startswith(
        (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP", b"\0\0\x01", b"\0\0\0\x01")
    ):
        return True
    if len(head) < 64:
        return length < 64
    segments, first = struct.unpack("<2I", head[:8])
    return (0 < segments <= 15 and first == 64) or head[:1] == b"\xff"  # RLE; JPEG XL
