"""The bench of help runs as its page says; every call ends with a named person or the chain's end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.mark.timeout(180)
def test_no_call_is_forgotten_and_no_escalation_is_late() -> None:
    words = ["--quick", "--json", "--requests", "40", "--real", "5", "--seed", "7"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/assist.py"), *words],
        capture_output=True, text=True, check=False, timeout=170, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["requests"] == 45
    assert found["forgotten"] == 0
    assert found["driven_acknowledged"] + found["driven_ended"] == 40
    assert (found["real_acknowledged"], found["real_ended"]) == (4, 1)
    assert found["driven_kills"] == 8
    assert found["real_kills"] == 1
    assert found["driven_failed"] > 0 < found["real_failed"]
    assert found["escalation_lag_p99_s"] <= 1.0
