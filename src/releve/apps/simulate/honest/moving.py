"""Honest work on whole files: moved, renamed, gathered, packed, read."""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

from releve.apps.simulate.corpus import documents
from releve.apps.simulate.honest.desk import copy_in, files, replace, tool


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


def change_rights(area: Path) -> None:
    tool("chmod", "-R", "g+rwX,o-rwx", area)
    tool("chown", "-R", "61002:61000", area)


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


def hash_names(area: Path) -> None:
    """An image store files its images under the hash of their content."""
    for path in files(area, ".dcm"):
        name = hashlib.sha256(path.read_bytes()).hexdigest()
        target = area / "images" / name[:2] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
