import json
import re
import subprocess
from pathlib import Path

import pytest

from releve.apps.cli import main
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.flow.server import break_glass, signin
from releve.flow.server.enrol import ensure_structure
from tests.server.world import T0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = Home(tmp_path / "server")
    place.make()
    store = make_store(place)
    owner = ensure_structure(store, "Cabinet", "s1", T0)
    assert signin.create_person(store, owner, "claire", "une phrase assez longue", "p1", T0)
    store.close()
    return place.path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    status = main.run(["server", "break-glass", *words, "--json"])
    said = capsys.readouterr()
    return status, json.loads(said.out or said.err)


def place(home: Path) -> tuple[str, ...]:
    return ("--home", str(home), "--structure", "Cabinet")


def test_a_sheet_is_made_used_listed_and_revoked(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.html"
    status, made = told(capsys, "make", *place(home), "--login", "Claire", "--out", str(out))
    assert status == 0
    assert out.stat().st_mode & 0o777 == 0o600
    codes = re.findall(r"<code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>", out.read_text())
    assert len(codes) == made["codes"] == break_glass.CODES
    assert "claire" not in out.read_text()  # who finds the sheet has half of what it takes
    store = make_store(Home(home))
    keys = signin.try_keys("claire", "10.0.0.1")
    assert break_glass.try_code(store, "claire", codes[2], keys, "10.0.0.1", T0) is not None
    store.close()
    _, listed = told(capsys, "list", *place(home))
    assert (listed["sheet"], listed["left"]) == (made["sheet"], break_glass.CODES - 1)
    assert listed["used"] == [{"at": T0.isoformat(), "from": "10.0.0.1", "seen_by": ""}]
    _, revoked = told(capsys, "revoke", *place(home), str(made["sheet"]))
    assert revoked["revoked"] == break_glass.CODES - 1


def test_a_use_is_said_to_be_known_once_and_by_whom(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(Home(home))
    person = store.person_by_login("claire")
    assert person is not None
    codes = break_glass.new_codes(lambda: b"x" * 32)
    break_glass.keep(store, person, "feed", codes, actor="admin", now=T0)
    keys = signin.try_keys("claire", "10.0.0.1")
    assert break_glass.try_code(store, "claire", codes[0], keys, "10.0.0.1", T0) is not None
    told_of = ("--as", "Dr Martin")
    status, seen = told(capsys, "seen", *place(home), *told_of)
    assert status == 0
    assert seen == {
        "sheet": "feed",
        "login": "claire",
        "at": T0.isoformat(),
        "from": "10.0.0.1",
        "seen_by": "Dr Martin",
    }
    with store.unit(person.structure, writes=False) as unit:
        assert unit.break_glass_unseen() == []
        (line,) = unit.trail_of(("acknowledge_use",), most=9)
    assert (line.actor, line.object) == ("admin", "break_glass/feed")
    assert line.detail == "claire: Dr Martin"
    store.close()
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert main.run(["server", "break-glass", "seen", *place(home), *told_of]) == 0
    assert capsys.readouterr().out == ""  # nothing that was not known
    assert main.run(["server", "break-glass", "seen", *place(home), "--as", " "]) == 2


def test_the_sheet_prints_on_one_page(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.pdf"
    assert told(capsys, "make", *place(home), "--login", "claire", "--out", str(out))[0] == 0
    told_of = subprocess.run(["pdfinfo", out], capture_output=True, check=True).stdout.decode()
    assert re.search(r"Pages: +1\n", told_of)


def test_a_login_and_a_sheet_that_nobody_knows_are_said(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "x.html")
    assert told(capsys, "make", *place(home), "--login", "dora", "--out", out)[0] == 79
    assert not Path(out).exists()
    assert told(capsys, "revoke", *place(home), "0000")[0] == 80
