"""Agent and server together, as processes, on loopback; killed and cut off."""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from releve.adapters.process.guards import ProcessGuards
from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home as ServerHome
from releve.apps.server.opening import make_store
from releve.flow.server import actions
from releve.model.event import HiddenPath
from releve.model.order import RestoreFile
from tests.agent.hands import open_spool, wait_for

RELEVE = (sys.executable, "-m", "releve.apps.cli.main")


def releve(*words: str, stdin: str = "", status: int = 0) -> dict:
    done = subprocess.run(
        [*RELEVE, *words, "--json"],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout or done.stderr.splitlines()[-1])


class Site:
    """One server and one agent, each a process, each killable."""

    def __init__(self, folder: Path) -> None:
        self.server_home, self.agent_home = folder / "server", folder / "agent"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.listen = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{self.listen}"
        self.server: subprocess.Popen[bytes] | None = None
        self.agent: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        home = str(self.server_home)
        self.server = subprocess.Popen(
            [*RELEVE, "server", "run", "--home", home, "--listen", self.listen],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.is_up, 40)

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/up", trust_env=False).text == "ok"
        except httpx.HTTPError:
            return False

    def enrol(self) -> None:
        owner = ("--home", str(self.server_home), "--structure", "Cabinet", "--url", self.url)
        token = releve("server", "token", "create", *owner)["token"]
        releve("agent", "enrol", "--home", str(self.agent_home), "--token", token)

    def run_agent(self, *words: str) -> None:
        home = str(self.agent_home)
        self.agent = subprocess.Popen(
            [*RELEVE, "agent", "run", "--home", home, "--heartbeat", "1", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def feed(self, first: int, count: int) -> None:
        lines = [
            json.dumps({"event": "alert", "kind": str(first + n), "why": "x"}) for n in range(count)
        ]
        releve("agent", "feed", "--home", str(self.agent_home), stdin="\n".join(lines) + "\n")

    def waiting(self) -> int:
        spool = open_spool(self.agent_home)
        try:
            return spool.waiting()
        finally:
            spool.close()

    def stored(self) -> list[int]:
        """The numbers of the alerts as the server has them, in their order."""
        store = make_store(ServerHome(self.server_home))
        (owner,) = store.structures()
        with store._engine.connect() as db:
            rows = db.exec_driver_sql(
                "SELECT body FROM event WHERE structure = ? ORDER BY seq", (owner.id,)
            )
            bodies = [json.loads(r.body) for r in rows]
        return [int(b["alert"]) for b in bodies if b["kind"] == "guard_alerted"]

    def close(self) -> None:
        for process in (self.agent, self.server):
            if process is not None:
                process.kill()
                process.wait()
        ProcessGuards(self.agent_home / "guard", ()).terminate()


@pytest.fixture
def site(tmp_path: Path):
    made = Site(tmp_path)
    yield made
    made.close()


def test_a_token_enrols_once_and_an_enrolled_home_is_not_pointed_elsewhere(site: Site) -> None:
    site.serve()
    site.enrol()
    owner = ("--home", str(site.server_home), "--structure", "Cabinet", "--url", site.url)
    token = releve("server", "token", "create", *owner)["token"]
    again = releve("agent", "enrol", "--home", str(site.agent_home), "--token", token, status=45)
    assert again["type"] == "error"
    other = str(site.agent_home.with_name("other"))
    releve("agent", "enrol", "--home", other, "--token", token)
    third = str(site.agent_home.with_name("third"))
    assert releve("agent", "enrol", "--home", third, "--token", token, status=43)
    assert releve("agent", "run", "--home", third, status=44)
    assert oct(site.agent_home.stat().st_mode & 0o777) == "0o700"


def test_nothing_is_lost_or_doubled_while_the_server_is_away_and_both_are_killed(
    site: Site,
) -> None:
    site.serve()
    site.enrol()
    site.run_agent()
    site.feed(0, 300)
    assert site.server is not None
    assert site.agent is not None
    for n in range(2):
        site.feed(300 + n * 1500, 1500)
        time.sleep(0.1)
        os.kill(site.server.pid, signal.SIGKILL)  # in the middle of batches
        site.server.wait()
        if n == 1:
            os.kill(site.agent.pid, signal.SIGKILL)
            site.agent.wait()
            site.run_agent()
        site.serve()
    wait_for(lambda: site.waiting() == 0, 60)
    assert site.stored() == list(range(300 + 2 * 1500))


def test_the_server_ends_cleanly_while_pages_and_agents_wait(site: Site) -> None:
    site.serve()
    site.enrol()
    site.run_agent()
    time.sleep(2)
    assert site.server is not None
    started = time.monotonic()
    site.server.terminate()
    assert site.server.wait(20) in (0, -signal.SIGTERM)
    assert time.monotonic() - started < 8


def test_over_tls_the_agent_trusts_only_the_authority_of_its_token(
    site: Site, tmp_path: Path
) -> None:
    site.url = f"https://{site.listen}"
    home = str(site.server_home)
    site.server = subprocess.Popen(
        [*RELEVE, "server", "run", "--home", home, "--listen", site.listen, "--tls"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    authority = site.server_home / "keys" / "authority.pem"
    wait_for(authority.exists, 40)

    def is_up() -> bool:
        import ssl

        try:
            context = ssl.create_default_context(cafile=str(authority))
            answer = httpx.get(f"{site.url}/up", verify=context, trust_env=False)
        except (httpx.HTTPError, ssl.SSLError):
            return False
        assert "strict-transport-security" in answer.headers
        return answer.text == "ok"

    wait_for(is_up, 40)
    site.enrol()
    line = json.dumps({"event": "alert", "kind": "7", "why": "x"}) + "\n"
    releve("agent", "feed", "--home", str(site.agent_home), "--send", stdin=line)
    assert site.stored() == [7]
    # A token of another server, with another authority, does not enrol here.
    foreign = str(tmp_path / "foreign")
    token = releve(
        "server", "token", "create", "--home", foreign, "--structure", "X", "--url", site.url
    )["token"]
    other = str(tmp_path / "other")
    assert releve("agent", "enrol", "--home", other, "--token", token, status=42)


def test_plain_http_is_for_loopback_only(site: Site, tmp_path: Path) -> None:
    home = str(tmp_path / "s")
    assert releve("server", "run", "--home", home, "--listen", "0.0.0.0:1", "--no-tls", status=50)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        assert releve("server", "run", "--home", home, "--listen", listen, status=53)
    owner = ("--home", home, "--structure", "X", "--url", "http://releve.example")
    token = releve("server", "token", "create", *owner)["token"]
    assert releve("agent", "enrol", "--home", str(tmp_path / "a"), "--token", token, status=41)


def test_the_guard_goes_on_after_the_agent_and_is_ended_by_its_own_command(site: Site) -> None:
    site.serve()
    site.enrol()
    share = site.agent_home.with_name("share")
    share.mkdir()
    (share / "a.txt").write_text("bonjour")
    words = f"--portable --protect {share} --store {site.agent_home.with_name('held')}"
    config = site.agent_home / "agent.json"
    home = ("--home", str(site.agent_home))
    site.run_agent("--guard", words)
    wait_for(lambda: b"--portable" in config.read_bytes())
    wait_for(lambda: b'"ready"' in b"".join(outputs(site)), 40)
    assert releve("agent", "stop-guard", *home, status=47)  # an agent runs
    assert site.agent is not None
    site.agent.terminate()
    assert site.agent.wait(20) == 0
    assert releve("agent", "status", *home, status=3)["guard_running"]
    ended = releve("agent", "stop-guard", *home)
    assert not ended["guard_running"]
    assert str(site.agent_home.with_name("held")) in ended["stores"], "copies of files stay there"


def outputs(site: Site) -> list[bytes]:
    return [p.read_bytes() for p in (site.agent_home / "guard").glob("out-*.jsonl")]


def test_feeding_from_a_pipe_keeps_each_line_as_it_comes(site: Site) -> None:
    site.serve()
    site.enrol()
    feed = subprocess.Popen(
        [*RELEVE, "agent", "feed", "--home", str(site.agent_home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert feed.stdin is not None
    for n in (1, 2):
        feed.stdin.write(
            json.dumps({"event": "alert", "kind": str(n), "why": "x"}).encode() + b"\n"
        )
        feed.stdin.flush()
        wait_for(lambda n=n: site.waiting() == n)
    feed.stdin.close()
    assert feed.wait(20) == 0


def test_an_order_to_restore_a_file_goes_all_the_way_and_the_server_never_knows_its_name(
    site: Site,
) -> None:
    """Console's action, signed order, the host's own names, the real guard's held original."""
    site.serve()
    site.enrol()
    share, held = site.agent_home.with_name("share"), site.agent_home.with_name("held")
    share.mkdir()
    file = share / "DUPONT_Jean.txt"
    file.write_text("compte rendu")
    site.run_agent("--guard", f"--portable --protect {share} --store {held}")
    wait_for(lambda: b'"ready"' in b"".join(outputs(site)), 40)
    line = {
        "event": "rolled_back",
        "family": "f",
        "restored": 0,
        "lost": [str(file)],
        "newest_save_lost": [],
        "quarantined": [],
    }
    releve("agent", "feed", "--home", str(site.agent_home), stdin=json.dumps(line) + "\n")
    as_of = dt.datetime.now(dt.UTC)
    file.unlink()
    store = make_store(ServerHome(site.server_home))
    (owner,) = store.structures()
    wait_for(lambda: bool(lost_paths(store, owner.id)))
    (path,) = lost_paths(store, owner.id)
    key = ServerHome(site.server_home).signing_key()
    with store.unit(owner.id) as unit:
        (host,) = unit.hosts()
        task = RestoreFile(token=path.token, as_of=as_of)
        now = dt.datetime.now(dt.UTC)
        actions.propose(unit, host.id, task, actor="claire", identity="a1", now=now)
        actions.approve(unit, "a1", key, actor="claire", now=now)

    def ended() -> bool:
        with store.unit(owner.id, writes=False) as unit:
            record = unit.action("a1")
        return record is not None and record.action.state != "sent"

    wait_for(ended, 60)
    with store.unit(owner.id, writes=False) as unit:
        record = unit.action("a1")
    assert record is not None
    assert (record.action.state, record.action.detail) == ("done", "")
    assert file.read_text() == "compte rendu"
    for kept in site.server_home.iterdir():
        assert kept.is_dir() or b"DUPONT" not in kept.read_bytes()


def lost_paths(store: SqlStore, structure: str) -> tuple[HiddenPath, ...]:
    with store.unit(structure, writes=False) as unit:
        return tuple(p for f in unit.findings("rolled_back") for p in f.lost_paths)
