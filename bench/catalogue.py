"""What a catalogue of very many files costs: the plan, a hunt, the questions of a scan.

    .venv/bin/python bench/catalogue.py [--files 1000000] [--json] [--keep FOLDER]

The catalogue is filled by its own code, without restic: one first snapshot of all files, one with a
hundredth of them changed, one with a hundredth destroyed. Each command runs in a process of its own.
"""

import argparse
import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vault_catalogue import timed

from releve.adapters.scan import travel
from releve.adapters.scan.catalogue import SqliteCatalogue
from releve.apps.backup.judging import CATALOGUE
from releve.flow.scan_ports import Planned
from releve.model.backup import Snapshot
from releve.model.clean import DataSet, Facts, How, Judgement, Verdict

SET = DataSet(name="/srv/cabinet", path="/srv/cabinet")
_BEGUN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
_PORTION = 2_000


def path_of(number: int) -> str:
    """Ten documents a patient, a thousand patients a folder."""
    patient = number // 10
    return f"{SET.path}/patients/{patient // 1000:04}/{patient:06} NOM Prénom/CR {number:07}.docx"


def facts(number: int, place: int) -> Facts:
    content = hashlib.sha256(b"%d %d" % (number, place)).hexdigest()
    verdict = Verdict.BAD if place == 2 else Verdict.CLEAN
    return Facts(sha256=content, size=20_000 + number % 9_000, kind="docx", verdict=verdict)


def fill(kept: SqliteCatalogue, files: int) -> dict[str, float]:
    """Three snapshots; the seconds of each."""
    found = {}
    changed = range(0, files, 100)
    for place, numbers in enumerate((range(files), changed, changed)):
        begun = time.perf_counter()
        at = _BEGUN + place * dt.timedelta(hours=1)
        made = Snapshot(id=f"{place:064x}", at=at, host="h", folders=(SET.path,))
        kept.place(made, "r")
        how = How.CHANGED if place else How.ADDED
        name = SET.name
        kept.plan(place, [Planned(path=path_of(n), data_set=name, how=how) for n in numbers], [SET])
        for portion in _portions(numbers):
            kept.put(place, {path_of(n): facts(n, place) for n in portion})
        verdict = Verdict.BAD if place == 2 else Verdict.CLEAN
        wounds = tuple(path_of(n) for n in numbers) if place == 2 else ()
        kept.judge(place, [Judgement(data_set=SET.name, verdict=verdict, wounds=wounds)], done=True)
        found[f"fill_{place}_s"] = round(time.perf_counter() - begun, 2)
    return found


def _portions(numbers: range) -> Iterator[range]:
    for at in range(0, len(numbers), _PORTION):
        yield numbers[at : at + _PORTION]


def asked(kept: SqliteCatalogue, files: int) -> dict[str, float]:
    """The questions of a scan, of the wizard and of a hunt, one by one."""
    one, content = path_of(files // 2 // 100 * 100), facts(7, 0).sha256
    questions: dict[str, Callable[[], object]] = {
        "waiting": lambda: kept.waiting(2),
        "changes": lambda: kept.changes(2, SET.name),
        "background": lambda: kept.background(2, SET.name),
        "versions": lambda: kept.versions(SET.name, 1),
        "history": lambda: kept.history(one),
        "holders": lambda: kept.holders(content),
        "standing": lambda: sum(1 for _ in kept.standing({SET.name})),
        "every_path": lambda: sum(1 for _ in kept.paths()),
    }
    found = {}
    for name, ask in questions.items():
        begun = time.perf_counter()
        ask()
        found[f"{name}_s"] = round(time.perf_counter() - begun, 4)
    return found


def commands(state: Path, files: int) -> dict[str, float]:
    """As people run them: seconds and memory of the process."""
    place = ["--state", str(state)]
    cut = (_BEGUN + dt.timedelta(minutes=90)).isoformat()
    known = facts(files // 2, 0).sha256
    found: dict[str, float] = {}
    for name, words in {
        "plan": ["recover", "plan", *place],
        "plan_first_write": ["recover", "plan", "--first-write", cut, *place],
        "hunt_nothing": ["recover", "hunt", "0" * 64, "--name", "famille", *place],
        "hunt": ["recover", "hunt", known, "--name", "famille", *place],
        "list": ["recover", "scan", "--list", *place],
        "plan_nothing_clean": ["recover", "plan", "--first-write", _BEGUN.isoformat(), *place],
    }.items():
        found[f"{name}_s"], _, found[f"{name}_mb"] = timed(*words)
    return found


def made(files: int, folder: Path) -> dict[str, float]:
    """Fill one, and ask it."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    kept = SqliteCatalogue(state / CATALOGUE)
    found = fill(kept, files) | asked(kept, files)
    kept.close()
    found["catalogue_mb"] = round((state / CATALOGUE).stat().st_size / 1e6, 1)
    begun = time.perf_counter()
    travel.copy(state / CATALOGUE, folder / "copy")
    return found | {"copy_s": round(time.perf_counter() - begun, 2)}


def measure(files: int, folder: Path) -> dict[str, float]:
    """In processes of their own: a child's peak of memory is never below what its parent held."""
    found: dict[str, float] = {"files": files, "load_before": round(os.getloadavg()[0], 1)}
    command = [sys.executable, __file__, "--files", str(files), "--keep", str(folder), "--fill"]
    found |= json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    found["load_filled"] = round(os.getloadavg()[0], 1)
    found |= commands(folder / "state", files)
    return found | {"load_after": round(os.getloadavg()[0], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="20,000 files, under a minute")
    parser.add_argument("--json", action="store_true", help="one object of named figures")
    parser.add_argument("--keep", type=Path, help="work here, and leave it")
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.fill:
        print(json.dumps(made(chosen.files, chosen.keep)))
        return
    files = 20_000 if chosen.quick else chosen.files
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
        found = measure(files, chosen.keep.absolute())
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(files, Path(folder))
    if chosen.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:28} {value}\n")


if __name__ == "__main__":
    main()
