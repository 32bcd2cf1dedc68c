"""Complete first drafts of all dossiers are there within 10 s of the declaration."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_all_drafts_are_there_within_ten_seconds() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/obligation.py"), "--quick", "--json"],
        capture_output=True, text=True, check=False, timeout=100, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["dossiers"] == 7
    assert found["files"] == 21
    assert 0 < found["drafts_s"] < 10
    assert found["drafts_s"] < found["files_s"]
