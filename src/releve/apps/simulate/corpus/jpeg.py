"""Baseline JPEG photos written without a picture library, fast, each one decodable.

Trick: pictures are composed in the frequency domain. Rows of blocks are Huffman-coded once; with a restart
interval of one row every row stands alone (byte-aligned, DC prediction reset), so that any order of rows
is a valid and different picture.
"""

from random import Random
from struct import pack

_WIDTH_BLOCKS = 80
_ROWS_IN_POOL = 48
_EOB = 0x00

# Huffman tables of ITU-T T.81 annex K: counts per length, then the symbols.
_DC_COUNTS = bytes.fromhex("00010501010101010100000000000000")
_DC_SYMBOLS = bytes(range(12))
_AC_COUNTS = bytes.fromhex("0002010303020403050504040000017d")
_AC_SYMBOLS = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728"
    "292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83848586878889"
    "8a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)


def _codes(counts: bytes, symbols: bytes) -> dict[int, tuple[int, int]]:
    codes: dict[int, tuple[int, int]] = {}
    code = at = 0
    for length, count in enumerate(counts, start=1):
        for _ in range(count):
            codes[symbols[at]] = (code, length)
            code, at = code + 1, at + 1
        code <<= 1
    return codes


_DC = _codes(_DC_COUNTS, _DC_SYMBOLS)
_AC = _codes(_AC_COUNTS, _AC_SYMBOLS)


def _append(bits: int, size: int, symbol: tuple[int, int], value: int) -> tuple[int, int]:
    """Append a Huffman code and the value's extra bits (T.81 F.1.2)."""
    length = abs(value).bit_length()
    extra = value if value >= 0 else value + (1 << length) - 1
    return (((bits << symbol[1]) | symbol[0]) << length) | extra, size + symbol[1] + length


def _row(rng: Random) -> bytes:
    """One row of grey blocks: a wandering brightness with some texture."""
    bits = size = 0
    brightness = rng.randint(-30, 30)
    previous = 0
    for _ in range(_WIDTH_BLOCKS):
        brightness = max(-60, min(60, brightness + rng.randint(-6, 6)))
        step = brightness - previous
        previous = brightness
        bits, size = _append(bits, size, _DC[abs(step).bit_length()], step)
        for _ in range(rng.randint(6, 26)):
            value = rng.choice((-3, -2, -1, -1, 1, 1, 2, 3, 5))
            bits, size = _append(bits, size, _AC[abs(value).bit_length()], value)
        bits, size = _append(bits, size, _AC[_EOB], 0)
    padding = -size % 8
    coded = ((bits << padding) | ((1 << padding) - 1)).to_bytes((size + padding) // 8, "big")
    return coded.replace(b"\xff", b"\xff\x00")


def row_pool(rng: Random) -> list[bytes]:
    """Coded rows from which photos are composed."""
    return [_row(rng) for _ in range(_ROWS_IN_POOL)]


def _segment(marker: int, body: bytes) -> bytes:
    return pack(">BBH", 0xFF, marker, len(body) + 2) + body


def photo(rng: Random, pool: list[bytes], rows: int, comment: str = "", exif: bytes = b"") -> bytes:
    """A valid grey JPEG of 640 pixels by `8 * rows`."""
    quality = rng.randint(2, 12)
    table = bytes(min(255, quality + k // 2) for k in range(64))
    head = b"\xff\xd8" + _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
    if exif:
        head += _segment(0xE1, b"Exif\x00\x00" + exif)
    if comment:
        head += _segment(0xFE, comment.encode())
    head += _segment(0xDB, b"\x00" + table)
    head += _segment(0xC0, pack(">BHHB", 8, rows * 8, _WIDTH_BLOCKS * 8, 1) + b"\x01\x11\x00")
    head += _segment(0xC4, b"\x00" + _DC_COUNTS + _DC_SYMBOLS + b"\x10" + _AC_COUNTS + _AC_SYMBOLS)
    head += _segment(0xDD, pack(">H", _WIDTH_BLOCKS))
    head += _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
    parts = [head]
    for number, row in enumerate(rng.choices(pool, k=rows)):
        parts.append(row)
        if number < rows - 1:
            parts.append(bytes((0xFF, 0xD0 + number % 8)))
    return b"".join(parts) + b"\xff\xd9"


def camera(model: str) -> bytes:
    """A small Exif block (TIFF, big endian) that names the camera: what an Exif strip removes."""
    text = model.encode("ascii", "replace") + b"\x00"
    entries = pack(">H", 1) + pack(">HHII", 0x0110, 2, len(text), 26) + pack(">I", 0)
    return b"MM\x00\x2a\x00\x00\x00\x08" + entries + text


def without_exif(jpeg: bytes) -> bytes:
    """The same picture without its APP1 segments, as an Exif strip does it."""
    kept, at = [jpeg[:2]], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] != 0xE1:
            kept.append(jpeg[at:end])
        at = end
    return b"".join(kept) + jpeg[at:]
