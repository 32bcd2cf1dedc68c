"""What encryptors, wipers and smugglers make of a file, as pure functions of its bytes."""

# ruff: noqa: E501 - tables read better on one line

import base64
import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

from tests.detect.ransom import samples

PAGE = 4096


def noise(size: int, seed: int = 7) -> bytes:
    """Ciphertext stands for itself: uniform bytes."""
    return random.Random(seed).randbytes(max(0, size))


def whole(data: bytes) -> bytes:
    return noise(len(data))


def whole_with_footer(data: bytes) -> bytes:
    return noise(len(data)) + noise(512, 8)


def header_kept(data: bytes) -> bytes:
    return data[:PAGE] + noise(len(data) - PAGE)


def header_only(data: bytes) -> bytes:
    return noise(PAGE) + data[PAGE:]


def every_second_page(data: bytes) -> bytes:
    pages = [data[at : at + PAGE] for at in range(0, len(data), PAGE)]
    return b"".join(noise(len(page), 9 + i) if i % 2 else page for i, page in enumerate(pages))


def five_percent(data: bytes) -> bytes:
    start, length = int(len(data) * 0.475), len(data) // 20
    return data[:start] + noise(length) + data[start + length :]


def five_percent_with_footer(data: bytes) -> bytes:
    return five_percent(data) + noise(300, 8)


def tail_half(data: bytes) -> bytes:
    return data[: len(data) // 2] + noise(len(data) - len(data) // 2)


def sixteen_of_64(data: bytes) -> bytes:
    out = bytearray(data)
    chance = random.Random(3)
    for at in range(0, len(out) - 16, 64):
        out[at : at + 16] = chance.randbytes(16)
    return bytes(out)


def xor(data: bytes) -> bytes:
    key = bytes([0x5A, 0xC3, 0x99, 0x17])
    return bytes([byte ^ key[i & 3] for i, byte in enumerate(data)])


def as_base64(data: bytes) -> bytes:
    return base64.encodebytes(noise(len(data)))


def as_base64_one_line(data: bytes) -> bytes:
    return base64.b64encode(noise(len(data)))


def as_hex(data: bytes) -> bytes:
    return noise(len(data) // 2).hex().encode()


def as_base85(data: bytes) -> bytes:
    return base64.b85encode(noise(len(data) // 2))


def zeros(data: bytes) -> bytes:
    return bytes(len(data))


def pattern(data: bytes) -> bytes:
    return (b"\xde\xad\xbe\xef" * (len(data) // 4 + 1))[: len(data)]


def wiped_text(data: bytes) -> bytes:
    return (b"PWNED BY US! " * (len(data) // 13 + 1))[: len(data)]


def emptied(data: bytes) -> bytes:
    return b""


def fake_gzip(data: bytes) -> bytes:
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + noise(len(data))


def gzip_of_ciphertext(data: bytes) -> bytes:
    return gzip.compress(noise(len(data)), mtime=0)


def zip_of_ciphertext(data: bytes) -> bytes:
    return samples._archive({"document.txt": noise(len(data))})


def docx_of_ciphertext(data: bytes) -> bytes:
    return samples._archive(
        {"[Content_Types].xml": b"<?xml?><Types/>", "word/document.xml": noise(len(data))},
        zipfile.ZIP_STORED,
    )


def zip_with_prefix(data: bytes) -> bytes:
    """Ciphertext before a small honest archive, as a self-extracting stub would stand."""
    out = io.BytesIO(b"PK\x03\x04" + noise(len(data)))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("readme.txt", "bonjour")
    return out.getvalue()


def png_of_ciphertext(data: bytes) -> bytes:
    width = 256
    height = max(2, len(data) // width)
    rows = b"".join(b"\0" + noise(width, 11 + y) for y in range(height))
    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + samples.png_chunk(b"IHDR", head)
        + samples.png_chunk(b"IDAT", zlib.compress(rows, 1))
        + samples.png_chunk(b"IEND", b"")
    )


def png_with_private_chunk(data: bytes) -> bytes:
    small = samples.png(32, 24)
    return small[:33] + samples.png_chunk(b"prVt", noise(len(data))) + small[33:]


def png_with_tail(data: bytes) -> bytes:
    return samples.png(32, 24) + noise(len(data))


def jpeg_with_tail(data: bytes) -> bytes:
    return samples.jpeg(64, 48) + noise(len(data))


def jpeg_with_comments(data: bytes) -> bytes:
    small, secret = samples.jpeg(64, 48), noise(len(data))
    comments = b"".join(
        b"\xff\xfe" + struct.pack(">H", len(part) + 2) + part for part in (secret[at : at + 60_000] for at in range(0, len(secret), 60_000))
    )  # fmt: skip
    return small[:2] + comments + small[2:]


def jpeg_scan_of_ciphertext(data: bytes) -> bytes:
    """Real headers and tables, stuffed ciphertext for a scan."""
    small = samples.jpeg(480, 360)
    scan = small.index(b"\xff\xda")
    start = scan + 2 + int.from_bytes(small[scan + 2 : scan + 4], "big")
    return small[:start] + noise(len(data)).replace(b"\xff", b"\xff\x00") + b"\xff\xd9"


def dicom_of_ciphertext(data: bytes) -> bytes:
    whole_file = samples.dicom("CT_small.dcm")
    at = whole_file.rindex(b"\xe0\x7f\x10\x00OW")
    return whole_file[: at + 12] + noise(len(whole_file) - at - 12)


def pdf_of_ciphertext(data: bytes) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    at = len(out)
    packed = zlib.compress(noise(len(data)))
    out += (
        b"1 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(packed)
        + packed
        + b"\nendstream\nendobj\n"
    )
    table = len(out)
    out += (
        b"xref\n0 2\n0000000000 65535 f \n%010d 00000 n \ntrailer\n<< /Size 2 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (at, table)
    )
    return bytes(out)


def pdf_with_garbage(data: bytes) -> bytes:
    """Ciphertext between the objects of a small honest document."""
    small = samples.pdf(800, pages=1)
    at = small.index(b"xref\n0")
    moved = small[:at] + noise(len(data)) + small[at:]
    return moved.replace(b"startxref\n%d\n" % at, b"startxref\n%d\n" % (at + len(data)))


def bmp_of_ciphertext(data: bytes) -> bytes:
    return samples.bmp()[: 54 + 1024] + noise(256 * 200)


def tar_of_ciphertext(data: bytes) -> bytes:
    return samples.tarred()[:512] + noise(len(data))


IN_PLACE: tuple[Callable[[bytes], bytes], ...] = (
    whole, whole_with_footer, header_kept, header_only, every_second_page, five_percent, five_percent_with_footer,
    tail_half, sixteen_of_64, xor, as_base64, as_base64_one_line, as_hex, as_base85, zeros, pattern, wiped_text, emptied,
)  # fmt: skip
CARRIERS: tuple[Callable[[bytes], bytes], ...] = (
    fake_gzip, gzip_of_ciphertext, zip_of_ciphertext, docx_of_ciphertext, zip_with_prefix, png_of_ciphertext,
    png_with_private_chunk, png_with_tail, jpeg_with_tail, jpeg_with_comments, jpeg_scan_of_ciphertext, dicom_of_ciphertext,
    pdf_of_ciphertext, pdf_with_garbage, bmp_of_ciphertext, tar_of_ciphertext,
)  # fmt: skip
