"""Builds the marked practice share: at least 2,000 files as a practice really keeps them.

The same seed gives the same tree, byte for byte. Owners, ACLs and extended attributes are set as far as the
file system and our rights allow; what was not possible is returned, never silent.
"""

import gzip
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from struct import pack

import msgspec

from releve.apps.simulate.corpus import dicom, documents, jpeg, words
from releve.apps.simulate.corpus.database import build_database
from releve.apps.simulate.mark import write_mark

# Invented users of the practice, far above the ids that systems give out; no account is made for them.
DOCTOR, SECRETARY, NURSE, INTRUDER = 61001, 61002, 61003, 61004
GROUP = 61000
DATABASE = "Logiciel médical/cabinet.db"
_SCAN = (520, 360)
_PDF_SIDE = 150
_EPOCH_2023 = 1_672_560_000

# What 2,000 files are made of: a practice's mix, as in facts (docs/measurements.md).
SHARES: tuple[tuple[str, int], ...] = (
    ("txt", 480),
    ("docx", 290),
    ("odt", 40),
    ("pdf", 250),
    ("png", 150),
    ("jpg", 350),
    ("dcm", 150),
    ("csv", 150),
    ("html", 80),
    ("sqlite", 20),
    ("gz", 20),
    ("zip", 20),
)


class Corpus(msgspec.Struct, frozen=True, kw_only=True):
    """What was built."""

    files: int
    bytes: int
    not_possible: tuple[str, ...] = ()  # metadata this place cannot hold, French


class _Pools(msgspec.Struct, frozen=True, kw_only=True):
    """Parts made once, from which the files are composed."""

    sentences: list[str]
    rows: list[bytes]
    pictures: list[bytes]
    flate: list[bytes]
    scans: list[bytes]


