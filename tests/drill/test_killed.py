"""A drill killed with kill -9 at random moments goes on where it was."""

import os
import sqlite3
import time
from random import Random

import pytest

from tests.drill.conftest import PATIENTS, VISITS, check

pytestmark = [pytest.mark.restic, pytest.mark.timeout(600)]
KILLS = int(os.environ.get("RELEVE_DRILL_KILLS", "12"))
IN_ONE = 4  # deaths of one drill


def test_killed_at_random_moments_it_goes_on_and_counts_nothing_twice(practice):
    practice.back_up()
    began = time.monotonic()
    practice.drill()
    run_s = time.monotonic() - began  # what one takes here
    make_due(practice)
    assert practice.call("schedule", "--hour", "0")[0] == 0
    rng, deaths, lives = Random(os.environ.get("RELEVE_DRILL_SEED", "11")), 0, []
    while deaths < KILLS:
        killed = 0
        for _ in range(IN_ONE):
            killed += practice.kill_at(rng.uniform(0.1, 0.5) * run_s, "--if-due", "--resume")
        deaths += killed
        status, made = end(practice)
        assert status == 0, [one for one in made["checks"] if one["outcome"] != "passed"]
        assert check(made, "databases")["parts"][0]["rows"] == PATIENTS + VISITS
        assert check(made, "all_local")["counted"] == made["files"]
        assert len({one["name"] for one in made["checks"]}) == len(made["checks"]) == 8
        marks = made["rto"]
        assert all(0 <= m["worked_s"] <= m["elapsed_s"] for m in marks)
        assert made["idle_s"] >= 0
        if marks[-1]["is_interrupted"]:  # else the last kill came after all was measured
            assert made["interruptions"]
            assert marks[-1]["elapsed_s"] > marks[-1]["worked_s"]
        lives.append(marks[-1]["is_interrupted"])
        assert not list((practice.drills / "rooms").iterdir()), "no room stays"
        make_due(practice)
    assert any(lives), "at least one was interrupted in its middle"
    print(f"{deaths} kills: {{'drill': {deaths}}}")


def end(practice) -> tuple[int, dict]:
    """Its exit status and certificate; killed often enough, the last of them may have ended it."""
    words = ("run", "--state", str(practice.state.folder), "--resume", "--if-due")
    status, told, err = practice.call(*words)
    assert told, err
    made = told[-1]["last"] if told[-1]["event"] == "not_due" else told[-1]["certificate"]
    return status, made


def make_due(practice) -> None:
    """A week goes by."""
    with sqlite3.connect(practice.drills / "drills.db") as journal:
        journal.execute(
            "UPDATE drill SET body = json_set(CAST(body AS TEXT), '$.ordered.at', ?)",
            ("2026-01-02T03:04:05Z",),
        )
    journal.close()


def test_without_an_interrupted_drill_there_is_nothing_to_resume(practice):
    status, _, err = practice.call("run", "--state", str(practice.state.folder), "--resume")
    assert status == 104, err


def test_two_drills_of_one_machine_do_not_run_at_once(practice):
    practice.back_up()
    first = practice.start("run", "--state", str(practice.state.folder))
    while not practice.steps():
        assert first.poll() is None
    status, _, err = practice.call("run", "--state", str(practice.state.folder))
    assert status == 102, err
    first.communicate(timeout=60)
    assert first.returncode == 0
