"""An agent that finds a guard at work: taken over, or started again when the options differ."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.process.guards import ProcessGuards
from releve.apps.agent.config import Config, Home, public_bytes
from releve.apps.agent.wiring import vitals_of
from releve.flow.agent.guard_words import differences
from tests.agent.hands import wait_for

RELEVE = (sys.executable, "-m", "releve.apps.cli.main")


def test_order_and_spelling_make_no_difference() -> None:
    old = ("--protect", "/a", "--protect", "/b/", "--enforce", "--json")
    assert differences(old, ("--enforce", "--protect=/b", "--protect", "/a")) == []
    assert differences(old, ("--protect", "/a", "--box", "/h")) == [
        "+ --box /h",
        "- --enforce",
        "- --protect /b",
    ]


class Machine:
    """An enrolled home whose server is away: the agent works without it."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "agent")
        self.home.make()
        key = public_bytes(Ed25519PrivateKey.generate())
        self.home.write_config(
            Config(
                url="http://127.0.0.1:9", structure="s", structure_name="Cabinet", host="h",
                host_name="accueil", server_key=key, has_authority=False,
            )
        )  # fmt: skip
        self.folders = [folder / "one", folder / "two"]
        for one in self.folders:
            one.mkdir()
            (one / "a.txt").write_text("a letter\n" * 20)
        self.store = folder / "store"
        self.agent: subprocess.Popen[str] | None = None

    def words(self, *folders: Path, more: str = "") -> str:
        protect = " ".join(f"--protect {one}" for one in folders)
        return f"{protect} --portable --store {self.store} {more}".strip()

    def run(self, *words: str) -> dict:
        self.agent = subprocess.Popen(
            [*RELEVE, "agent", "run", "--home", str(self.home.path), "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.agent.stdout is not None
        return json.loads(self.agent.stdout.readline())["guard"]

    def stop_agent(self) -> None:
        if self.agent is not None:
            self.agent.send_signal(signal.SIGTERM)
            self.agent.communicate(timeout=20)
            self.agent = None

    def guard(self) -> int:
        status = ProcessGuards(self.home.guard, ()).status()
        return status.pid if status is not None and status.running else 0

    def guards_with(self, *words: str) -> bool:
        command = ProcessGuards(self.home.guard, ()).command()
        return all(word in command for word in words)


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    yield made
    made.stop_agent()
    pid = made.guard()
    if pid:
        os.kill(pid, signal.SIGTERM)  # the one whose lock is in our home
        wait_for(lambda: not psutil.pid_exists(pid))


def test_the_same_options_take_the_guard_over_and_others_start_it_again(machine):
    one, two = machine.folders
    assert machine.run("--guard", machine.words(one)) == {"running": False}
    wait_for(lambda: machine.guard() > 0)
    first = machine.guard()
    machine.stop_agent()

    told = machine.run()
    assert (told["did"], told["differs"], told["pid"]) == ("taken_over", [], first)
    assert machine.guard() == first
    machine.stop_agent()

    told = machine.run("--guard", machine.words(one, two, more="--enforce"), "--keep-guard")
    assert (told["did"], machine.guard()) == ("kept", first)
    machine.stop_agent()

    told = machine.run()  # the new words are kept: they are what is wanted from now on
    assert told["did"] == "restarted"
    assert told["differs"] == ["+ --enforce", f"+ --protect {two}"]
    wait_for(lambda: machine.guard() not in (0, first))
    # The system shows no words of a process for the instant in which it is replaced by another.
    wait_for(lambda: machine.guards_with("--enforce", str(two)))
    assert not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE


def test_a_guard_that_does_not_end_is_an_error_with_a_remedy(machine, monkeypatch, capsys):
    from releve.apps.agent import cli
    from releve.apps.cli.main import run

    one, two = machine.folders
    machine.run("--guard", machine.words(one))
    wait_for(lambda: machine.guard() > 0)
    machine.stop_agent()
    pid = machine.guard()
    monkeypatch.setattr(cli, "_STOP_SECONDS", 0.3)
    os.kill(pid, signal.SIGSTOP)  # busy with something that takes long
    try:
        words = ("--guard", machine.words(two), "--json")
        assert run(["agent", "run", "--home", str(machine.home.path), *words]) == 55
        assert "--keep-guard" in json.loads(capsys.readouterr().err.splitlines()[-1])["remedy"]
        assert machine.guard() == pid
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: not machine.guard())


def test_a_host_whose_guard_was_taken_away_says_so(machine):
    """Else its console goes on calling it protected."""

    def told() -> bool | None:
        config = machine.home.config()
        return vitals_of(machine.home, config, ProcessGuards(machine.home.guard, ())).guard_running

    assert told() is None, "none was ever started"
    machine.run("--guard", machine.words(machine.folders[0]))
    wait_for(lambda: machine.guard() > 0)
    assert told() is True
    machine.stop_agent()
    ProcessGuards(machine.home.guard, ()).terminate()
    wait_for(lambda: not machine.guard())
    machine.run("--guard", "")
    assert machine.home.config().guard == ()
    assert told() is False
