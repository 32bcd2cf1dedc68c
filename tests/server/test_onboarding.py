"""Structures taken in from one file: once, again, and after a kill; on both databases."""

import itertools
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from releve.adapters.sql.store import SqlStore
from releve.apps.cli.main import cli, run
from releve.apps.server.home import Home
from releve.apps.server.onboarding import OnboardTakenError, Plan, Reception, Taken
from releve.apps.server.opening import make_store
from releve.flow.envelope import read_token
from releve.flow.server.enrol import enrol
from releve.flow.server.signin import check_password
from releve.flow.server.vaults import who
from releve.flow.wire import EnrolRequest
from tests.server.test_structures_apart import dump
from tests.server.world import T0

VAULT = '\nvault_name = "coffre"\nvault_key = "' + "ab" * 32 + '"\n'
_names = itertools.count(1)


def plan_text(capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["onboard", "template"]) == 0
    return capsys.readouterr().out.replace('login = "camille"', 'login = "camille"' + VAULT)


def take(store: SqlStore, home: Home, text: str, out: Path) -> tuple[Taken, list[str]]:
    plan, told = msgspec.toml.decode(text, type=Plan), []
    return Reception(store, home, plan.url, out, told.append).take(plan.structures[0], T0), told


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "home")
    place.make()
    return place


def test_everything_works_that_was_made(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken, told = take(store, home, plan_text(capsys), tmp_path / "out")
    assert taken.kept == ()
    assert len(told) == len(taken.new) == 8
    (owner,) = store.structures()
    with store.unit(owner.id, writes=False) as unit:
        assert unit.profile().legal_name == "Cabinet du Parc"
        assert [p.name for p in unit.rota().people] == ["Ali Benali"]
    folder = Path(taken.folder)
    secrets = [p for p in folder.iterdir() if p.is_file()]
    assert len(secrets) == 4
    assert {stat.S_IMODE(p.stat().st_mode) for p in secrets} == {0o600}
    password = next(folder.glob("mot-de-passe-*")).read_text().strip()
    assert check_password(store, "camille", password) is not None
    token = next(folder.glob("coffre-*.token")).read_text().strip()
    assert who(store, token).structure == owner.id
    words = next(folder.glob("installer-accueil-*.sh")).read_text()
    known = read_token(re.search(r"--token (\S+)", words)[1])
    assert known.server_key == home.public_key()
    request = EnrolRequest(
        secret=known.secret, public_key=b"k" * 32, name="accueil", carries_care=True
    )
    assert enrol(store, request, "host1", T0) is not None
    sheets = {p.suffix for p in (folder / "fiches").iterdir()}
    assert sheets == {".html", ".pdf"}
    for printed in (folder / "fiches").glob("*.html"):
        page = printed.read_text()
        assert "02 99 00 00 01" in page
        assert "17cyber.gouv.fr" in page
        assert "09 72 43 91 25 (numéro non vérifié)" in page
    _every_step_can_be_typed(taken.by_hand)


COMMANDS = ("vault init", "vault credential add", "backup setup", "backup run", "drill run",
            "key sheet", "agent run")  # fmt: skip


def _every_step_can_be_typed(lines: tuple[str, ...]) -> None:
    """Commands with their options, in an order in which they work; a host has one name everywhere."""
    said = " ; ".join(lines)
    places = [said.index(f"releve {command}") for command in COMMANDS]
    assert places == sorted(places)
    for command, begin, end in zip(COMMANDS, places, [*places[1:], len(said)], strict=True):
        words = re.sub("'.*?'", "", said[begin:end].split(" (")[0].split(" ; ")[0])
        page = CliRunner().invoke(cli, [*command.split(), "--help"]).output
        assert all(option in page for option in re.findall("--[a-z-]+", words)), words
    assert "add serveur-cabinet --structure cabinet-du-parc --host serveur-cabinet" in said
    assert "/cabinet-du-parc/MACHINE/2026-11/" in said


def test_again_nothing_is_doubled_and_what_is_new_is_said(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan_text(capsys)
    take(store, home, text, tmp_path)
    (owner,) = store.structures()
    before = dump(store, owner.id)
    files = {
        p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "home" not in p.parts
    }
    again, _ = take(store, home, text, tmp_path)
    assert again.new == ()
    assert dump(store, owner.id) == before
    assert {p: p.read_bytes() for p in files} == files
    more, _ = take(store, home, text.replace('"accueil"]', '"accueil", "radio"]'), tmp_path)
    assert more.new == ("host/radio",)


def test_a_login_of_another_structure_is_not_taken_over(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan_text(capsys)
    take(store, home, text, tmp_path)
    with pytest.raises(OnboardTakenError):
        take(
            store,
            home,
            text.replace('name = "Cabinet du Parc"\nhosts', 'name = "B"\nhosts'),
            tmp_path,
        )


@pytest.mark.parametrize("files", [1, 2, 3, 4, 6])
def test_killed_and_run_again_it_is_whole_and_single(
    home: Home, tmp_path: Path, files: int, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, out = tmp_path / "clients.toml", tmp_path / "out"
    plan.write_text(plan_text(capsys))
    words = ["onboard", str(plan), "--out", str(out), "--home", str(home.path), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "releve.apps.cli.main", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    until = time.monotonic() + 60
    while len([p for p in out.rglob("*") if p.is_file()]) < files and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run([*words, "--minutes", "25"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["structures"]
    assert {*told["new"], *told["kept"]} >= {"structure", "host/accueil", "vault/coffre"}
    store = make_store(home)
    (owner,) = store.structures()
    with store.unit(owner.id, writes=False) as unit:
        assert [len(unit.vaults()), len(unit.people())] == [1, 1]
        assert "25 min" in unit.trail(most=1)[0].detail
        tokens = unit._connection.exec_driver_sql("SELECT count(*) FROM token").scalar_one()
    assert tokens == 2
    (folder,) = out.iterdir()
    password = next(folder.glob("mot-de-passe-*.txt")).read_text().strip()
    assert check_password(store, "camille", password) is not None
    assert who(store, next(folder.glob("coffre-*.token")).read_text().strip()) is not None
    for file in folder.glob("installer-*.sh"):
        secret = read_token(re.search(r"--token (\S+)", file.read_text())[1]).secret
        request = EnrolRequest(secret=secret, public_key=b"k" * 32, name="h", carries_care=True)
        assert enrol(store, request, f"host{next(_names)}", owner.created_at) is not None
    store.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kind = "practice"', 'kind = "ship"'),
        ('timezone = "Europe/Paris"', 'timezone = "Mars"'),
        ("ntfys://", "nothing://"),
        ("ab" * 32, "ab"),
        ('"accueil"]', '"serveur-cabinet"]'),
    ],
)
def test_a_file_that_cannot_be_used_makes_nothing(
    home: Home, tmp_path: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "clients.toml"
    text = plan_text(capsys)
    assert old in text
    plan.write_text(text.replace(old, new))
    assert run(["onboard", str(plan), "--home", str(home.path), "--out", str(tmp_path / "o")]) == 73
    assert not (tmp_path / "o").exists()
    assert make_store(home).structures() == []
