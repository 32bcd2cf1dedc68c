# ruff: noqa: E501 - the list of rows reads better whole
"""The honest workloads of the prototype's list: rules were corrected on them, so they are reported apart."""

import compileall
import email
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from releve.apps.simulate.corpus import dicom, documents
from releve.apps.simulate.honest.desk import copy_in, copying, files, pick, replace, row, tool
from releve.apps.simulate.profile import Workload

_SECRET = "correct cheval pile agrafe"  # noqa: S105 - of an invented archive
_MIB = 1 << 20


def prepare_tar(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 500, "source")
    copy_in(area, share, ".pdf", 150, "source")
    copy_in(area, share, ".docx", 200, "source")
    tool("tar", "-cf", "source.tar", "source", cwd=area)
    shutil.rmtree(area / "source")


def untar(area: Path) -> None:
    tool("tar", "-xf", "source.tar", cwd=area)


def prepare_git(area: Path, share: Path) -> None:
    origin = area / "depot"
    for number in range(3):
        copy_in(
            origin,
            share,
            ".txt" if number != 1 else ".html",
            150 if number != 1 else 60,
            f"lot {number}",
        )
        for path in files(origin, ".txt")[: 60 * number]:
            path.write_text(
                f"version {number}\n" + path.read_text(encoding="utf-8"), encoding="utf-8"
            )
        if number == 0:
            tool("git", "init", "-q", "-b", "main", cwd=origin)
        tool("git", "add", "-A", cwd=origin)
        who = ("-c", "user.name=Cabinet", "-c", "user.email=cabinet@exemple.invalid")
        tool("git", *who, "commit", "-q", "-m", f"lot {number}", cwd=origin)
        tool("git", "tag", f"v{number}", cwd=origin)


def git_clone(area: Path) -> None:
    tool(
        "git", "-c", "safe.directory=*", "clone", "-q", "--no-hardlinks", "depot", "copie", cwd=area
    )


def git_checkout(area: Path) -> None:
    for tag in ("v0", "v2", "v1"):
        tool("git", "-c", "safe.directory=*", "checkout", "-q", "-f", tag, cwd=area / "depot")


def prepare_database(area: Path, share: Path) -> None:
    shutil.copy2(next(share.rglob("cabinet.db")), area / "cabinet.db")


def sqlite_work(area: Path) -> None:
    with sqlite3.connect(area / "cabinet.db") as db:
        for number in range(80):
            db.execute(
                "INSERT INTO visite (patient, jour, note) VALUES (?, '2026-03-14', 'suivi')",
                (number,),
            )
            db.commit()
        db.execute("DELETE FROM visite WHERE id % 3 = 0")
        db.commit()
        db.execute("VACUUM")
    db.close()


def prepare_deb(area: Path, share: Path) -> None:
    copy_in(area, share, ".txt", 700, "paquet/usr/share/cabinet")
    (area / "paquet/DEBIAN").mkdir()
    control = "Package: cabinet\nVersion: 1\nArchitecture: all\nMaintainer: Cabinet <x@exemple.invalid>\nDescription: textes\n"
    (area / "paquet/DEBIAN/control").write_text(control, encoding="ascii")
    (area / "paquet/DEBIAN").chmod(0o755)
    tool("dpkg-deb", "-Znone", "--root-owner-group", "-b", "paquet", "cabinet.deb", cwd=area)
    shutil.rmtree(area / "paquet")


def unpack_deb(area: Path) -> None:
    tool("dpkg-deb", "-x", "cabinet.deb", "ouvert", cwd=area)


def rsync_copy(area: Path) -> None:
    tool("rsync", "-a", f"{area}/", f"{area}/miroir", "--exclude=miroir")


def prepare_sources(area: Path, _share: Path) -> None:
    library = Path(email.__file__).parent.parent
    for package in ("email", "json", "xml", "html", "http"):
        shutil.copytree(
            library / package, area / package, ignore=shutil.ignore_patterns("__pycache__")
        )


