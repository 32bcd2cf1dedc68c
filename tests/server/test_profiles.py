"""What a structure says of itself is checked before it is kept, and said in its trail."""

import datetime as dt
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from releve.adapters.sql.store import SqlStore
from releve.apps.cli.main import run
from releve.apps.server.structure_cli import (
    ProfileFileError,
    StructureUnknownError,
    read_profile,
    template,
)
from releve.flow.server import profiles
from releve.flow.server.enrol import ensure_structure
from releve.model.errors import UsageError
from releve.model.structure import CareService, Profile, StructureKind

NOW = dt.datetime(2026, 11, 22, 3, 0, tzinfo=dt.UTC)
PRACTICE = Profile(kind=StructureKind.PRACTICE, legal_name="Cabinet du Parc")


def test_the_template_is_a_profile_that_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "cabinet.toml"
    path.write_text(CliRunner().invoke(template).output)
    profile = read_profile(path)
    assert profile.services[0].data_sets == (profile.data_map[0].name,)
    lead = profile.contact("lead")
    assert lead is not None
    assert lead.phone
    assert profile.contact("dpo") is None


def test_a_profile_is_kept_and_told_in_the_trail(store: SqlStore) -> None:
    owner = ensure_structure(store, "Cabinet du Parc", "s1", NOW)
    other = ensure_structure(store, "Autre", "s2", NOW)
    profiles.put(store, owner.id, PRACTICE, actor="admin", now=NOW)
    with store.unit(owner.id) as unit:
        assert unit.profile() == PRACTICE
        assert [entry.verb for entry in unit.trail()] == ["set_profile"]
    with store.unit(other.id) as unit:
        assert unit.profile() is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"timezone": "Europe/Lutece"}, "no such time zone"),
        ({"services": (CareService(id="Soins", name="Soins"),)}, "not of a-z"),
        ({"services": (CareService(id="a", name="A"), CareService(id="a", name="B"))}, "twice"),
        ({"services": (CareService(id="a", name="A", data_sets=("x",)),)}, "no such data set: x"),
    ],
)
def test_what_contradicts_itself_is_refused_in_words(
    store: SqlStore, changed: dict[str, object], why: str
) -> None:
    owner = ensure_structure(store, "Cabinet du Parc", "s1", NOW)
    wrong = msgspec.structs.replace(PRACTICE, **changed)
    with pytest.raises(profiles.ProfileError, match=why):
        profiles.put(store, owner.id, wrong, actor="admin", now=NOW)
    with store.unit(owner.id) as unit:
        assert unit.profile() is None


@pytest.mark.parametrize("text", ["kind = 'castle'\nlegal_name = 'X'", "kind = ", "no_such = 1"])
def test_a_file_that_is_no_profile_is_refused_with_the_remedy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ProfileFileError) as told:
        read_profile(path)
    assert "template" in told.value.remedy


def test_the_command_sets_shows_and_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    home, path = str(tmp_path / "home"), tmp_path / "cabinet.toml"
    path.write_text(CliRunner().invoke(template).output)
    named = ["--home", home, "Cabinet du Parc"]
    assert run(["server", "token", "create", "--home", home, "--structure", "Cabinet du Parc"]) == 0
    assert run(["structure", "show", *named]) == 42
    assert run(["structure", "set", *named, str(path), "--json"]) == 0
    capsys.readouterr()
    assert run(["structure", "show", *named]) == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=Profile) == read_profile(path)
    assert run(["structure", "list", "--home", home]) == 0
    assert capsys.readouterr().out == "Cabinet du Parc  Cabinet\n"


def test_a_new_name_makes_a_structure_and_a_wrong_one_says_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, path = ["--home", str(tmp_path / "home")], tmp_path / "cabinet.toml"
    path.write_text(CliRunner().invoke(template).output)
    create = ["server", "token", "create", *home, "--json", "--structure"]
    made = []
    for name in ("Cabinet", "Cabinet", "Autre"):
        assert run([*create, name]) == 0
        told = capsys.readouterr()
        made.append(json.loads(told.out)["new_structure"])
        assert (f"Nouvelle structure / new structure : {name}" in told.err) is made[-1]
    assert made == [True, False, True]
    assert run(["structure", "set", *home, "Cabinett", str(path)]) == StructureUnknownError.status
    for way in ("releve structure list", "releve server token create", "releve onboard"):
        assert way in StructureUnknownError.remedy


CASTLE = "kind = 'castle'\nlegal_name = 'X'"
KINDS = "'castle' is not one of practice, health_centre, pharmacy, laboratory"
WRITTEN = (
    ("structure set Cabinet", CASTLE, f"kind: {KINDS}"),
    ("structure set Cabinet", "kind = 'clinic'", "legal_name is missing"),
    (
        "structure set Cabinet",
        f"{CASTLE}\nfoo = 1".replace("castle", "clinic"),
        "foo is not a word",
    ),
    ("structure set Cabinet", "kind = ", "it is no TOML: "),
    (
        "structure set Cabinet",
        "kind = 'clinic'\nlegal_name = 'X'\n[[data_map]]\nname = 'a'\npersons = {patients = 'two'}",
        "data_map no. 1, persons: a whole number is wanted, not a text in quotes",
    ),
    (
        "desk rota set --structure Cabinet",
        "people = 1\nshifts = []",
        "people: a list in [ ] is wanted, not a whole number",
    ),
    (
        "onboard",
        f"url = 'x'\n[[structures]]\nname = 'A'\n[structures.profile]\n{CASTLE}",
        f"structures no. 1, profile.kind: {KINDS}",
    ),
)


@pytest.mark.parametrize(("words", "text", "said"), WRITTEN)
def test_a_written_file_is_refused_in_plain_words(
    words: str, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, path = ["--home", str(tmp_path / "home")], tmp_path / "wrong.toml"
    assert run(["server", "token", "create", *home, "--structure", "Cabinet"]) == 0
    path.write_text(text)
    assert run([*words.split(), *home, str(path)]) in (41, 56, 73)
    told = capsys.readouterr().err
    assert f"{path} cannot be used: {said}" in told
    assert "$" not in told


@pytest.mark.parametrize("words", sorted({words for words, _, _ in WRITTEN}))
def test_a_file_that_is_not_there_is_named_as_such(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert run(["server", "token", "create", *home, "--structure", "Cabinet"]) == 0
    assert run([*words.split(), *home, "nofile.toml"]) == UsageError.status
    told = capsys.readouterr().err
    assert "nofile.toml cannot be read: there is no such file" in told
    assert "Name a file that is there" in told
    assert "template > FILE" in told
