"""Structures taken in from one file: once, again, and after a kill; on both databases."""

import datetime as dt
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
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.sql.store import SqlStore
from releve.apps.cli.main import cli, run
from releve.apps.server import installers
from releve.apps.server.home import Home
from releve.apps.server.onboard_plan import Plan, WantedHost
from releve.apps.server.onboard_taken import OnboardTakenError
from releve.apps.server.onboard_vault import Heard, write_scripts
from releve.apps.server.onboarding import Reception, Taken
from releve.apps.server.opening import make_store
from releve.flow.envelope import read_token
from releve.flow.server.enrol import enrol
from releve.flow.server.signin import check_password
from releve.flow.server.vaults import who
from releve.flow.wire import EnrolRequest
from releve.model.standing import PathStanding
from tests.server.test_structures_apart import dump
from tests.server.vaults import ToldVault, full_standing
from tests.server.world import T0

VAULT = (
    'login = "camille"\nvault_name = "coffre"\nvault_url = "https://coffre:8440"\nvault_key = "'
    + "ab" * 32
    + '"\n'
)
TOKEN = re.compile(r"releve1\.[\w-]+")
RADIO = '[[structures.hosts]]\nname = "radio"\nfolders = ["/srv/images"]\n\n[structures.profile]'
_names = itertools.count(1)


def plan_text(capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["onboard", "template"]) == 0
    return capsys.readouterr().out.replace('login = "camille"', VAULT)


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
    known = read_token(TOKEN.search(words)[0])
    assert known.server_key == home.public_key()
    request = EnrolRequest(
        secret=known.secret, public_key=b"k" * 32, name="accueil", carries_care=True
    )
    assert enrol(store, request, "host1", T0) is not None
    assert {p.name.partition("-")[0] for p in (folder / "fiches").iterdir()} == {"fiche"}
    assert (folder / "fiches/fiche-rancongiciel-ou-effacement.html").exists()
    sheets = {p.suffix for p in (folder / "fiches").iterdir()}
    assert sheets == {".html", ".pdf"}
    for printed in (folder / "fiches").glob("*.html"):
        page = printed.read_text()
        assert "02 99 00 00 01" in page
        assert "17cyber.gouv.fr" in page
        assert "09 72 43 91 25 (numéro non vérifié)" in page
    _every_step_can_be_typed(taken.by_hand)
    assert "Cabinet du Parc  droit au coffre" not in "".join(told), "that vault stands elsewhere"
    assert told[0] == "Cabinet du Parc  structure  nouveau / new"
    assert any(line.startswith("Cabinet du Parc  machine accueil  ") for line in told)
    next(folder.glob("mot-de-passe-*")).unlink()
    again, _ = take(store, home, plan_text(capsys), tmp_path / "out")
    assert [line for line in taken.by_hand if "mot de passe de camille" in line]
    assert not [line for line in again.by_hand if "mot de passe" in line], "handed over, erased"


def _every_step_can_be_typed(lines: tuple[str, ...]) -> None:
    """Commands with their options, in an order in which they work; the hosts' own work is not among them."""
    said = " ; ".join(lines)
    assert said.index("coffre-coffre-ababab.sh") < said.index("installer-serveur")
    assert said.index("installer-serveur") < said.index("installer-accueil")
    assert "backup setup" not in said
    assert "drill run" not in said
    for command in re.findall(r"releve ((?:[a-z][a-z-]* ?)+)", said):
        assert CliRunner().invoke(cli, [*command.split(), "--help"]).exit_code == 0, command