def compile_sources(area: Path) -> None:
    compileall.compile_dir(str(area), quiet=2, workers=1)


def sed_files(area: Path) -> None:
    tool("sed", "-i", "s/patient/patient(e)/g", *files(area, ".txt"))


def grep_files(area: Path) -> None:
    for word in ("anomalie", "glycémie"):
        tool("sh", "-c", f"grep -r {word} . | wc -l", cwd=area)


def dd_write(area: Path) -> None:
    tool("dd", "if=/dev/zero", "of=sauvegarde.img", "bs=1M", "count=96", "conv=fsync", cwd=area)


def prepare_big(area: Path, _share: Path) -> None:
    with (area / "gros.bin").open("wb") as file:
        for _ in range(96):
            file.write(os.urandom(_MIB))


def read_small_blocks(area: Path) -> None:
    with (area / "gros.bin").open("rb", buffering=0) as file:
        while file.read(4096):
            pass


def zip_backup(area: Path) -> None:
    tool("zip", "-q", "-r", "-1", "sauvegarde.zip", ".", cwd=area)


def seven_zip_backup(area: Path) -> None:
    tool("7z", "a", f"-p{_SECRET}", "-mhe=on", "-mx=1", "-bd", "-y", "sauvegarde.7z", ".", cwd=area)


def gpg_file(path: Path, area: Path, target: Path | None = None) -> None:
    tool(
        "gpg", "--homedir", _gpg_home(area), "--batch", "--yes", "--quiet", "--no-options", "--no-symkey-cache",
        "--pinentry-mode", "loopback", "--passphrase", _SECRET, "--s2k-count", "1024",
        "--symmetric", "--output", target or path.with_name(path.name + ".gpg"), path,
    )  # fmt: skip


def _gpg_home(area: Path) -> Path:
    home = area / ".gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    return home


def tar_then_gpg(area: Path) -> None:
    tool("tar", "-cf", "dossiers.tar", *[path.name for path in files(area, ".txt")], cwd=area)
    gpg_file(area / "dossiers.tar", area)
    (area / "dossiers.tar").unlink()


def gpg_keep(area: Path) -> None:
    for path in files(area, ".docx"):
        gpg_file(path, area)


def gpg_remove(area: Path) -> None:
    for path in files(area, ".docx"):
        gpg_file(path, area)
        tool("rm", path)


def gzip_files(area: Path) -> None:
    tool("gzip", *files(area, ".csv"))


