"""What grows with the number of files besides restic's own work: the as-of view, the catalogue, the plan."""

import datetime as dt
import json
import subprocess
import time
from pathlib import Path

from vault_ground import RELEVE, STRUCTURE, Ground

from releve.apps.backup.judging import CATALOGUE
from releve.apps.backup.state import Config, State


def view(at: Ground, host: str) -> float:
    """The seconds of an as-of view of all that the host sent."""
    words = ["vault", "view", "--as-of", _now(), "--structure", STRUCTURE, "--host", host]
    return _timed(*words, "--data", str(at.gate.data))[0]


def judged(at: Ground, source: Path, host: str) -> dict[str, float]:
    """Of one host's only snapshot. The first scan judges every file, from the live folder."""
    found: dict[str, float] = {}
    state = State(str(at.root / f"state-{host}"))
    config = Config(
        url=at.gate.address(host),
        user=host,
        folders=(str(source),),
        password_file=str(at.state.password_file),
    )
    state.configure(config, (at.root / "secrets" / host).read_text())
    place = ["--state", str(state.folder)]
    found["judged_s"], _ = _timed("recover", "scan", "--minutes", "600", *place)
    found["catalogue_mb"] = round((state.folder / CATALOGUE).stat().st_size / 1e6, 1)
    found["plan_s"], said = _timed("recover", "plan", "--first-write", _now(), *place)
    if not json.loads(said.splitlines()[-1])["sets"][0]["snapshot"]:
        raise SystemExit("the plan names no clean snapshot")
    return found


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def _timed(*words: str) -> tuple[float, str]:
    begun = time.perf_counter()
    done = subprocess.run([*RELEVE, *words, "--json"], check=True, capture_output=True, text=True)
    return round(time.perf_counter() - begun, 2), done.stdout
