"""DICOM files written and rewritten byte by byte (explicit VR little endian, part 10), no library needed."""

import array
import zlib
from collections.abc import Iterator
from random import Random
from struct import pack, unpack_from

EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
SIDE = 224
_LONG = (b"OB", b"OW", b"UN", b"SQ", b"UT")
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """One data element; text is padded to even length as PS3.5 asks."""
    if len(value) % 2:
        value += b"\x00" if vr in (b"UI", b"OB") else b" "
    if vr in _LONG:
        return pack("<HH2sHI", group, number, vr, 0, len(value)) + value
    return pack("<HH2sH", group, number, vr, len(value)) + value


def smooth_pictures(rng: Random, count: int) -> list[bytes]:
    """Pixel data as an ultrasound has it: smooth, 12 bits in 16, some noise in the low bits."""
    pictures = []
    for _ in range(count):
        fx, fy, level = rng.randint(3, 9), rng.randint(2, 7), rng.randint(200, 900)
        columns = [level + (x * fx) % 1400 for x in range(SIDE)]
        noise = rng.randbytes(SIDE)
        rows = array.array("H")
        for y in range(SIDE):
            lift = (y * fy) % 900 + noise[y] % 4
            rows.extend([value + lift for value in columns])
        pictures.append(rows.tobytes())
    return pictures


def part10(syntax: str, instance: str, body: bytes) -> bytes:
    """The file around a data set: preamble, DICM, meta group of the right length."""
    meta = (
        element(2, 1, b"OB", b"\x00\x01")
        + element(2, 2, b"UI", _SECONDARY_CAPTURE.encode())
        + element(2, 3, b"UI", instance.encode())
        + element(2, 0x10, b"UI", syntax.encode())
        + element(2, 0x12, b"UI", b"2.25.1953")
    )
    return bytes(128) + b"DICM" + element(2, 0, b"UL", pack("<I", len(meta))) + meta + body


def image(rng: Random, pictures: list[bytes], name: str) -> bytes:
    """One valid secondary capture, a different picture each time (the rows are turned)."""
    pixels = rng.choice(pictures)
    turn = rng.randrange(SIDE) * SIDE * 2
    pixels = pixels[turn:] + pixels[:turn]
    instance = f"2.25.{rng.getrandbits(100)}"
    body = (
        element(8, 5, b"CS", b"ISO_IR 192")
        + element(8, 0x16, b"UI", _SECONDARY_CAPTURE.encode())
        + element(8, 0x18, b"UI", instance.encode())
        + element(8, 0x20, b"DA", f"2025{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}".encode())
        + element(8, 0x60, b"CS", b"US")
        + element(0x10, 0x10, b"PN", name.replace(" ", "^").encode())
        + element(0x10, 0x20, b"LO", f"P{rng.randrange(10**6):06d}".encode())
        + element(0x28, 2, b"US", pack("<H", 1))
        + element(0x28, 4, b"CS", b"MONOCHROME2")
        + element(0x28, 0x10, b"US", pack("<H", SIDE))
        + element(0x28, 0x11, b"US", pack("<H", SIDE))
        + element(0x28, 0x100, b"US", pack("<H", 16))
        + element(0x28, 0x101, b"US", pack("<H", 12))
        + element(0x28, 0x102, b"US", pack("<H", 11))
        + element(0x28, 0x103, b"US", pack("<H", 0))
        + element(0x7FE0, 0x10, b"OW", pixels)
    )
    return part10(EXPLICIT, instance, body)


def elements(body: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """The elements of an explicit little endian data set without sequences of open length."""
    at = 0
    while at < len(body):
        group, number, vr = unpack_from("<HH2s", body, at)
        if vr in _LONG:
            (length,) = unpack_from("<I", body, at + 8)
            at += 12
        else:
            (length,) = unpack_from("<H", body, at + 6)
            at += 8
        yield group, number, vr, body[at : at + length]
        at += length


def split(file: bytes) -> tuple[bytes, bytes]:
    """Instance id and data set of a file that `image` wrote."""
    meta_length = int.from_bytes(file[140:144], "little")
    meta, body = file[144 : 144 + meta_length], file[144 + meta_length :]
    instance = next(
        value for group, number, _, value in elements(meta) if (group, number) == (2, 3)
    )
    return instance.rstrip(b"\x00"), body


def anonymised(file: bytes) -> bytes:
    """The same image for `ANONYME`, everything else as it was."""
    instance, body = split(file)
    renamed = b"".join(
        element(
            group,
            number,
            vr,
            b"ANONYME" if (group, number) in {(0x10, 0x10), (0x10, 0x20)} else value,
        )
        for group, number, vr, value in elements(body)
    )
    return part10(EXPLICIT, instance.decode(), renamed)


def deflated(file: bytes) -> bytes:
    """The same image in the deflated transfer syntax, as an archive re-encodes to save room."""
    instance, body = split(file)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return part10(DEFLATED, instance.decode(), packer.compress(body) + packer.flush())
