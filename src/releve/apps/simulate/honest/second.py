# ruff: noqa: E501 - the list of rows reads better whole
"""The second held-out list: decided after three of the first were corrected, before it was first run."""

import base64
import csv
import hashlib
import math
import shutil
import sqlite3
import zlib
from pathlib import Path

from releve.apps.simulate.corpus import documents
from releve.apps.simulate.honest.desk import copy_in, copying, files, row, tool
from releve.apps.simulate.honest.moving import prepare_mirror
from releve.apps.simulate.honest.tuned import prepare_database
from releve.apps.simulate.profile import Workload


def prepare_maildir(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 150, "new")
    (area / "cur").mkdir()


def read_maildir(area: Path) -> None:
    """Messages move from new to cur with their flags; a third is thrown away."""
    for number, path in enumerate(files(area / "new", ".txt")):
        path.rename(area / "cur" / f"{1_773_000_000 + number}.M{number}.poste:2,S")
    for path in sorted((area / "cur").iterdir())[::3]:
        path.unlink()


def scans_to_pdf(area: Path) -> None:
    """Each scan becomes a PDF beside it, then the scan is removed."""
    for path in files(area, ".png"):
        grey, _ = documents.unpng(path.read_bytes())
        side = min(256, math.isqrt(len(grey)))
        picture = zlib.compress(grey[: side * side])
        content = documents.pdf([f"Numérisation {path.stem}"], [picture], side)
        path.with_suffix(".pdf").write_bytes(content)
        path.unlink()


def docx_to_odt(area: Path) -> None:
    """The practice leaves one office suite for another: 60 documents, all at the end removed."""
    found = files(area, ".docx")
    for path in found:
        path.with_suffix(".odt").write_bytes(
            documents.odt([f"Repris de {path.stem}", *["Texte."] * 90])
        )
    for path in found:
        path.unlink()


def squeeze_pdfs(area: Path) -> None:
    tool("bzip2", *files(area, ".pdf"))


def replace_with_perl(area: Path) -> None:
    """A new telephone number in 150 pages, as administrators write it."""
    tool("perl", "-pi", "-e", "s/cabinet/maison de santé/gi", *files(area, ".html"))


def mirror_in_place(area: Path) -> None:
    """Rsync that writes into the files of the mirror instead of renaming over them."""
    tool("rsync", "-a", "--inplace", "--no-whole-file", f"{area}/origine/", f"{area}/miroir/")


def pseudonymise(area: Path) -> None:
    """Names in 80 exports become hashes, in place, for a study."""
    for path in files(area, ".csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter=";"))
        for line in rows:
            line[0] = hashlib.sha256(line[0].encode()).hexdigest()
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows(rows)


def attach(area: Path) -> None:
    """40 documents are written as messages with attachments, the documents stay."""
    for path in files(area, ".docx"):
        body = base64.encodebytes(path.read_bytes())
        head = f"From: cabinet@exemple.invalid\nSubject: {path.stem}\nContent-Transfer-Encoding: base64\n\n"
        path.with_suffix(".eml").write_bytes(head.encode() + body)


def work_with_wal(area: Path) -> None:
    """A database in WAL mode: 400 visits, a checkpoint each 100."""
    db = sqlite3.connect(area / "cabinet.db")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE IF NOT EXISTS passage (n INTEGER PRIMARY KEY, note TEXT)")
    for number in range(400):
        db.execute("INSERT INTO passage (note) VALUES (?)", (f"consultation {number} " * 20,))
        db.commit()
        if number % 100 == 99:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def empty_trash(area: Path) -> None:
    """200 papers are put into the trash one by one, then it is emptied."""
    trash = area / ".Trash-61001/files"
    trash.mkdir(parents=True)
    for path in [*files(area, ".pdf"), *files(area, ".jpg")]:
        path.rename(trash / path.name)
    shutil.rmtree(trash)


SECOND: tuple[Workload, ...] = (
    row("maildir", ("150 messages lus, un tiers jeté", "150 messages read, a third thrown away"), prepare_maildir, read_maildir, held_out=True),
    row("scan-to-pdf", ("60 numérisations deviennent PDF", "60 scans become PDF"), copying((".png", 60)), scans_to_pdf, held_out=True),
    row("docx-to-odt", ("60 documents changent de suite", "60 documents change office suite"), copying((".docx", 60)), docx_to_odt, held_out=True),
    row("bzip2-pdf", ("bzip2 de 80 PDF", "bzip2 of 80 PDFs"), copying((".pdf", 80)), squeeze_pdfs, held_out=True, needs=("bzip2",)),
    row("perl-replace", ("perl -pi sur 150 pages", "perl -pi on 150 pages"), copying((".html", 150)), replace_with_perl, held_out=True, needs=("perl",)),
    row("rsync-inplace", ("miroir rsync --inplace", "rsync --inplace mirror"), prepare_mirror, mirror_in_place, held_out=True, needs=("rsync",)),
    row("pseudonymise", ("noms de 80 CSV en empreintes", "names of 80 CSV to hashes"), copying((".csv", 80)), pseudonymise, held_out=True),
    row("attachments", ("40 documents en pièces jointes", "40 documents as attachments"), copying((".docx", 40)), attach, held_out=True),
    row("sqlite-wal", ("base en WAL, 400 passages", "WAL database, 400 visits"), prepare_database, work_with_wal, held_out=True),
    row("empty-trash", ("200 papiers à la corbeille, vidée", "200 papers to the trash, emptied"), copying((".pdf", 120), (".jpg", 80)), empty_trash, held_out=True),
)  # fmt: skip
