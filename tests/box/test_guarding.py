"""What a guard puts into nftables: never against its server, gone with it, back with it."""

import datetime as dt
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.linux import samba_proc
from releve.adapters.linux.procfs import TICK_NS
from releve.apps.agent.config import Config
from releve.apps.agent.wiring import guard_command
from releve.apps.box.blocks import Blocks, Servers
from releve.apps.box.guarding import BoxGuarding
from releve.apps.box.lab import Lab, Person
from releve.flow.clients import BlockedClient
from releve.model.lines import Alert
from releve.model.process import Process
from tests.box.test_clients import Session, connected, reaches


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="rlv-guarding-"))
    folder.chmod(0o755)
    with Lab(folder) as made:
        yield made
    shutil.rmtree(folder)


def rules(lab: Lab) -> str:
    command = lab.server.run("nft", "list", "ruleset")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def here() -> str:
    """Tables of ours in this process's own network."""
    done = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return "".join(line for line in done.stdout.splitlines() if "releve_clients" in line)


def serving(box: BoxGuarding, person: Person) -> Process:
    client = connected(box.clients, person)
    seen = samba_proc.look(client.pid)
    assert seen is not None
    return Process(client.pid, seen.starttime * TICK_NS, None, program="smbd")


@pytest.mark.samba
def test_the_server_is_never_blocked_and_the_guards_rules_end_and_come_back_with_it(
    lab: Lab,
) -> None:
    server, attacker = lab.people
    (lab.home / "host.json").write_text(json.dumps({"servers": ["10.9.8.7:443"]}))
    said: list[object] = []
    url = f"https://{server.machine.address}:8443"
    box = BoxGuarding(lab.home, said.append, servers=(url,), poll_seconds=0.2)
    box.start()
    sessions = [Session(person) for person in lab.people]
    assert box.contain.block(serving(box, server)) == ""
    (alert,) = said
    assert isinstance(alert, Alert)
    assert alert.kind == "client_not_blocked"
    assert "Relève server" in alert.why_en
    assert box.contain.block(serving(box, attacker)) == attacker.machine.address
    for session in sessions:
        session.end()
    assert not reaches(attacker, 1)
    box.close()
    assert rules(lab) == ""
    assert here() == ""
    assert reaches(attacker, 10)

    again = BoxGuarding(lab.home, said.append, servers=(url,), poll_seconds=0.2)
    again.start()
    try:
        (held,) = again.gate.blocked()
        assert (held.address, held.user) == (attacker.machine.address, attacker.name)
        assert 8 * 3600 - 120 < held.seconds_left <= 8 * 3600
        assert not (lab.home / "blocked.json").exists()
        # What a person blocks is not the guard's to lift.
        lab.releve("share", "block", "10.250.0.9", "--home", str(lab.home))
    finally:
        again.close()
    assert "10.250.0.9" in rules(lab)
    assert attacker.machine.address not in rules(lab)
    lab.releve("share", "unblock", "10.250.0.9", "--home", str(lab.home))
    assert rules(lab) == ""
    assert len(said) == 1


def test_a_block_is_brought_back_for_the_time_that_was_left(tmp_path: Path) -> None:
    now = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    blocks = Blocks(tmp_path)
    assert blocks.take(now) == ()
    blocks.keep(
        [
            BlockedClient(address="10.0.0.7", seconds_left=3600, user="accueil"),
            BlockedClient(address="10.0.0.8", seconds_left=60),
        ],
        now,
    )
    assert (tmp_path / "blocked.json").stat().st_mode & 0o777 == 0o600
    (kept,) = blocks.take(now + dt.timedelta(minutes=10))
    assert (kept.address, kept.user) == ("10.0.0.7", "accueil")
    assert kept.until - now == dt.timedelta(hours=1)
    assert blocks.take(now) == ()


def test_every_way_to_name_a_server_protects_its_address() -> None:
    names = (
        "https://10.1.2.3:8443", "10.1.2.4:443", "10.1.2.5", "[fd00::1]:443", "fd00::2", "localhost",
        "nowhere.invalid",
    )  # fmt: skip
    servers = Servers(names)
    servers.start()
    until = time.monotonic() + 10
    wanted = {"10.1.2.3", "10.1.2.4", "10.1.2.5", "fd00::1", "fd00::2"}
    while not wanted <= (found := {a for a, _ in servers.protected()}):
        assert time.monotonic() < until, found
        time.sleep(0.02)
    servers.close()


def test_the_agent_tells_the_guard_which_server_is_never_blocked() -> None:
    config = Config(
        url="https://releve.example:8443", structure="s", structure_name="S", host="h", host_name="H",
        server_key=b"", has_authority=False, guard=("--box", "/var/lib/releve/box", "--enforce"),
    )  # fmt: skip
    words = guard_command(config)
    assert words[words.index("--never-block") + 1] == config.url