def convert_pictures(area: Path) -> None:
    """To another format beside: PGM is what scanners' tools speak."""
    for path in files(area, ".png"):
        grey, width = documents.unpng(path.read_bytes())
        path.with_suffix(".pgm").write_bytes(b"P5 %d %d 255\n" % (width, len(grey) // width) + grey)


def resize_pictures(area: Path) -> None:
    """Half as wide and high, in place."""
    for path in files(area, ".png"):
        grey, width = documents.unpng(path.read_bytes())
        rows = [grey[at : at + width : 2] for at in range(0, len(grey), 2 * width)]
        path.write_bytes(documents.png(b"".join(rows), len(rows[0]), level=6))


def anonymise_images(area: Path) -> None:
    for path in files(area, ".dcm"):
        path.write_bytes(dicom.anonymised(path.read_bytes()))


def deflate_images(area: Path) -> None:
    for path in files(area, ".dcm"):
        path.write_bytes(dicom.deflated(path.read_bytes()))


def save_documents(area: Path) -> None:
    for number, path in enumerate(files(area, ".docx")):
        replace(path, documents.docx([f"Version relue {number}", *["Rien à signaler."] * 200]))


def remove_tree(area: Path) -> None:
    tool("rm", "-rf", "ancien", cwd=area)


def prepare_old(area: Path, share: Path) -> None:
    for suffix in (".txt", ".pdf", ".csv"):
        copy_in(area, share, suffix, 111, "ancien")


def _mixed(count: int) -> Sequence[tuple[str, int]]:
    return ((".txt", count), (".pdf", count), (".docx", count), (".jpg", count // 2))


WORKLOADS: tuple[Workload, ...] = (
    row("untar", ("extraire 850 fichiers", "untar 850 files"), prepare_tar, untar, held_out=False, needs=("tar",)),
    row("git-clone", ("git clone", "git clone"), prepare_git, git_clone, held_out=False, needs=("git",)),
    row("git-checkout", ("git checkout, 3 fois", "git checkout x3"), prepare_git, git_checkout, held_out=False, needs=("git",)),
    row("sqlite", ("base de données : écritures et VACUUM", "sqlite commits and vacuum"), prepare_database, sqlite_work, held_out=False),
    row("dpkg-deb", ("ouvrir un paquet Debian", "dpkg-deb -x"), prepare_deb, unpack_deb, held_out=False, needs=("dpkg-deb",)),
    row("rsync", ("rsync -a de 600 fichiers", "rsync -a 600 files"), copying(*_mixed(170)), rsync_copy, held_out=False, needs=("rsync",)),
    row("compileall", ("compiler des sources", "compileall"), prepare_sources, compile_sources, held_out=False),
    row("sed", ("sed -i sur 300 fichiers", "sed -i on 300 files"), copying((".txt", 300)), sed_files, held_out=False, needs=("sed",)),
    row("grep", ("grep -r, deux fois", "grep -r, twice"), copying((".txt", 400), (".html", 80)), grep_files, held_out=False, needs=("grep",)),
    row("dd", ("écrire 96 Mo d'un trait", "dd 96 MB"), copying((".txt", 1)), dd_write, held_out=False, needs=("dd",)),
    row("read-4k", ("lire 96 Mo par 4 Kio", "read 96 MB in 4 KiB"), prepare_big, read_small_blocks, held_out=False),
    row("zip-backup", ("sauvegarde zip", "zip backup"), copying(*_mixed(60)), zip_backup, held_out=False, needs=("zip",)),
    row("7z-backup", ("sauvegarde 7z chiffrée", "7z -p backup"), copying(*_mixed(60)), seven_zip_backup, held_out=False, needs=("7z",)),
    row("tar-gpg", ("tar puis gpg", "tar then gpg"), copying((".txt", 80)), tar_then_gpg, held_out=False, needs=("tar", "gpg")),
    row("gpg-keep", ("gpg de 40 fichiers, originaux gardés", "gpg 40 files, originals kept"), copying((".docx", 40)), gpg_keep, held_out=False, needs=("gpg",)),
    row("gzip", ("gzip de 100 fichiers", "gzip 100 files"), copying((".csv", 100)), gzip_files, held_out=False, needs=("gzip",)),
    row("convert", ("convertir 80 images", "convert 80 images"), copying((".png", 80)), convert_pictures, held_out=False),
    row("resize", ("réduire 80 images sur place", "resize 80 images in place"), copying((".png", 80)), resize_pictures, held_out=False),
    row("dicom-anonymise", ("anonymiser 49 DICOM", "anonymise 49 DICOM in place"), copying((".dcm", 49)), anonymise_images, held_out=False),
    row("dicom-deflate", ("recoder 49 DICOM", "DICOM re-encode to deflate"), copying((".dcm", 49)), deflate_images, held_out=False),
    row("docx-save", ("réenregistrer 60 documents", "re-save 60 docx"), copying((".docx", 60)), save_documents, held_out=False),
    row("rm-rf", ("effacer 333 fichiers", "rm -rf 333 files"), prepare_old, remove_tree, held_out=False, needs=("rm",)),
    row("bulk-gpg", ("gpg de 40 fichiers, originaux effacés", "gpg 40 files, originals removed"), copying((".docx", 40)), gpg_remove, held_out=False, needs=("gpg",), wanted_stop=True),
)  # fmt: skip

__all__ = ["WORKLOADS", "gpg_file", "pick"]
