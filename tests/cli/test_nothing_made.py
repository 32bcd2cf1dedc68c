"""What is refused, and what only looks, makes nothing: no catalogue, no folder of drills, no key."""

from pathlib import Path

import pytest

from releve.apps.backup.state import BackupNotSetUpError, Config, State
from releve.apps.cli.main import run
from releve.flow.drill.ports import (
    CertificateBadError,
    NothingToCertifyError,
    NothingToResumeError,
    UnknownDrillError,
)

RECOVER = (
    ["plan"],
    ["plan", "--first-write", "2026-11-20T03:12"],
    ["scan"],
    ["scan", "--list"],
    ["hunt", "00" * 32],
    ["accept", "1a2b3c", "--by", "Claire", "--reason", "migration"],
)
CERTIFY = ["certify", "/nope", "--referent", "Anne Roy", "--role", "Cadre"]
DRILLS = (
    (["run"], BackupNotSetUpError.status),
    (["list"], 0),
    (["show", "20261122-0300"], UnknownDrillError.status),
    (CERTIFY, NothingToCertifyError.status),
    (["verify", __file__], CertificateBadError.status),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RELEVE_DRILL_STATE", str(tmp_path / "var" / "drill"))
    monkeypatch.setenv("RELEVE_BACKUP_STATE", str(tmp_path / "var" / "backup"))
    return tmp_path / "var"


@pytest.mark.parametrize("words", RECOVER, ids=" ".join)
def test_no_backup_is_said_alike_by_all_who_judge_it(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["recover", *words]) == BackupNotSetUpError.status
    assert "releve backup setup" in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize(("words", "status"), DRILLS, ids=str)
def test_a_drill_that_is_refused_makes_no_folder(
    words: list[str], status: int, folder: Path
) -> None:
    assert run(["drill", *words]) == status
    assert not folder.exists()


def test_a_plan_before_the_first_scan_says_so_and_starts_no_judging(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    State().configure(Config(url="rest:http://127.0.0.1:9", user="u", folders=("/s",)), "x")
    there = sorted(folder.rglob("*"))
    assert run(["recover", "plan"]) == 0
    assert "Aucune sauvegarde jugée" in capsys.readouterr().out
    assert run(["recover", "scan", "--list"]) == 0
    assert run(["drill", "run", "--resume"]) == NothingToResumeError.status
    assert sorted(folder.rglob("*")) == there
