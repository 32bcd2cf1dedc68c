"""`releve group` and `releve insurer`: made, filled, shown, ended."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from releve.apps.server.circle_cli import group, insurer
from releve.apps.server.grant_cli import NothingGrantedError
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.apps.server.structure_cli import StructureUnknownError
from releve.flow.server import situations
from releve.model.errors import UsageError
from tests.server.world import T0, add_host


def run(home: Path, command: click.Group, *words: str) -> list[dict[str, object]]:
    done = CliRunner().invoke(
        command, [*words, "--home", str(home), "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def practice(tmp_path: Path) -> str:
    """The id of a structure named Cabinet, with a host."""
    Home(tmp_path).make()
    store = make_store(Home(tmp_path))
    structure = add_host(store, "poste", "Cabinet").structure
    situations.renew(store, structure, T0)
    store.close()
    return structure


def test_a_group_is_made_filled_shown_and_left(tmp_path: Path, practice: str) -> None:
    (made,) = run(tmp_path, group, "add", "Alpha")
    assert made["group"] == "Alpha"
    run(tmp_path, group, "member", "add", "Alpha", "--structure", "Cabinet")
    assert run(tmp_path, group, "list") == [{"group": "Alpha", "structures": ["Cabinet"]}]
    (shown,) = run(tmp_path, group, "show", "Alpha")
    assert (shown["structure"], shown["hosts"], shown["incidents"]) == ("Cabinet", 1, 0)
    with make_store(Home(tmp_path)).unit(practice, writes=False) as unit:
        assert [e.verb for e in unit.trail(most=2)] == ["see_group", "join"]
    run(tmp_path, group, "member", "remove", "Alpha", "--structure", "Cabinet")
    assert run(tmp_path, group, "show", "Alpha") == []
    with pytest.raises(NothingGrantedError):
        run(tmp_path, group, "member", "remove", "Alpha", "--structure", "Cabinet")


def test_an_insurer_is_made_and_shows_why_it_shows_nothing(tmp_path: Path, practice: str) -> None:
    run(tmp_path, insurer, "add", "Beta")
    (shown,) = run(tmp_path, insurer, "show", "Beta")
    assert (shown["withheld"], shown["structures"], shown["per_cent"]) == ("none_yet", None, {})
    assert run(tmp_path, insurer, "list") == [{"insurer": "Beta", "structures": []}]
    with pytest.raises(NothingGrantedError):
        run(tmp_path, insurer, "withdraw", "Beta", "--structure", "Cabinet")


def test_what_is_no_group_is_not_taken_for_one(tmp_path: Path, practice: str) -> None:
    run(tmp_path, insurer, "add", "Beta")
    with pytest.raises(StructureUnknownError):
        run(tmp_path, group, "show", "Beta")
    with pytest.raises(UsageError, match="already"):
        run(tmp_path, group, "add", "Cabinet")
    with pytest.raises(UsageError, match="already"):
        run(tmp_path, group, "add", "Beta")
    run(tmp_path, group, "add", "Alpha")
    with pytest.raises(UsageError, match="itself"):
        run(tmp_path, group, "member", "add", "Alpha", "--structure", "Beta")
