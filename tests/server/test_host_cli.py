"""`releve host`: what the console's cards show and ask, on a real store."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.envelope import open_order
from releve.flow.server import actions
from releve.flow.server.ingest import pending_orders, take
from releve.model import event as ev
from releve.model.order import AnyTask, Isolate, RestoreFile, StopFamily, ThawFamily
from tests.server.world import T0, EnrolledHost, add_host, batch, stopped

YEAR = dt.timedelta(days=365)
FOLDER = ev.FolderFacts(
    folder="k1:a", label="1", mode="copy", attribution="exact", room_bytes=10**9, files=200,
    held_bytes=10**8, can=("Annuler.",), cannot=("Nommer l’auteur.",),
)  # fmt: skip
TOLD = (
    ev.GuardReady(seen_at=T0, folders=(FOLDER,), enforce=True),
    ev.BackupRan(seen_at=T0, ok=True, ms=900),
    ev.BackupRan(seen_at=T0, ok=False, ms=900, status=85),
    ev.DrillRan(seen_at=T0, ok=True, drill="d1", all_local_s=90, rpo_s=3600),
    ev.PaperKeyTold(seen_at=T0, made_at=T0),
    ev.HostIsolated(seen_at=T0, since=T0, until=T0 + YEAR, by="dr"),
)


class Cli:
    """The commands on one home, with a host that carries care and two that do not."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = Home(folder)
        self.home.make()
        self.store: SqlStore = make_store(self.home)
        self._capsys = capsys
        self._home = ["--home", str(folder), "--structure", "Cabinet A"]
        self.care = add_host(self.store, "serveur")
        self.desk = add_host(self.store, "accueil", care=False)
        self.office = add_host(self.store, "bureau", care=False)

    def tell(self, host: EnrolledHost, *events: ev.AnyEvent, spool: str = "sp") -> None:
        take(self.store, host.structure, host.id, batch(*events, spool=spool), T0)

    def said(self, *words: str, status: int = 0) -> str:
        self._capsys.readouterr()
        assert run([*words, *self._home]) == status
        told = self._capsys.readouterr()
        return (told.err if status else told.out).replace("\u00a0", " ")

    def __call__(self, *words: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.said(*words, "--json"))
        return told

    def states(self) -> dict[str, str]:
        return {a["name"]: a["state"] for a in self("host", "order", "list")["actions"]}

    def trail(self) -> list[tuple[str, str, str]]:
        with self.store.unit(self.care.structure, writes=False) as unit:
            return [(e.actor, e.object, e.verb) for e in unit.trail(most=100)]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path / "home", capsys)


def test_all_hosts_are_listed_with_what_their_cards_begin_with(cli: Cli) -> None:
    cli.tell(cli.care, *TOLD)
    told = cli("host", "list")["hosts"]
    assert [(h["name"], h["care"]) for h in told] == [
        ("accueil", "none"), ("bureau", "none"), ("serveur", "presumed"),
    ]  # fmt: skip
    text = cli.said("host", "list").splitlines()
    assert [line for line in text if "serveur" in line and "Isolé du réseau" in line]
    assert [line for line in text if "accueil" in line and "Jamais répondu" in line]


def test_one_host_is_shown_by_name_or_id_as_its_card_says(cli: Cli) -> None:
    cli.tell(cli.care, *TOLD)
    told = cli("host", "show", "serveur")
    assert told == cli("host", "show", cli.care.id)
    assert told["isolation"]["by"] == "dr"
    assert told["state"]["backup"]["ok"] is False
    assert told["state"]["folders"][0]["facts"]["files"] == 200
    text = cli.said("host", "show", "serveur")
    for words in (
        "Isolé du réseau depuis le 22 nov. 2026 02:00, par dr.",
        "Sauvegarde : 22 nov. 2026 02:00, dernier essai échoué",
        "Essai de restauration : 22 nov. 2026 02:00 (tout revenu en 1 min",
        "Feuille de clé : jamais essayée",
        "Dossier 1  copies  auteur sûr : ",
        "200 fichiers",
        "+ Annuler.",
        "- Nommer l’auteur.",
        "l’isolement est une proposition",
    ):
        assert words in text


def test_a_host_that_is_not_there_is_refused_in_words(cli: Cli) -> None:
    assert "la structure n'a pas ce poste" in cli.said("host", "show", "nulle", status=63)


def test_a_hosts_name_commands_no_terminal(cli: Cli) -> None:
    add_host(cli.store, "a\x1b[2Jb\nc")
    for words in (("host", "list"), ("host", "show", "a\x1b[2Jb\nc")):
        text = cli.said(*words)
        assert "\x1b" not in text
        assert "a\\x1b[2Jb\\nc" in text


def test_one_host_without_care_is_cut_at_once_by_a_signed_order_in_the_trail(cli: Cli) -> None:
    (made,) = cli("host", "order", "isolate", "accueil", "--by", "claire", "--why", "attaque")[
        "actions"
    ]
    assert (made["state"], made["decided_by"], made["why"]) == ("sent", "claire", "attaque")
    with cli.store.unit(cli.desk.structure, writes=False) as unit:
        (sealed,) = pending_orders(unit, cli.desk.id, SystemClock().now())
    order = open_order(cli.home.public_key(), sealed)
    assert order is not None, "the host trusts this server's key"
    assert (order.id, order.host, order.actor) == (made["action"], cli.desk.id, "claire")
    assert order.task == Isolate()
    assert ("claire", f"host/{cli.desk.id}", "isolate") in cli.trail()


