"""`releve server grant`: given, listed, ended; the account's own role."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from releve.apps.server.cli import server
from releve.apps.server.grant_cli import NothingGrantedError, PersonUnknownError
from releve.apps.server.structure_cli import StructureUnknownError


def run(home: Path, *words: str, typed: str = "") -> list[dict[str, object]]:
    done = CliRunner().invoke(
        server, [*words, "--home", str(home), "--json"], input=typed, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def user(home: Path, structure: str, login: str, *words: str) -> dict[str, object]:
    words = ("user", "create", "--structure", structure, "--login", login, *words)
    (made,) = run(home, *words, typed="une phrase assez longue\n")
    return made


def test_a_grant_is_given_listed_and_ended(tmp_path: Path) -> None:
    assert user(tmp_path, "Cabinet", "claire")["role"] == "lead"
    assert user(tmp_path, "Infogérant", "olga", "--role", "operator")["role"] == "operator"
    (given,) = run(
        tmp_path, "grant", "add", "--structure", "Cabinet", "--login", "olga", "--role", "operator"
    )
    assert (given["structure"], given["home"], given["ended_at"]) == ("Cabinet", False, None)
    shown = run(tmp_path, "grant", "list")
    assert [(g["structure"], g["login"], g["role"]) for g in shown] == [
        ("Cabinet", "claire", "lead"),
        ("Cabinet", "olga", "operator"),
        ("Infogérant", "olga", "operator"),
    ]
    (ended,) = run(tmp_path, "grant", "remove", "--structure", "Cabinet", "--login", "olga")
    assert ended["ended_at"]
    assert [g["login"] for g in run(tmp_path, "grant", "list", "--structure", "Cabinet")] == [
        "claire"
    ]
    with pytest.raises(NothingGrantedError):
        run(tmp_path, "grant", "remove", "--structure", "Cabinet", "--login", "olga")


def test_who_and_where_must_be_known(tmp_path: Path) -> None:
    user(tmp_path, "Cabinet", "claire")
    with pytest.raises(PersonUnknownError):
        run(tmp_path, "grant", "add", "--structure", "Cabinet", "--login", "nul")
    with pytest.raises(StructureUnknownError):
        run(tmp_path, "grant", "add", "--structure", "Nulle part", "--login", "claire")
