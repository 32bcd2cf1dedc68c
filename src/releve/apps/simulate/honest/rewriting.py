"""Honest work that rewrites or converts content: another format, another encoding, another state."""

import csv
import random
import sqlite3
from pathlib import Path

from releve.apps.simulate.corpus import documents, jpeg
from releve.apps.simulate.honest.desk import copy_in, files, replace, tool


def prepare_old_documents(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 120)
    for path in files(area, ".txt"):
        text = path.read_text(encoding="utf-8").encode("latin-1", "replace").decode("latin-1")
        path.with_suffix(".rtf").write_text(
            "{\\rtf1\\ansi " + text.replace("\n", "\\par\n") + "}", encoding="latin-1"
        )
        path.unlink()


def migrate_documents(area: Path) -> None:
    """Old RTF letters become docx, the old ones are removed."""
    for path in files(area, ".rtf"):
        text = path.read_text(encoding="latin-1").removeprefix("{\\rtf1\\ansi ").removesuffix("}")
        path.with_suffix(".docx").write_bytes(documents.docx(text.split("\\par\n")))
        path.unlink()


def dump_and_reload(area: Path) -> None:
    source = sqlite3.connect(area / "cabinet.db")
    script = "\n".join(source.iterdump())
    source.close()
    (area / "cabinet.sql").write_text(script, encoding="utf-8")
    made = sqlite3.connect(area / "neuve.db")
    made.executescript(script)
    made.close()
    (area / "neuve.db").replace(area / "cabinet.db")


def vacuum_into(area: Path) -> None:
    db = sqlite3.connect(area / "cabinet.db")
    db.execute("VACUUM INTO ?", (str(area / "compacte.db"),))
    db.close()
    (area / "compacte.db").replace(area / "cabinet.db")


def stamp_pdfs(area: Path) -> None:
    for number, path in enumerate(files(area, ".pdf")):
        path.write_bytes(documents.stamped(path.read_bytes(), f"Reçu le 14 mars, nº {number}"))


def strip_photos(area: Path) -> None:
    for path in files(area, ".jpg"):
        path.write_bytes(jpeg.without_exif(path.read_bytes()))


def rewrite_exports(area: Path) -> None:
    """The daily export overwrites yesterday's files."""
    chance = random.Random(14)  # noqa: S311
    for path in files(area, ".csv"):
        path.write_text(documents.csv_results(chance, 300), encoding="utf-8")


def thumbnails(area: Path) -> None:
    (area / ".miniatures").mkdir()
    for path in files(area, ".png"):
        grey, width = documents.unpng(path.read_bytes())
        rows = [grey[at : at + width : 8] for at in range(0, len(grey), 8 * width)]
        (area / ".miniatures" / path.name).write_bytes(documents.png(b"".join(rows), len(rows[0])))


def prepare_latin(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 200)
    for path in files(area, ".txt"):
        path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1", "replace"))


def to_utf8(area: Path) -> None:
    for path in files(area, ".txt"):
        replace(path, tool("iconv", "-f", "LATIN1", "-t", "UTF-8", path))


def prepare_dos(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 150)
    for path in files(area, ".txt"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def from_dos(area: Path) -> None:
    for path in files(area, ".txt"):
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))


def shrink_scans(area: Path) -> None:
    """The same pixels, packed harder, renamed over."""
    for path in files(area, ".png"):
        grey, width = documents.unpng(path.read_bytes())
        replace(path, documents.png(grey, width, level=6))


def office_saves(area: Path) -> None:
    """Lock file, automatic save, save by rename, lock removed: 40 times."""
    for number, path in enumerate(files(area, ".odt")):
        office_save(path, number)


def office_save(path: Path, number: int) -> None:
    """One of them."""
    lock = path.with_name(f".~lock.{path.name}#")
    lock.write_text(",cabinet,poste-1;", encoding="utf-8")
    content = documents.odt([f"Relu {number}", *["Texte du jour."] * 150])
    path.with_name(f"auto {path.name}").write_bytes(content)
    replace(path, content)
    path.with_name(f"auto {path.name}").unlink()
    lock.unlink()


def git_pack(area: Path) -> None:
    tool(
        "git",
        "-c",
        "safe.directory=*",
        "gc",
        "-q",
        "--aggressive",
        "--prune=now",
        cwd=area / "depot",
    )


def import_tables(area: Path) -> None:
    """60 CSV files go into a database and are removed."""
    db = sqlite3.connect(area / "resultats.db")
    db.execute("CREATE TABLE resultat (fichier TEXT, patient TEXT, examen TEXT, valeur TEXT)")
    for path in files(area, ".csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                (path.name, line[0], line[2], line[3]) for line in csv.reader(file, delimiter=";")
            ]
        db.executemany("INSERT INTO resultat VALUES (?, ?, ?, ?)", rows)
        db.commit()
        path.unlink()
    db.close()


def pack_images(area: Path) -> None:
    tool("gzip", "-1", *files(area, ".dcm"))
