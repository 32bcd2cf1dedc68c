"""One onboarding from its file to a proved backup: real server, real vault, real restic, on loopback."""

import datetime as dt
import hashlib
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.apps.agent.config import Home
from releve.apps.console.vault_views import HostRow, vault_page
from releve.apps.install.joining import is_working
from releve.apps.server.home import Home as ServerHome
from releve.apps.server.opening import make_store
from releve.model.host import Host
from tests.agent.hands import wait_for
from tests.agent.test_with_server import Site
from tests.vault.conftest import Gate
from tests.vault.test_telling import quicken

pytestmark = [pytest.mark.restic, pytest.mark.timeout(300)]
OWNER, HOST = "Cabinet du Parc", "Serveur du cabinet"
PLAN = """
url = "{url}"

[[structures]]
name = "{owner}"
hosts = ["accueil", {{ name = "{host}", folders = ["{docs}"], guard = "off" }}]
vault_name = "coffre"
vault_url = "{vault_url}"
{vault}

[structures.profile]
kind = "practice"
legal_name = "Cabinet du Parc"
timezone = "Europe/Paris"

[[structures.profile.contacts]]
name = "Dr Camille Martin"
role = "lead"
phone = "02 99 00 00 01"
"""


class Practice:
    """A server that runs, a vault's folder, a host's folders, and what is carried between them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site, self.gate = folder, Site(folder), Gate(folder / "vault")
        self.docs, self.out = folder / "docs", folder / "accueil"
        (self.docs / "lettres").mkdir(parents=True)
        for number in range(12):
            self.letter(number, f"Compte rendu {number} : suivi, rien à signaler.\n" * 20)
        self.command = folder / "releve"
        self.command.write_text(f'#!/bin/sh\nexec {sys.executable} -m releve.apps.cli.main "$@"\n')
        self.command.chmod(0o755)
        self.said = ""  # by all commands, both streams

    def letter(self, number: int, text: str) -> None:
        (self.docs / "lettres" / f"CR {number}.txt").write_text(text)

    def serve_vault(self, *words: str) -> str:
        """Over TLS by an authority of its own; its address."""
        return str(self.gate.start("--tls", *words)["url"])

    def close(self) -> None:
        self.gate.stop()
        self.site.close()

    def run(self, *words: str | Path, status: int = 0) -> str:
        done = subprocess.run(
            [str(word) for word in words],
            env=os.environ | {"RELEVE": str(self.command)},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        self.said += done.stdout + done.stderr
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def onboard(self, vault_url: str, vault: str) -> dict:
        plan = self.folder / "clients.toml"
        plan.write_text(
            PLAN.format(
                url=self.site.url, owner=OWNER, host=HOST, docs=self.docs, vault_url=vault_url,
                vault=vault,
            )
        )  # fmt: skip
        words = ("onboard", plan, "--out", self.out, "--home", self.site.server_home, "--json")
        return json.loads(self.run(self.command, *words))

    def structure_folder(self) -> Path:
        (found,) = [one for one in self.out.iterdir() if one.is_dir()]
        return found

    def carry(self) -> Path:
        """What the technician takes to the host: the installer, and the vault's file beside it."""
        bag = self.folder / "stick"
        bag.mkdir(exist_ok=True)
        for one in self.structure_folder().glob("*serveur-du-cabinet*"):
            shutil.copy(one, bag / one.name)
        return bag

    def install(self, bag: Path, status: int = 0) -> dict[str, dict]:
        """The installer in its own folders; each step's end by its name."""
        (installer,) = bag.glob("installer-*.sh")
        said = self.run("sh", installer, *self.folders(), "--json", status=status)
        steps = [json.loads(line) for line in said.splitlines()]
        return {step["name"]: step for step in steps}

    def kill_installer(self, bag: Path, when: Callable[[], bool]) -> None:
        """Killed -9 at that moment; what it had started goes on, as after any kill."""
        (installer,) = bag.glob("installer-*.sh")
        process = subprocess.Popen(
            ["sh", installer, *self.folders()],
            env=os.environ | {"RELEVE": str(self.command)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(when)
        process.kill()
        process.wait()

    def folders(self) -> list[str]:
        host = self.folder / "host"
        words = [f"--{name}={host / name}" for name in ("state", "drills", "sheets", "units")]
        return [f"--home={host / 'agent'}", *words]

    def known(self) -> Host:
        """The host as the console's pages have it."""
        store = make_store(ServerHome(self.site.server_home))
        (owner,) = store.structures()
        with store.unit(owner.id, writes=False) as unit:
            (host,) = unit.hosts()
        store.close()
        return host

    def digests(self, *folders: Path) -> dict[str, str]:
        files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    made = Practice(tmp_path)
    made.site.serve()
    yield made
    made.close()


def states(steps: dict[str, dict]) -> dict[str, str]:
    return {name: step["state"] for name, step in steps.items()}


ALL_DONE = {
    "enrol": "done", "backup_setup": "done", "first_backup": "done", "first_drill": "done",
    "key_sheet": "done",
}  # fmt: skip


def only_people_are_left_at_the_vault(lines: list[str]) -> None:
    """The rest it told the server by itself."""
    people, path = [line for line in lines if "au coffre" in line]
    assert "inscrire deux approbateurs au moins" in people
    assert "releve vault agreement sign" in path


def test_from_the_file_to_a_proved_backup_and_again(practice: Practice) -> None:
    """The vault elsewhere: one script there, its files carried to the hosts."""
    vault_url = practice.serve_vault()
    key = (practice.gate.data / "head.pub").read_text().strip()
    told = practice.onboard(vault_url, f'vault_key = "{key}"')
    folder = practice.structure_folder()
    (script,) = map(Path, told["scripts"])
    assert stat.S_IMODE(script.stat().st_mode) == 0o700
    assert not list(folder.glob("coffre-*.json")), "made at the vault, not here"
    # At the vault: the script alone is there.
    there = practice.folder / "there"
    there.mkdir()
    shutil.copy(script, there / script.name)
    practice.run("sh", there / script.name, practice.gate.data)
    (laid,) = there.glob("*/coffre-*.json")
    assert stat.S_IMODE(laid.stat().st_mode) == 0o600
    before = practice.digests(there, practice.gate.data / "credentials")
    practice.run("sh", there / script.name, practice.gate.data)
    assert practice.digests(there, practice.gate.data / "credentials") == before
    shutil.copy(laid, folder / laid.name)
    assert laid.parent.name == folder.name
    practice.gate.stop()  # it heeds from its next start on which server hears it
    quicken(practice.gate)
    practice.serve_vault("--listen", vault_url.rpartition("//")[2].strip("/"))
    # At the host.
    bag = practice.carry()
    steps = practice.install(bag)
    assert states(steps).items() >= ALL_DONE.items()
    tried = f"`releve key try --state {practice.folder / 'host/state'}`"
    assert tried in steps["key_sheet"]["hand"], "as it is typed for this folder"
    what_was_made(practice, laid)
    second_run_changes_nothing(practice, bag)
    the_command_that_was_said_runs_the_agent(practice, bag)
    the_console_shows_one_host_with_what_its_vault_has(practice)
    lines = practice.onboard(vault_url, f'vault_key = "{key}"')["structures"][0]["by_hand"]
    (paper,) = [line for line in lines if HOST in line]
    assert "n'y a jamais été essayée" in paper, "all is done but what a person does"
    the_paper_that_is_tried_is_heard_of(practice)
    lines = practice.onboard(vault_url, f'vault_key = "{key}"')["structures"][0]["by_hand"]
    assert not [line for line in lines if HOST in line], "the server heard that all is done"
    only_people_are_left_at_the_vault(lines)
    assert [line for line in lines if line.startswith("effacer coffre-")], "needed once"
    assert any(line.startswith("accueil : ") for line in lines)


def test_a_vault_that_is_down_is_said_and_again_later_it_goes_on(practice: Practice) -> None:
    """The vault on the server's machine: onboarding lays the rights itself."""
    vault_url = practice.serve_vault()
    practice.gate.stop()
    vault = f'vault_home = "{practice.gate.data}"'
    told = practice.onboard(vault_url, vault)
    assert told["scripts"] == []
    assert f"right/{HOST}" in told["structures"][0]["new"]
    (laid,) = practice.structure_folder().glob("coffre-*.json")
    assert stat.S_IMODE(laid.stat().st_mode) == 0o600
    assert told["structures"][0]["new"]
    again = practice.onboard(vault_url, vault)["structures"][0]
    assert again["new"] == []
    bag = practice.carry()
    steps = practice.install(bag, status=69)
    assert states(steps) == {
        "enrol": "done", "backup_setup": "failed", "first_backup": "waits", "first_drill": "waits",
        "key_sheet": "waits", "service": "hand",
    }  # fmt: skip
    down = steps["backup_setup"]
    assert down["status"] == 85
    assert "le coffre ne répond pas" in down["said"]
    assert down["remedy"].startswith("Démarrer le coffre")
    assert down["detail"].startswith("The backup server")
    assert list(steps) == [*ALL_DONE, "service"], "what waits is said in its turn"
    assert steps["first_drill"]["said"] == "« Première sauvegarde » d'abord"
    identity = practice.known().id
    practice.serve_vault("--listen", vault_url.rpartition("//")[2].strip("/"))
    steps = practice.install(bag)
    assert states(steps).items() >= (ALL_DONE | {"enrol": "kept"}).items()
    assert practice.known().id == identity
    assert practice.known().state.drill.last_good_at is not None
    nowhere_else(practice, laid)


def test_killed_three_times_it_goes_on_and_nothing_is_there_twice(practice: Practice) -> None:
    vault_url = practice.serve_vault()
    practice.onboard(vault_url, f'vault_home = "{practice.gate.data}"')
    bag, host = practice.carry(), practice.folder / "host"
    practice.kill_installer(bag, (host / "agent/agent.key").exists)
    practice.kill_installer(bag, (host / "state/lock").exists)
    practice.kill_installer(bag, (host / "drills/drills.db").exists)
    steps = practice.install(bag)
    assert set(states(steps).values()) <= {"done", "kept", "hand"}, steps
    assert practice.known().state.drill.last_good_at is not None
    book = practice.gate.vault().book
    assert len(list(book.generations())) == 1
    credentials = list((practice.gate.data / "credentials").iterdir())
    assert len(credentials) == 1
    assert len(list((host / "sheets").glob("cle-*.html"))) == 1
    assert states(practice.install(bag)).items() >= dict.fromkeys(ALL_DONE, "kept").items()


def test_what_lacks_is_said_with_its_remedy(practice: Practice) -> None:
    vault_url = practice.serve_vault()
    practice.onboard(vault_url, f'vault_home = "{practice.gate.data}"')
    bag = practice.carry()
    (laid,) = bag.glob("coffre-*.json")
    laid.rename(bag / "aside")
    lacking = practice.install(bag, status=69)["backup_setup"]
    assert (lacking["status"], laid.name in lacking["detail"]) == (63, True)
    other = json.loads((bag / "aside").read_bytes()) | {"host": "another"}
    laid.write_text(json.dumps(other))
    assert "another" in practice.install(bag, status=69)["backup_setup"]["detail"]
    (bag / "aside").rename(laid)
    practice.docs.rename(practice.docs.with_name("away"))
    lacking = practice.install(bag, status=69)["backup_setup"]
    assert (lacking["status"], str(practice.docs) in lacking["detail"]) == (66, True)
    (installer,) = bag.glob("installer-*.sh")
    text = installer.read_text()
    installer.write_text(text.replace(f'"host": "{HOST}"', '"host": "Radio"'))
    assert practice.install(bag, status=69)["enrol"]["status"] == 61
    installer.write_text(text.replace('"folders"', '"unknown"'))
    practice.install(bag, status=68)
    practice.docs.with_name("away").rename(practice.docs)
    installer.write_text(text)
    known = json.loads(laid.read_bytes())
    laid.write_text(json.dumps(known | {"reads_per_day": 1000}))
    drill = practice.install(bag)["first_drill"]
    assert (drill["state"], "dépasse ce qu'il rend" in drill["hand"]) == ("hand", True)
    assert practice.known().state.drill is None, "none was begun that the vault would cut off"
    laid.write_text(json.dumps(known))
    assert known["reads_per_day"] == 256 << 20
    assert states(practice.install(bag))["first_drill"] == "done"


def test_a_first_backup_that_shows_harm_is_made_and_said(practice: Practice) -> None:
    """Who is taken in after an attack, or with files that cannot be read: judged from the first on."""
    for number in range(12):
        (practice.docs / "lettres" / f"CR {number}.txt").write_bytes(os.urandom(9000))
    vault_url = practice.serve_vault()
    practice.onboard(vault_url, f'vault_home = "{practice.gate.data}"')
    steps = practice.install(practice.carry())
    assert steps["first_backup"]["state"] == "done"
    assert "jugée ATTEINTE" in steps["first_backup"]["said"]
    state = practice.folder / "host/state"
    assert f"`releve recover scan --list --state {state}`" in steps["first_backup"]["hand"]
    assert steps["first_drill"]["state"] == "done", "it stands at the vault, and comes back"
    known = practice.known().state.backup
    assert (known.verdict, known.clean_at) == ("bad", None)


def test_a_host_without_folders_backs_nothing_up_and_says_so(practice: Practice) -> None:
    practice.onboard("https://coffre:8440", f'vault_home = "{practice.gate.data}"')
    bag = practice.folder / "stick"
    bag.mkdir()
    (installer,) = practice.structure_folder().glob("installer-accueil-*.sh")
    shutil.copy(installer, bag)
    steps = practice.install(bag)
    assert states(steps) == {"enrol": "done", "backup_setup": "none", "service": "hand"}
    assert "ne sauvegarde rien" in steps["backup_setup"]["said"]
    config = json.loads((practice.folder / "host/agent/agent.json").read_bytes())
    assert (config["backup"], config["guard"]) == ([], [])
    assert not (practice.folder / "host/state").exists()


@pytest.mark.parametrize("with_service", [True, False])
def test_the_steps_are_counted_that_are_done(practice: Practice, *, with_service: bool) -> None:
    """A host without folders: enrolled, and its service, if it gets one."""
    practice.onboard("https://coffre:8440", f'vault_home = "{practice.gate.data}"')
    (installer,) = practice.structure_folder().glob("installer-accueil-*.sh")
    words = [] if with_service else ["--no-service"]
    said = practice.run("sh", installer, *practice.folders(), *words)
    assert numbers(practice) == (["1/2", "2/2"] if with_service else ["1/1"])
    command = said.splitlines()[-1].partition(" : lancer, et relancer à chaque démarrage : ")[2]
    agent = subprocess.Popen(
        shlex.split(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        home = Home(practice.folder / "host/agent")
        wait_for(lambda: is_working(home))
        again = practice.run("sh", installer, *practice.folders(), *words)
        assert "déjà fait : l'agent travaille" in again
    finally:
        agent.terminate()
        agent.wait(30)


def test_without_a_service_the_steps_are_one_less_and_the_command_is_said(
    practice: Practice,
) -> None:
    """The vault is away: only what needs none is done, and is counted right all the same."""
    practice.onboard("https://127.0.0.1:1", f'vault_home = "{practice.gate.data}"')
    bag = practice.carry()
    (installer,) = bag.glob("installer-*.sh")
    said = practice.run("sh", installer, *practice.folders(), "--no-service", status=69)
    assert numbers(practice) == ["1/5", "2/5"]
    assert "agent run --home" in said
    assert "Service de l'agent : à faire à la main : laissé de côté (--no-service)" in said
    steps = {line["name"]: line["state"] for line in lines_of(practice, bag, "--no-service")}
    assert steps["service"] == "hand"


def numbers(practice: Practice) -> list[str]:
    """Of the steps, as they were counted on stderr."""
    return re.findall(r"^(\d/\d)  ", practice.said, re.MULTILINE)


def lines_of(practice: Practice, bag: Path, *words: str) -> list[dict]:
    (installer,) = bag.glob("installer-*.sh")
    said = practice.run("sh", installer, *practice.folders(), "--json", *words, status=69)
    return [json.loads(line) for line in said.splitlines()]


def what_was_made(practice: Practice, laid: Path) -> None:
    host = practice.folder / "host"
    listed = practice.run(practice.command, "backup", "list", "--state", host / "state", "--json")
    assert len(listed.splitlines()) == 1, "in the vault, read back from there"
    assert [str(g.repository.host) for g in practice.gate.vault().book.generations()] == [
        "serveur-du-cabinet"
    ]
    known = practice.known()
    assert known.name == HOST
    assert known.state.backup is not None
    assert known.state.backup.last_good_at is not None
    assert (known.state.backup.verdict, known.state.backup.clean_at is not None) == ("clean", True)
    assert known.state.drill is not None
    assert known.state.drill.last_good_at is not None
    assert (host / "drills/certificates" / f"{known.state.drill.good_drill}.json").exists()
    assert list((host / "sheets").glob("cle-*.html"))
    config = json.loads((host / "agent/agent.json").read_bytes())
    assert config["backup"] == ["--state", str(host / "state")]
    assert config["drill"] == ["--drills", str(host / "drills")]
    nowhere_else(practice, laid)


def nowhere_else(practice: Practice, laid: Path) -> None:
    """Secrets stay where they belong."""
    secret = json.loads(laid.read_bytes())["secret"]
    password = (practice.folder / "host/state/password").read_text()
    for one in practice.site.server_home.rglob("*"):
        if one.is_file():
            content = one.read_bytes()
            assert secret.encode() not in content
            assert password.encode() not in content, "the backup's key never leaves the host"
    for one in (practice.out, practice.gate.data):
        for file in one.rglob("*"):
            assert not file.is_file() or password.encode() not in file.read_bytes()
    assert secret not in practice.said
    assert password not in practice.said


def the_console_shows_one_host_with_what_its_vault_has(practice: Practice) -> None:
    def rows() -> dict[str, HostRow]:
        store = make_store(ServerHome(practice.site.server_home))
        (owner,) = store.structures()
        page = vault_page(store, owner.id, dt.datetime.now(dt.UTC))
        store.close()
        return {row.name: row for row in page.hosts}

    wait_for(lambda: any(row.kept for row in rows().values()), 30)
    assert list(rows()) == [HOST]
    assert rows()[HOST].backup is not None
    assert rows()[HOST].drill is not None


def the_command_that_was_said_runs_the_agent(practice: Practice, bag: Path) -> None:
    said = practice.install(bag)["service"]["hand"].partition(" : ")[2]
    agent = subprocess.Popen(
        shlex.split(said), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        home = Home(practice.folder / "host/agent")
        wait_for(lambda: is_working(home))
        assert states(practice.install(bag))["service"] == "kept"
    finally:
        agent.terminate()
        agent.wait(30)


def the_paper_that_is_tried_is_heard_of(practice: Practice) -> None:
    """A person types the rows of the printed sheet; the agent that works tells it."""
    host = practice.folder / "host"
    (sheet,) = (host / "sheets").glob("cle-*.html")
    rows = re.findall(r"<td>([0-9A-Z]{4}-[0-9A-Z]{4})</td>", sheet.read_text())
    agent = subprocess.Popen(
        [practice.command, "agent", "run", "--home", host / "agent", "--heartbeat", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: practice.known().state.paper is not None)
        assert practice.known().state.paper.tried_at is None
        subprocess.run(
            [practice.command, "key", "try", "--state", host / "state"],
            input="-".join(rows).encode(), stdout=subprocess.DEVNULL, timeout=60, check=True,
        )  # fmt: skip
        wait_for(lambda: practice.known().state.paper.tried_at is not None)
    finally:
        agent.terminate()
        agent.wait(30)
    for one in practice.site.server_home.rglob("*"):
        if one.is_file():
            assert not [row for row in rows if row.encode() in one.read_bytes()]


def second_run_changes_nothing(practice: Practice, bag: Path) -> None:
    host, gate = practice.folder / "host", practice.gate
    kept = (
        gate.data / "repos",
        gate.data / "credentials",
        host / "sheets",
        host / "drills/certificates",
    )
    files = [host / "agent/agent.json", host / "state/config.json", host / "state/password"]
    before = practice.digests(*kept), [file.read_bytes() for file in files], practice.known()
    (bag / next(bag.glob("coffre-*.json")).name).unlink()  # spent: it is needed once
    steps = practice.install(bag)
    assert set(states(steps).values()) == {"kept", "hand"}, steps
    assert states(steps)["service"] == "hand"
    assert "agent run" in steps["service"]["hand"], "no systemd here: the command is said"
    after = practice.digests(*kept), [file.read_bytes() for file in files], practice.known()
    assert [before[0], before[1]] == [after[0], after[1]]
    assert before[2].state.backup == after[2].state.backup
    assert before[2].id == after[2].id