def build(
    folder: Path, *, run: str, seed: int = 7, files: int = 2_000, database: int = 3_000
) -> Corpus:
    """Fill the folder (made if missing, must be empty) and mark it first."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mark(folder, run)
    rng = Random(seed)  # noqa: S311 - invented content, no secret
    pools = _make_pools(rng)
    folders = _make_folders(folder, rng, max(len(words.OFFICES) + 8, files // 16))
    size = 0
    count = 0
    for path, content in _all_files(folders, rng, pools, files):
        path.write_bytes(content)
        size += len(content)
        count += 1
    extra = _add_oddities(folder, rng)
    (folder / DATABASE).parent.mkdir(exist_ok=True)
    build_database(folder / DATABASE, rng, database)
    size += (folder / DATABASE).stat().st_size
    missing = _dress(folder, rng)
    return Corpus(files=count + extra + 1, bytes=size, not_possible=missing)


def _make_pools(rng: Random) -> _Pools:
    width, height = _PDF_SIDE, _PDF_SIDE
    return _Pools(
        sentences=words.sentences(rng, 400),
        rows=jpeg.row_pool(rng),
        pictures=dicom.smooth_pictures(rng, 8),
        flate=[zlib.compress(documents.grey_scan(rng, width, height), 1) for _ in range(30)],
        scans=[documents.grey_scan(rng, *_SCAN) for _ in range(6)],
    )


def _make_folders(root: Path, rng: Random, count: int) -> list[Path]:
    made = [root / office for office in words.OFFICES]
    while len(made) < count:
        name = words.patient(rng)
        made += [root / "Patients" / name[0] / name / kind for kind in rng.sample(words.KINDS, 4)]
    for path in made:
        path.mkdir(parents=True, exist_ok=True)
    return list(dict.fromkeys(made))


def _all_files(
    folders: list[Path], rng: Random, pools: _Pools, files: int
) -> Iterator[tuple[Path, bytes]]:
    total = sum(share for _, share in SHARES)
    number = 0
    for kind, share in SHARES:
        write = _WRITERS[kind]
        for _ in range(max(1, -(-share * files // total))):
            number += 1
            title = rng.choice(("Compte rendu", "Courrier", "Résultat", "Ordonnance", "Pièce"))
            yield rng.choice(folders) / f"{title} {number:04d}.{kind}", write(rng, pools)


def _letter(rng: Random, pools: _Pools) -> list[str]:
    return rng.choices(pools.sentences, k=rng.randint(30, 420))


def _txt(rng: Random, pools: _Pools) -> bytes:
    return "\n".join(["Cher confrère,", *_letter(rng, pools), "Bien confraternellement."]).encode()


def _docx(rng: Random, pools: _Pools) -> bytes:
    picture = jpeg.photo(rng, pools.rows, 12) if rng.random() < 0.4 else b""
    return documents.docx(_letter(rng, pools), picture)


def _odt(rng: Random, pools: _Pools) -> bytes:
    return documents.odt(_letter(rng, pools))


def _pdf(rng: Random, pools: _Pools) -> bytes:
    pictures = rng.sample(pools.flate, rng.randint(2, 5))
    return documents.pdf(rng.choices(pools.sentences, k=40), pictures, _PDF_SIDE)


def _png(rng: Random, pools: _Pools) -> bytes:
    width, _ = _SCAN
    grey = rng.choice(pools.scans)
    turn = rng.randrange(len(grey) // width) * width
    return documents.png(grey[turn:] + grey[:turn], width, f"numérisation {rng.randrange(10**6)}")


def _jpg(rng: Random, pools: _Pools) -> bytes:
    return jpeg.photo(
        rng, pools.rows, rng.randint(50, 130), exif=jpeg.camera("Appareil du cabinet")
    )


def _dcm(rng: Random, pools: _Pools) -> bytes:
    return dicom.image(rng, pools.pictures, f"{rng.choice(words.LAST)} {rng.choice(words.FIRST)}")


def _csv(rng: Random, _: _Pools) -> bytes:
    return documents.csv_results(rng, rng.randint(60, 500)).encode()


def _html(rng: Random, pools: _Pools) -> bytes:
    return documents.page("Synthèse", _letter(rng, pools)).encode()


def _sqlite(rng: Random, _: _Pools) -> bytes:
    """A small database: two empty b-tree pages, made of the documented header, so that no file is opened."""
    return _small_database(rng)


def _gz(rng: Random, pools: _Pools) -> bytes:
    return gzip.compress(_txt(rng, pools) * 2, 4, mtime=0)


def _zip(rng: Random, pools: _Pools) -> bytes:
    return documents.archive(
        {f"Archive/lettre {k}.txt": _txt(rng, pools) for k in range(rng.randint(2, 6))},
    )


_WRITERS: dict[str, Callable[[Random, _Pools], bytes]] = {
    "txt": _txt, "docx": _docx, "odt": _odt, "pdf": _pdf, "png": _png, "jpg": _jpg, "dcm": _dcm,
    "csv": _csv, "html": _html, "sqlite": _sqlite, "gz": _gz, "zip": _zip,
}  # fmt: skip


def _small_database(rng: Random) -> bytes:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE planning (jour TEXT, heure TEXT, motif TEXT)")
        rows = [
            (
                f"2025-{k % 12 + 1:02d}-{k % 28 + 1:02d}",
                f"{k % 10 + 8}:00",
                rng.choice(words.OBJECTS),
            )
            for k in range(rng.randint(40, 300))
        ]
        db.executemany("INSERT INTO planning VALUES (?, ?, ?)", rows)
        db.commit()
        return db.serialize()


def _add_oddities(root: Path, rng: Random) -> int:
    """Names and kinds that break careless tools: links, empty and read-only files, odd names."""
    odd = root / "Secrétariat" / "Divers"
    odd.mkdir(parents=True, exist_ok=True)
    names = (
        "vide.txt",
        "a lire d'urgence !.txt",
        "№ 12 – été ☀.txt",
        ".caché",
        "nom\tavec tab.txt",
        "-rf",
    )
    for name in names:
        (odd / name).write_bytes(
            b"" if name == "vide.txt" else rng.randbytes(4).hex().encode() * 300
        )
    (odd / "lecture seule.txt").write_text(
        "Règlement intérieur du cabinet.\n" * 90, encoding="utf-8"
    )
    (odd / "lecture seule.txt").chmod(0o444)
    (odd / "double.txt").write_text("Une seule lettre, deux noms.\n" * 120, encoding="utf-8")
    os.link(odd / "double.txt", odd / "double (même fichier).txt")
    (odd / "raccourci").symlink_to("double.txt")
    (odd / "dossier vide").mkdir(exist_ok=True)
    return len(names) + 3


def _dress(root: Path, rng: Random) -> tuple[str, ...]:
    """Modes, owners, ACLs, extended attributes, times; the times last."""
    missing: list[str] = []
    own = os.geteuid() == 0
    if not own:
        missing.append("propriétaires différents (il faut root)")
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            continue
        if own:
            os.chown(path, rng.choice((DOCTOR, DOCTOR, SECRETARY, NURSE)), GROUP)
        if path.is_dir():
            path.chmod(0o2775)
            continue
        _dress_file(path, rng, missing)
    if own:
        os.chown(root, DOCTOR, GROUP)
    root.chmod(0o2775)
    return tuple(dict.fromkeys(missing))


def _dress_file(path: Path, rng: Random, missing: list[str]) -> None:
    if path.name != "lecture seule.txt":
        path.chmod(rng.choice((0o664, 0o664, 0o664, 0o660, 0o640, 0o666)))
    chance = rng.random()
    if chance < 0.05:
        _try_attribute(path, "user.releve.source", b"scanner-2", "attributs étendus", missing)
    elif chance < 0.10:
        _try_attribute(
            path, "system.posix_acl_access", _acl(NURSE), "listes de droits (ACL)", missing
        )
    moment = (_EPOCH_2023 + rng.randrange(100_000_000)) * 10**9 + rng.randrange(10**9)
    os.utime(path, ns=(moment, moment))


def _try_attribute(path: Path, name: str, value: bytes, what: str, missing: list[str]) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError:
        missing.append(what)


def _acl(user: int) -> bytes:
    """Owner rw, `user` rw, group r, mask rw, others nothing; the kernel's own form (posix_acl_xattr.h)."""
    nobody = 0xFFFFFFFF
    entries = ((1, 6, nobody), (2, 6, user), (4, 6, nobody), (0x10, 6, nobody), (0x20, 0, nobody))
    return pack("<I", 2) + b"".join(pack("<HHI", *entry) for entry in entries)
