"""Timers fire once each though whoever fires them is killed; 20,000 of them by hand, a few hundred here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.mark.root
@pytest.mark.need("namespaces")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_none_is_forgotten_and_none_comes_twice(engine: str) -> None:
    words = ["--quick", "--json", "--timers", "1000", "--only", engine]
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/timers.py"), *words],
        capture_output=True, text=True, check=False, timeout=280, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)[engine]
    assert found["timers"] >= 1000
    assert found["kills"] > 5
    assert found["rung"] > 100
    nothing = ("forgotten", "twice", "not_rung", "early")
    assert [found[what] for what in nothing] == [0, 0, 0, 0]
    assert found["trails_whole"]
