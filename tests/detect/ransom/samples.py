"""Honest files of a practice, written here with the standard library, Pillow and pydicom's own samples."""

# ruff: noqa: E501 - sample documents read better on one line

import bz2
import email.message
import functools
import gzip
import hashlib
import importlib.util
import io
import json
import lzma
import os
import random
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

WORDS = [
    "le",
    "patient",
    "présente",
    "une",
    "toux",
    "sèche",
    "depuis",
    "trois",
    "jours",
    "sans",
    "fièvre",
    "ni",
    "dyspnée",
    "examen",
    "clinique",
    "auscultation",
    "claire",
    "tension",
    "artérielle",
    "fréquence",
    "cardiaque",
    "saturation",
    "traitement",
    "par",
    "paracétamol",
    "contrôle",
    "dans",
    "une",
    "semaine",
    "compte",
    "rendu",
    "de",
    "consultation",
    "docteur",
    "médecin",
    "généraliste",
    "ordonnance",
    "renouvelée",
    "biologie",
    "glycémie",
    "à",
    "jeun",
    "créatinine",
    "urée",
    "ionogramme",
    "hémogramme",
    "plaquettes",
    "leucocytes",
    "radiographie",
    "thoracique",
    "échographie",
    "abdominale",
]


def need(module: str) -> None:
    """Skip without a component, loudly; in CI a missing component is a failure."""
    if importlib.util.find_spec(module) is None:
        message = f"{module} is not installed: part of the truth table did NOT run"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


def prose(size: int, seed: int = 1) -> str:
    chance = random.Random(seed)
    lines, length = [], 0
    while length < size:
        line = (
            " ".join(chance.choices(WORDS, k=12)).capitalize()
            + f" le {chance.randint(1, 28)}/0{chance.randint(1, 9)}/2026.\n"
        )
        lines.append(line)
        length += len(line.encode())
    return "".join(lines)


def text(size: int = 60_000, seed: int = 1) -> bytes:
    return prose(size, seed).encode()


def latin(size: int = 60_000) -> bytes:
    return prose(size).encode("latin-1")


def csv(size: int = 60_000, seed: int = 2) -> bytes:
    chance = random.Random(seed)
    rows = ["ipp;nom;naissance;poids;taille;glycemie"]
    while len(rows) * 44 < size:
        rows.append(
            f"{chance.randint(10**8, 10**9)};{chance.choice(WORDS).upper()};19{chance.randint(30, 99)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)};"
            f"{chance.uniform(40, 120):.1f};{chance.uniform(1.4, 2):.2f};{chance.uniform(0.6, 3):.3f}"
        )
    return "\n".join(rows).encode()


def html(size: int = 60_000) -> bytes:
    return f"<!DOCTYPE html><html><head><title>CR</title></head><body><p>{prose(size)}</p></body></html>".encode()


