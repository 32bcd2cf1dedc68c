# ruff: noqa: E501 - the list of rows and the command lines read better whole
"""The tries that broke prototypes: races, floods, other names for the same file, odd file systems."""

import contextlib
import ctypes
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from releve.apps.simulate.attacks.inplace import in_place_fast, write_over
from releve.apps.simulate.corpus import words
from releve.apps.simulate.corpus.tree import DATABASE
from releve.apps.simulate.field import Field
from releve.apps.simulate.manifest import NOTE
from releve.apps.simulate.profile import Act, Profile, SkipProfile

ALIAS, OUTSIDE = "alias", "dehors"  # beside the share, not protected
_COW_FOLDER, _SUBVOLUME, _FILL = "Sans copie", "Sous-volume", "Remplissage"
_SAVES = 200
_PATIENCE_SECONDS = 2.0
_COMMITS, _DATABASE_SECONDS = 30, 4.0
_COPIED = 200


def _spoil(field: Field, path: Path) -> None:
    content = field.encrypt_fast(path.read_bytes())
    field.destroying(path)
    write_over(path, content)


def saver(field: Field) -> None:
    """Companion: somebody at work, who saves letter after letter while the attack runs."""
    chance = Random(5)  # noqa: S311
    added = words.sentences(chance, 50)
    letters = [path for path in field.writable() if path.suffix == ".txt"][:_SAVES]
    for number, path in enumerate(letters):
        content = (
            path.read_bytes() + f"\nRelu, version {number} : {chance.choice(added)}\n".encode()
        )
        path.write_bytes(content)
        field.saved(path, content)
        time.sleep(0.02)


def racer(field: Field) -> None:
    """Overwrites each file right after its honest close: faster than any copy of the new version."""
    log = field.work / "attack.log"
    done = 0
    with log.open("rb") as lines:
        until = time.monotonic() + _PATIENCE_SECONDS
        while done < _SAVES and time.monotonic() < until:
            line = lines.readline()
            if not line.startswith(b"S "):
                continue
            until = time.monotonic() + _PATIENCE_SECONDS
            name = os.fsdecode(line.split(b" ", 3)[3].rstrip(b"\n"))
            done += 1
            if os.access(field.share / name, os.W_OK):  # its saver may be somebody with more rights
                _spoil(field, field.share / name)


def decoy(field: Field) -> None:
    """Companion: an unprivileged program that re-saves its own files without pause, to flood the watcher."""
    own = field.share / f"Brouillons {os.getpid()}"
    own.mkdir()
    field.own(own)
    files = [own / f"brouillon {k}.txt" for k in range(40)]
    text = "\n".join(words.sentences(Random(6), 120)).encode()  # noqa: S311
    number = 0
    while not field.is_over():
        for path in files:
            number += 1
            path.write_bytes(text + f"\nversion {number}\n".encode())


def clerk(field: Field) -> None:
    """Companion: the practice's software at work on the patient database, five commits a second."""
    path = field.share / DATABASE
    with contextlib.closing(sqlite3.connect(path, timeout=5)) as db:
        for number in range(_COMMITS):
            try:
                with db:
                    words_ = (number, "2026-03-14", NOTE)
                    db.execute("INSERT INTO visite (patient, jour, note) VALUES (?, ?, ?)", words_)
            except sqlite3.Error:
                return  # the software stops at a damaged base, as the real one does
            field.committed(path, number + 1)
            time.sleep(0.2)


def database_first(field: Field) -> None:
    """Waits until the database is in use, encrypts it, then all the rest."""
    time.sleep(_DATABASE_SECONDS)
    _spoil(field, field.share / DATABASE)
    in_place_fast(field)


def open_database(share: Path) -> None:
    """Before the guard starts: the practice's group may write its database."""
    (share / DATABASE).chmod(0o664)


def hardlink_alias(field: Field) -> None:
    """Writes through another name of the same file, in a folder that nobody protects."""
    for path in sorted((field.share.parent / ALIAS).iterdir()):
        if os.access(path, os.W_OK) and path.stat().st_size:
            _spoil(field, path)


def make_aliases(share: Path) -> None:
    """Before the guard starts: 400 second names outside the share."""
    folder = share.parent / ALIAS
    folder.mkdir(exist_ok=True)
    for number, path in enumerate(_some_files(share, 400)):
        os.link(path, folder / f"{number:04d}")


def _some_files(share: Path, count: int) -> Iterator[Path]:
    found = 0
    for folder, _, names in os.walk(share):
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or path.is_symlink() or not path.stat().st_size:
                continue
            found += 1
            if found > count:
                return
            yield path


def folder_moved_out(field: Field) -> None:
    """Patient folders go out with one rename each and are encrypted under their new path."""
    outside = field.share.parent / OUTSIDE
    for number, folder in enumerate(sorted((field.share / "Patients").glob("*/*"))):
        inside = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        away = outside / f"dossier {number}"
        for path in inside:
            field.destroying(path)
        folder.rename(away)
        for path in inside:
            moved = away / path.relative_to(folder)
            if os.access(moved, os.W_OK) and moved.stat().st_size:
                write_over(moved, field.encrypt_fast(moved.read_bytes()))


