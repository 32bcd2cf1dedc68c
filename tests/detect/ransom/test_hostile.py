"""Files made to hold up whoever looks at them: who may write into a share may put one there before he attacks."""

import gzip
import lzma
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from releve.detect.ransom.formats import LIMITS, look
from releve.detect.ransom.formats.sealed import seven_zip_header
from releve.detect.ransom.formats.shape import Blob
from releve.detect.ransom.formats.zips import directory
from releve.detect.ransom.twins import holds
from tests.detect.ransom import samples

_MOST_SECONDS = 3.0  # a tenth of that on a quiet machine
_MOST_READ = 64 << 20


class Counted(Blob):
    """Bytes that note how much was asked for at once; `hole` bytes of nothing stand before the end."""

    def __init__(self, content: bytes, tail: bytes = b"", hole: int = 0) -> None:
        super().__init__(content)
        self.tail, self.hole, self.most = tail, hole, 0
        self.size = len(content) + hole + len(tail)

    def read(self, offset: int, length: int) -> bytes:
        self.most = max(self.most, min(length, self.size - offset))
        assert self.most <= _MOST_READ
        start = self.size - len(self.tail)
        if offset >= start:
            return self.tail[offset - start : offset - start + length]
        head = self.content[offset : offset + length]
        missing = min(length - len(head), start - offset - len(head)) if self.hole else 0
        rest = self.tail[: max(0, offset + length - start)]
        return head + bytes(max(0, missing)) + rest


def dicom() -> Blob:
    """Sequences in sequences, all of undefined length, of elements without a value."""
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", 20) + b"1.2.840.10008.1.2.1\0"
    sequence, item = b"\x08\0\x40\x11SQ\0\0" + b"\xff" * 4, b"\xfe\xff\x00\xe0" + b"\xff" * 4
    ends = b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\xdd\xe0" + bytes(4)
    inner = sequence + item + b"\x10\0\x10\0LO\0\0" * 2900 + ends[0] + ends[1]
    body = sequence + (item + inner * 800 + ends[0]) + ends[1]
    return Blob(bytes(128) + b"DICM" + meta + body)


def pack_of_nothing() -> Blob:
    """A git pack of empty objects: none of them uses up what may be decoded."""
    return Blob(
        b"PACK" + struct.pack(">2I", 2, 1_000_001) + (b"\x30" + zlib.compress(b"")) * 1_000_000
    )


def picture_of_tables() -> Blob:
    tables = (b"\xff\xc4" + struct.pack(">H", 65535) + bytes(65533)) * 250
    frame = b"\xff\xdb\0\x04\0\0\xff\xc0\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0"
    scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + b"\x55" * 5000 + b"\xff\xd9"
    return Blob(b"\xff\xd8" + frame + tables + scan)


