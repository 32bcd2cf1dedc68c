"""Orders by a real server to a real agent: carried out on a live guard and a real network, or refused."""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.linux import procfs
from releve.adapters.process.guards import ProcessGuards
from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home as ServerHome
from releve.apps.server.opening import make_store
from releve.flow.envelope import seal_order
from releve.flow.server import actions
from releve.flow.server.ports import ActionRecord
from releve.model.order import (
    Action,
    AnyTask,
    Isolate,
    Order,
    Release,
    RestoreFile,
    SignedOrder,
    StopFamily,
)
from tests.agent.hands import open_spool, wait_for
from tests.box.conftest import Net
from tests.box.test_isolation import Views
from tests.guard.conftest import ground_on, mounted, on  # noqa: F401 - fixtures
from tests.guard.ground import Attackers, Ground, differences, letter

pytestmark = [pytest.mark.root]
RELEVE = (sys.executable, "-m", "releve.apps.cli.main")


class Site:
    """A server and an agent as processes, each where `server` and `host` (words) put it."""

    def __init__(
        self,
        folder: Path,
        address: str,
        *,
        server: tuple[str, ...] = (),
        host: tuple[str, ...] = (),
    ) -> None:
        self.folder, self._in_server, self._in_host = folder, server, host
        self.server_home, self.agent_home = folder / "server", folder / "agent"
        self.box_home = folder / "box"
        self.listen = f"{address}:{_free_port()}"
        self.is_local = address == "127.0.0.1"
        self.url = f"{'http' if self.is_local else 'https'}://{self.listen}"
        self._running: list[subprocess.Popen[bytes]] = []
        self._number = 0

    def run(self, *words: str, where: tuple[str, ...] = ()) -> dict[str, object]:
        done = subprocess.run(
            [*where, *RELEVE, *words, "--json"], capture_output=True, text=True, timeout=60, check=True
        )  # fmt: skip
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def start(self, *guard: str) -> None:
        home = str(self.server_home)
        tls = () if self.is_local else ("--tls",)
        words = [
            *self._in_server,
            *RELEVE,
            "server",
            "run",
            "--home",
            home,
            "--listen",
            self.listen,
        ]
        self._spawn([*words, *tls])
        wait_for(self._is_up, 40)
        owner = ("--home", home, "--structure", "Cabinet", "--url", self.url)
        token = str(self.run("server", "token", "create", *owner)["token"])
        agent = str(self.agent_home)
        self.run("agent", "enrol", "--home", agent, "--token", token, where=self._in_host)
        more = ("--guard", " ".join(guard)) if guard else ()
        self._spawn(
            [*self._in_host, *RELEVE, "agent", "run", "--home", agent, "--heartbeat", "1", *more]
        )
        if guard:
            wait_for(lambda: bool(self.lines("ready")), 40)

    def _spawn(self, words: list[str]) -> None:
        # The host's isolation is kept in a home of its own, for this machine is not to know of it.
        environment = {**os.environ, "RELEVE_BOX_HOME": str(self.box_home)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": (self.folder / "err").open("ab")}
        self._running.append(subprocess.Popen(words, env=environment, **quiet))

    def _is_up(self) -> bool:
        if self.is_local:
            try:
                return httpx.get(f"{self.url}/up", trust_env=False).text == "ok"
            except httpx.HTTPError:
                return False
        code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()"
        host, _, port = self.listen.rpartition(":")
        words = [*self._in_host, sys.executable, "-c", code, host, port]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def lines(self, event: str) -> list[dict[str, object]]:
        """What the guard said."""
        texts = [p.read_bytes() for p in (self.agent_home / "guard").glob("out-*.jsonl")]
        found = [
            json.loads(line) for text in texts for line in text.splitlines() if line[-1:] == b"}"
        ]
        return [line for line in found if line["event"] == event]

    def order(
        self,
        task: AnyTask,
        *,
        actor: str = "claire",
        change: Callable[[ActionRecord], ActionRecord] | None = None,
    ) -> Action:
        """Propose, decide, send; what became of it. `change` alters the record before it goes out."""
        self._number += 1
        name, now = f"a{self._number}", dt.datetime.now(dt.UTC)
        store = self._store()
        (owner,) = store.structures()
        key = ServerHome(self.server_home).signing_key()
        with store.unit(owner.id) as unit:
            (host,) = unit.hosts()
            actions.propose(unit, host.id, task, actor=actor, identity=name, now=now)
            assert actions.approve(unit, name, key, actor=actor, now=now)
            record = unit.action(name)
            assert record is not None
            if change is not None:
                unit.put_action(change(record))

        def ended() -> bool:
            return self._action(store, owner.id, name).state != "sent"

        if change is None:
            wait_for(ended, 60)
        return self._action(store, owner.id, name)

    def _store(self) -> SqlStore:
        return make_store(ServerHome(self.server_home), "")

    @staticmethod
    def _action(store: SqlStore, structure: str, name: str) -> Action:
        with store.unit(structure, writes=False) as unit:
            record = unit.action(name)
        assert record is not None
        return record.action

    def action(self, name: str) -> Action:
        store = self._store()
        (owner,) = store.structures()
        return self._action(store, owner.id, name)

    def signed(self, name: str) -> SignedOrder | None:
        """An order as it went out."""
        store = self._store()
        (owner,) = store.structures()
        with store.unit(owner.id, writes=False) as unit:
            record = unit.action(name)
        return record.signed if record is not None else None

    def told(self, file: Path) -> str:
        """The token under which the server knows a file."""
        line = {
            "event": "rolled_back", "family": "f", "restored": 0, "lost": [str(file)], "newest_save_lost": [],
            "quarantined": [],
        }  # fmt: skip
        subprocess.run(
            [*RELEVE, "agent", "feed", "--home", str(self.agent_home)],
            input=json.dumps(line) + "\n", text=True, check=True, timeout=60, capture_output=True,
        )  # fmt: skip
        store = self._store()
        (owner,) = store.structures()

        def tokens() -> list[str]:
            with store.unit(owner.id, writes=False) as unit:
                return [p.token for f in unit.findings("rolled_back") for p in f.lost_paths]

        wait_for(lambda: bool(tokens()), 30)
        return tokens()[0]

    def newest(self) -> int:
        """The number of the last order that the agent took for done."""
        spool = open_spool(self.agent_home)
        try:
            return spool.last_order()
        finally:
            spool.close()

    def close(self) -> None:
        for process in reversed(self._running):
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        ProcessGuards(self.agent_home / "guard", ()).terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, "127.0.0.1")
    yield made
    made.close()


