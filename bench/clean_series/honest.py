"""What people and programs do: every row must be called clean."""

import gzip
import sqlite3
import zipfile
from contextlib import closing
from struct import pack

from bench.clean_series.ground import Ground, Story, honest, write
from releve.apps.simulate.corpus import dicom, documents, jpeg


def normal_day(ground: Ground) -> None:
    """Letters edited and written, results appended, an appointment in the database."""
    for path in ground.some(ground.files(".docx"), 8):
        write(path, ground.docx())
    for path in ground.some(ground.files(".txt"), 6):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" + ground.text(5))
    for number in range(6):
        write(
            ground.anywhere() / f"Courrier {ground.rng.randrange(10**6)} {number}.docx",
            ground.docx(),
        )
    for path in ground.some(ground.files(".csv"), 3):
        with path.open("ab") as file:
            file.write(ground.csv(20))
    with closing(sqlite3.connect(ground.database)) as db:
        table = _table(db)
        db.execute(f'INSERT INTO "{table}" SELECT * FROM "{table}" WHERE 0')
        db.execute("CREATE TABLE IF NOT EXISTS agenda (quand TEXT, qui TEXT)")
        db.executemany(
            "INSERT INTO agenda VALUES (?, ?)", [(str(n), ground.text(1)) for n in range(30)]
        )
        db.commit()


def _table(db: sqlite3.Connection) -> str:
    rows = db.execute(
        "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'"
    )
    counts = {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in rows}
    return max(counts, key=counts.__getitem__)


def nothing(ground: Ground) -> None:
    del ground


def photos(ground: Ground) -> None:
    for number in range(40):
        write(ground.folder("Patients/Photos du jour") / f"IMG_{number:04}.jpg", ground.jpg())