def test_what_each_host_is_to_do_is_in_its_installer(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan_text(capsys)
    taken, _ = take(store, home, text, tmp_path)
    folder = Path(taken.folder)
    (file,) = folder.glob("installer-serveur-*.sh")
    plan = installers.read(file)
    assert (plan.structure, plan.host) == ("Cabinet du Parc", "serveur-cabinet")
    assert (plan.folders, plan.guard) == (("/srv/cabinet",), "enforce")
    assert (plan.vault_url, plan.vault_place) == (
        "https://coffre:8440", "cabinet-du-parc/serveur-cabinet",
    )  # fmt: skip
    assert plan.call == "Dr Camille Martin, 02 99 00 00 01"
    (other,) = folder.glob("installer-accueil-*.sh")
    assert installers.read(other).folders == ()
    # Other folders: the same token, a new installer; for a host that is enrolled, too.
    more = text.replace('"/srv/cabinet"', '"/srv/cabinet", "/srv/images"')
    assert take(store, home, more, tmp_path)[0].new == ("host/serveur-cabinet",)
    assert installers.read(file).token == plan.token
    secret = read_token(plan.token).secret
    request = EnrolRequest(secret=secret, public_key=b"k" * 32, name="serveur-cabinet")
    assert enrol(store, request, "h1", T0) is not None
    again, _ = take(store, home, text, tmp_path)
    assert again.new == ("host/serveur-cabinet",)
    assert installers.read(file) == plan
    assert [line for line in again.by_hand if "installer-serveur" in line], "not backed up yet"


def test_an_installer_whose_time_is_over_gets_a_new_token(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan_text(capsys)
    plan = msgspec.toml.decode(text, type=Plan)
    folder = Path(take(store, home, text, tmp_path)[0].folder)
    (file,) = folder.glob("installer-accueil-*.sh")
    first = installers.read(file)
    later = T0 + dt.timedelta(days=40)
    Reception(store, home, plan.url, tmp_path, lambda _: None).take(plan.structures[0], later)
    assert installers.read(file).token != first.token
    assert installers.read(file).until > first.until


def test_one_script_for_a_vault_of_several_structures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = msgspec.toml.decode(plan_text(capsys), type=Plan).structures[0]
    big = WantedHost(name="serveur-cabinet", folders=("/srv/a",), reads="20G")
    two = msgspec.structs.replace(one, name="Cabinet Éole", hosts=(big, "accueil"))
    (file,) = write_scripts((one, two), tmp_path, Heard("https://releve:8443")).values()
    lines = [line for line in file.read_text().splitlines() if "credential add" in line]
    assert [line.split()[4] for line in lines] == [
        "serveur-cabinet.cabinet-du-parc", "serveur-cabinet.cabinet-eole",
    ]  # fmt: skip
    assert ["--reads 20G" in line for line in lines] == [False, True]
    assert subprocess.run(["sh", "-n", file], check=False).returncode == 0


def test_what_is_done_once_for_a_vault_is_listed_once(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan_text(capsys)
    one, second = text.index("[[structures]]"), tmp_path / "clients.toml"
    other = text[one:].replace("Cabinet du Parc", "Cabinet du Moulin").replace("camille", "zoe")
    second.write_text(text + "\n" + other)
    words = [
        "onboard",
        str(second),
        "--home",
        str(home.path),
        "--out",
        str(tmp_path / "o"),
        "--json",
    ]
    assert run(words) == 0
    lists = [taken["by_hand"] for taken in json.loads(capsys.readouterr().out)["structures"]]
    every = [line for lines in lists for line in lines]
    for once in ("redémarrer sa porte", "coffre-coffre-ababab.sh", "inscrire deux approbateurs"):
        assert len([line for line in every if once in line]) == 1, once
    assert [line for line in lists[0] if "redémarrer" in line], "before the first installer"
    for name, lines in zip(("parc", "moulin"), lists, strict=True):
        (path,) = [line for line in lines if "agreement add" in line]
        assert f"agreement add nuit-cabinet-du-{name} --structure cabinet-du-{name} " in path


def test_what_a_recovery_needs_is_listed_until_the_vault_has_it(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan_text(capsys)
    taken, _ = take(store, home, text, tmp_path)
    (owner,) = store.structures()
    token = next(Path(taken.folder).glob("coffre-*.token")).read_text().strip()
    asking = who(store, token)
    assert asking is not None
    with store.unit(owner.id) as unit:
        (vault,) = unit.vaults()
        record = unit.vault(vault.id)
    assert record is not None
    key = Ed25519PrivateKey.generate()
    with store.unit(owner.id) as unit:
        public = key.public_key().public_bytes_raw().hex()
        renewed = msgspec.structs.replace(vault, public_key=public)
        unit.put_vault(msgspec.structs.replace(record, vault=renewed))
    told = ToldVault(store, owner.id, vault.id, token, key)
    path = PathStanding(name="nuit", host="", until_ns=1)
    known = ((1, (), 2), (2, (), 1), (2, None, 1), (2, (path,), 0))
    for minute, (approvers, paths, asks) in enumerate(known, 1):
        at = T0 + dt.timedelta(minutes=minute)
        facts = {"structure": "cabinet-du-parc", "approvers": approvers, "paths": paths}
        told.tell_standing(msgspec.structs.replace(full_standing(told, at), **facts), at)
        again, _ = take(store, home, text.replace("ab" * 32, public), tmp_path)
        needed = [one for one in again.by_hand if "approver add" in one or "agreement add" in one]
        assert len(needed) == asks, needed


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
    more, _ = take(store, home, text.replace("[structures.profile]", RADIO), tmp_path)
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
            text.replace('name = "Cabinet du Parc"\nlogin', 'name = "B"\nlogin'),
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
        assert unit.trail(most=1)[0].detail.endswith(", 25 min")
        assert "structures" not in unit.trail(most=1)[0].detail
        tokens = unit._connection.exec_driver_sql("SELECT count(*) FROM token").scalar_one()
    assert tokens == 2
    (folder,) = [one for one in out.iterdir() if one.is_dir()]
    password = next(folder.glob("mot-de-passe-*.txt")).read_text().strip()
    assert check_password(store, "camille", password) is not None
    assert who(store, next(folder.glob("coffre-*.token")).read_text().strip()) is not None
    for file in folder.glob("installer-*.sh"):
        secret = read_token(TOKEN.search(file.read_text())[0]).secret
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
        ('name = "accueil"', 'name = "serveur-cabinet"'),
        ('"/srv/cabinet"', '"srv/cabinet"'),
        ('"/srv/cabinet"', '"/"'),
        ('"/srv/cabinet"', '"/srv/../etc"'),
        ('"/srv/cabinet"', '"/srv/cabinet", "/srv/cabinet/a"'),
        ('"/srv/cabinet"', '"/var/lib"'),
        ('"enforce"\n', '"always"\n'),
        ('"enforce"\n', '"enforce"\nreads = "beaucoup"\n'),
        ("https://coffre:8440", "coffre"),
        ("/srv/cabinet", "//var/lib/releve"),
        ('name = "accueil"', 'name = "acc\\nueil"'),
        ('name = "accueil"', 'name = "acc\\u202eueil"'),
        ('name = "accueil"', f'name = "{"a" * 101}"'),
        ('name = "Cabinet du Parc"\nlogin', 'name = "Parc\\u001b[2J"\nlogin'),
        ("https://coffre:8440", "http://coffre:8440"),
        ('vault_key = "' + "ab" * 32, 'vault_home = "/nowhere'),
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


def test_a_structure_that_left_comes_back_only_when_it_is_named(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "clients.toml"
    plan.write_text(plan_text(capsys))
    words = ["onboard", str(plan), "--out", str(tmp_path / "out"), "--home", str(home.path)]
    leaving = ["leave", "--home", str(home.path), "--structure", "Cabinet du Parc", "--erase"]
    assert run(words) == 0
    assert run([*leaving, "--by", "A", "--reason", "fin", "--out", str(tmp_path / "left")]) == 0
    capsys.readouterr()
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "Cabinet du Parc : partie et effacée le " in said
    assert "--again 'Cabinet du Parc'" in said
    assert make_store(home).structures() == []
    assert run([*words, "--again", "Cabinet du Parc"]) == 0
    assert run(words) == 0, "it is here again"
    assert "partie" not in capsys.readouterr().out
    assert [one.name for one in make_store(home).structures()] == ["Cabinet du Parc"]
