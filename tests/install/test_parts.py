"""What the installer gives the agent to run, and the service that runs it."""

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from releve.apps.agent.config import Config
from releve.apps.cli.exits import exits_of
from releve.apps.install import backing, joining, service
from releve.apps.install.failing import failed
from releve.apps.install.places import Places
from releve.apps.install.proving import StepFailedError
from releve.apps.install.telling import State
from releve.flow.backup import VaultUnreachableError
from releve.model.installer import Deposit, Guarding, HostPlan

PLAN = HostPlan(structure="Cabinet", host="srv", folders=("/srv/a", "/srv/b"))
CONFIG = Config(
    url="http://127.0.0.1:1",
    structure="s1",
    structure_name="Cabinet",
    host="h1",
    host_name="srv",
    server_key=b"k" * 32,
    has_authority=False,
)


def places(folder: Path, **more: Path) -> Places:
    known = {
        "beside": folder, "home": folder / "agent", "backup": folder / "state",
        "drills": folder / "drills", "sheets": folder / "sheets", "units": folder / "units",
    }  # fmt: skip
    made = Places(**(known | more))
    made.agent().make()
    made.agent().write_config(CONFIG)
    return made


def test_the_agent_gets_the_folders_and_keeps_what_a_person_said(tmp_path: Path) -> None:
    here = places(tmp_path)
    assert joining.keep_words(PLAN, here)
    config = here.agent().config()
    assert config.guard == ("--protect", "/srv/a", "--protect", "/srv/b", "--enforce")
    assert config.backup == ("--state", str(tmp_path / "state"))
    assert config.drill == ("--drills", str(tmp_path / "drills"))
    assert not joining.keep_words(PLAN, here)
    by_hand = ("--protect", "/srv/a", "--care", "/opt/pacs")
    here.agent().write_config(
        msgspec.structs.replace(config, guard=by_hand, backup=("--no-judge",))
    )
    assert joining.keep_words(PLAN, here)
    config = here.agent().config()
    assert config.guard == (*by_hand, "--protect", "/srv/b"), "whether it acts is the person's word"
    assert config.backup == ("--no-judge",)


@pytest.mark.parametrize(
    ("guard", "words"),
    [(Guarding.OFF, ()), (Guarding.WATCH, ("--protect", "/srv/a", "--protect", "/srv/b"))],
)
def test_a_guard_that_only_watches_or_none(
    tmp_path: Path, guard: Guarding, words: tuple[str, ...]
) -> None:
    here = places(tmp_path)
    joining.keep_words(msgspec.structs.replace(PLAN, guard=guard), here)
    assert here.agent().config().guard == words


def test_an_installer_of_another_host_changes_nothing(tmp_path: Path) -> None:
    here = places(tmp_path)
    for other in ({"host": "radio"}, {"structure": "Clinique"}):
        with pytest.raises(joining.OtherHostError):
            joining.enrolled(msgspec.structs.replace(PLAN, **other), here)
    assert joining.enrolled(PLAN, here).state is State.KEPT
    empty = places(tmp_path / "new")
    (tmp_path / "new/agent/agent.json").unlink()
    with pytest.raises(joining.NoTokenError):
        joining.enrolled(PLAN, empty)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    text = service.unit(places(tmp_path, home=tmp_path / "50% $HOME agent"))
    (tmp_path / "50% $HOME agent").mkdir(exist_ok=True)
    assert "KillMode=process" in text, "the guard outlives the agent"
    file = tmp_path / service.UNIT
    file.write_text(text)
    if (verify := shutil.which("systemd-analyze")) is not None:
        done = subprocess.run(
            [verify, "verify", file], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "50%% $$HOME agent" in text, "systemd puts no variable in"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
def test_a_secret_that_another_user_laid_beside_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its authority would be trusted with the backups."""
    (folder := tmp_path / "srv").mkdir()
    plan = msgspec.structs.replace(
        PLAN, folders=(str(folder),), vault_url="https://127.0.0.1:1", vault_place="c/srv",
        deposit="coffre-srv.json",
    )  # fmt: skip
    (beside := tmp_path / "beside").mkdir()
    here = places(tmp_path, beside=beside)
    laid = Deposit(user="u", secret="s", structure="c", host="srv", authority="PEM")
    file = here.deposit(plan)
    file.write_bytes(msgspec.json.encode(laid))
    os.chown(file, 4242, 4242)
    with pytest.raises(backing.DepositMissingError, match="another user"):
        backing.set_up(plan, here)
    assert not (here.backup / "authority.pem").exists()
    assert not here.state().is_configured()
    # Its technician's, by sudo or on his own stick, is as good as the installer that he runs.
    assert backing._read(_moved(file, beside, 4242), plan) == laid
    os.chown(beside, 0, 0)
    monkeypatch.setenv("SUDO_UID", "4242")
    assert backing._read(file, plan) == laid
    (tmp_path / "aside").write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(tmp_path / "aside")
    with pytest.raises(backing.DepositMissingError):
        backing.set_up(plan, here)


def _moved(file: Path, folder: Path, owner: int) -> Path:
    os.chown(folder, owner, owner)
    return file


def test_a_gate_that_is_not_trusted_is_not_told_to_be_started() -> None:
    down = failed("backup", VaultUnreachableError("coffre:8440", "Connection refused"))
    assert down.said.startswith("le coffre ne répond pas")
    why = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate"
    distrusted = failed("backup", VaultUnreachableError("coffre:8440", why))
    assert distrusted.said.startswith("la machine atteinte n'a pas le certificat attendu")
    assert "releve onboard" in distrusted.remedy
    assert (distrusted.state, distrusted.status) == (State.FAILED, 85)


def test_what_a_command_ended_with_is_said_in_french_and_its_own_words_apart() -> None:
    inner = StepFailedError("La sauvegarde n'a pas réussi", "Wait.", "Do it.", "WrongPasswordError")
    step = failed("first_backup", inner)
    assert step.said == ("La sauvegarde n'a pas réussi : le mot de passe du dépôt ne l'ouvre pas")
    assert "relancer ce fichier" in step.remedy
    assert step.detail == "Wait."
    unknown = failed("first_backup", StepFailedError("La sauvegarde n'a pas réussi", "Odd.", ""))
    assert (unknown.said, unknown.detail) == ("La sauvegarde n'a pas réussi", "Odd.")
    assert unknown.remedy.startswith("Réparer ce que dit le détail")


@pytest.mark.parametrize("command", ["backup run", "drill run", "key sheet", "agent enrol"])
def test_no_line_of_a_step_mixes_languages(command: str) -> None:
    """Whatever class ends it: French in `said` and `remedy`, English only in the detail."""
    for error in exits_of(command):
        made = StepFailedError("Échoué", "What it said.", error.remedy, error.__name__)
        step = failed("step", made)
        assert "What it said" not in step.said
        assert error.remedy not in (step.said, step.remedy)
        assert step.detail.startswith("What it said.")
