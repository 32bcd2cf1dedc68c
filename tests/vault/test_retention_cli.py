"""The words of retention, as two approvers and an operator say them, on a vault with a real clock."""

import json
import time
from pathlib import Path

import pytest

from releve.apps.cli.main import run
from releve.apps.vault.retention_cli import RequestFileError
from releve.flow.vault.retention import NotYetError, RequestUnknownError, RetentionPolicyError
from releve.model.vault import Repository
from tests.vault.test_retention import DAY, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One old generation and a young one; something came in each day until now."""
    made = World(tmp_path / "vault")
    made.times.at = time.time_ns() - 431 * DAY
    made.put(Repository(structure="cabinet", host="srv1", generation="2025-09"))
    made.pass_days(420)
    made.put(Repository(structure="cabinet", host="srv1", generation="2026-11"))
    made.pass_days(11)
    return made


@pytest.fixture
def say(world, capsys):
    """Run a command on the vault; its JSON lines, or its error."""

    def speak(*words: str, status: int = 0, data: bool = True) -> list[dict]:
        place = ["--data", str(world.layout.data)] if data else []
        capsys.readouterr()
        got = run(["vault", *words, *place, "--json"])
        said = capsys.readouterr()
        assert got == status, said.err
        return [json.loads(line) for line in said.out.splitlines() if line.startswith("{")]

    return speak


def test_plan_request_approve_and_run_as_people_say_them(world, say, tmp_path) -> None:
    for name in ("martin", "durand"):
        say("approver", "make-key", str(tmp_path / f"{name}.key"), data=False)
        say("approver", "add", name, "--public-key", str(tmp_path / f"{name}.key.pub"))
    plan = say("retention", "plan")
    verdicts = {row["repository"]: row["verdict"] for row in plan if "verdict" in row}
    assert verdicts == {
        "cabinet/srv1/2025-09": "may_go",
        "cabinet/srv1/2026-11": "newest_complete",
    }
    assert plan[-1] == {"event": "clock", "trusted": True, "why": ""}
    asked = tmp_path / "retrait.json"
    [request] = say("retention", "request", "--by", "A. Martin", "--out", str(asked))
    assert "cabinet/srv1/2025-09" in request["statement"]
    for count, name in enumerate(("martin", "durand"), start=1):
        key = str(tmp_path / f"{name}.key")
        words = ("approve", str(asked), "--approver", name, "--key", key, "--yes")
        [signed] = say(*words, data=False)
        [taken] = say("retention", "approve", signed["file"])
        assert taken["people"] == count
    say(
        "retention", "run", request["id"], "--yes", status=NotYetError.status
    )  # seven days are not over
    assert world.layout.repository(
        Repository(structure="cabinet", host="srv1", generation="2025-09")
    ).is_dir()
    say("retention", "approve", str(asked), status=RequestFileError.status)
    say("retention", "run", "r-none", status=RequestUnknownError.status)


def test_holds_and_policy_as_people_say_them(say, tmp_path) -> None:
    [hold] = say(
        "retention", "hold", "--structure", "cabinet", "--reason", "enquête", "--by", "A. Martin"
    )
    plan = say("retention", "plan")
    assert {row["verdict"] for row in plan if "verdict" in row} == {"on_hold"}
    say("retention", "request", "--by", "A. Martin", status=RetentionPolicyError.status)
    [release] = say("retention", "release", hold["id"], "--reason", "classée", "--by", "A. Martin")
    assert "cabinet/*/*" in release["statement"]
    say(
        "retention",
        "policy",
        "--wait-days",
        "0",
        "--by",
        "A. Martin",
        status=RetentionPolicyError.status,
    )
    [policy] = say("retention", "policy", "--months", "24", "--by", "A. Martin")
    assert policy["months"] == 24
    assert say("retention", "policy")[0]["months"] == 24


def test_forecast_names_hosts_and_days(say) -> None:
    told = say("forecast")
    assert told[-1]["event"] == "forecast"
    assert told[0]["host"] == "srv1"
