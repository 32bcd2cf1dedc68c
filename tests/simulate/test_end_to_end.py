"""The command with the real guard: attacks are stopped, nothing is lost, honest work goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.timeout(180)]


def simulate(*words: str) -> tuple[int, dict, str]:
    command = [sys.executable, "-m", "releve.apps.cli.main", "simulate", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.mark.need("loop")
@pytest.mark.need("namespaces")
@pytest.mark.need("btrfs")
def test_attacks_on_ext4_and_btrfs_lose_nothing(tmp_path: Path) -> None:
    profiles = ("in-place-fast", "orphans", "docx-save")
    words = [word for name in profiles for word in ("--only", name)]
    status, said, talk = simulate(
        *words, "--fs", "ext4", "--fs", "btrfs", "--files", "300", "--report", str(tmp_path)
    )
    assert status == 0, talk
    attacks = said["attacks"]
    assert {(row["name"], row["fs"]) for row in attacks} == {
        (name, fs) for name in profiles[:2] for fs in ("ext4", "btrfs")
    }
    assert [row for row in attacks if row["files_lost"] or not row["stopped"]] == []
    assert all(row["first_write_to_stop_ms"] > 0 for row in attacks)
    assert [row for row in said["honest"] if row["stopped"]] == []
    assert said["environment"]["mode"] == "exact"
    assert (tmp_path / "rapport-simulation.html").exists()
    assert _nothing_left()


def test_without_the_kernel_the_run_says_what_it_did_not_show(tmp_path: Path) -> None:
    words = ("--portable", "--only", "in-place", "--files", "120", "--report", str(tmp_path))
    status, said, talk = simulate(*words)
    assert status in {0, 37}, talk
    (attack,) = said["attacks"]
    assert attack["files_touched"] > 0
    assert said["environment"]["mode"] == "portable"
    assert any("attribution" in what for what in said["environment"]["not_shown"])


def test_unknown_profiles_are_refused() -> None:
    status, _, talk = simulate("--only", "nothing")
    assert status == 2
    assert "nothing" in talk


def _nothing_left() -> bool:
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    return "releve-sim" not in mounts or bool(list(Path("/run/releve-sim").glob("sim-*.json")))
