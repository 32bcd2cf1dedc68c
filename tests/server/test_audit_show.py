"""`releve audit show`: people read what *Santé* says, programs what is kept and signed."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from releve.adapters.sql.engine import sqlite_path
from releve.apps.cli import main
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server import signin
from releve.flow.server.enrol import ensure_structure
from releve.model.webhook import Webhook
from tests.server.world import T0

KEPT = [
    ("claire", "dossier/i1234567890/cnil-initial", "dossier_make", "v1"),
    ("claire", "obligation/i1234567890/L1", "done", "Mme Dupo: CNIL-2026-7"),
    ("claire", "incident/i1234567890", "declare", "Mme Dupo: malicious=yes"),
    ("admin", "webhook/w1", "add", "https://hooks.example.fr/secret/path"),
    ("admin", "break_glass/feed", "acknowledge_use", "claire: Dr Martin"),
    ("person/p1", "structure", "enter", "operator: écran\n\x1b[31mbleu"),
    ("server", "thing/gone", "unheard of", "as it is"),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = Home(tmp_path / "server")
    store = make_store(place)
    owner = ensure_structure(store, "Cabinet", "s1", T0)
    made = signin.create_person(store, owner, "claire", "une phrase assez longue", "p1", T0)
    assert made is not None
    url = "https://hooks.example.fr/secret/path"
    hook = Webhook(id="w1", url=url, made_by="admin", made_at=T0, after=0)
    with store.unit(owner.id) as unit:
        unit.add_webhook(hook, b"k" * 32)
        for line in KEPT:
            unit.record(T0, *line)
    store.close()
    return place.path


def shown(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    command = ["audit", "show", "--home", str(home), "--most", str(len(KEPT)), *words]
    assert main.run(command) == 0
    return capsys.readouterr().out.replace("\xa0", " ").splitlines()[::-1]


def test_a_line_is_a_sentence_of_the_reader(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    dossier, clock, declared, hook, glass, entered, unknown = shown(home, capsys)
    assert dossier.startswith("Cabinet  ")
    assert "  claire  dossier i1234567890 · Notification à la CNIL" in dossier
    assert dossier.endswith("Version 1")
    assert "dossier_make" not in dossier
    assert clock.endswith("  Mme Dupo : CNIL-2026-7")
    assert "malicious" not in declared
    assert declared.endswith(" oui")
    assert "l’administrateur du serveur  adresse prévenue" in hook
    assert "secret" not in hook
    assert glass.endswith("code d’urgence : vu  claire : Dr Martin")
    assert "  compte claire  structure  " in entered
    assert entered.endswith("  Infogérant : écran\\n\\x1b[31mbleu")
    assert unknown.endswith("  le serveur  thing/gone  unheard of  as it is")


def test_in_english_under_an_english_locale(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    lines = shown(home, capsys)
    assert lines[2].endswith(" yes")
    assert "the server’s administrator" in lines[3]
    assert lines[5].endswith("  Managed provider: écran\\n\\x1b[31mbleu")


def test_programs_read_what_is_kept(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in shown(home, capsys, "--json")]
    assert [(r["actor"], r["object"], r["verb"], r["detail"]) for r in rows] == KEPT
    assert {r["structure"] for r in rows} == {"Cabinet"}


@pytest.mark.parametrize(
    "harm", ["DROP TABLE webhook", "UPDATE access_grant SET body = '{' WHERE 1"]
)
def test_the_trail_is_read_where_the_rows_beside_it_cannot_be(
    harm: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    with contextlib.closing(sqlite3.connect(sqlite_path(home))) as other, other:
        other.execute(harm)
    lines = shown(home, capsys)
    assert len(lines) == len(KEPT)
    assert lines[1].endswith("  Mme Dupo : CNIL-2026-7")
    assert "adresse prévenue w1" in lines[3]
