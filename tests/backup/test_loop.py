"""The agent's hourly backup, at a short interval: the loop itself, through a real rest-server."""

import datetime as dt
import json
import shutil
import socket
import sqlite3
import threading
import time
from pathlib import Path
from random import Random
from typing import Self

import anyio
import pytest

from releve.adapters.process.commands import ProcessCommands
from releve.adapters.restic.rest_server import RestServer
from releve.adapters.spool.sqlite import SqliteSpool
from releve.adapters.system import SystemClock
from releve.apps.agent.config import Config as AgentConfig
from releve.apps.agent.wiring import backup_command
from releve.apps.backup.state import Config, State
from releve.detect.guard_findings import find
from releve.flow.agent.backup import back_up_forever
from releve.model.event import FOLDER_MISSING, BackupRan
from releve.model.host import Host, HostState
from releve.triage import hosts
from releve.triage.outlook import outlook
from tests.agent.hands import events, wait_for

pytestmark = pytest.mark.restic
EVERY = 1.0  # seconds, in place of an hour


class Loop:
    """The loop as the agent runs it, in a thread; what it told is in its spool."""

    def __init__(self, home: Path, state: Path) -> None:
        home.mkdir()
        self.spool = SqliteSpool(home / "agent.db")
        config = AgentConfig(
            url="http://127.0.0.1:9", structure="s", structure_name="Cabinet", host="h",
            host_name="accueil", server_key=b"", has_authority=False,
            backup=("--state", str(state), "--json"), backup_every_seconds=EVERY,
        )  # fmt: skip
        self.command = backup_command(config)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        anyio.run(self._work)

    async def _work(self) -> None:
        async with anyio.create_task_group() as tasks:
            facts = (ProcessCommands(), self.spool, SystemClock(), self.command, EVERY, Random(7))
            tasks.start_soon(back_up_forever, *facts)
            while not self._ends.is_set():  # noqa: ASYNC110
                await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()

    def told(self) -> list[BackupRan]:
        return [e for e in events(self.spool) if isinstance(e, BackupRan)]

    def wait(self, more: int, *, ok: bool) -> list[BackupRan]:
        """Until so many more ended as wanted."""
        before = len(self.told())
        wait_for(lambda: sum(e.ok == ok for e in self.told()[before:]) >= more, 60)
        return self.told()[before:]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(30)
        self.spool.close()


class Writer:
    """A practice's program that never stops writing: every visit has its bill, in one transaction."""

    def __init__(self, path: Path) -> None:
        self._path, self._ends = path, threading.Event()
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE act (id INTEGER PRIMARY KEY, note TEXT)")
            database.execute("CREATE TABLE bill (act INTEGER, amount INTEGER)")
        database.close()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def _write(self) -> None:
        database = sqlite3.connect(self._path, timeout=20)
        while not self._ends.is_set():
            with database:
                act = database.execute("INSERT INTO act (note) VALUES (?)", ("x" * 900,)).lastrowid
                database.execute("INSERT INTO bill VALUES (?, 25)", (act,))
            time.sleep(0.002)
        database.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(20)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def vault(tmp_path, need, template):
    """A server on a port of its own, so that it comes back where it was."""
    need("restic")
    shutil.copytree(template / "vault", tmp_path / "vault")
    running = RestServer(str(tmp_path / "vault"), f"127.0.0.1:{free_port()}")
    with running:
        yield running


@pytest.fixture
def machine(tmp_path, vault, share, template):
    shutil.copytree(template / "state", tmp_path / "state", ignore=shutil.ignore_patterns("cache"))
    kept = State(str(tmp_path / "state"))
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "radio.dcm").write_bytes(b"DICM" * 500)
    folders = (str(share), str(tmp_path / "scans"))
    config = Config(url=vault.url("host"), user="host", folders=folders)
    kept.configure(config, (kept.folder / "http-password").read_text())
    return kept


def test_the_loop_backs_up_again_and_again_what_changed(tmp_path, machine, share):
    with Loop(tmp_path / "agent", machine.folder) as loop:
        first = loop.wait(1, ok=True)[0]
        (share / "lettres [2026]" / "nouvelle.txt").write_text("une lettre de plus")
        loop.wait(2, ok=True)
        assert all(e.ok and e.status == 0 and not e.detail for e in loop.told())
        assert first.ms > 0
    snapshots = machine.engine().snapshots()
    assert len(snapshots) >= 3
    names = list(machine.engine().ls(snapshots[-1].id, str(share / "lettres [2026]")))
    assert str(share / "lettres [2026]" / "nouvelle.txt") in names


