"""A real gate tells a real server over TLS: heads, notices, standing; what it would rather hide, too."""

import datetime as dt
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from releve.apps.vault.standing import Standings, StandingTeller
from releve.flow.server import signin
from releve.flow.server.ports import Unit
from releve.model.standing import EnrolledVault, Standing
from tests.server.world import Running, running
from tests.vault.conftest import Gate, address

pytestmark = [pytest.mark.restic, pytest.mark.timeout(120)]
OWNER = "Cabinet du Parc"


def wait_for(what, seconds: float = 30.0):
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)
    return found


class Site:
    """A server with its own authority in a process of its own, and what it knows of its vault."""

    def __init__(self, home: Path) -> None:
        self.home = Home(home)
        command = [sys.executable, "-m", "releve.apps.cli.main", "server", "run", "--json"]
        self.process = subprocess.Popen(
            [*command, "--home", str(home), "--listen", "127.0.0.1:0", "--tls"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        told = json.loads(self.process.stdout.readline())
        self.port = told["url"].rpartition(":")[2].strip("/")
        self.url = f"https://localhost:{self.port}"
        self.authority = home / "keys/authority.pem"
        self.store = make_store(self.home)
        self.client = httpx.Client(
            verify=ssl.create_default_context(cafile=str(self.authority)),
            base_url=self.url,
            headers={"accept-language": "en"},
            trust_env=False,
        )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.process.stdout.close()
        self.client.close()

    def vault(self) -> EnrolledVault:
        with self.store.unit(self.store.structures()[0].id, writes=False) as unit:
            return unit.vaults()[0]

    def sign_in(self) -> None:
        now = dt.datetime.now(dt.UTC)
        owner = self.store.structures()[0]
        person = signin.create_person(
            self.store, owner, "anne", "une phrase assez longue", "anne", now
        )
        secret = signin.open_session(self.store, person, "full", lambda: os.urandom(32), now).secret
        self.client.cookies.set("__Host-releve", secret)

    def page(self) -> str:
        """The vault's page as a person of the structure sees it."""
        return self.client.get("/vault").text


@pytest.fixture
def site(tmp_path, need):
    need("restic")
    running_server = Site(tmp_path / "server")
    yield running_server
    running_server.stop()


def enrol(cli, site: Site, gate: Gate) -> None:
    """As an administrator does it: the key there, the token here."""
    key = ("--public-key", str(gate.data / "head.pub"), "--home", str(site.home.path))
    token = cli("server", "vault", "add", "coffre", "--structure", OWNER, *key)
    (gate.data / "token").write_text(token)
    server = ("--server-url", site.url, "--server-token-file", str(gate.data / "token"))
    cli(
        "vault", "init", "--name", "coffre", "--reserve", "1M", "--data", str(gate.data),
        *server, "--server-authority", str(site.authority),
    )  # fmt: skip
    quicken(gate)


def quicken(gate: Gate) -> None:
    config = json.loads((gate.data / "vault.json").read_bytes())
    config |= {"head_every_s": 0.2, "standing_every_s": 0.3}
    (gate.data / "vault.json").write_text(json.dumps(config))


def test_the_structure_sees_what_its_vault_has_and_hears_that_entries_were_removed(
    cli, site, tmp_path, documents
):
    gate = Gate(tmp_path / "vault")
    enrol(cli, site, gate)
    site.sign_in()
    gate.start()
    try:
        client = gate.client(gate.credential("srv1"))
        client.begin(address("srv1"))
        before = (gate.data / "receipts/journal.jsonl").read_bytes()
        client.restic(address("srv1"), "backup", str(documents))
        end = gate.vault().book.seq
        wait_for(lambda: (head := site.vault().head) and head.seq >= end)
        wait_for(lambda: "srv1" in site.page())
    finally:
        gate.stop()
    page = site.page()
    assert "The vault answers" in page
    assert "by the receipts of coffre" in page
    assert "releve vault scrub" in page, "not measured yet, and by what"
    cli("vault", "scrub", "--data", str(gate.data))
    cli("vault", "standing", "--send", "--data", str(gate.data))
    assert page.count("not measured yet") > site.page().count("not measured yet")
    assert "100 %" in site.page()
    rolled_back_is_told(cli, site, gate, before)


def test_the_first_backup_of_a_host_is_told_soon_and_later_ones_wait_their_turn(
    cli, site, tmp_path, documents
):
    gate = Gate(tmp_path / "vault")
    enrol(cli, site, gate)
    config = json.loads((gate.data / "vault.json").read_bytes())
    config |= {"standing_every_s": 300.0, "standing_soonest_s": 1.0}
    (gate.data / "vault.json").write_text(json.dumps(config))
    gate.start()
    try:
        wait_for(lambda: site.vault().standing_at)
        for host in ("srv1", "srv2"):
            before = site.vault().standing_at
            client = gate.client(gate.credential(host))
            client.begin(address(host))
            time.sleep(4)  # a repository without a whole backup is no news
            assert site.vault().standing_at == before
            client.restic(address(host), "backup", str(documents))
            wait_for(lambda before=before: site.vault().standing_at > before)
            assert host in standing(site)
        told = site.vault().standing_at
        client.restic(address("srv2"), "backup", str(documents))
        end = gate.vault().book.seq
        wait_for(lambda: (head := site.vault().head) and head.seq >= end)
        time.sleep(4)
        assert site.vault().standing_at == told
    finally:
        gate.stop()


def standing(site: Site) -> dict[str, int]:
    """When each host's last whole backup came, as the server knows."""
    with site.store.unit(site.store.structures()[0].id, writes=False) as unit:
        record = unit.vault(unit.vaults()[0].id)
    assert record is not None
    assert record.standing is not None
    told = msgspec.json.decode(record.standing, type=Standing)
    return {one.host: one.last_snapshot_ns for one in told.hosts if one.last_snapshot_ns}


def rolled_back_is_told(cli, site: Site, gate: Gate, before: bytes) -> None:
    """Whoever is root on the vault takes the backup out of the chain, and goes on as before."""
    kept = gate.data.parent / "heads.jsonl"
    home = ("--home", str(site.home.path))
    kept.write_text(cli("server", "vault", "heads", "coffre", "--structure", OWNER, *home))
    words = ("vault", "head", "--data", str(gate.data), "--check", str(kept))
    cli(*words)
    (gate.data / "receipts/journal.jsonl").write_bytes(before)
    shutil.rmtree(gate.data / "repos/cabinet/srv1")
    cli(*words, status=117)
    gate.start()
    try:
        wait_for(lambda: site.vault().broken == "went_back")
    finally:
        gate.stop()
    listed = json.loads(cli("server", "vault", "list", "--json", *home))
    assert (listed["name"], listed["broken"]) == ("coffre", "went_back")
    assert "Chain in doubt" in site.page()
    assert "went back from entry" in site.page()


def test_what_the_server_missed_comes_later_once_and_in_order(cli, tmp_path, need):
    need("restic")
    gate = Gate(tmp_path / "vault")
    config = json.loads((gate.data / "vault.json").read_bytes())
    (gate.data / "token").write_text("-")
    config |= {"server_url": "http://127.0.0.1:9", "server_token_file": str(gate.data / "token")}
    (gate.data / "vault.json").write_text(json.dumps(config))
    cli("vault", "standing", "--send", "--data", str(gate.data), status=123)
    vault = gate.vault()
    vault.notices.tell("store_fell", status="-9")
    vault.notices.tell("head_not_delivered", "/mnt/usb/M. Dupont", why="gone")
    with running(tmp_path / "server") as served:
        key = ("--public-key", str(gate.data / "head.pub"), "--json")
        home = ("--home", str(served.home.path), "--structure", OWNER)
        facts = json.loads(cli("server", "vault", "add", "coffre", *home, *key))
        vault.server.url, vault.server.tokens = served.url, {"": facts["token"]}
        assert vault.notices.tell("disk_full")
        vault.notices.deliver()
        assert findings(served, facts) == [
            "vault_disk_full", "vault_head_not_delivered", "vault_store_fell",
        ]  # fmt: skip
        (gate.data / "notices-sent.json").unlink()  # a crash before the place was kept
        (gate.data / "notices-sent.json").write_text('{"": 0}')
        vault.notices.deliver()
        assert len(findings(served, facts)) == 3
        with served.store.unit(facts["structure"], writes=False) as unit:
            assert "Dupont" not in repr(unit.findings_of(facts["vault"]))
        vault.server.tokens = {"": "wrong"}
        vault.notices.tell("strange", count="2")
        vault.notices.deliver()
        assert len(findings(served, facts)) == 3, "a token that is not one is nobody"
        vault.server.tokens = {"": facts["token"]}
        vault.notices.deliver()
        assert len(findings(served, facts)) == 4, "and what was refused so is not lost"


def findings(served: Running, facts: dict) -> list[str]:
    def read(unit: Unit) -> list[str]:
        return [finding.kind for finding in unit.findings_of(facts["vault"])]

    with served.store.unit(facts["structure"], writes=False) as unit:
        return read(unit)


def test_a_vault_of_several_structures_tells_each_its_own_only(cli, tmp_path, need):
    need("restic")
    gate = Gate(tmp_path / "vault")
    with running(tmp_path / "server") as served:
        known = {}
        for word, owner in (("cabinet", "Cabinet du Parc"), ("clinique", "Clinique du Lac")):
            key = ("--public-key", str(gate.data / "head.pub"), "--within", word, "--json")
            home = ("--home", str(served.home.path), "--structure", owner)
            known[word] = json.loads(cli("server", "vault", "add", "c", *home, *key))
        lines = [f"{word} {facts['token']}" for word, facts in known.items()]
        (gate.data / "tokens").write_text("# one a line\n" + "\n".join(lines) + "\n")
        cli(
            "vault", "init", "--name", "coffre", "--reserve", "1M", "--data", str(gate.data),
            "--server-url", served.url, "--server-token-file", str(gate.data / "tokens"),
        )  # fmt: skip
        vault = gate.vault()
        vault.notices.tell("restore_opened", "o-1", structure="clinique", by="Dr Roy", host="srv9")
        vault.notices.tell("disk_full")
        assert findings(served, known["cabinet"]) == ["vault_disk_full"]
        assert findings(served, known["clinique"]) == ["vault_disk_full", "vault_restore_opened"]
        cli("vault", "standing", "--send", "--data", str(gate.data))
        for word, facts in known.items():
            with served.store.unit(facts["structure"], writes=False) as unit:
                kept = unit.vault(facts["vault"])
            assert (kept.vault.within, word.encode() in kept.standing) == (word, True)
        sent = {word: facts["token"] for word, facts in known.items()}
        vault.server.tokens = {"cabinet": sent["clinique"]}
        assert "403" in StandingTeller(vault).send(), "another's standing is not taken"


def test_shares_are_counted_again_when_something_was_received_or_read(own_gate, documents, cli):
    own_gate.start()
    client, where = own_gate.client(own_gate.credential("srv1")), address("srv1")
    client.begin(where)
    client.restic(where, "backup", str(documents))
    vault = own_gate.vault()
    made = Standings(vault)

    def share() -> tuple[int, int, int]:
        vault.catch_up()
        (told,) = made.make("cabinet").hosts
        return told.verified_7d_bytes, told.verified_30d_bytes, told.bytes

    assert share()[:2] == (0, 0)
    cli("vault", "scrub", "--data", str(own_gate.data))
    week, month, whole = share()
    assert week == month == whole > 0
    (documents / "neu.txt").write_bytes(os.urandom(300_000))
    client.restic(where, "backup", str(documents))
    grown = share()
    assert (grown[0], grown[2] > whole) == (whole, True), "what came since was not read again"
    cli("vault", "scrub", "--data", str(own_gate.data))
    assert share()[0] == share()[2] > whole


def test_a_server_that_does_not_answer_holds_nobody_up(cli, tmp_path, need):
    """A port that takes connections and says nothing: one waits for it, the others go on."""
    need("restic")
    gate = Gate(tmp_path / "vault")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (gate.data / "token").write_text("-")
        cli(
            "vault", "init", "--name", "coffre", "--reserve", "1M", "--data", str(gate.data),
            "--server-url", f"http://127.0.0.1:{silent.getsockname()[1]}",
            "--server-token-file", str(gate.data / "token"),
        )  # fmt: skip
        vault = gate.vault()
        first = threading.Thread(target=vault.notices.tell, args=("store_fell",))
        first.start()
        held, _ = silent.accept()
        begun = time.monotonic()
        for number in range(20):
            gate.vault().notices.tell("quota_used_up", f"h{number}")
        assert time.monotonic() - begun < 10
        held.close()
        silent.close()
        first.join(30)
    assert len(gate.notices()) == 21


def test_no_figure_of_a_shared_vault_gives_a_neighbour_s_away(own_gate, documents, tmp_path, cli):
    own_gate.start()
    big = tmp_path / "clinique"
    big.mkdir()
    (big / "radio.bin").write_bytes(os.urandom(4_000_000))
    for structure, folder in (("cabinet", documents), ("clinique", big)):
        where = address("srv1").replace("/cabinet/", f"/{structure}/")
        credential = own_gate.credential(structure, host="srv1", structure=structure)
        client = own_gate.client(credential)
        client.begin(where)
        client.restic(where, "backup", str(folder))
    cli("vault", "scrub", "--data", str(own_gate.data))
    vault = own_gate.vault()
    vault.catch_up()
    made = Standings(vault)
    told, other = made.make("cabinet"), made.make("clinique")
    for one in (told, other):
        (host,) = one.hosts
        assert (one.scrub.bytes, one.scrub.objects, one.scrub.bad) == (host.bytes, host.objects, 0)
        assert (one.room.disk_bytes, one.room.free_bytes) == (0, 0)
        assert one.room.bytes_per_day == host.bytes_per_day
        assert one.room.days_left is not None
    whole = {told.hosts[0].bytes + other.hosts[0].bytes, other.hosts[0].bytes}
    assert not whole & set(figures(msgspec.to_builtins(told)))


def figures(value: object) -> list[object]:
    if isinstance(value, dict):
        return [one for held in value.values() for one in figures(held)]
    if isinstance(value, list | tuple):
        return [one for held in value for one in figures(held)]
    return [value]


def test_who_has_a_vault_alone_is_told_of_its_disk(own_gate, documents, cli):
    own_gate.start()
    client, where = own_gate.client(own_gate.credential("srv1")), address("srv1")
    client.begin(where)
    client.restic(where, "backup", str(documents))
    vault = own_gate.vault()
    vault.catch_up()
    room = Standings(vault).make("cabinet").room
    assert room.disk_bytes > room.free_bytes > 0
