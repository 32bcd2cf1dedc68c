"""The guard's bench runs as its page says and names its figures; what they are is for the reader."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKS = ("untar", "grep", "office", "bulk", "sed", "cp")


@pytest.mark.root
@pytest.mark.need("loop", "namespaces")
@pytest.mark.timeout(240)
def test_the_quick_bench_names_every_figure() -> None:
    words = ["--quick", "--json", "--rounds", "1", "--no-clamav"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/guard.py"), *words],
        capture_output=True, text=True, check=False, timeout=220,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    wanted = {
        f"ext4_{work}_{what}" for work in WORKS for what in ("off_s", "guard_s", "guard_ratio")
    }
    wanted |= {
        "ext4_memory_ready_mb", "ext4_memory_after_storms_mb", "ext4_cpu_idle_percent", "ext4_baseline_s",
        "ext4_baseline_room_mb", "ext4_window_16kb_p99_ms", "ext4_window_16mb_p99_ms",
        "ext4_attack_first_write_to_stop_ms", "load_before", "load_after",
    }  # fmt: skip
    assert {name for name in wanted if not isinstance(found.get(name), int | float)} == set()
    assert found["ext4_attack_files_lost"] == 0