def archive_of_nothing() -> Blob:
    """Zip64: more than a million members in its list."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *(0,) * 7, 5, 5, *(0,) * 7)
    listed = entry * 1_300_000
    head = b"PK\x03\x04" + bytes(26)
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, len(listed), len(head)
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(head) + len(listed), 1)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", *(0xFFFF,) * 4, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return Blob(head + listed + record + locator + end)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "make",
    [dicom, pack_of_nothing, picture_of_tables, archive_of_nothing],
    ids=lambda one: one.__name__,
)
def test_a_look_ends_soon(make) -> None:
    hostile = make()
    began = time.monotonic()
    look(hostile, "x", spots=tuple(hostile.size * part // 8 for part in range(8)))
    assert time.monotonic() - began < _MOST_SECONDS


def test_a_file_with_a_hole_is_not_read_into_memory() -> None:
    """An end record that says that 3 GB before it are the list of members."""
    length = (3 << 30) - 30
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, length, 30, 0)
    hostile = Counted(b"PK\x03\x04" + bytes(26), end, hole=length)
    assert look(hostile, "x.zip").kind == "zip"
    assert directory(hostile) is None


def test_a_member_that_lies_about_its_size_uses_up_what_may_be_decoded() -> None:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = squeezed.compress(bytes(40 << 20)) + squeezed.flush()
    body, listed = b"", b""
    for number in range(6):
        name = b"%d" % number
        told = (0, 0, len(packed), 1)  # time, sum, packed, size
        listed += (
            struct.pack(
                "<4s6H3I5H2I",
                b"PK\x01\x02",
                20,
                20,
                0,
                8,
                0,
                *told[:1],
                *told[1:],
                1,
                0,
                0,
                0,
                0,
                0,
                len(body),
            )
            + name
        )
        body += struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, *told, 1, 0) + name + packed
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 6, 6, len(listed), len(body), 0)
    archive = body + listed + end
    began = time.process_time()
    look(Blob(archive), "x.zip", spots=tuple(len(body) * part // 6 + 99 for part in range(6)))
    assert time.process_time() - began < 1.0


def test_a_stream_that_asks_for_four_gigabytes_gets_none(monkeypatch) -> None:
    """A dictionary of 4 GB in the five bytes of properties of a 7z header."""
    asked = []
    real = lzma.LZMADecompressor

    def noted(*words, **named):
        asked.append((words[1:], named))
        return real(*words, **named)

    monkeypatch.setattr(lzma, "LZMADecompressor", noted)
    packed = bytes(1000)
    header = (
        b"\x17\x06\x00\x01\x09\x83\xe8\x00\x07\x0b\x01\x00\x01\x23\x03\x01\x01\x05\x5d"
        + b"\xff" * 4
        + b"\x0c\x8f\xff\x00\x00"
    )
    said = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    archive = b"7z\xbc\xaf\x27\x1c\0\x04" + struct.pack("<I", zlib.crc32(said)) + said
    assert seven_zip_header(Blob(archive + packed + header)) == header
    assert asked == [((128 << 20,), {})]


def test_members_that_could_all_be_the_original_are_not_all_opened() -> None:
    original = bytes(60_000)
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = squeezed.compress(b"\1" * 60_000) + squeezed.flush()
    told = (0, zlib.crc32(original), len(packed), len(original))
    body = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, *told, 1, 0) + b"x" + packed
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, *told, 1, *(0,) * 6) + b"x"
    listed = entry * 65_000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 65_000, 65_000, len(listed), len(body), 0)
    archive = Blob(body + listed + end)
    shape = look(archive, "x.zip")
    began = time.monotonic()
    assert not holds(archive, shape, Blob(original), LIMITS)
    assert time.monotonic() - began < _MOST_SECONDS


class Asked(Blob):
    """Bytes that note how often they are asked for, and how much in all."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.times = self.total = 0

    def read(self, offset: int, length: int) -> bytes:
        self.times += 1
        found = super().read(offset, length)
        self.total += len(found)
        return found


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_million_streams_of_nothing_are_no_million_looks(pack: Callable[[bytes], bytes]) -> None:
    crowd = Asked(pack(b"") * 500_000)
    began = time.monotonic()
    assert look(crowd, "a.gz", spots=(0, crowd.size - 1)).state == "valid"
    assert time.monotonic() - began < _MOST_SECONDS
    assert crowd.times < 2000
    assert crowd.total < LIMITS.deep_bytes + (4 << 20)


def test_a_million_empty_blocks_are_no_million_looks() -> None:
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + bytes(3) * 1_000_000 + b"\1\0\0"
    blocks = Asked(frame)
    assert look(blocks, "a.zst").state == "valid"
    assert blocks.times < 1200


def test_of_a_bomb_no_more_is_unpacked_than_is_told() -> None:
    """Nothing, packed, of which each read piece would be 64 MB of memory."""
    bomb = Asked(gzip.compress(bytes(64 << 20), 9) * 12)
    tracemalloc.start()
    try:
        assert look(bomb, "a.gz", spots=(0, bomb.size - 1)).state == "valid"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert bomb.total < bomb.size // 2  # no farther than we can afford


def test_a_stream_that_ends_in_the_middle_is_broken_wherever_it_does() -> None:
    whole = gzip.compress(samples.text(900_000))
    for share in (0.3, 0.7, 0.99):
        cut = whole[: int(len(whole) * share)]
        assert look(Blob(cut), "a.gz", spots=(0, len(cut) - 1)).state == "broken"
