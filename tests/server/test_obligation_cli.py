"""`releve obligation` and `releve dossier`: what the console does, from a shell."""

import json
from pathlib import Path

import pytest

from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from tests.server.declared import attacked

NAMED = ["--structure", "Cabinet A"]


@pytest.fixture
def place(tmp_path: Path) -> tuple[list[str], str]:
    home = Home(tmp_path / "home")
    home.make()
    store = make_store(home)
    _, incident = attacked(store)
    return ["--home", str(home.path), *NAMED], incident


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_from_the_declaration_to_the_receipt(
    place: tuple[list[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at, incident = place
    words = ["--by", "Dr Martin", "--role", "gérante", "--answer", "personal_data=yes", "--json"]
    assert run(["obligation", "start", *at, incident, *words]) == 0
    assert "cnil-initial" in rows(capsys)[0]["dossiers"]
    assert (
        run(
            [
                "obligation",
                "send",
                *at,
                incident,
                "L1",
                "--by",
                "Anne",
                "--reference",
                "CNIL-1",
                "--partial",
                "--json",
            ]
        )
        == 0
    )
    assert rows(capsys)[0]["state"] == "sent-partial"
    assert (
        run(["obligation", "not-due", *at, incident, "L13", "--by", "Anne", "--reason", "panne"])
        == 0
    )
    capsys.readouterr()
    assert run(["obligation", "list", *at, "--json"]) == 0
    seen = {row["duty"]: row["state"] for row in rows(capsys)}
    assert (seen["L1"], seen["L2"], seen["L13"]) == ("sent-partial", "running", "not-due")
    assert run(["obligation", "list", *at]) == 0
    assert "Compléter la notification" in capsys.readouterr().out
    assert run(["dossier", "make", *at, incident, "--json"]) == 0
    assert {row["version"] for row in rows(capsys)} <= {1, 2}
    out = tmp_path / "cnil.pdf"
    assert (
        run(["dossier", "show", *at, incident, "cnil-initial", "--form", "pdf", "--out", str(out)])
        == 0
    )
    assert out.read_bytes().startswith(b"%PDF")
    assert out.stat().st_mode & 0o777 == 0o600  # it names people, with their numbers
    assert (
        run(
            [
                "dossier",
                "sign",
                *at,
                incident,
                "cnil-initial",
                "--name",
                "Dr Martin",
                "--role",
                "gérante",
                "--json",
            ]
        )
        == 0
    )
    signed = rows(capsys)[0]
    assert len(str(signed["sha256"])) == 64
    paper = tmp_path / "recepisse"
    paper.write_bytes(b"x")
    assert (
        run(
            [
                "dossier",
                "receipt",
                *at,
                incident,
                "cnil-initial",
                str(paper),
                "--reference",
                "N1",
                "--json",
            ]
        )
        == 0
    )
    got = rows(capsys)[0]
    assert (got["receipt"], got["sha256"]) == ("N1", signed["sha256"])
    assert run(["obligation", "register", *at]) == 0
    said = capsys.readouterr().out
    assert "panne" in said
    assert run(["obligation", "register", *at, "--json"]) == 0
    assert rows(capsys)[0]["incident"] == incident


def test_blanks_are_filled_from_a_shell(
    place: tuple[list[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    at, incident = place
    assert run(["obligation", "start", *at, incident, "--by", "Anne"]) == 0
    assert run(["dossier", "make", *at, incident]) == 0
    capsys.readouterr()
    filling = ["dossier", "edit", *at, incident, "cnil-initial"]
    assert run([*filling, "--field", "siren=aucun", "--field", "severity=a = b", "--json"]) == 0
    (edited,) = rows(capsys)
    assert not {"siren", "severity"} & set(edited["blanks"])
    assert run([*filling, "--field", "severity=", "--version", str(edited["version"])]) == 0
    assert "severity" in capsys.readouterr().out
    assert run([*filling, "--field", "siren=x", "--version", str(edited["version"])]) == 47
    assert run([*filling, "--field", "poem=x"]) == run([*filling, "--field", "siren"]) == 2
    capsys.readouterr()
    assert run(["dossier", "show", *at, incident, "cnil-initial"]) == 0
    assert '"aucun"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["obligation", "send", "{at}", "{incident}", "L1", "--by", "A"], 43),
        (["obligation", "start", "{at}", "none", "--by", "A"], 43),
        (["obligation", "start", "{at}", "{incident}", "--by", " "], 45),
        (["obligation", "start", "{at}", "{incident}", "--by", "A", "--aware-at", "hier"], 45),
        (["obligation", "start", "{at}", "{incident}", "--by", "A", "--answer", "risk"], 2),
        (["dossier", "show", "{at}", "{incident}", "cnil-initial"], 46),
        (["dossier", "make", "{at}", "{incident}", "poem"], 46),
        (["dossier", "edit", "{at}", "{incident}", "complaint", "--field", "siret=x"], 46),
        (["dossier", "make", "{at}", "{incident}"], 43),
    ],
)
def test_what_cannot_be_done_says_so_with_its_status(
    place: tuple[list[str], str], words: list[str], status: int
) -> None:
    at, incident = place
    called = [w.format(incident=incident) for w in words if w != "{at}"]
    called[2:2] = at
    assert run(called) == status


def test_a_decision_of_a_clock_that_never_started_or_of_an_old_version(
    place: tuple[list[str], str],
) -> None:
    at, incident = place
    assert run(["obligation", "start", *at, incident, "--by", "A"]) == 0
    assert run(["obligation", "send", *at, incident, "L9", "--by", "A"]) == 44
    signing = ["dossier", "sign", *at, incident, "complaint", "--name", "A", "--role", "B"]
    assert run([*signing, "--version", "1"]) == 0
    assert run([*signing, "--version", "1"]) == 47


def test_the_clocks_of_all_structures_are_listed_worst_first(
    place: tuple[list[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    at, incident = place
    home = at[:2]
    store = make_store(Home(Path(home[1])))
    _, other = attacked(store, "Clinique B")
    store.close()
    words = ["--by", "Dr Martin", "--answer", "personal_data=yes"]
    assert run(["obligation", "start", *at, incident, *words]) == 0
    elsewhere = [*home, "--structure", "Clinique B"]
    assert run(["obligation", "start", *elsewhere, other, *words]) == 0
    assert run(["obligation", "not-due", *at, incident, "L13", "--by", "A", "--reason", "x"]) == 0
    capsys.readouterr()
    assert run(["obligation", "list", *home, "--json"]) == 0
    seen = rows(capsys)
    assert {(row["structure"], row["incident"]) for row in seen} == {
        ("Cabinet A", incident),
        ("Clinique B", other),
    }
    assert (seen[-1]["structure"], seen[-1]["duty"]) == ("Cabinet A", "L13")  # settled: last of all
    assert run(["obligation", "list", *elsewhere, "--json"]) == 0
    assert {row["structure"] for row in rows(capsys)} == {"Clinique B"}
    assert run(["obligation", "list", *home]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(seen)
    assert {line.partition("  ")[0] for line in lines} == {"Cabinet A", "Clinique B"}
    assert run(["obligation", "list", *home, "--structure", "Nulle part"]) == 42
