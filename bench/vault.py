"""The vault's promises measured here, beside plain restic in the same run, on loopback and local disk.

    .venv/bin/python bench/vault.py [--quick] [--json] [--only PART ...]

Each part adds its figures to one object; a part is a function `(Ground) -> dict` in PARTS. Nothing is
dropped from the page cache: figures are warm ones. Needs root, FUSE and overlayfs for `instant`.
"""

import argparse
import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from releve.adapters.restic import tools
from releve.adapters.restic.rest_server import RestServer
from releve.apps.backup.state import Config, State
from releve.apps.recover.state import RecoveryHome

Figures = dict[str, float | int | str]
RELEVE = [sys.executable, "-m", "releve.apps.cli.main"]


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How big the practice is."""

    documents: int
    archives: int
    archive_mb: int
    database_mb: int


QUICK = Size(documents=2_000, archives=2, archive_mb=30, database_mb=100)
WHOLE = Size(documents=20_000, archives=8, archive_mb=100, database_mb=512)


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """A practice, backed up once to a real append-only server; parts read it and leave it as it is."""

    root: Path
    source: Path
    state: State
    url: str
    size: Size
    bytes: int

    def restic(self, *words: str) -> None:
        """Plain restic on the same repository."""
        environment = os.environ | {
            "RESTIC_REPOSITORY": f"rest:{self.url}",
            "RESTIC_REST_USERNAME": "bench",
            "RESTIC_REST_PASSWORD": (self.state.folder / "http-password").read_text(),
            "RESTIC_PASSWORD_FILE": str(self.state.password_file),
            "RESTIC_CACHE_DIR": str(self.root / "restic-cache"),
        }
        command = [tools.find(tools.RESTIC).path, "-q", "--no-lock", *words]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def practice(folder: Path, size: Size) -> int:
    """Documents by patient, archives, one database; the bytes."""
    chance = random.Random(2026)
    for number in range(size.documents):
        parent = folder / "patients" / f"{number // 20:04d}_NOM{number // 20}_Jean"
        parent.mkdir(parents=True, exist_ok=True)
        length = chance.randrange(2_000, 94_000)
        text = b"Compte rendu de consultation. " * (length // 60)
        (parent / f"CR {number}.doc").write_bytes(text + chance.randbytes(length - len(text)))
    (folder / "archives").mkdir()
    for number in range(size.archives):
        (folder / f"archives/{number}.zip").write_bytes(chance.randbytes(size.archive_mb * 10**6))
    with contextlib.closing(sqlite3.connect(folder / "patients.db")) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT, scan BLOB)")
        for number in range(size.database_mb * 10):
            row = (f"visite {number}", chance.randbytes(100_000))
            database.execute("INSERT INTO visit (note, scan) VALUES (?, ?)", row)
        database.commit()
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def ground(size: Size) -> Iterator[Ground]:
    """Make the practice and its backup; everything goes at the end."""
    with tempfile.TemporaryDirectory(prefix="releve-bench-vault-") as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        source = root / "cabinet"
        total = practice(source, size)
        with RestServer(str(root / "vault")) as server:
            state = State(str(root / "state"))
            config = Config(url=server.url("bench"), user="bench", folders=(str(source),))
            state.configure(config, server.add_user("bench"))
            state.engine().init()
            state.run().run(config.folders, config.exclude, lambda _: None)
            yield Ground(
                root=root, source=source, state=state, url=config.url, size=size, bytes=total
            )


# instant availability


def instant(at: Ground) -> Figures:
    """From the order to the verified folder, people writing all the time; restic's own restore beside."""
    plain = _plain_restore(at)
    target = at.root / "retour" / "cabinet"
    target.parent.mkdir()
    today = at.root / "today.txt"
    today.write_text("".join(f"NOM{number} Jean\n" for number in range(40)))
    lent = ["--repository", f"rest:{at.url}", "--user", "bench", "--folder", str(at.source)]
    lent += ["--http-password-file", str(at.state.folder / "http-password")]
    lent += ["--password-file", str(at.state.password_file), "--today", str(today)]
    words = [*RELEVE, "recover", "start", str(target), *lent, "--until-local", "--json"]
    begun = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    home = RecoveryHome(target)
    figures: Figures = {}
    people = _People(home, target)
    people.start()
    try:
        if begun.wait() != 0:
            raise SystemExit("recover start failed")
    finally:
        people.stop()
    reached = home.state().seconds
    for step in ("first_file", "first_write", "database_query", "today_local", "databases_local"):
        figures[f"{step}_s"] = round(reached[step], 2)
    figures["database_first_write_s"] = round(people.database_s, 2)
    figures["database_first_write_mb"] = at.size.database_mb
    figures["files_saved_meanwhile"] = len(people.saved)
    figures["all_local_s"] = round(reached["all_local"], 2)
    figures["restic_restore_s"] = round(plain, 2)
    figures["all_local_vs_restic"] = round(plain / reached["all_local"], 2)
    begun_at = time.perf_counter()
    subprocess.run(
        [*RELEVE, "recover", "finish", str(target), "--json"], check=True, stdout=subprocess.DEVNULL
    )
    figures["finish_verified_s"] = round(time.perf_counter() - begun_at, 2)
    lost = [name for name, said in people.saved.items() if (target / name).read_text() != said]
    figures["files_saved_meanwhile_lost"] = len(lost)
    return figures