def resigned(
    site: Site, key: Ed25519PrivateKey | None = None, **changed: object
) -> Callable[[ActionRecord], ActionRecord]:
    """The same order with other words, signed by the server's key or another."""

    def change(record: ActionRecord) -> ActionRecord:
        assert record.signed is not None
        order = msgspec.json.decode(record.signed.order, type=Order)
        signer = key or ServerHome(site.server_home).signing_key()
        sealed = seal_order(signer, msgspec.structs.replace(order, **changed))
        return msgspec.structs.replace(record, signed=sealed)

    return change


def alive(pid: int) -> bool:
    return procfs.is_alive(pid)


def slow_attacker(attackers: Attackers, share: Path) -> int:
    """Destroys one file and then waits for a long time: too little to be convicted for."""
    attackers.python("inplace", share, "60")
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for pid in attackers.inside():
            if b"inplace" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
        time.sleep(0.01)
    raise AssertionError


def family(pid: int, tick: int) -> str:
    """As the guard names it; the kernel's two clocks for the start may differ by a tick."""
    found = procfs.stat(pid)
    assert found is not None
    return f"{pid}-{found[2] // 10_000_000 + tick}"


@pytest.mark.need("namespaces")
def test_orders_reach_the_live_guard_once_in_time_and_from_this_server_only(
    site: Site,
    ground_on: Callable[[str], Ground],  # noqa: F811
) -> None:
    ground = ground_on("btrfs")
    ground.share.mkdir()
    first = ground.share / "0 agenda.txt"
    first.write_bytes(letter(1, 5000))
    before = ground.build(24, links=False)
    attackers = ground.attackers()
    site.start(
        "--protect", str(ground.share), "--store", str(ground.store), "--enforce", "--scope", str(attackers.scope)
    )  # fmt: skip

    # Restore: the host alone knows the name behind the token.
    file = next(p for p in ground.share.rglob("courrier*.txt"))
    content, as_of = file.read_bytes(), dt.datetime.now(dt.UTC)
    token = site.told(file)
    assert attackers.wait(attackers.start(f"rm '{file}'")) == 0
    time.sleep(0.3)
    done = site.order(RestoreFile(token=token, as_of=as_of))
    assert (done.state, done.detail) == ("done", "")
    assert file.read_bytes() == content
    sent = site.signed(done.id)

    # The same order again, under another action: it was obeyed, once.
    assert attackers.wait(attackers.start(f"rm '{file}'")) == 0
    newest = site.newest()
    site.order(Release(), change=lambda record: msgspec.structs.replace(record, signed=sent))

    # Too late, or by somebody else.
    pid = slow_attacker(attackers, ground.share)
    wait_for(lambda: first.read_bytes() != letter(1, 5000), 10)
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    stop = StopFamily(family=family(pid, 0))
    forged = site.order(stop, change=resigned(site, Ed25519PrivateKey.generate()))
    expired = site.order(stop, change=resigned(site, expires_at=past))
    wait_for(lambda: site.action(expired.id).state != "sent", 20)
    assert (site.action(expired.id).state, site.action(expired.id).detail) == ("failed", "expired")
    assert site.action(forged.id).state == "sent"  # nobody answers to a stranger
    assert alive(pid)
    assert site.lines("stopped") == []
    assert not file.exists()  # the replayed one did nothing
    assert site.newest() > newest  # it listened all the while

    # In time, by its own server.
    ended = [site.order(StopFamily(family=family(pid, tick))) for tick in (0, 1, -1) if alive(pid)]
    assert ended[-1].state == "done"
    assert not alive(pid)
    wait_for(lambda: bool(site.lines("rolled_back")), 20)
    (rolled,) = site.lines("rolled_back")
    assert rolled["lost"] == []
    del before[str(file.relative_to(ground.share))]
    assert differences(before, ground.share) == []


