"""The guard's bench runs as its page says and names its figures; what they are is for the reader."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WORKS = ("untar", "grep", "office", "bulk", "sed", "cp")


def figures(bench: str, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / bench), *words, "--json"],
        capture_output=True, text=True, check=False, timeout=220,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.root
@pytest.mark.need("loop", "namespaces")
@pytest.mark.timeout(240)
def test_every_step_of_a_save_is_timed_beside_the_guard_and_without_it() -> None:
    found = figures("saves.py", "--quick", "--saves", "20")
    steps = ("lock", "content", "draft", "write", "fsync", "rename", "remove", "whole")
    for step in steps:
        assert found[f"ext4_{step}_us"] > 0
        assert found[f"ext4_{step}_guarded_us"] > 0
        assert found[f"ext4_{step}_ratio"] > 0
    assert found["ext4_guard_ms_a_save"] > 0  # it saw them


@pytest.mark.root
@pytest.mark.need("loop", "namespaces")
@pytest.mark.timeout(240)
def test_the_quick_bench_names_every_figure() -> None:
    found = figures("guard.py", "--quick", "--rounds", "1", "--no-clamav")
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