def test_a_server_that_is_down_is_told_and_the_loop_goes_on_when_it_is_back(
    tmp_path, machine, vault
):
    with Loop(tmp_path / "agent", machine.folder) as loop:
        loop.wait(1, ok=True)
        vault.stop()
        down = [e for e in loop.wait(2, ok=False) if not e.ok]
        assert {(e.status, e.detail) for e in down} <= {(85, "status 85"), (91, "status 91")}
        finding = find(down[-1], host="h", identity="i")
        assert finding is not None
        assert finding.kind == "backup_failed"
        before = len(machine_snapshots(machine, vault))
        loop.wait(1, ok=True)
    assert len(machine_snapshots(machine, vault)) > before
    machine.engine().check(read_data=True)


def machine_snapshots(machine: State, vault: RestServer) -> list[object]:
    if not vault.pid:
        vault.start()
    return list(machine.engine().snapshots())


@pytest.mark.parametrize("verdict", ["bad", "suspect"])
def test_a_backup_that_shows_harm_is_told_as_that_and_as_no_failure(verdict):
    """It was made and received: people look at what was destroyed, not at the line to the vault."""
    now = dt.datetime.now(dt.UTC)
    ran = BackupRan(seen_at=now, ok=False, ms=1, status=30, snapshot_at=now, verdict=verdict)
    finding = find(ran, host="h", identity="i")
    assert finding is not None
    assert finding.kind == "backup_harmed"
    state = hosts.step(HostState(), ran)
    assert state.backup is not None
    assert state.backup.is_harmed
    failed = BackupRan(seen_at=now, ok=False, ms=1, status=85)
    after = hosts.step(state, failed).backup
    assert after is not None
    assert (after.is_harmed, after.verdict) == (False, verdict), "the one after it failed"


def test_a_database_that_is_written_all_the_while_is_whole_in_every_snapshot(
    tmp_path, machine, share, capsys
):
    from releve.apps.cli.main import run

    path = share / "actes.db"
    with Writer(path), Loop(tmp_path / "agent", machine.folder) as loop:
        loop.wait(3, ok=True)
    sizes = []
    for number, snapshot in enumerate(machine.engine().snapshots()):
        target = tmp_path / f"restored-{number}.db"
        words = ("--at", snapshot.at.isoformat(), "--from", "snapshots", "--to", str(target))
        capsys.readouterr()
        assert run(["restore", str(path), *words, "--state", str(machine.folder), "--json"]) == 0
        with sqlite3.connect(target) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            acts, bills = (
                database.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("act", "bill")
            )
        database.close()
        assert acts == bills > 0
        sizes.append(acts)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def concerns_of(state: HostState) -> list[str]:
    now = dt.datetime.now(dt.UTC)
    host = Host(
        id="h", structure="s", name="n", enrolled_at=now, carries_care=True, last_seen_at=now,
        state=state,
    )  # fmt: skip
    return [c.kind for c in outlook((host,), (), 0, now).concerns]


def test_a_protected_folder_that_is_missing_is_an_alert_and_no_success(
    tmp_path, machine, share, capsys
):
    from releve.apps.cli.main import run

    with Loop(tmp_path / "agent", machine.folder) as loop:
        loop.wait(1, ok=True)
        good_at = machine.load().good_at
        (tmp_path / "scans").rename(tmp_path / "elsewhere")
        missing = loop.wait(2, ok=False)
        late = [e for e in missing if not e.ok]
        assert {(e.status, e.detail) for e in late} == {(76, FOLDER_MISSING)}
        finding = find(late[-1], host="h", identity="i")
        assert finding is not None
        assert finding.kind == "backup_failed"
        state = HostState()
        for event in loop.told():
            state = hosts.step(state, event)
        assert state.backup is not None
        assert state.backup.folder_missing
        assert concerns_of(state) == ["backup_folder"]
        record = machine.load()
        assert str(tmp_path / "scans") in record.error
        assert record.good_at is not None
        assert good_at is not None
        (tmp_path / "elsewhere").rename(tmp_path / "scans")
        loop.wait(1, ok=True)
        assert concerns_of(hosts.step(state, loop.told()[-1])) == []
    # What is there was saved all the same: half a backup is better than none.
    snapshot = machine.engine().snapshots()[1]
    assert len(list(machine.engine().ls(snapshot.id, str(share)))) > 1
    assert run(["backup", "run", "--state", str(machine.folder), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line["unread"] for line in told if "unread" in line] == [[]]
