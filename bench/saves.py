"""Where a save's time goes beside the guard: each step, on a guarded and on an unguarded image in turn.

    .venv/bin/python bench/saves.py [--quick] [--json] [--fs ext4] [--saves N] [--every SECONDS]

Two loop images of one kind (direct I/O where the disk below allows it), one guarded. The same save
goes to one and the other in turn, so that what else runs on the machine weighs on both alike: its
ratios hold on a busy machine, too. The guard acts, but who saves here is outside of its reach
(`--scope`): what its halts cost is measured by bench/guard.py. Needs root.
"""

import argparse
import contextlib
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from people import People
from scanners import Guard, cpu_s
from work import corpus

from releve.apps.simulate import ledger
from releve.apps.simulate.corpus import documents
from releve.apps.simulate.places import GIB, Place, mount_image

_DOCUMENTS = 60
_FILES = 300
Times = dict[str, list[float]]


def main() -> None:
    chosen = _arguments()
    if os.geteuid():
        raise SystemExit("bench/saves.py: loop images and fanotify need root.")
    chosen.saves = chosen.saves or (100 if chosen.quick else 300)
    found: dict[str, float | str] = {"load_before": round(os.getloadavg()[0], 1)}
    for fs in chosen.fs or (["ext4"] if chosen.quick else ["ext4", "xfs", "btrfs"]):
        found |= {f"{fs}_{name}": value for name, value in measured(fs, chosen).items()}
    found["load_after"] = round(os.getloadavg()[0], 1)
    if chosen.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:28} {value}" for name, value in found.items()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="ext4 alone, 100 saves")
    parser.add_argument("--json", action="store_true", help="one object of named figures")
    parser.add_argument("--fs", action="append", choices=["ext4", "xfs", "btrfs"])
    parser.add_argument("--saves", type=int, default=0, help="on each image")
    parser.add_argument("--every", type=float, default=0.03, help="seconds between two saves")
    return parser.parse_args()


def measured(fs: str, chosen: argparse.Namespace) -> dict[str, float | str]:
    """Medians in microseconds and their ratios, by step."""
    with images(fs) as places:
        if isinstance(places, str):
            return {"not_shown": places}
        shares = [place.root / "partage" for place in places]
        for share in shares:
            corpus(share / "docs", _FILES)
            (share / "bureau").mkdir()
            for number in range(_DOCUMENTS):
                (share / f"bureau/{number}.odt").write_bytes(
                    documents.odt(["Texte du jour."] * 150)
                )
        os.sync()
        people = People()
        root = places[0].root
        guard = Guard(shares[0], root / "reserve", root / "guard.err", people.scope)
        guard.start()
        try:
            time.sleep(1.0)  # what a start leaves to do is done
            spent, times = cpu_s(guard.process.pid), (defaultdict(list), defaultdict(list))
            for number in range(chosen.saves):
                both = list(zip(shares, times, strict=True))
                for share, told in both if number % 2 else both[::-1]:
                    time.sleep(chosen.every)
                    save(share / "bureau", number, told)
            spent = cpu_s(guard.process.pid) - spent
        finally:
            guard.stop()
            people.end()
    return {"guard_ms_a_save": round(1000 * spent / chosen.saves, 2), **_figures(*times)}


@contextlib.contextmanager
def images(fs: str) -> Iterator[list[Place] | str]:
    """Two of them, or why there are none; both are gone afterwards."""
    books = [ledger.Ledger(f"saves-{os.getpid()}-{number}") for number in range(2)]
    try:
        places: list[Place] = []
        for book in books:
            place = mount_image(book, fs, size=2 * GIB)
            if not isinstance(place, Place):
                yield place.why
                return
            places.append(place)
        yield places
    finally:
        for book in books:
            book.clear()


def save(area: Path, number: int, told: Times) -> None:
    """As office programs do: lock file, automatic save, save by rename with fsync, lock removed."""
    path = area / f"{number % _DOCUMENTS}.odt"
    lock, auto = path.with_name(f".~lock.{path.name}#"), path.with_name(f"auto {path.name}")
    made = path.with_name(f".{path.name}.tmp")

    @contextlib.contextmanager
    def step(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        told[name].append(1e6 * (time.perf_counter() - began))

    with step("whole"):
        with step("lock"):
            lock.write_text(",cabinet,poste-1;", encoding="utf-8")
        with step("content"):
            content = documents.odt([f"Relu {number}", *["Texte du jour."] * 150])
        with step("draft"):
            auto.write_bytes(content)
        with made.open("wb") as file:
            with step("write"):
                file.write(content)
                file.flush()
            with step("fsync"):
                os.fsync(file.fileno())
        with step("rename"):
            made.chmod(path.stat().st_mode & 0o7777)
            made.replace(path)
        with step("remove"):
            auto.unlink()
            lock.unlink()


def _figures(guarded: Times, alone: Times) -> dict[str, float]:
    found = {}
    for name in alone:
        with_guard, without = statistics.median(guarded[name]), statistics.median(alone[name])
        found[f"{name}_us"] = round(without, 1)
        found[f"{name}_guarded_us"] = round(with_guard, 1)
        found[f"{name}_ratio"] = round(with_guard / without, 2)
    return found


if __name__ == "__main__":
    main()
