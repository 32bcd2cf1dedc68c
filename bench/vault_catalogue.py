"""What grows with the number of files besides restic's own work: the as-of view, the catalogue, the plan."""

import datetime as dt
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from vault_ground import RELEVE, STRUCTURE, Ground

from releve.apps.backup.judging import CATALOGUE
from releve.apps.backup.state import Config, State


def view(at: Ground, host: str) -> float:
    """The seconds of an as-of view of all that the host sent."""
    words = ["vault", "view", "--as-of", _now(), "--structure", STRUCTURE, "--host", host]
    return timed(*words, "--data", str(at.gate.data))[0]


def judged(at: Ground, source: Path, host: str) -> dict[str, float]:
    """The first scan judges every file, from the live folder; the next one a hundredth of them."""
    state = _judging(at, source, host)
    place = ["--state", str(state.folder)]
    found = _scanned(place)
    found["catalogue_mb"] = round((state.folder / CATALOGUE).stat().st_size / 1e6, 1)
    found["changed_files"] = _change(source)
    at.through_gate("backup", str(source), host=host)
    return found | {f"next_{name}": value for name, value in _scanned(place).items()}


def spread(at: Ground, source: Path, host: str) -> dict[str, float]:
    """20,000 texts, ten in a folder; 2,000 of 1,500 folders change: each version before is at the vault."""
    for number in range(20_000):
        folder = source / f"dossier {number % 2_000:05}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"CR {number}.txt").write_bytes(b"Compte rendu %d. " % number * 40)
    at.through_gate("init", host=host)
    at.through_gate("backup", str(source), host=host)
    place = ["--state", str(_judging(at, source, host).folder)]
    _scanned(place)
    for number in range(2_000):
        path = (
            source
            / f"dossier {number % 1_500:05}"
            / f"CR {number % 1_500 + number // 1_500 * 2_000}.txt"
        )
        path.write_bytes(path.read_bytes() + b"Repris ce jour. " * 40)
    at.through_gate("backup", str(source), host=host)
    return _scanned(place)


def _judging(at: Ground, source: Path, host: str) -> State:
    """A state whose snapshots are those of the host at the gate."""
    state = State(str(at.root / f"state-{host}"))
    config = Config(
        url=at.gate.address(host),
        user=host,
        folders=(str(source),),
        password_file=str(at.state.password_file),
    )
    state.configure(config, (at.root / "secrets" / host).read_text())
    return state


def _scanned(place: list[str]) -> dict[str, float]:
    judged_s, _, most_mb = timed("recover", "scan", "--minutes", "600", *place)
    plan_s, said, _ = timed("recover", "plan", "--first-write", _now(), *place)
    if not json.loads(said.splitlines()[-1])["sets"][0]["snapshot"]:
        raise SystemExit("the plan names no clean snapshot")
    return {"judged_s": judged_s, "judged_most_mb": most_mb, "plan_s": plan_s}


def _change(source: Path) -> int:
    """A hundredth of the files, those of folders side by side, as a day's work has it."""
    every = sorted(source.rglob("*.txt"))
    changed = every[: len(every) // 100]
    for path in changed:
        path.write_bytes(b"Compte rendu repris. " * 60 + path.read_bytes()[-500:])
    return len(changed)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def timed(*words: str) -> tuple[float, str, float]:
    """The seconds, what it said, and the memory of its largest process."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([*RELEVE, *words, "--json"], stdout=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = round(time.perf_counter() - begun, 2)
        if process.returncode:
            raise SystemExit(f"{words[:2]} ended with {process.returncode}")
        said.seek(0)
        return took, said.read(), round(used.ru_maxrss / 1024, 1)
