# ruff: noqa: E501 - the list of rows reads better whole
"""Honest work that no rule was tuned on: fixed before any rule was read, never changed to please one."""

import csv
import hashlib
import os
import random
import shutil
import sqlite3
import zipfile
from pathlib import Path

from releve.apps.simulate.corpus import documents, jpeg
from releve.apps.simulate.honest.desk import copy_in, copying, files, replace, row, tool
from releve.apps.simulate.honest.tuned import gpg_file, prepare_database, prepare_git
from releve.apps.simulate.profile import Workload

_SECRET = "correct cheval pile agrafe"  # noqa: S105 - of an invented archive


def prepare_mailbox(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 120, "lettres")
    letters = [path.read_bytes() for path in files(area, ".txt")]
    box = b"".join(
        b"From cabinet@exemple.invalid Sat Mar 14 09:30:00 2026\n" + text + b"\n\n"
        for text in letters
    )
    (area / "boite.mbox").write_bytes(box)


def mailbox(area: Path) -> None:
    """60 messages arrive, then the box is compacted as mail programs do."""
    box = area / "boite.mbox"
    for path in files(area / "lettres", ".txt")[:60]:
        with box.open("ab") as file:
            file.write(
                b"From x@exemple.invalid Sat Mar 14 10:00:00 2026\n" + path.read_bytes() + b"\n\n"
            )
    messages = box.read_bytes().split(b"From ")
    replace(box, b"From ".join(messages[:1] + messages[1::2]))


def prepare_logs(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 12)
    for path in files(area, ".txt"):
        path.with_suffix(".log").write_bytes(path.read_bytes() * 10)
        path.unlink()


def rotate_logs(area: Path) -> None:
    for path in files(area, ".log"):
        rotated = path.with_name(path.name + ".1")
        path.rename(rotated)
        path.touch()
        tool("gzip", rotated)


def truncate_logs(area: Path) -> None:
    """copytruncate: a copy, then the log is emptied in place."""
    for path in files(area, ".log"):
        shutil.copy2(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)


def rename_scans(area: Path) -> None:
    for number, path in enumerate(files(area, ".png")):
        path.rename(path.with_name(f"2026-03-14 Numérisation {number:04d}.png"))


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