@pytest.mark.need("nftables", "ip", "unshare")
def test_an_ordered_isolation_keeps_the_server_ends_by_itself_and_spares_care(
    net: Net, tmp_path: Path
) -> None:
    # Nothing of this machine's own /run is shown the notice of a cut that is not its own.
    private = ("sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh")
    inside = ("ip", "netns", "exec", net.ns("host"), *private)
    server = ("ip", "netns", "exec", net.ns("server"))
    site = Site(tmp_path, net.address("server"), server=server, host=inside)
    views = Views(net)
    other = net.address("other")
    try:
        site.start()
        assert views.ask("new", other) == "yes"

        cut = site.order(Isolate(minutes=1))  # its end is told over the link that is kept
        assert (cut.state, cut.detail) == ("done", "")
        assert views.ask("old", other) == "no"
        assert views.ask("new", other) == "no"
        record = json.loads((site.box_home / "isolation.json").read_text())
        assert record["approved_by"] == "claire"

        opened = site.order(Release())
        assert (opened.state, opened.detail) == ("done", "")
        assert views.ask("new", other) == "yes"
        assert net.nft("host") == ""

        assert site.order(Isolate(minutes=1)).state == "done"
        home = str(site.box_home)
        site.run("isolate", "--renew", "--minutes", "0.05", "--home", home, where=inside)
        assert views.ask("new", other) == "no"
        wait_for(lambda: views.ask("new", other) == "yes", 15)  # nobody renewed it
        wait_for(lambda: net.nft("host") == "", 15)

        (site.box_home / "host.json").write_text(json.dumps({"care_role": "imagerie"}))
        refused = site.order(Isolate(minutes=1), actor=" ")
        assert (refused.state, refused.detail) == ("failed", "status 62")
        assert net.nft("host") == ""
        assert views.ask("new", other) == "yes"
        assert site.order(Isolate(minutes=1), actor="dr-martin").state == "done"
        assert views.ask("new", other) == "no"
        assert site.order(Release()).state == "done"
    finally:
        site.close()
        (site.box_home / "isolation.json").unlink(missing_ok=True)  # its tidying process ends
