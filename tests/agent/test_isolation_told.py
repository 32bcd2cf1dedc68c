"""What the agent tells of its host's isolation: real cuts in a network namespace of their own."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from releve.adapters.process.commands import ProcessCommands
from releve.adapters.process.isolation import CommandIsolation, IsolationFile
from releve.adapters.system import SystemClock
from releve.apps.agent import wiring
from releve.apps.agent.wiring import RELEVE
from releve.apps.box.home import DEFAULT_HOME
from releve.apps.box.host import RECORD
from releve.flow.agent.isolation import tell_isolation, tell_isolation_forever
from releve.model import event as ev
from tests.agent.hands import events, open_spool, wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def netns(need):
    need("root")
    name = f"rlv-{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


class Host:
    """A machine whose network is a namespace: its isolation, and the agent's look at it."""

    def __init__(self, home: Path, netns: str) -> None:
        self.words = ("--home", str(home / "box"), "--netns", netns, "--json")
        command = (*RELEVE, "isolate", "--status", *self.words)
        record = home / "box" / "isolation.json"
        self.sight = CommandIsolation(ProcessCommands(), command, record)
        self.told = IsolationFile(home / "told.json")
        self.spool = open_spool(home)

    def isolate(self, *words: str) -> None:
        options = (*self.words, "--server", "127.0.0.1:8443", "--yes", *words)
        subprocess.run([*RELEVE, "isolate", *options], check=True, stdout=subprocess.DEVNULL)

    def release(self) -> None:
        command = [*RELEVE, "release", *self.words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def look(self) -> None:
        async def once() -> None:
            last = self.told.load()
            await tell_isolation(self.sight, self.told, self.spool, SystemClock(), last)

        anyio.run(once)


@pytest.fixture
def host(tmp_path, netns):
    made = Host(tmp_path, netns)
    yield made
    made.release()
    made.spool.close()


def test_a_cut_is_told_once_with_who_and_until_when_and_so_is_its_end(host):
    host.look()
    assert events(host.spool) == []
    host.isolate("--minutes", "60", "--care-approved-by", "dr.martin")
    host.look()
    host.look()
    (told,) = events(host.spool)
    assert isinstance(told, ev.HostIsolated)
    assert told.by == "dr.martin"
    assert 3590 < (told.until - told.since).total_seconds() < 3610
    host.isolate("--minutes", "120", "--renew")
    host.look()
    assert events(host.spool)[-1].until > told.until
    host.release()
    host.look()
    assert isinstance(events(host.spool)[-1], ev.HostReleased)
    assert len(events(host.spool)) == 3


def test_the_dead_mans_release_is_told_by_an_agent_that_was_started_meanwhile(host):
    host.isolate("--minutes", "0.05")
    host.look()
    assert isinstance(events(host.spool)[-1], ev.HostIsolated)

    async def later() -> None:
        """Another agent of the same home: what was told is in its file."""
        with anyio.move_on_after(40):
            async with anyio.create_task_group() as tasks:
                clock = SystemClock()
                tasks.start_soon(tell_isolation_forever, host.sight, host.told, host.spool, clock)
                while not isinstance(events(host.spool)[-1], ev.HostReleased):  # noqa: ASYNC110
                    await anyio.sleep(0.2)
                tasks.cancel_scope.cancel()

    anyio.run(later)
    assert [type(e) for e in events(host.spool)] == [ev.HostIsolated, ev.HostReleased]
    assert host.told.load() is None


def test_a_look_that_fails_tells_nothing(tmp_path, host):
    host.isolate("--minutes", "60")
    host.look()
    failing = CommandIsolation(
        ProcessCommands(), (sys.executable, "-c", "raise SystemExit(1)"), Path(os.devnull)
    )

    async def once() -> None:
        before = host.told.load()
        assert await tell_isolation(failing, host.told, host.spool, SystemClock(), before) == before

    anyio.run(once)
    wait_for(lambda: len(events(host.spool)) == 1)


def test_the_agent_looks_where_the_command_keeps_what_is_cut():
    assert wiring.BOX_HOME == DEFAULT_HOME
    sight = wiring.isolation_sight(ProcessCommands())
    assert sight._record == DEFAULT_HOME / RECORD
