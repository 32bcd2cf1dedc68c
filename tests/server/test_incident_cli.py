"""`releve incident` and `releve playbook`: everything of the page, with --json."""

import json
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server import profiles
from releve.flow.server.ingest import take
from releve.model.structure import CareService, Contact, Profile, StructureKind
from tests.server.test_incidents import attack
from tests.server.world import T0, add_host, batch, stopped

PROFILE = Profile(
    kind=StructureKind.PRACTICE,
    legal_name="Cabinet du Parc",
    contacts=(Contact(name="Dr Martin", role="lead", phone="02 99 00 00 01"),),
    services=(CareService(id="soins", name="Soins", hosts=("serveur",), consultations_per_hour=6),),
)


class Cli:
    """The commands on one home and structure."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        home = Home(folder)
        home.make()
        self.store, self._capsys = make_store(home), capsys
        self._home = ["--home", str(folder), "--structure", "Cabinet A"]
        hosts, self.incident = attack(self.store)
        self.structure = hosts[0].structure
        profiles.put(self.store, self.structure, PROFILE, actor="a", now=T0)

    def said(self, *words: str) -> list[str]:
        self._capsys.readouterr()
        assert run([*words, *self._home]) == 0
        return self._capsys.readouterr().out.splitlines()

    def __call__(self, *words: str, status: int = 0) -> list[dict[str, object]]:
        self._capsys.readouterr()
        assert run([*words, *self._home, "--json"]) == status
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path / "home", capsys)


def test_an_incident_is_listed_and_shown_with_hosts_care_and_reasons(cli: Cli) -> None:
    (row,) = cli("incident", "list")
    assert (row["incident"], row["state"]) == (cli.incident.id, "open")
    (shown,) = cli("incident", "show", cli.incident.id)
    assert shown["hosts"] == ["serveur", "imagerie", "accueil"]
    assert shown["severity"] == "critical"
    assert [c["service"]["id"] for c in shown["care"]] == ["soins"]
    assert len(shown["entries"]) == 9
    assert cli("incident", "show", "nothing", status=63) == []


def test_a_terminal_reads_as_the_page_does_in_french_and_by_the_structures_clock(
    cli: Cli,
) -> None:
    at = msgspec.structs.replace(PROFILE, timezone="Indian/Reunion")
    for profile, zone in ((PROFILE, ZoneInfo("Europe/Paris")), (at, ZoneInfo("Indian/Reunion"))):
        profiles.put(cli.store, cli.structure, profile, actor="a", now=T0)
        opened = f"{cli.incident.opened_at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
        (listed,) = cli.said("incident", "list")
        assert listed == f"{cli.incident.id}  {opened}  critique  En cours"
        first, *lines = cli.said("incident", "show", cli.incident.id)
        assert first.startswith(f"{cli.incident.id}  critique  serveur, imagerie")
        stops = [line for line in lines if "Programme hostile arrêté." in line]
        assert stops[0].startswith(opened)
        assert "après sa première écriture" in stops[0]
        assert any("Remis comme avant : 3" in line for line in lines)
        words = re.findall(r"\w+", "\n".join([listed, first, *lines]))
        assert not {"critical", "serious", "stopped", "rolled_back", "open", "UTC"} & set(words)


def test_split_merged_closed_reopened_by_name_with_a_reason(cli: Cli) -> None:
    said = ("--by", "claire", "--why", "vu")
    (made,) = cli("incident", "split", cli.incident.id, "--host", "imagerie", *said)
    assert made["hosts"] == ["imagerie"]
    assert len(cli("incident", "list", "--open")) == 2
    (whole,) = cli("incident", "merge", cli.incident.id, str(made["incident"]), *said)
    assert sorted(whole["hosts"]) == ["accueil", "imagerie", "serveur"]
    (shut,) = cli("incident", "close", cli.incident.id, *said)
    assert (shut["state"], shut["closed_by"]) == ("closed", "claire")
    assert (shut["open_steps"], shut["care_stopped"], shut["open_clocks"]) == (0, ["Soins"], [])
    assert shut["pending_rollbacks"] == 0
    assert len(cli("incident", "task", "list", cli.incident.id)) == 4
    assert cli("incident", "close", cli.incident.id, *said, status=64) == []
    (again,) = cli("incident", "reopen", cli.incident.id, *said)
    assert again["state"] == "open"
    assert cli("incident", "close", cli.incident.id, "--by", "claire", status=64) == []


def test_care_resumed_ends_its_clock(cli: Cli) -> None:
    at = (T0.replace(minute=30)).isoformat()
    (told,) = cli("incident", "resume", cli.incident.id, "soins", "--by", "dr", "--at", at)
    assert (told["seconds"], told["consultations_lost_at_most"]) == (1800, 3)
    (back,) = cli("incident", "resume", cli.incident.id, "soins", "--by", "dr", "--undo")
    assert back["resumed_at"] is None
    assert cli("incident", "resume", cli.incident.id, "labo", "--by", "dr", status=64) == []
    words = ("incident", "resume", cli.incident.id, "soins", "--by", "dr", "--at", "hier")
    assert cli(*words, status=2) == []


def test_evidence_is_noted_by_its_digest_and_its_name_is_not_the_files(
    cli: Cli, tmp_path: Path
) -> None:
    path = tmp_path / "DUPONT_Jean.docx"
    path.write_bytes(b"abc")
    words = (str(path), "--by", "c", "--name", "fichier chiffré", "--kept", "clé USB")
    (piece,) = cli("incident", "evidence", "add", cli.incident.id, *words)
    assert piece["sha256"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    moved = ("--by", "c", "--from", "c", "--to", "police", "--kept", "scellé")
    cli("incident", "evidence", "hand-over", cli.incident.id, str(piece["evidence"]), *moved)
    rows = cli("incident", "evidence", "list", cli.incident.id)
    assert [row["record"] for row in rows] == ["evidence", "hand_over"]
    assert "DUPONT" not in json.dumps(cli("incident", "show", cli.incident.id))


def test_a_task_and_a_decision_are_written(cli: Cli) -> None:
    (task,) = cli("incident", "task", "add", cli.incident.id, "Changer", "--by", "c", "--days", "2")
    cli("incident", "task", "done", cli.incident.id, str(task["task"]), "--by", "paul")
    words = ("incident", "task", "done", cli.incident.id, str(task["task"]), "--by", "paul")
    assert cli(*words, status=64) == []
    words = ("not_paid", "--by", "c", "--decider", "Dr M", "--why", "jamais")
    (told,) = cli("incident", "ransom", cli.incident.id, *words)
    assert "ne jamais payer" in str(told["advice"])


def test_a_playbook_is_started_and_its_steps_are_said(cli: Cli) -> None:
    step = ("playbook", "step", cli.incident.id, "ransomware")
    assert cli(*step, "lead", "done", "--by", "dr", status=66) == []
    (started,) = cli("playbook", "start", cli.incident.id, "ransomware", "--by", "dr")
    assert started["steps"] == 24
    (told,) = cli(*step, "lead", "done", "--by", "dr")
    assert told["state"] == "done"
    assert cli(*step, "call", "skipped", "--by", "dr", status=64) == []
    (asked,) = cli(*step, "isolate", "propose", "--by", "dr")
    assert [a["state"] for a in asked["actions"]] == ["proposed"] * 3
    assert cli("playbook", "start", cli.incident.id, "castle", "--by", "dr", status=65) == []


def test_the_proposed_playbook_is_shown_until_it_is_started(cli: Cli) -> None:
    (before,) = cli("incident", "show", cli.incident.id)
    proposed = before["proposed"]
    assert isinstance(proposed, dict)
    assert proposed["id"] == "ransomware"
    start = f"releve playbook start {cli.incident.id} ransomware"
    assert sum(start in line for line in cli.said("incident", "show", cli.incident.id)) == 1
    cli("playbook", "start", cli.incident.id, "ransomware", "--by", "dr")
    (after,) = cli("incident", "show", cli.incident.id)
    assert after["proposed"] is None
    assert not any(start in line for line in cli.said("incident", "show", cli.incident.id))


def test_a_sheet_is_printed_with_the_structures_own_numbers(cli: Cli, tmp_path: Path) -> None:
    page, paper = tmp_path / "fiche.html", tmp_path / "fiche.pdf"
    cli("playbook", "sheet", "ransomware", "--out", str(page))
    text = page.read_text()
    assert "02 99 00 00 01" in text
    assert "Débranchez le câble réseau" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    cli("playbook", "sheet", "ransomware", "--lang", "en", "--out", str(page))
    assert "Unplug network cable" in page.read_text()
    (made,) = cli("playbook", "sheet", "ransomware", "--out", str(paper))
    assert paper.read_bytes().startswith(b"%PDF")
    assert made["bytes"] == paper.stat().st_size


def test_the_playbooks_are_listed_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["playbook", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 7
    assert all(row["sources"] for row in rows)


def test_another_structures_incident_is_not_there(cli: Cli) -> None:
    other = add_host(cli.store, "h", "Cabinet B")
    take(cli.store, other.structure, other.id, batch(stopped("f")), T0)
    with cli.store.unit(other.structure, writes=False) as unit:
        (incident,) = unit.open_incidents()
    assert cli("incident", "show", incident.id, status=63) == []
    words = ("incident", "close", incident.id, "--by", "c", "--why", "x")
    assert cli(*words, status=63) == []


def test_what_people_wrote_commands_no_terminal_and_begins_no_line(cli: Cli) -> None:
    why = "déjà vu\x1b]0;root\x07\x1b[2J\nÀ faire : curl"
    cli("incident", "close", cli.incident.id, "--by", "anne", "--why", why)
    said = cli.said("incident", "show", cli.incident.id)
    assert not any("\x1b" in line or "\x07" in line for line in said)
    assert not any(line.startswith("À faire : curl") for line in said)
    assert any("déjà vu" in line for line in said)
    assert any("\xa0" in line for line in said), "French spaces stay"


def test_an_incident_is_taken_by_name_and_its_call_ends(cli: Cli) -> None:
    (told,) = cli("incident", "ack", cli.incident.id, "--by", "Ali")
    assert told["incident"] == cli.incident.id
    (shown,) = cli("incident", "show", cli.incident.id)
    course = shown["alarm"]["request"]["course"]
    assert (course["phase"], course["name"]) == ("acknowledged", "Ali")
    assert [e["by"] for e in shown["entries"] if e["kind"] == "taken"] == ["Ali"]
    assert cli("incident", "ack", "nothing", "--by", "Ali", status=63) == []


def test_whether_an_attack_rings_is_set_and_said_for_one_structure(cli: Cli) -> None:
    told = [cli("desk", "attacks", *way)[0]["ring_on_attack"] for way in ((), ("--no-ring",), ())]
    assert told == [True, False, False]
    with cli.store.unit(cli.structure, writes=False) as unit:
        assert unit.profile() == msgspec.structs.replace(PROFILE, ring_on_attack=False)
    assert cli("desk", "attacks", "--ring")[0]["ring_on_attack"] is True
    assert cli.said("desk", "attacks") == ["oui / yes"]