def cda(size: int = 60_000) -> bytes:
    """A CDA document with its PDF inside as base64: text whose larger part is flat."""
    import base64

    inside = base64.b64encode(pdf(size // 2)).decode()
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument><title>CR</title><text>{prose(4000)}</text><nonXMLBody><text mediaType="application/pdf" representation="B64">{inside}</text></nonXMLBody></ClinicalDocument>'.encode()


def fhir(size: int = 60_000) -> bytes:
    chance = random.Random(4)
    return json.dumps(
        [{"resourceType": "Observation", "valueQuantity": {"value": chance.random(), "unit": "g/L"}, "note": prose(60, i)} for i in range(size // 200)],
        ensure_ascii=False, indent=1,
    ).encode()  # fmt: skip


def hl7(size: int = 60_000) -> bytes:
    one = "MSH|^~\\&|LABO|CH|DPI|CH|202611210830||ORU^R01|{i}|P|2.5\rPID|1||{i}^^^CH||DUPONT^JEAN\rOBX|1|NM|GLU||{v:.2f}|g/L\r"
    chance = random.Random(5)
    return "".join(one.format(i=i, v=chance.random()) for i in range(size // 120)).encode("latin-1")


def eml(size: int = 60_000) -> bytes:
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "a@example.org",
        "b@example.org",
        "Résultats",
    )
    message.set_content(prose(1000))
    message.add_attachment(pdf(size // 2), maintype="application", subtype="pdf", filename="cr.pdf")
    return bytes(message)


def rtf(size: int = 60_000) -> bytes:
    return ("{\\rtf1\\ansi " + prose(size).replace("\n", "\\par\n") + "}").encode("latin-1")


def _archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 21, 8, 0, 0)), content, method)
    return out.getvalue()


def docx(size: int = 60_000, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    body = "".join(
        f"<w:p w:rsidR='{chance.getrandbits(32):08X}'><w:r><w:t>{line}</w:t></w:r></w:p>"
        for line in prose(size, seed).splitlines()
    )
    return _archive({
        "[Content_Types].xml": b'<?xml version="1.0"?><Types xmlns="x"><Default Extension="xml"/></Types>',
        "_rels/.rels": b'<?xml version="1.0"?><Relationships/>',
        "word/document.xml": f'<?xml version="1.0"?><w:document><w:body>{body}</w:body></w:document>'.encode(),
        "word/styles.xml": ("<?xml version='1.0'?><w:styles>" + "<w:style w:val='a'/>" * 300 + "</w:styles>").encode(),
        "word/media/image1.png": png(160, 120, seed),
    })  # fmt: skip


def odt(size: int = 60_000, seed: int = 1) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/vnd.oasis.opendocument.text")
        archive.writestr(
            "content.xml",
            f"<?xml version='1.0'?><office:document-content>{prose(size, seed)}</office:document-content>",
            zipfile.ZIP_DEFLATED,
        )
        archive.writestr(
            "META-INF/manifest.xml",
            "<?xml version='1.0'?><manifest:manifest/>",
            zipfile.ZIP_DEFLATED,
        )
    return out.getvalue()


def zipped(size: int = 60_000, seed: int = 1) -> bytes:
    return _archive({f"dossier/cr{i}.txt": text(size // 2, seed + i) for i in range(8)})


def pdf(size: int = 60_000, seed: int = 1, pages: int = 5) -> bytes:
    """Pages of Flate streams with a good cross-reference table."""
    chance = random.Random(seed)
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []

    def add(content: bytes) -> None:
        offsets.append(len(out))
        out.extend(b"%d 0 obj\n" % len(offsets) + content + b"\nendobj\n")

    add(b"<< /Type /Catalog /Pages 2 0 R >>")
    add(b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
    add(b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>")
    for page in range(pages):
        lines = "".join(
            f"BT /F1 {chance.randint(8, 12)} Tf {chance.randint(0, 500)} {chance.randint(0, 800)} Td ({line}) Tj ET\n"
            for line in prose(size, seed + page).splitlines()
        )
        packed = zlib.compress(lines.encode("latin-1"))
        add(
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(packed)
            + packed
            + b"\nendstream"
        )
    table = len(out)
    out.extend(b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1))
    out.extend(b"".join(b"%010d 00000 n \n" % at for at in offsets))
    out.extend(
        b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, table)
    )
    return bytes(out)


def pixels(width: int, height: int, seed: int = 1, noise: float = 6.0) -> bytes:
    """A grey picture as a scanner makes it: shapes, gradients and sensor noise."""
    chance = random.Random(seed)
    gauss = [int(chance.gauss(0, noise)) for _ in range(4096)]
    rows = []
    for y in range(height):
        base = [
            (x * 3 // 4 + y // 2 + (60 if (x // 24 + y // 24) % 2 else 0)) % 200 + 20
            for x in range(width)
        ]
        rows.append(
            bytes([max(0, min(255, value + gauss[chance.getrandbits(12)])) for value in base])
        )
    return b"".join(rows)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, raw: bytes, level: int = 6) -> bytes:
    """Rows with the Sub filter, as encoders write photographs."""
    rows = []
    for y in range(height):
        row = raw[y * width : (y + 1) * width]
        rows.append(
            b"\x01"
            + bytes([(one - left) & 255 for one, left in zip(row, b"\0" + row, strict=False)])
        )
    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(b"".join(rows), level)
    idat = b"".join(
        png_chunk(b"IDAT", packed[at : at + 8192]) for at in range(0, len(packed), 8192)
    )
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + idat + png_chunk(b"IEND", b"")


def png(width: int = 320, height: int = 240, seed: int = 1) -> bytes:
    return png_of(width, height, pixels(width, height, seed))


def jpeg(width: int = 480, height: int = 360, seed: int = 1, **options: object) -> bytes:
    need("PIL")
    from PIL import Image

    out = io.BytesIO()
    grey = Image.frombytes("L", (width, height), pixels(width, height, seed))
    colour = Image.merge("RGB", (grey, grey.rotate(90), grey.rotate(180)))
    colour.save(out, "JPEG", **{"quality": 85, **options})
    return out.getvalue()


def jpeg_progressive() -> bytes:
    return jpeg(progressive=True, optimize=True)


def database(rows: int = 1200, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    link = sqlite3.connect(":memory:")
    link.execute("create table patient (id integer primary key, nom text, note text, poids real)")
    link.execute("create index par_nom on patient (nom)")
    link.executemany(
        "insert into patient values (?, ?, ?, ?)",
        [(i, chance.choice(WORDS), prose(60, i), chance.random()) for i in range(rows)],
    )
    link.commit()
    return link.serialize()


def database_with_map(rows: int = 1200) -> bytes:
    """auto_vacuum keeps map pages that are neither trees nor blobs."""
    link = sqlite3.connect(":memory:")
    link.execute("pragma auto_vacuum = full")
    link.execute("create table piece (id integer primary key, contenu blob)")
    link.executemany(
        "insert into piece values (?, ?)",
        [(i, zlib.compress(prose(2000, i).encode())) for i in range(rows // 10)],
    )
    link.commit()
    return link.serialize()


def wide(size: int = 60_000) -> bytes:
    return prose(size // 2).encode("utf-16")


def gz(size: int = 200_000) -> bytes:
    return gzip.compress(text(size), mtime=0)


def git_loose(size: int = 60_000) -> bytes:
    content = text(size)
    return zlib.compress(b"blob %d\0" % len(content) + content)


def git_pack(objects: int = 4) -> bytes:
    """Whole objects one after the other, as `git pack-objects --window=0` writes them."""
    out = b"PACK" + struct.pack(">2I", 2, objects)
    for number in range(objects):
        content = text(40_000 + number, number)
        size, head = len(content) >> 4, bytes([0x80 | 3 << 4 | len(content) & 15])
        while size > 127:
            head, size = head + bytes([0x80 | size & 127]), size >> 7
        out += head + bytes([size]) + zlib.compress(content)
    return out + hashlib.sha1(out, usedforsecurity=False).digest()


def tarred(size: int = 60_000) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(3):
            info = tarfile.TarInfo(f"cr{number}.txt")
            content = text(size // 3, number)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def dicom(name: str = "CT_small.dcm") -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), name
    return Path(path).read_bytes()


def dicom_saved(dataset: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def ole(size: int = 60_000, name: str = "WordDocument", content: bytes | None = None) -> bytes:
    """A compound file: header, allocation table, directory, one stream."""
    content = content if content is not None else prose(size // 2).encode("utf-16-le")
    content += bytes(-len(content) % 512)
    count = len(content) // 512
    tables = -(-(count + 8) // 128)
    chain = [0xFFFFFFFD] * tables + [0xFFFFFFFE]
    chain += [tables + 2 + i for i in range(count - 1)] + [0xFFFFFFFE]
    chain += [0xFFFFFFFF] * (tables * 128 - len(chain))
    head = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
    )
    head += struct.pack("<9I", 0, tables, tables, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += b"".join(struct.pack("<I", i if i < tables else 0xFFFFFFFF) for i in range(109))

    def entry(title: str, kind: int, start: int, length: int) -> bytes:
        label = title.encode("utf-16-le")
        return (
            label.ljust(64, b"\0")
            + struct.pack("<H2B3I", len(label) + 2, kind, 1, *[0xFFFFFFFF] * 3)
            + bytes(36)
            + struct.pack("<IQ", start, length)
        )

    listed = (
        entry("Root Entry", 5, 0xFFFFFFFE, 0)
        + entry(name, 2, tables + 1, len(content))
        + bytes(256)
    )
    return head + b"".join(struct.pack("<I", one) for one in chain) + listed + content


def wav(seconds: int = 2) -> bytes:
    chance = random.Random(9)
    sound = b"".join(struct.pack("<h", int(chance.gauss(0, 900))) for _ in range(16_000 * seconds))
    body = (
        b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
        + b"data"
        + struct.pack("<I", len(sound))
        + sound
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp(width: int = 256, height: int = 200) -> bytes:
    raw = pixels(width, height)
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    head = struct.pack("<2sIII", b"BM", 54 + 1024 + len(raw), 0, 54 + 1024)
    return (
        head
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, len(raw), 0, 0, 256, 0)
        + palette
        + raw
    )


KINDS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "txt": ("text", text), "latin1": ("text", latin), "csv": ("csv", csv), "html": ("html", html), "cda": ("xml", cda),
    "fhir": ("json", fhir), "hl7": ("hl7", hl7), "eml": ("eml", eml), "rtf": ("rtf", rtf), "docx": ("docx", docx),
    "odt": ("odt", odt), "zip": ("zip", zipped), "pdf": ("pdf", pdf), "png": ("png", png), "jpg": ("jpeg", jpeg),
    "progressive.jpg": ("jpeg", jpeg_progressive), "db": ("sqlite", database), "map.db": ("sqlite", database_with_map), "utf16": ("text", wide), "gz": ("gzip", gz),
    "bz2": ("bzip2", lambda: bz2.compress(text(200_000))), "xz": ("xz", lambda: lzma.compress(text(200_000))),
    "tar": ("tar", tarred), "dcm": ("dicom", dicom), "mr.dcm": ("dicom", lambda: dicom("MR_small.dcm")),
    "j2k.dcm": ("dicom", lambda: dicom("JPEG2000.dcm")), "rle.dcm": ("dicom", lambda: dicom("MR_small_RLE.dcm")),
    "doc": ("ole", ole), "wav": ("wav", wav), "bmp": ("bmp", bmp),
    "pack": ("git-pack", git_pack),
}  # fmt: skip


@functools.cache
def sample(extension: str) -> bytes:
    return KINDS[extension][1]()
