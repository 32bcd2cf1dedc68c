"""A drill on a real repository: what passes, what fails, and that nothing of it stays."""

import msgspec
import pytest

from tests.drill.conftest import PATIENTS, VISITS, check

pytestmark = pytest.mark.restic


def test_a_drill_restores_verifies_measures_and_leaves_nothing(practice):
    practice.back_up()
    status, made = practice.drill("--structure", "Cabinet du Parc")
    assert status == 0, made
    assert made["verdict"] == "passed"
    outcomes = {one["name"]: one["outcome"] for one in made["checks"]}
    assert outcomes == {
        "first_file": "passed", "patient_list": "passed", "databases": "passed",
        "all_local": "passed", "hashes": "passed", "dumps": "absent", "dicom": "passed",
        "canaries": "absent",
    }  # fmt: skip
    (part,) = check(made, "databases")["parts"]
    assert part["rows"] == PATIENTS + VISITS
    assert part["newest"].startswith("2026-10-")
    assert check(made, "hashes")["counted"] == 35
    assert check(made, "dicom")["counted"] == 4
    marks = [mark["elapsed_s"] for mark in made["rto"]]
    assert marks == sorted(marks)
    assert all(0 < mark < 100 for mark in marks)
    assert 0 < made["rpo_s"] < 300
    assert not list((practice.drills / "rooms").iterdir())


def test_a_folder_in_another_is_restored_and_counted_once(practice):
    """An image store that lies in the share is a path of its own in the snapshot."""
    folders = (str(practice.share), str(practice.share / "images"))
    config = msgspec.structs.replace(practice.state.config(), folders=folders)
    practice.state.configure(config, (practice.state.folder / "http-password").read_text())
    practice.back_up()
    status, made = practice.drill()
    assert status == 0, made
    assert check(made, "hashes")["counted"] == 35
    assert check(made, "dicom")["counted"] == 4