def program(ground: Ground, size: int) -> bytes:
    """A Windows program: header, code with repeated patterns, packed resources."""
    code = b"".join(
        bytes([0x55, 0x8B, 0xEC, 0x83, 0xEC, ground.rng.randrange(64), 0xE8])
        + ground.rng.randbytes(4)
        for _ in range(size // 22)
    )
    return (
        b"MZ\x90\0" + bytes(56) + b"\x40\0\0\0PE\0\0d\x86" + code + ground.rng.randbytes(size // 3)
    )


def install(ground: Ground) -> None:
    """A new program: endings that were never seen here, packed resources among them."""
    top = ground.folder("Logiciel médical/Module ordonnance")
    for number in range(30):
        write(top / f"module{number}.dll", program(ground, 30_000))
    for number in range(14):
        write(top / f"ressource{number}.pak", b"PAK1" + ground.rng.randbytes(24_000))
    write(top / "ordonnance.exe", program(ground, 90_000))


def update(ground: Ground) -> None:
    """The same program again, newer: all of it replaced."""
    for path in ground.files(".dll", ".exe", folder="Logiciel médical/Module ordonnance"):
        write(path, program(ground, 30_000))
    for path in ground.files(".pak", folder="Logiciel médical/Module ordonnance"):
        write(path, b"PAK1" + ground.rng.randbytes(25_000))


def scans(ground: Ground) -> None:
    for number in range(150):
        write(ground.folder("Numérisations/lot") / f"Scan {number:04}.pdf", ground.pdf())


def scans_png(ground: Ground) -> None:
    for number in range(90):
        write(ground.folder("Numérisations/lot png") / f"page-{number:04}.png", ground.png())


def dicom_import(ground: Ground) -> None:
    for number in range(80):
        write(ground.folder("Imagerie/Etude 2211") / f"IM{number:05}.dcm", ground.dcm())


def dicom_without_endings(ground: Ground) -> None:
    """As a CD of another hospital brings them: DICOMDIR style, no endings."""
    for number in range(60):
        write(ground.folder("Imagerie/CD externe/DICOM/S0001") / f"IM{number:05}", ground.dcm())


def dicom_deflated(ground: Ground) -> None:
    for path in ground.files(".dcm"):
        write(path, dicom.deflated(path.read_bytes()))


def dicom_anonymous(ground: Ground) -> None:
    for path in ground.some(ground.files(".dcm"), 30):
        write(path.with_name(path.stem + " anonyme.dcm"), dicom.anonymised(path.read_bytes()))


def png_to_jpg(ground: Ground) -> None:
    """A converter: the old form goes when the new one is there."""
    for path in ground.files(".png"):
        write(path.with_suffix(".jpg"), ground.jpg())
        path.unlink()


def photos_lighter(ground: Ground) -> None:
    """EXIF taken out of every photograph, in place."""
    for path in ground.files(".jpg"):
        write(path, jpeg.without_exif(path.read_bytes()))


def docx_to_pdf(ground: Ground) -> None:
    for path in ground.some(ground.files(".docx"), 60):
        write(path.with_suffix(".pdf"), ground.pdf())


def pdf_stamped(ground: Ground) -> None:
    """A received stamp on every PDF: incremental updates."""
    for path in ground.files(".pdf"):
        write(path, documents.stamped(path.read_bytes(), "Reçu le 22/11/2026"))


def export(ground: Ground) -> None:
    for number in range(40):
        write(ground.folder("Exports/2026-11") / f"export-{number:03}.csv", ground.csv())


def rename_folder(ground: Ground) -> None:
    old = max(
        (p for p in ground.share.iterdir() if p.is_dir()), key=lambda p: len(list(p.rglob("*")))
    )
    old.rename(old.with_name(old.name + " (archives)"))


def sort_by_kind(ground: Ground) -> None:
    for path in ground.files(".csv", ".html"):
        into = ground.folder(f"Classement/{path.suffix[1:]}")
        path.rename(into / path.name)


def tidy(ground: Ground) -> None:
    for path in ground.some(ground.documents(), 40):
        path.unlink()


def archive(ground: Ground) -> None:
    """Last year's results go into a zip, the originals go."""
    found = ground.some(ground.files(".csv", ".txt"), 35)
    into = ground.folder("Archives") / "2025.zip"
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as made:
        for path in found:
            made.write(path, str(path.relative_to(ground.share)))
    for path in found:
        path.unlink()


def rotate_logs(ground: Ground) -> None:
    folder = ground.folder("Logiciel médical/journaux")
    for number in range(12):
        (folder / f"trace.{number}.log.gz").write_bytes(gzip.compress(ground.text(900).encode(), 4))
    (folder / "trace.log").write_text(ground.text(100), encoding="utf-8")


def to_utf8(ground: Ground) -> None:
    """Every text rewritten in another code and other line ends."""
    for path in ground.files(".txt"):
        if path.stat().st_mode & 0o200:
            text = path.read_text(encoding="utf-8", errors="replace").replace("\n", "\r\n")
            write(path, text.encode("latin-1", "replace"))


def new_letterhead(ground: Ground) -> None:
    """Search and replace over a third of the share: the practice moved."""
    for path in ground.files(".html"):
        text = path.read_text(encoding="utf-8")
        write(path, text.replace("<body>", "<body><p>12, rue des Écoles</p>").encode())
    for path in ground.files(".docx"):
        write(path, ground.docx())


def _page(ground: Ground, number: int) -> bytes:
    """A page as mail stores have them: numbers, lengths, text, slack, a check sum."""
    text = ground.text(8).encode("utf-16-le")[:1800]
    head = pack("<QQHHI", number * 2048, number, 0x8080, len(text), ground.rng.getrandbits(32))
    return (head + text).ljust(2032, b"\0") + pack("<QQ", ground.rng.getrandbits(64), number)


def mail_store(ground: Ground) -> None:
    """A mail store in a format nobody decodes here: grows, and pages of it change."""
    path = ground.folder("Secrétariat/Messagerie") / "boite.pst"
    if not path.exists():
        path.write_bytes(b"!BDN" + bytes(508) + b"".join(_page(ground, n) for n in range(600)))
        return
    content = bytearray(path.read_bytes())
    for number in ground.rng.sample(range(600), 20):
        content[512 + number * 2048 : 512 + (number + 1) * 2048] = _page(ground, number)
    at = 512 + 300 * 2048
    content[at : at + 4096] = gzip.compress(ground.rng.randbytes(3000))[:4096].ljust(4096, b"\0")
    path.write_bytes(bytes(content) + b"".join(_page(ground, 600 + n) for n in range(40)))


def sealed_export(ground: Ground) -> None:
    """The nightly export for the accountant, encrypted with his key."""
    for number in range(2):
        packet = b"\x85\x02\x0c\x03" + ground.rng.randbytes(520) + b"\xd2\xc0\xff\x01"
        write(
            ground.folder("Comptabilité/Transmis") / f"lot-{number}.gpg",
            packet + ground.rng.randbytes(40_000),
        )


def disk_image(ground: Ground) -> None:
    content = (
        bytes(200_000) + ground.rng.randbytes(500_000) + ground.text(3000).encode() + bytes(300_000)
    )
    write(ground.folder("Logiciel médical/Sauvegardes") / "base.bak", content)


def witnesses(ground: Ground) -> None:
    """A guard starts: it plants its witness files."""
    for folder in sorted({path.parent for path in ground.files()}):
        (folder / ".~zz-sommaire.txt").write_text(ground.text(30), encoding="utf-8")
        write(folder / ".000-sommaire.docx", documents.docx([ground.text(4)]))


def torn_copy(ground: Ground) -> None:
    """A backup in the middle of a copy: half of one PDF is there."""
    write(ground.anywhere() / "copie en cours.pdf", (whole := ground.pdf())[: len(whole) // 2])


def finished_copy(ground: Ground) -> None:
    """... and in the next one it is whole."""
    path = next(iter(ground.share.rglob("copie en cours.pdf")))
    write(path, ground.pdf())


def purge(ground: Ground) -> None:
    """The database's yearly purge of a tenth, then VACUUM."""
    with closing(sqlite3.connect(ground.database)) as db:
        table = _table(db)
        db.execute(f'DELETE FROM "{table}" WHERE rowid % 10 = 0')
        db.commit()
        db.execute("VACUUM")


def scripts(ground: Ground) -> None:
    """The administrator's own scripts: they look for updates and copy files."""
    folder = ground.folder("Informatique")
    (folder / "sauvegarde.ps1").write_text(
        "Get-ChildItem D:\\ -Recurse | Copy-Item -Destination E:\\\nWrite-Output 'fait'\n",
        encoding="utf-8",
    )
    (folder / "ouverture.bat").write_text(
        "@echo off\r\nnet use S: \\\\serveur\\cabinet\r\n", encoding="utf-8"
    )
    (folder / "consignes.txt").write_text(
        "En cas de rançongiciel : ne payez pas, appelez le 17, débranchez. " + ground.text(20),
        encoding="utf-8",
    )


STORIES: tuple[Story, ...] = (
    honest("normal day, two in a row", "normal day", normal_day, normal_day),
    honest("nothing changed", "normal day", nothing),
    honest("photographs of the day", "normal day", photos),
    honest("program installed, then updated", "software update", install, update),
    honest("administrator's scripts", "software update", scripts),
    honest("the guard plants witnesses", "software update", witnesses),
    honest("150 scans as PDF", "bulk scanning", scans),
    honest("90 scans as PNG", "bulk scanning", scans_png),
    honest("80 images of a study", "DICOM import", dicom_import),
    honest("a CD without endings", "DICOM import", dicom_without_endings),
    honest("all DICOM deflated", "re-encoding", dicom_deflated),
    honest("30 DICOM anonymised", "re-encoding", dicom_anonymous),
    honest("every PNG becomes a JPEG", "re-encoding", png_to_jpg),
    honest("EXIF taken out of all photographs", "re-encoding", photos_lighter),
    honest("60 letters as PDF", "re-encoding", docx_to_pdf),
    honest("a stamp on every PDF", "re-encoding", pdf_stamped),
    honest("all texts to another code", "re-encoding", to_utf8),
    honest("new letterhead everywhere", "re-encoding", new_letterhead),
    honest("40 exports", "normal day", export),
    honest("a folder renamed", "tidying", rename_folder),
    honest("sorted by kind", "tidying", sort_by_kind),
    honest("40 files deleted", "tidying", tidy),
    honest("35 files into an archive", "tidying", archive),
    honest("logs rotated", "software update", rotate_logs),
    honest("a mail store grows", "normal day", mail_store, mail_store),
    honest("encrypted export", "normal day", sealed_export),
    honest("backup of a program's base", "software update", disk_image),
    honest("torn copy, then whole", "normal day", torn_copy, finished_copy),
    honest("database purged of a tenth", "software update", purge),
)
