"""What commands found or did, as people read it: no key of the JSON stands bare."""

import json
import re
from pathlib import Path

import pytest

from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.apps.server.told_facts import NAMES, told
from tests.server.declared import attacked

PRACTICE = 'kind = "practice"\nlegal_name = "Cabinet du Parc"\n'
ROTA = """[[people]]
id = "ali"
name = "Ali"
channels = [{ name = "web", url = "json://127.0.0.1:9/ali" }]
[[shifts]]
person = "ali"
"""


class Cli:
    """The commands on one home, in both languages."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.folder, self._capsys, self._patch = folder, capsys, patch
        store = make_store(Home(folder / "home"))
        _, self.incident = attacked(store)
        store.close()

    def __call__(self, *words: str, english: bool = False) -> str:
        self._patch.setenv("LC_ALL", "en_GB.UTF-8" if english else "fr_FR.UTF-8")
        self._capsys.readouterr()
        assert run([*words, "--home", str(self.folder / "home")]) == 0
        return self._capsys.readouterr().out.replace("\xa0", " ")

    def both(self, *words: str) -> tuple[list[str], list[str], dict[str, object]]:
        """French and English lines, and the JSON's facts."""
        french, english = self(*words), self(*words, english=True)
        facts = json.loads(self(*words, "--json"))
        return french.splitlines(), english.splitlines(), facts


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, capsys, monkeypatch)


def file(cli: Cli, name: str, text: str) -> str:
    path = cli.folder / name
    path.write_text(text)
    return str(path)


def test_what_a_structure_says_of_itself(cli: Cli) -> None:
    path = file(cli, "cabinet.toml", PRACTICE)
    french, english, facts = cli.both("structure", "set", "Cabinet A", path)
    assert french == [
        "structure : Cabinet A",
        "nature : Cabinet",
        "contacts : 0",
        "activités de soins : 0",
        "jeux de données : 0",
        "une attaque appelle l’astreinte : oui",
    ]
    assert english[-1] == "an attack rings who is on call: yes"
    assert list(facts) == [
        "structure", "kind", "contacts", "services", "data_sets", "ring_on_attack",
    ]  # fmt: skip
    assert facts["kind"] == "practice"


def test_a_rota(cli: Cli) -> None:
    path = file(cli, "rota.toml", ROTA)
    french, english, facts = cli.both("desk", "rota", "set", path, "--structure", "Cabinet A")
    assert french == [
        "structure : Cabinet A",
        "personnes : 1",
        "tours d’astreinte : 1",
        "trous dans les 14 jours : 0",
    ]
    assert english[-1] == "holes in the next 14 days: 0"
    assert facts["holes_14_days"] == 0


def test_a_group(cli: Cli) -> None:
    assert re.fullmatch(r"groupe : Alpha  identifiant : \w+\n", cli("group", "add", "Alpha"))
    words = ("group", "member", "add", "Alpha", "--structure", "Cabinet A")
    assert cli(*words) == "groupe : Alpha  structure : Cabinet A  en fait partie : oui\n"
    assert cli(*words, english=True) == "group: Alpha  structure: Cabinet A  part of it: yes\n"
    shown = cli("group", "show", "Alpha")
    assert "dernière sauvegarde : —" in shown
    cli("insurer", "add", "Beta")
    assert "rien n’est montré : pas encore de chiffres" in cli("insurer", "show", "Beta")


def test_a_printed_playbook_and_a_closed_incident(cli: Cli) -> None:
    out, named = str(cli.folder / "fiche.html"), ("--structure", "Cabinet A")
    french, english, facts = cli.both("playbook", "sheet", "ransomware", "--out", out, *named)
    assert french[0] == f"fiche imprimable : {out}"
    assert re.fullmatch(r"taille : \d+ ko", french[1])
    assert re.fullmatch(r"size: \d+ kB", english[1])
    assert facts["bytes"] == Path(out).stat().st_size
    said = ("--by", "Dr Martin", "--why", "tout est revenu")
    lines = cli("incident", "close", cli.incident, *said, *named).splitlines()
    assert f"incident : {cli.incident}" in lines
    assert "état : clos" in lines
    assert "clos par : Dr Martin" in lines
    assert any(re.fullmatch(r"ouvert : \d+ \S+ \d{4} \d\d:\d\d", line) for line in lines)


def test_every_fact_has_its_name_and_none_begins_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for language, place in (("fr_FR.UTF-8", 0), ("en_GB.UTF-8", 1)):
        monkeypatch.setenv("LC_ALL", language)
        for key, names in NAMES.items():
            (line,) = told({key: None})
            assert line.replace("\xa0", " ").rstrip("—").rstrip(": ") == names[place], key
    (line,) = told({"closed_by": "A\nétat : ouvert"})
    assert "\n" not in line
