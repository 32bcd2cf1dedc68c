"""How fast backups and restores are here: real restic, real append-only rest-server, on loopback.

    .venv/bin/python bench/backup.py [--quick] [--json]

Documents are half text, half noise; nothing is dropped from the page cache: figures are warm ones.
"""

import argparse
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from releve.adapters.restic import tools
from releve.adapters.restic.rest_server import RestServer
from releve.adapters.restic.source import SnapshotSource
from releve.apps.backup.state import Config, State
from releve.apps.restore.cli import bring
from releve.recover.versions import choose

CHANCE = random.Random(2026)


def corpus(folder: Path, files: int) -> int:
    """A practice's documents and its database; the bytes."""
    size = 0
    for number in range(files):
        parent = folder / f"patients/{number % 50:02}"
        parent.mkdir(parents=True, exist_ok=True)
        length = CHANCE.randrange(2_000, 200_000)
        text = b"Compte rendu de consultation. " * (length // 60)
        content = text + CHANCE.randbytes(length - len(text))
        (parent / f"CR {number}.doc").write_bytes(content)
        size += len(content)
    database = sqlite3.connect(folder / "patients.db")
    database.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT)")
    database.executemany(
        "INSERT INTO visit (note) VALUES (?)", ((os.urandom(100).hex(),) for _ in range(files * 20))
    )
    database.commit()
    database.close()
    return size + (folder / "patients.db").stat().st_size


T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    answer = work()
    return time.perf_counter() - begun, answer


def measure(files: int, repeats: int) -> dict[str, float | int | str]:
    with tempfile.TemporaryDirectory(prefix="releve-bench-") as scratch:
        root = Path(scratch)
        share = root / "share"
        size = corpus(share, files)
        with RestServer(str(root / "vault")) as server:
            state = State(str(root / "state"))
            config = Config(url=server.url("bench"), user="bench", folders=(str(share),))
            state.configure(config, server.add_user("bench"))
            state.engine().init()

            def back_up() -> int:
                return state.run().run(config.folders, config.exclude, lambda _: None).bytes_added

            first_s, sent = timed(back_up)
            same_s, _ = timed(back_up)
            documents = sorted((share / "patients").rglob("*.doc"))
            for path in documents[:: max(1, len(documents) // (files // 100))]:
                path.write_bytes(path.read_bytes() + b"x")
            changed_s, changed = timed(back_up)
            one = [timed(partial(fetch, state, path, root))[0] for path in documents[:repeats]]
            whole_s, _ = timed(lambda: fetch(state, share, root))
    return {
        "files": files + 1,
        "bytes": size,
        "first_backup_s": round(first_s, 2),
        "first_backup_mb_per_s": round(size / first_s / 1e6, 1),
        "sent_bytes": sent,
        "nothing_changed_s": round(same_s, 2),
        "one_percent_changed_s": round(changed_s, 2),
        "one_percent_changed_sent_bytes": changed,
        "one_file_back_s_median": round(statistics.median(one), 2),
        "one_file_back_s_worst": round(max(one), 2),
        "one_file_back_cases": len(one),
        "everything_back_s": round(whole_s, 2),
        "everything_back_mb_per_s": round(size / whole_s / 1e6, 1),
        "cpus": os.cpu_count() or 0,
        "load_1min": round(os.getloadavg()[0], 1),
        "restic": tools.find(tools.RESTIC).version,
    }


def fetch(state: State, path: Path, root: Path) -> None:
    """As `releve restore` does: look for versions, choose, fetch, verify, place."""
    source = SnapshotSource(state.engine())
    version = choose(source.versions(str(path)), None)
    if version is None:
        raise SystemExit(f"no version of {path}")
    done = bring(source, version, str(root / f"back-{time.monotonic_ns()}"))
    if done.failed:
        raise SystemExit("; ".join(done.failed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true", help="one object of named figures")
    chosen = parser.parse_args()
    found = measure(*((500, 3) if chosen.quick else (10_000, 10)))
    if chosen.json:
        print(msgspec.json.encode(found).decode())
        return
    for name, value in found.items():
        print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