def test_a_host_that_carries_care_waits_for_a_named_person(cli: Cli) -> None:
    text = cli.said("host", "order", "isolate", "serveur", "--by", "claire")
    assert "Isoler  serveur  à décider  Proposé par claire." in text
    (waiting,) = cli("host", "order", "list")["actions"]
    (sent,) = cli("host", "order", "approve", waiting["action"], "--by", "Dr Martin")["actions"]
    assert (sent["state"], sent["decided_by"]) == ("sent", "Dr Martin")
    assert ("Dr Martin", f"host/{cli.care.id}", "isolate") in cli.trail()
    again = cli.said("host", "order", "approve", waiting["action"], "--by", "x", status=64)
    assert "n'attend pas de décision" in again


def test_several_hosts_wait_for_two_different_people(cli: Cli) -> None:
    made = cli("host", "order", "isolate", "accueil", "bureau", "--by", "claire")["actions"]
    assert [(a["state"], a["people"]) for a in made] == [("proposed", 2)] * 2
    first = made[0]["action"]
    for _ in range(2):
        (agreed,) = cli("host", "order", "approve", first, "--by", "claire")["actions"]
        assert (agreed["state"], agreed["agreed_by"]) == ("proposed", ["claire"])
    assert "D’accord : claire." in cli.said("host", "order", "list")
    (sent,) = cli("host", "order", "approve", first, "--by", "paul")["actions"]
    assert (sent["state"], sent["decided_by"]) == ("sent", "claire, paul")
    assert cli.states()[made[1]["name"]] == "proposed"


def test_hosts_cut_one_after_the_other_are_several(cli: Cli) -> None:
    (first,) = cli("host", "order", "isolate", "accueil", "--by", "claire")["actions"]
    (second,) = cli("host", "order", "isolate", "bureau", "--by", "claire")["actions"]
    assert (first["state"], second["state"], second["people"]) == ("sent", "proposed", 2)
    (back,) = cli("host", "order", "release", "accueil", "--by", "claire")["actions"]
    assert back["state"] == "sent", "coming back to care waits for nobody"


def test_a_refusal_says_why_and_ends_it(cli: Cli) -> None:
    (made,) = cli("host", "order", "isolate", "serveur", "--by", "claire")["actions"]
    said = ("host", "order", "refuse", made["action"], "--by", "Dr Martin", "--why", "il soigne")
    (refused,) = cli(*said)["actions"]
    assert (refused["state"], refused["refused_why"]) == ("refused", "il soigne")
    assert ("Dr Martin", f"action/{made['action']}", "refuse") in cli.trail()
    assert "refusé" in cli.said("host", "order", "list")
    cli.said(*said, status=64)


def test_a_proposal_whose_time_is_over_is_approved_no_more(cli: Cli) -> None:
    then = SystemClock().now() - dt.timedelta(minutes=16)
    with cli.store.unit(cli.care.structure) as unit:
        actions.propose(unit, cli.care.id, Isolate(), actor="claire", identity="old", now=then)
    assert cli.states() == {"serveur": "expired"}
    cli.said("host", "order", "approve", "old", "--by", "Dr Martin", status=64)
    with cli.store.unit(cli.care.structure, writes=False) as unit:
        record = unit.action("old")
    assert record is not None
    assert (record.action.state, record.signed) == ("expired", None)


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (("stop", "accueil", "f1", "--frozen"), StopFamily(family="f1", is_frozen=True)),
        (("thaw", "accueil", "f1"), ThawFamily(family="f1")),
        (
            ("restore", "accueil", "k1:9f2c", "--as-of", "2026-11-22T01:00:00+00:00"),
            RestoreFile(token="k1:9f2c", as_of=T0),
        ),
    ],
)
def test_programs_and_files_are_asked_of_one_host(
    cli: Cli, words: tuple[str, ...], task: AnyTask
) -> None:
    (made,) = cli("host", "order", *words, "--by", "claire")["actions"]
    with cli.store.unit(cli.desk.structure, writes=False) as unit:
        record = unit.action(made["action"])
    assert record is not None
    assert (record.action.task, record.action.state) == (task, "sent")


@pytest.mark.parametrize(
    "words",
    [
        ("isolate", "accueil", "--by", "  "),
        ("isolate", "accueil"),
        ("restore", "accueil", "k1:a", "--as-of", "hier", "--by", "claire"),
    ],
)
def test_an_order_of_nobody_or_of_no_time_is_refused(cli: Cli, words: tuple[str, ...]) -> None:
    cli.said("host", "order", *words, status=2)
    assert cli.states() == {}


def test_of_several_hosts_one_that_is_not_there_asks_nothing_of_any(cli: Cli) -> None:
    cli.said("host", "order", "isolate", "accueil", "nulle", "--by", "claire", status=63)
    assert cli.states() == {}


def test_what_watch_mode_would_have_stopped_is_read_and_reviewed_by_name(cli: Cli) -> None:
    cli.tell(cli.desk, stopped("f1", T0, "would_stop"), stopped("f2", T0, "would_stop"))
    told = cli("host", "would-stop")
    assert [(f["family"], f["name"]) for f in told["findings"]] == [
        ("f2", "accueil"),
        ("f1", "accueil"),
    ]
    line = cli.said("host", "would-stop").splitlines()[0]
    assert line == (
        "22 nov. 2026 02:00  gpg · accueil  3 fichiers vus touchés à cet instant."
        "  Contenu illisible."
    )
    cli.said("host", "would-stop", "--seen", status=2)
    assert len(cli("host", "would-stop")["findings"]) == 2
    assert cli("host", "would-stop", "--seen", "--by", "claire")["reviewed"] == 2
    assert ("claire", "findings/would_stop", "review") in cli.trail()
    assert cli("host", "would-stop") == {"findings": [], "reviewed": 0}
