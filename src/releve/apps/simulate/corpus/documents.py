# ruff: noqa: E501 - fixed texts of the formats
"""Office documents of a practice, written with the standard library: docx, odt, PDF, PNG scans, CSV, HTML."""

import io
import zipfile
import zlib
from random import Random
from struct import pack

_STAMP = (2025, 3, 14, 9, 30, 0)  # a fixed time in archives: the same seed gives the same bytes
_DOCX_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
    'relationships+xml"/><Default Extension="jpeg" ContentType="image/jpeg"/><Override PartName="/word/'
    'document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.'
    'main+xml"/></Types>'
)
_DOCX_RELS = (
    '<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/'
    '2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)


def archive(members: dict[str, bytes], *, stored: tuple[str, ...] = ()) -> bytes:
    """A zip of these members; those named in `stored` are not compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _STAMP)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            made.writestr(info, content, compresslevel=1)
    return out.getvalue()


def docx(paragraphs: list[str], picture: bytes = b"") -> bytes:
    """A Word document that Word opens: types, relations, text, perhaps a picture."""
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    document = (
        '<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="http://schemas.openxmlformats.org/'
        f'wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>'
    )
    members = {
        "[Content_Types].xml": _DOCX_TYPES.encode(),
        "_rels/.rels": _DOCX_RELS.encode(),
        "word/document.xml": document.encode(),
    }
    if picture:
        members["word/media/image1.jpeg"] = picture
    return archive(members, stored=("word/media/image1.jpeg",))


def odt(paragraphs: list[str]) -> bytes:
    """A LibreOffice text: the type first and not compressed, as the format asks."""
    body = "".join(f"<text:p>{text}</text:p>" for text in paragraphs)
    kind = b"application/vnd.oasis.opendocument.text"
    content = (
        '<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="urn:oasis:names:tc:'
        'opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
        f'office:version="1.2"><office:body><office:text>{body}</office:text></office:body></office:document-content>'
    )
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:'
        'opendocument:xmlns:manifest:1.0"><manifest:file-entry manifest:full-path="/" '
        f'manifest:media-type="{kind.decode()}"/></manifest:manifest>'
    )
    members = {
        "mimetype": kind,
        "content.xml": content.encode(),
        "META-INF/manifest.xml": manifest.encode(),
    }
    return archive(members, stored=("mimetype",))


def pdf(lines: list[str], pictures: list[bytes], side: int) -> bytes:
    """A PDF of one page of text and, behind it, square grey pictures that are already deflated."""
    text = "BT /F1 10 Tf 50 800 Td 14 TL " + " ".join(f"({_latin(line)}) Tj T*" for line in lines)
    page = zlib.compress((text + " ET").encode("latin-1", "replace"), 6)
    names = " ".join(f"/I{k} {k + 6} 0 R" for k in range(len(pictures)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >>"
        b" /XObject << " + names.encode() + b" >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(page) + page + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    objects += [
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
        b" /Filter /FlateDecode /Length %d >>\nstream\n"
        % (side, side, len(data))
        + data
        + b"\nendstream"
        for data in pictures
    ]
    return _pdf_file(objects)


def _pdf_file(objects: list[bytes]) -> bytes:
    out = io.BytesIO(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    out.seek(0, io.SEEK_END)
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n" % number + content + b"\nendobj\n")
    start = out.tell()
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table)
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def stamped(file: bytes, note: str) -> bytes:
    """The PDF with an incremental update behind it (7.5.6 of ISO 32000), as a stamping tool writes it."""
    previous = int(file[file.rindex(b"startxref") + 9 :].split()[0])
    size = int(file[file.rindex(b"/Size") + 5 :].split()[0])
    start = len(file)
    added = b"%d 0 obj\n<< /Type /Annot /Contents (%s) >>\nendobj\n" % (
        size,
        _latin(note).encode("latin-1"),
    )
    table = start + len(added)
    tail = (
        b"xref\n%d 1\n%010d 00000 n \ntrailer\n<< /Size %d /Root 1 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, start, size + 1, previous, table)
    )
    return file + added + tail


def _latin(text: str) -> str:
    kept = text.encode("latin-1", "replace").decode("latin-1")
    return kept.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))


def grey_scan(rng: Random, width: int, height: int) -> bytes:
    """Raw grey pixels of a scanned page: white with noise, black lines of text."""
    white = bytes(range(244, 252)) * 32
    black = bytes(range(20, 60)) * 6 + bytes(range(20, 36))
    rows = []
    for y in range(height):
        noise = rng.randbytes(width)
        if y % 16 < 9 and 30 < y < height - 30:
            edge = width - rng.randint(width // 10, width // 2)
            rows.append(noise[:edge].translate(black) + noise[edge:].translate(white))
        else:
            rows.append(noise.translate(white))
    return b"".join(rows)


def png(grey: bytes, width: int, text: str = "", level: int = 1) -> bytes:
    """A PNG of grey pixels, 8 bits, filter none."""
    height = len(grey) // width
    raw = b"".join(b"\x00" + grey[y * width : (y + 1) * width] for y in range(height))
    head = _chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    if text:
        head += _chunk(b"tEXt", b"Comment\x00" + text.encode("latin-1", "replace"))
    body = _chunk(b"IDAT", zlib.compress(raw, level))
    return b"\x89PNG\r\n\x1a\n" + head + body + _chunk(b"IEND", b"")


def unpng(file: bytes) -> tuple[bytes, int]:
    """Grey pixels and width of a PNG that `png` wrote."""
    width = int.from_bytes(file[16:20], "big")
    at, packed = 8, b""
    while at < len(file):
        length = int.from_bytes(file[at : at + 4], "big")
        if file[at + 4 : at + 8] == b"IDAT":
            packed += file[at + 8 : at + 8 + length]
        at += length + 12
    raw = zlib.decompress(packed)
    return b"".join(raw[k + 1 : k + 1 + width] for k in range(0, len(raw), width + 1)), width


def csv_results(rng: Random, rows: int) -> str:
    """Laboratory results as a laboratory sends them."""
    measures = ("Glycémie", "Créatinine", "CRP", "TSH", "Hémoglobine", "Ferritine", "Potassium")
    picked = rng.choices(measures, k=rows)
    lines = [
        f"{rng.randrange(10**6):06d};2025-{k % 12 + 1:02d}-{k % 28 + 1:02d};{measure};{rng.random() * 90:.2f};mmol/L;N"
        for k, measure in enumerate(picked)
    ]
    return "patient;date;examen;valeur;unité;note\r\n" + "\r\n".join(lines) + "\r\n"


def page(title: str, paragraphs: list[str]) -> str:
    """An HTML page as the practice's software exports it."""
    body = "\n".join(f"<p>{text}</p>" for text in paragraphs)
    return f'<!doctype html>\n<html lang="fr"><head><meta charset="utf-8"><title>{title}</title></head>\n<body>{body}</body></html>\n'