class _People(threading.Thread):
    """Saves documents and writes into the database from the first moment on."""

    def __init__(self, home: RecoveryHome, target: Path) -> None:
        super().__init__(daemon=True)
        self._home, self._target = home, target
        self._end = threading.Event()
        self._database = threading.Thread(target=self._first_write, daemon=True)
        self.saved: dict[str, str] = {}
        self.database_s = 0.0

    def run(self) -> None:
        self._wait_open()
        self._database.start()
        number = 0
        while not self._end.is_set():
            name = f"patients/{number % 100:04d}_NOM{number % 100}_Jean/saisie {number}.txt"
            (self._target / name).write_text(f"note {number}")
            self.saved[name] = f"note {number}"
            number += 1
            self._end.wait(0.05)
        self._database.join(60)

    def stop(self) -> None:
        self._end.set()
        self.join(60)

    def _wait_open(self) -> None:
        while not self._end.is_set():
            with contextlib.suppress(Exception):
                if "first_write" in self._home.state().seconds:
                    return
            time.sleep(0.01)

    def _first_write(self) -> None:
        with contextlib.closing(
            sqlite3.connect(self._target / "patients.db", timeout=120)
        ) as database:
            database.execute("INSERT INTO visit (note) VALUES ('pendant la reprise')")
            database.commit()
        self.database_s = (time.time_ns() - self._home.asked().ordered_ns) / 1e9


def _plain_restore(at: Ground) -> float:
    """All of it by `restic restore`, with everything on disk at the end, as ours has it."""
    into = at.root / "plain"
    begun = time.perf_counter()
    at.restic("restore", f"latest:{at.source}", "--target", str(into))
    held = os.open(into, os.O_RDONLY)
    os.sync()
    os.close(held)
    took = time.perf_counter() - begun
    subprocess.run(["rm", "-rf", str(into)], check=True)
    return took


# A part adds its row here.
PARTS: dict[str, Callable[[Ground], Figures]] = {
    "instant": instant,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true", help="one object of named figures")
    parser.add_argument("--only", nargs="*", choices=sorted(PARTS), default=sorted(PARTS))
    chosen = parser.parse_args()
    figures: Figures = {"load_1min": round(os.getloadavg()[0], 1)}
    with ground(QUICK if chosen.quick else WHOLE) as at:
        figures |= {"corpus_bytes": at.bytes, "corpus_documents": at.size.documents}
        for part in chosen.only:
            figures |= PARTS[part](at)
    figures |= {"cpus": os.cpu_count() or 0, "restic": tools.find(tools.RESTIC).version}
    if chosen.json:
        print(msgspec.json.encode(figures).decode())
        return
    for name, value in figures.items():
        print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
