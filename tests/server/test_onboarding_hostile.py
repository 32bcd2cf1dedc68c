"""An onboarding among others: whoever laid something there before, and names that the vault takes for one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from releve.adapters.sql.store import SqlStore
from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.onboard_names import file_word, installer_name
from releve.apps.server.onboard_plan import Plan
from releve.apps.server.onboard_taken import OnboardTakenError
from releve.apps.server.onboard_vault import Heard, write_scripts
from releve.apps.server.onboarding import Reception
from releve.model.errors import UsageError
from tests.server.test_onboarding import home, plan_text, take
from tests.server.world import T0

__all__ = ["home"]
_STRANGER = 4242
_NAMED = 'name = "Cabinet du Parc"\nlogin = "camille"'
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")


def _named(text: str, name: str, login: str) -> str:
    assert text.count(_NAMED) == 1
    return text.replace(_NAMED, f'name = "{name}"\nlogin = "{login}"')


def test_two_structures_are_never_one_at_their_vault(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = plan_text(capsys)
    take(store, home, _named(text, "Cabinet Éole", "a"), tmp_path / "out")
    with pytest.raises(OnboardTakenError, match="cabinet-eole, is taken by Cabinet Éole"):
        take(store, home, _named(text, "Cabinet Eole", "b"), tmp_path / "out")
    assert [one.name for one in store.structures()] == ["Cabinet Éole"]
    other = _named(text, "Cabinet Eole", "b").replace("ab" * 32, "cd" * 32)
    take(store, home, other, tmp_path / "out")  # another vault
    again, _ = take(store, home, _named(text, "Cabinet Éole", "a"), tmp_path / "out")
    assert again.new == ()


def _folder_of_another(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.chown(folder, _STRANGER, _STRANGER)


def _link(folder: Path) -> None:
    _folder_of_another(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def _for_all(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)


def _password(folder: Path) -> None:
    folder.mkdir(parents=True)
    file = folder / f"mot-de-passe-{file_word('camille')}.txt"
    file.write_text("known-to-somebody\n")
    os.chown(file, _STRANGER, _STRANGER)


def _token(folder: Path) -> None:
    folder.mkdir(parents=True)
    secret = folder.parent / "secret"
    secret.write_text("a" * 43)
    (folder / f"coffre-{file_word('coffre')}.token").symlink_to(secret)


def _installer(folder: Path) -> None:
    folder.mkdir(parents=True)
    file = folder / installer_name("accueil")
    file.write_text("# releve1.AAAA\n")
    file.chmod(0o666)


@needs_root
@pytest.mark.parametrize(
    "lay", [_folder_of_another, _link, _for_all, _password, _token, _installer]
)
def test_no_secret_is_one_that_somebody_laid_there(
    store: SqlStore,
    home: Home,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lay: Callable[[Path], None],
) -> None:
    folder = tmp_path / "out" / file_word("Cabinet du Parc")
    lay(folder)
    before = {p: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(UsageError, match="another user's"):
        take(store, home, plan_text(capsys), tmp_path / "out")
    assert before.items() <= {p: p.read_bytes() for p in folder.iterdir() if p.is_file()}.items()
    assert store.person_by_login("camille") is None


def test_the_folder_of_installers_is_its_owners_whatever_the_umask(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.umask(0)
    try:
        take(store, home, plan_text(capsys), tmp_path / "out")
    finally:
        os.umask(before)
    made = [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    assert not [p for p in made if p.stat().st_mode & 0o077]


@pytest.mark.parametrize("name", ["$(touch {})", "`touch {}`", "x'; touch {}; '", '"; touch {}; "'])
def test_no_name_is_a_command(
    store: SqlStore, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    named = name.format("trap")
    text = plan_text(capsys)
    plan = msgspec.toml.decode(text, type=Plan)
    one = plan.structures[0]
    host = msgspec.structs.replace(one.machines()[0], name=named, folders=(f"/srv/{named}",))
    ends = f"{named}\nFIN_DU_COFFRE\nFIN_DE_L_INSTALLATEUR\ntouch trap\n"
    hostile = msgspec.structs.replace(one, name=ends, vault_name=ends, hosts=(host, ends))
    taken = Reception(store, home, plan.url, tmp_path / "out", lambda _: None).take(hostile, T0)
    scripts = write_scripts((hostile,), tmp_path / "out", Heard("https://r:8443")).values()
    installers = list(Path(taken.folder).glob("installer-*.sh"))
    assert len(installers) == 2
    for script in (*scripts, *installers):
        said = _runs(script, {"RELEVE": "true"}, tmp_path)
        assert said.returncode == 0, said.stderr
    assert not list(tmp_path.rglob("trap"))


def _runs(script: Path, more: dict[str, str], cwd: Path | str, *words: str) -> "Done":
    return subprocess.run(
        ["sh", script, *words], env=os.environ | more, cwd=cwd,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


Done = subprocess.CompletedProcess[str]


def test_the_script_writes_beside_itself_and_into_the_vault_that_was_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    releve = Path(sys.executable).parent / "releve"
    one = msgspec.toml.decode(plan_text(capsys), type=Plan).structures[0]
    assert run(["vault", "init", "--name", "coffre", "--data", str(tmp_path / "vault")]) == 0
    (tmp_path / "out").mkdir()
    (tmp_path / "other/out").mkdir(parents=True)
    (script,) = write_scripts((one,), tmp_path / "out", Heard("https://r:8443")).values()
    more = {"RELEVE": str(releve), "CDPATH": str(tmp_path / "other")}
    said = _runs(Path("out") / script.name, more, tmp_path, "vault")
    assert said.returncode == 0, said.stderr
    assert list((tmp_path / "out").glob("cabinet-*/coffre-*.json"))
    assert not list((tmp_path / "other").rglob("*.json"))
