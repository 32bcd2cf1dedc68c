"""The bench of a large catalogue runs, and its plan is a plan."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "catalogue.py"


def test_it_fills_asks_and_plans(tmp_path):
    command = [sys.executable, str(BENCH), "--files", "300", "--json", "--keep", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout)
    assert found["files"] == 300
    assert found["plan_s"] > 0
    assert found["plan_mb"] > 1
    plan = [sys.executable, "-m", "releve.apps.cli.main", "recover", "plan", "--json"]
    said = subprocess.run([*plan, "--state", tmp_path / "state"], capture_output=True, check=True)
    (one,) = json.loads(said.stdout)["sets"]
    assert one["snapshot"] is None, "the hunt condemned a file of the first snapshot"
