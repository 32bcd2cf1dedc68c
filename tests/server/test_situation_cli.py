"""`releve situation`: the console's order and words, on a real store."""

import json
from pathlib import Path

import pytest

from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server.situations import summed, worst_first
from tests.server.test_incidents import attack
from tests.server.world import T0, add_host


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = Home(tmp_path / "home")
    place.make()
    store = make_store(place)
    add_host(store, "poste", "Bien tranquille")
    add_host(store, "poste", "A\x1b[2J\nB")
    attack(store)
    return tmp_path / "home"


def said(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert run(["situation", "--home", str(home), *words]) == 0
    return capsys.readouterr().out


def test_all_structures_come_worst_first_in_one_object(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads(said(home, capsys, "--json"))
    names = [row["name"] for row in told["structures"]]
    assert names[0] == "Cabinet A"
    assert sorted(names) == ["A\x1b[2J\nB", "Bien tranquille", "Cabinet A"]
    first = told["structures"][0]
    assert (first["mood"], first["incidents"], first["severity"]) == ("down", 1, "critical")
    assert (told["count"], told["hosts"]) == (3, 5)
    assert sum(told["moods"].values()) == 3
    one = json.loads(said(home, capsys, "--json", "--most", "1"))
    assert [row["name"] for row in one["structures"]] == ["Cabinet A"]
    assert one["count"] == 3


def test_the_order_is_the_pages(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(home, capsys, "--json"))
    store, found = make_store(Home(home)), []
    for known in store.structures():
        with store.unit(known.id, writes=False) as unit:
            found.append((known.name, summed(unit, T0)))
    assert [r["name"] for r in told["structures"]] == [r.name for r in worst_first(found, T0)]


def test_people_read_the_pages_words_and_no_name_commands_the_terminal(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(home, capsys).replace("\u00a0", " ")
    lines = text.splitlines()
    assert lines[0].startswith("3 structures · 5 postes · ")
    assert lines[1].startswith("Maintenant  Cabinet A")
    assert any(line.startswith("    Incidents : 1 ouvert · critique · ") for line in lines)
    assert not any(line.endswith(" : —") for line in lines)
    assert "\x1b" not in text
    assert any("A\\x1b[2J\\nB" in line for line in lines)
    assert "<" not in text