def prepare_mirror(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 120, "origine")
    copy_in(area, share, ".jpg", 60, "origine")
    shutil.copytree(area / "origine", area / "miroir")
    for path in files(area / "origine", ".jpg")[:40]:
        path.unlink()
    for path in files(area / "origine", ".txt")[:50]:
        path.write_text("corrigé\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def mirror(area: Path) -> None:
    tool("rsync", "-a", "--delete", f"{area}/origine/", f"{area}/miroir/")


def prepare_zip(area: Path, share: Path) -> None:
    copy_in(area, share, ".docx", 80, "dossier")
    copy_in(area, share, ".pdf", 80, "dossier")
    tool("zip", "-q", "-r", "sauvegarde.zip", "dossier", cwd=area)
    for path in files(area / "dossier", ".docx")[:50]:
        path.write_bytes(documents.docx(["version abîmée"] * 40))


def unzip_over(area: Path) -> None:
    tool("unzip", "-q", "-o", "sauvegarde.zip", cwd=area)


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


def scan_all(area: Path) -> None:
    """Reads every file whole, as an antivirus does each night."""
    for path in sorted(area.rglob("*")):
        if path.is_file():
            hashlib.sha256(path.read_bytes()).digest()


def prepare_years(area: Path, share: Path) -> None:
    for year in (2023, 2024):
        for month in range(1, 7):
            copy_in(area, share, ".pdf", 14, f"{year}/{month:02d}")
            copy_in(area, share, ".txt", 10, f"{year}/{month:02d}")


def move_year(area: Path) -> None:
    (area / "Archives/2023").mkdir(parents=True)
    for folder in sorted((area / "2023").iterdir()):
        folder.rename(area / "Archives/2023" / folder.name)


def pack_year(area: Path) -> None:
    """tar.xz of a year, then the year is deleted."""
    tool("tar", "-cJf", "2023.tar.xz", "2023", cwd=area)
    tool("rm", "-rf", "2023", cwd=area)


def prepare_results(area: Path, share: Path) -> None:
    copy_in(area, share, ".csv", 300, "resultats")
    tool("zip", "-q", "-r", "laboratoire.zip", "resultats", cwd=area)
    shutil.rmtree(area / "resultats")


def import_results(area: Path) -> None:
    with zipfile.ZipFile(area / "laboratoire.zip") as archive:
        archive.extractall(area)


def stamp_pdfs(area: Path) -> None:
    for number, path in enumerate(files(area, ".pdf")):
        path.write_bytes(documents.stamped(path.read_bytes(), f"Reçu le 14 mars, nº {number}"))


def strip_photos(area: Path) -> None:
    for path in files(area, ".jpg"):
        path.write_bytes(jpeg.without_exif(path.read_bytes()))


def protect_for_mail(area: Path) -> None:
    """5 documents get a password to be mailed; the originals stay."""
    for path in files(area, ".docx"):
        tool("zip", "-q", "-j", "-P", _SECRET, path.with_suffix(".zip"), path)


def change_rights(area: Path) -> None:
    tool("chmod", "-R", "g+rwX,o-rwx", area)
    tool("chown", "-R", "61002:61000", area)


def rewrite_exports(area: Path) -> None:
    """The daily export overwrites yesterday's files."""
    chance = random.Random(14)  # noqa: S311
    for path in files(area, ".csv"):
        path.write_text(documents.csv_results(chance, 300), encoding="utf-8")


def prepare_twins(area: Path, share: Path) -> None:
    copy_in(area, share, ".jpg", 60, "a")
    shutil.copytree(area / "a", area / "b")


def deduplicate(area: Path) -> None:
    """Equal files become names of one file: link beside, rename over."""
    for path in files(area / "a", ".jpg"):
        twin = area / "b" / path.name
        beside = twin.with_name(twin.name + ".lien")
        os.link(path, beside)
        beside.replace(twin)


def thumbnails(area: Path) -> None:
    (area / ".miniatures").mkdir()
    for path in files(area, ".png"):
        grey, width = documents.unpng(path.read_bytes())
        rows = [grey[at : at + width : 8] for at in range(0, len(grey), 8 * width)]
        (area / ".miniatures" / path.name).write_bytes(documents.png(b"".join(rows), len(rows[0])))


def hash_names(area: Path) -> None:
    """An image store files its images under the hash of their content."""
    for path in files(area, ".dcm"):
        name = hashlib.sha256(path.read_bytes()).hexdigest()
        target = area / "images" / name[:2] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


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


def prepare_sealed(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 20)
    for path in files(area, ".txt"):
        gpg_file(path, area)
        path.unlink()
    shutil.rmtree(area / ".gnupg", ignore_errors=True)


def open_sealed(area: Path) -> None:
    """20 sealed messages are opened, the sealed form is removed."""
    home = area / ".gnupg"
    home.mkdir(mode=0o700)
    for path in files(area, ".gpg"):
        words = (
            "gpg",
            "--homedir",
            home,
            "--batch",
            "--quiet",
            "--no-options",
            "--no-symkey-cache",
            "--pinentry-mode",
            "loopback",
        )
        tool(*words, "--passphrase", _SECRET, "--output", path.with_suffix(""), "--decrypt", path)
        path.unlink()


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


def prepare_vault(area: Path, _share: Path) -> None:
    (area / "mots de passe.kdbx").write_bytes(
        b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5" + os.urandom(24_000)
    )


def save_vault(area: Path) -> None:
    """A password safe is saved 20 times: always new ciphertext."""
    for number in range(20):
        content = b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5" + os.urandom(24_000 + number)
        replace(area / "mots de passe.kdbx", content)


def prepare_container(area: Path, _share: Path) -> None:
    with (area / "coffre.hc").open("wb") as file:
        for _ in range(24):
            file.write(os.urandom(1 << 20))


def use_container(area: Path) -> None:
    """An encrypted container in use: blocks of ciphertext rewritten in place."""
    handle = os.open(area / "coffre.hc", os.O_RDWR)
    for number in range(200):
        os.pwrite(handle, os.urandom(4096), (number * 7919 % 6000) * 4096)
    os.fsync(handle)
    os.close(handle)


def encrypted_backup(area: Path) -> None:
    """A backup repository: 160 packs of ciphertext are written, then 50 are pruned."""
    for number in range(160):
        content = os.urandom(60_000)
        name = hashlib.sha256(content).hexdigest()
        folder = area / "depot/data" / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        if number == 0:
            (area / "depot/config").write_bytes(os.urandom(155))
    for path in sorted((area / "depot/data").rglob("*/*"))[:50]:
        path.unlink()


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


WORKLOADS: tuple[Workload, ...] = (
    row("mailbox", ("boîte aux lettres : ajouts, compactage", "mailbox append and compaction"), prepare_mailbox, mailbox, held_out=True),
    row("log-rotate", ("rotation des journaux", "log rotation with gzip"), prepare_logs, rotate_logs, held_out=True, needs=("gzip",)),
    row("log-truncate", ("journaux vidés sur place", "logs truncated in place"), prepare_logs, truncate_logs, held_out=True),
    row("rename-scans", ("renommer 150 numérisations", "batch rename of 150 scans"), copying((".png", 150)), rename_scans, held_out=True),
    row("migrate-rtf", ("120 lettres RTF deviennent docx", "120 RTF letters become docx"), prepare_old_documents, migrate_documents, held_out=True),
    row("rsync-delete", ("miroir rsync --delete", "rsync --delete mirror"), prepare_mirror, mirror, held_out=True, needs=("rsync",)),
    row("unzip-over", ("reprendre une sauvegarde zip par-dessus", "restore a backup zip over"), prepare_zip, unzip_over, held_out=True, needs=("zip", "unzip")),
    row("sqlite-dump", ("base vidée en SQL et rechargée", "sqlite dump and reload"), prepare_database, dump_and_reload, held_out=True),
    row("vacuum-into", ("VACUUM INTO puis mv par-dessus", "VACUUM INTO, then moved over"), prepare_database, vacuum_into, held_out=True),
    row("antivirus", ("tout lire, comme un antivirus", "read all, as an antivirus"), copying((".txt", 300), (".docx", 200), (".jpg", 100)), scan_all, held_out=True),
    row("move-year", ("ranger une année aux archives", "move a year to the archive"), prepare_years, move_year, held_out=True),
    row("tar-year", ("tar.xz d'une année, puis l'effacer", "tar.xz of a year, then delete it"), prepare_years, pack_year, held_out=True, needs=("tar", "xz")),
    row("lab-import", ("recevoir 300 résultats", "import of 300 results"), prepare_results, import_results, held_out=True, needs=("zip",)),
    row("pdf-stamp", ("tamponner 80 PDF", "stamp 80 PDFs"), copying((".pdf", 80)), stamp_pdfs, held_out=True),
    row("exif-strip", ("ôter l'Exif de 100 photos", "strip Exif of 100 photos"), copying((".jpg", 100)), strip_photos, held_out=True),
    row("protect-mail", ("5 documents protégés pour l'envoi", "password for 5 mailed documents"), copying((".docx", 5)), protect_for_mail, held_out=True, needs=("zip",)),
    row("chown", ("chmod et chown de tout un dossier", "chmod and chown -R"), copying((".txt", 200), (".pdf", 100)), change_rights, held_out=True, as_root=True),
    row("csv-export", ("export du jour de 30 CSV", "daily rewrite of 30 CSV"), copying((".csv", 30)), rewrite_exports, held_out=True),
    row("dedupe", ("doublons en liens physiques", "dedupe by hardlink"), prepare_twins, deduplicate, held_out=True),
    row("thumbnails", ("150 vignettes", "150 thumbnails"), copying((".png", 150)), thumbnails, held_out=True),
    row("hash-names", ("120 images renommées par empreinte", "120 images under hash names"), copying((".dcm", 120)), hash_names, held_out=True),
    row("iconv", ("200 textes en UTF-8", "200 texts to UTF-8"), prepare_latin, to_utf8, held_out=True, needs=("iconv",)),
    row("dos2unix", ("fins de ligne de 150 textes", "line ends of 150 texts"), prepare_dos, from_dos, held_out=True),
    row("png-optimise", ("80 numérisations mieux comprimées", "80 scans packed harder"), copying((".png", 80)), shrink_scans, held_out=True),
    row("open-sealed", ("ouvrir 20 messages scellés", "open 20 sealed messages"), prepare_sealed, open_sealed, held_out=True, needs=("gpg",)),
    row("office", ("40 enregistrements de bureautique", "40 office saves with locks"), copying((".odt", 40)), office_saves, held_out=True),
    row("password-safe", ("coffre de mots de passe, 20 fois", "password safe saved 20 times"), prepare_vault, save_vault, held_out=True),
    row("container", ("conteneur chiffré en usage", "encrypted container in use"), prepare_container, use_container, held_out=True),
    row("backup-repo", ("dépôt de sauvegarde chiffré", "encrypted backup repository"), copying((".txt", 1)), encrypted_backup, held_out=True),
    row("git-gc", ("git gc", "git gc"), prepare_git, git_pack, held_out=True, needs=("git",)),
    row("csv-import", ("60 CSV en base, puis effacés", "60 CSV into a database, then removed"), copying((".csv", 60)), import_tables, held_out=True),
    row("gzip-dicom", ("gzip de 60 DICOM", "gzip 60 DICOM"), copying((".dcm", 60)), pack_images, held_out=True, needs=("gzip",)),
)  # fmt: skip