def times_reset(field: Field) -> None:
    """Size kept, times put back after each write: only ctime tells."""
    for path in field.writable():
        before = path.stat()
        if before.st_uid != os.geteuid():
            continue
        _spoil(field, path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_nodatacow(share: Path) -> None:
    """Before the guard starts: files that the file system will not clone."""
    folder = share / _COW_FOLDER
    folder.mkdir()
    if subprocess.run(["chattr", "+C", folder], capture_output=True, check=False).returncode:
        raise SkipProfile("chattr +C est refusé ici")
    _copy_into(share, folder)


def make_subvolume(share: Path) -> None:
    """Before the guard starts: a subvolume inside the share."""
    folder = share / _SUBVOLUME
    made = subprocess.run(
        ["btrfs", "subvolume", "create", folder], capture_output=True, check=False
    )
    if made.returncode:
        raise SkipProfile("btrfs subvolume create est refusé ici")
    _copy_into(share, folder)


def _copy_into(share: Path, folder: Path) -> None:
    for number, path in enumerate(list(_some_files(share, _COPIED))):
        made = folder / f"{number:04d} {path.name}"
        shutil.copyfile(path, made)
        shutil.copystat(path, made)
        owner = path.stat()
        os.chown(made, owner.st_uid, owner.st_gid)
    owner = share.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    folder.chmod(0o2775)


def _attack_folder(name: str) -> Act:
    def act(field: Field) -> None:
        for path in sorted((field.share / name).iterdir()):
            if os.access(path, os.W_OK) and path.stat().st_size:
                _spoil(field, path)

    return act


def inode_exhaustion(field: Field) -> None:
    """Eats every inode first, so that the guard cannot make a file, then encrypts."""
    fill = field.share / _FILL
    fill.mkdir()
    field.own(fill)
    try:
        for number in range(100_000):
            (fill / f"{number}").touch()
    except OSError:
        pass
    in_place_fast(field)


def exchange(field: Field) -> None:
    """RENAME_EXCHANGE: the ciphertext and the original swap names, then the original goes."""
    libc = ctypes.CDLL(None, use_errno=True)
    for path in field.victims():
        if not os.access(path, os.R_OK):
            continue
        made = path.with_name(path.name[:200] + ".x")
        made.write_bytes(field.encrypt_fast(path.read_bytes()))
        field.destroying(path)
        libc.renameat2(-100, os.fsencode(path), -100, os.fsencode(made), 2)
        made.unlink()


def punch_holes(field: Field) -> None:
    """fallocate: holes in the middle, size kept, nothing written."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
    for path in field.writable():
        handle = os.open(path, os.O_WRONLY)
        field.destroying(path)
        libc.fallocate(handle, 3, 0, max(4096, path.stat().st_size))
        os.close(handle)


PROFILES: tuple[Profile, ...] = (
    Profile(name="racer", kind="breaking", title="coureur : écrase après chaque enregistrement", title_en="racer, after each honest save", act=racer,
        beside=("saver",),
        condition="La toute dernière version d'un fichier enregistré à l'instant peut être perdue : comptée à part.",
    ),
    Profile(name="decoy-storm", kind="breaking", title="pleine vitesse sous une tempête de leurres", title_en="full speed under a decoy storm", act=in_place_fast,
        beside=("decoy", "decoy"), files=3_000,
    ),
    Profile(name="hardlink-alias", kind="breaking", title="autre nom du fichier, hors du partage", title_en="hardlink alias outside", act=hardlink_alias, prepare=make_aliases),
    Profile(name="folder-moved", kind="breaking", title="dossier sorti du partage, puis chiffré", title_en="directory moved out", act=folder_moved_out),
    Profile(name="utime-reset", kind="breaking", title="dates remises après l'écriture", title_en="utime reset", act=times_reset),
    Profile(name="nodatacow", kind="breaking", title="fichiers btrfs sans copie (+C)", title_en="nodatacow files", act=_attack_folder(_COW_FOLDER), only_fs=("btrfs",), prepare=make_nodatacow, needs=("chattr",)),
    Profile(name="subvolume", kind="breaking", title="sous-volume btrfs", title_en="btrfs subvolume", act=_attack_folder(_SUBVOLUME), only_fs=("btrfs",), prepare=make_subvolume, needs=("btrfs",)),
    Profile(name="inode-exhaustion", kind="breaking", title="tous les inodes mangés, puis chiffrement", title_en="inode exhaustion", act=inode_exhaustion, only_fs=("ext4-inodes",), files=1_000),
    Profile(name="database", kind="breaking", title="base patients chiffrée pendant la saisie", title_en="patient database in use", act=database_first,
        beside=("clerk",), prepare=open_database,
        condition="Une base en usage se tient par ses propres copies : les toutes dernières saisies sont comptées à part.",
    ),
    Profile(name="exchange", kind="breaking", title="échange de noms (RENAME_EXCHANGE)", title_en="RENAME_EXCHANGE", act=exchange),
    Profile(name="punch-holes", kind="breaking", title="trous par fallocate", title_en="fallocate punch hole", act=punch_holes),
)  # fmt: skip

COMPANIONS: tuple[Profile, ...] = (
    Profile(name="clerk", kind="companion", title="saisie en cours", title_en="data entry", act=clerk),
    Profile(name="saver", kind="companion", title="quelqu'un qui travaille", title_en="somebody at work", act=saver),
    Profile(name="decoy", kind="companion", title="leurre", title_en="decoy", act=decoy),
)  # fmt: skip
