"""Who writes through the file server, told by real Samba and real clients in their own networks."""

import datetime as dt
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath

import msgspec
import pytest

from releve.adapters.linux import procfs, samba_proc
from releve.adapters.linux.contain import SmbContain
from releve.adapters.linux.lineage import Lineage
from releve.adapters.linux.nft import NftClientGate
from releve.adapters.linux.samba import Clients, SambaControl
from releve.adapters.linux.samba_names import AuditLog
from releve.apps.box.home import protected
from releve.apps.box.lab import Lab, Person
from releve.flow.clients import Client, NeverBlockedError
from releve.model.process import Process

pytestmark = [pytest.mark.samba]


class Session:
    """One SMB connection that stays open, in a person's hands."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._process = subprocess.Popen(
            person.smbclient(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def end(self) -> str:
        try:
            return self._process.communicate("quit\n", timeout=10)[0]
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.communicate()[0]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not below pytest's own folder, which nobody but root may pass through.
    made = Path(tempfile.mkdtemp(prefix="rlv-cabinet-"))
    made.chmod(0o755)
    (made / "lettres").mkdir()
    for number in range(20):
        (made / "lettres" / f"{number}.txt").write_text(f"lettre {number}\n")
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def _lab(folder: Path) -> Iterator[Lab]:
    with Lab(folder) as made:
        yield made


@pytest.fixture
def lab(_lab: Lab) -> Iterator[Lab]:
    yield _lab
    NftClientGate(netns=_lab.server.netns).clear()


@pytest.fixture
def clients(lab: Lab) -> Iterator[Clients]:
    with Clients(home=lab.home, poll_seconds=0.2) as made:
        yield made


def put(person: Person, name: str, source: Path) -> subprocess.CompletedProcess[str]:
    command = person.smbclient(f"put {source} {name}", f"rename {name} {name}.locked")
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def reaches(person: Person, seconds: float = 2) -> bool:
    command = ["timeout", str(seconds), *person.smbclient("ls")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def connected(clients: Clients, person: Person) -> Client:
    """The person's connection, once it is known with its user."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for client in clients.connected():
            if client.address == person.machine.address and client.user:
                return client
        time.sleep(0.02)
    raise AssertionError(f"{person.name} was not found in {clients.connected()}")


def test_each_process_of_the_server_is_its_own_client(
    lab: Lab, clients: Clients, folder: Path
) -> None:
    sessions = [Session(person) for person in lab.people]
    source = folder / "lettres" / "0.txt"
    for session in sessions:
        session.say(f"put {source} {session.person.name}.txt")

    found = [connected(clients, session.person) for session in sessions]

    assert [c.user for c in found] == [p.name for p in lab.people]
    assert len({c.pid for c in found}) == 2
    assert [clients.pids_of(p.machine.address) for p in lab.people] == [(c.pid,) for c in found]
    for session in sessions:
        assert "NT_STATUS" not in session.end()
    for client, person in zip(found, lab.people, strict=True):
        assert identity(clients.client_of(client.pid, client.starttime)) == identity(client)
        assert identity(clients.client_of(client.pid)) == identity(client)
        # The file it wrote has the person's own identity, not one that all share.
        assert (folder / f"{person.name}.txt").stat().st_uid == person.uid


def identity(client: Client | None) -> tuple[int, str, str] | None:
    return client and (client.pid, client.address, client.user)


def test_a_client_is_known_also_while_its_server_process_works_as_the_person(
    lab: Lab, clients: Clients, folder: Path
) -> None:
    """Its real user is the person's meanwhile: a look at any moment must do."""
    person = lab.people[0]
    source = folder / "lettres" / "0.txt"
    words = [w for n in range(200) for w in (f"put {source} w{n}.txt", f"rename w{n}.txt v{n}.txt")]
    command = person.smbclient(*words)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as work:
        pid, told = connected(clients, person).pid, list[str]()
        while work.poll() is None and len(told) < 20:
            found = Clients(home=lab.home).learn(pid)
            if real_user(pid) == str(person.uid):
                told.append(found.address if found else "")
        work.wait()
    assert told
    assert set(told) == {person.machine.address}


def real_user(pid: int) -> str:
    """Empty: it ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(line.split()[1] for line in lines if line.startswith("Uid:"))
    return ""


def test_the_listener_is_a_border_and_helpers_are_nobody(lab: Lab, clients: Clients) -> None:
    assert clients.is_master(lab.pid)
    assert clients.client_of(lab.pid) is None
    helpers = [
        seen
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and (seen := samba_proc.look(int(entry.name)))
        if seen.parent == lab.pid and not samba_proc.is_server(seen)
    ]
    assert {seen.name for seen in helpers} >= {"smbd-notifyd", "cleanupd"}
    for seen in helpers:
        assert clients.client_of(seen.pid) is None
        assert not clients.is_master(seen.pid)


class Kin:
    """The guard's lineage, wired to the clients as the guard wires it; notes the births."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self.born: list[int] = []
        self.lineage = Lineage(is_listener=clients.is_listener, on_fork=self._on_fork)

    def _on_fork(self, parent: int, child: int) -> None:
        self.born.append(child)
        self._clients.on_fork(parent, child)


@pytest.fixture
def kin(clients: Clients) -> Iterator[Kin]:
    made = Kin(clients)
    yield made
    made.lineage.close()


def lives(process: Process) -> bool:
    """After a moment for the server to notice that its client left."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        seen = samba_proc.look(process.pid)
        if seen is None or seen.dead or seen.starttime != process.start_ns // procfs.TICK_NS:
            return False
        time.sleep(0.02)
    return True


def test_a_client_that_connects_puts_and_leaves_is_still_known(
    lab: Lab, clients: Clients, kin: Kin, folder: Path
) -> None:
    assert kin.lineage.is_exact, "the process connector is refused here"
    contain = SmbContain(clients=clients, gate=NftClientGate(netns=lab.server.netns))
    unseen = 0
    for turn in range(10):
        person = lab.people[turn % 2]
        before = len(kin.born)
        assert put(person, f"bref-{turn}.txt", folder / "lettres" / "1.txt").returncode == 0
        until, found = time.monotonic() + 3, list[Client]()
        while time.monotonic() < until and not any(c.user for c in found):
            time.sleep(0.1)  # the log names who left before anybody could look
            children = [kin.lineage.get(pid) for pid in kin.born[before:]]
            found = [c for child in children if (c := contain.client_of(child)) is not None]
        if not found:
            unseen += 1  # gone before its number inside the lab's own namespace could be read
            continue
        assert {(c.address, c.user) for c in found} == {(person.machine.address, person.name)}
        assert {c.server for c in found} == {lab.pid}  # in whose network it is kept out
        assert not any(map(lives, children))
    assert unseen <= 3
    # It holds each connection for a moment, and the clients were polled all the while.
    assert clients.client_of(lab.pid) is None


def test_the_guards_family_ends_at_the_listener_and_names_the_client(
    lab: Lab, clients: Clients, kin: Kin
) -> None:
    sessions = [Session(person) for person in lab.people]
    found = [connected(clients, person) for person in lab.people]
    refusals: list[str] = []
    gate = NftClientGate(netns=lab.server.netns)
    contain = SmbContain(
        clients=clients,
        gate=gate,
        refused=lambda client, why: refusals.append(f"{client.address} {why}"),
    )
    heads = [kin.lineage.get(client.pid) for client in found]

    assert [head.chain() for head in heads] == [[head] for head in heads]
    assert [contain.serves(head) for head in heads] == [True, True]
    assert not contain.serves(kin.lineage.get(lab.pid))
    assert not contain.serves(kin.lineage.get(os.getpid()))
    assert contain.block(kin.lineage.get(lab.pid)) == ""
    assert contain.block(kin.lineage.get(1)) == ""
    assert contain.block(heads[0]) == found[0].address
    assert [contain.is_blocked(head) for head in heads] == [True, False]
    assert not reaches(lab.people[0])
    assert reaches(lab.people[1], 10)
    assert refusals == []
    gate.clear()
    for session in sessions:
        session.end()


def test_boxes_are_found_without_being_named(lab: Lab) -> None:
    other = Path(tempfile.mkdtemp(prefix="rlv-second-"))
    other.chmod(0o755)
    with Lab(other) as second:
        people = (second.people[1], lab.people[1])
        sessions = [Session(person) for person in people]
        with Clients(poll_seconds=0.2) as clients:
            assert [connected(clients, person).user for person in people] == ["dr-martin"] * 2
        for session in sessions:
            session.end()
    shutil.rmtree(other)


def test_users_are_named_without_the_log_too(lab: Lab) -> None:
    session = Session(lab.people[1])
    clients = Clients(home=lab.home, poll_seconds=0.2, inside=tuple(lab.inside))
    nowhere = AuditLog(PurePath("/nowhere"))  # as with a server that is not a box's
    clients._logs = dict.fromkeys(clients._logs, nowhere)
    with clients:
        assert connected(clients, lab.people[1]).user == "dr-martin"
    session.end()


def test_forks_of_others_are_not_looked_at(clients: Clients) -> None:
    clients.on_fork(1, 2)
    assert clients.client_of(1) is None
    assert clients.client_of(2**22 - 1) is None


def test_another_process_of_the_same_number_is_not_mistaken(lab: Lab, clients: Clients) -> None:
    session = Session(lab.people[0])
    client = connected(clients, lab.people[0])

    assert clients.client_of(client.pid, client.starttime + 1) is None

    session.end()


def test_the_blocked_client_is_cut_and_the_other_works_on(
    lab: Lab, clients: Clients, folder: Path
) -> None:
    attacker, colleague = (Session(person) for person in lab.people)
    bad, good = (connected(clients, person) for person in lab.people)
    gate = NftClientGate(netns=lab.server.netns)

    held = gate.block(bad)
    left = SambaControl(home=lab.home, clients=clients, inside=tuple(lab.inside)).close(bad)

    assert left == ()
    assert (held.address, held.user, held.seconds_left) == (bad.address, "accueil", 8 * 3600)
    assert [(b.address, b.user, b.machine) for b in gate.blocked()] == [
        (bad.address, "accueil", held.machine)
    ]
    assert clients.pids_of(bad.address) == ()
    gone = clients.client_of(bad.pid, bad.starttime)
    assert gone is not None
    assert gone.address == bad.address
    for number in range(30):
        colleague.say(f"put {folder / 'lettres' / '2.txt'} travail-{number}.txt")
    assert "NT_STATUS" not in colleague.end()
    assert all((folder / f"travail-{number}.txt").exists() for number in range(30))
    assert clients.client_of(good.pid, good.starttime) is not None
    assert not reaches(lab.people[0])
    assert reaches(lab.people[1])

    assert gate.unblock(bad.address) is True
    assert gate.unblock(bad.address) is False
    assert reaches(lab.people[0], 10)
    assert "releve" not in ruleset(lab)
    attacker.end()


def ruleset(lab: Lab) -> str:
    command = lab.server.run("nft", "list", "ruleset")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_another_address_of_the_blocked_machine_is_no_way_in(lab: Lab, clients: Clients) -> None:
    session = Session(lab.people[0])
    client = connected(clients, lab.people[0])
    gate = NftClientGate(netns=lab.server.netns)
    machine = lab.people[0].machine
    second = machine.address.rpartition(".")[0] + ".77"

    def ip(*words: str) -> None:
        subprocess.run(["ip", "-n", machine.netns, *words], check=True, capture_output=True)

    try:
        assert gate.block(client).hardware
        ip("addr", "flush", "dev", "eth0")
        ip("addr", "add", f"{second}/24", "dev", "eth0")

        assert not reaches(lab.people[0])
        assert reaches(lab.people[1], 10)
        gate.clear()
        assert reaches(lab.people[0], 10)
    finally:
        ip("addr", "flush", "dev", "eth0")
        ip("addr", "add", f"{machine.address}/24", "dev", "eth0")
        session.end()


def test_a_server_in_another_network_is_guarded_in_that_one(lab: Lab, clients: Clients) -> None:
    """As with a container: the guard itself stays in the machine's own network."""
    session = Session(lab.people[0])
    client = connected(clients, lab.people[0])
    assert client.server == lab.pid
    here = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True).stdout

    gate = NftClientGate()
    gate.block(client)

    assert client.address in [held.address for held in gate.blocked()]
    assert not reaches(lab.people[0])
    assert subprocess.run(["nft", "list", "tables"], check=True, capture_output=True).stdout == here
    assert gate.unblock(client.address)
    assert reaches(lab.people[0], 10)
    session.end()


def test_blocking_again_starts_the_time_anew(lab: Lab) -> None:
    client = made_up(lab.people[0].machine.address)
    NftClientGate(netns=lab.server.netns, hours=0.01).block(client)
    gate = NftClientGate(netns=lab.server.netns, hours=5)
    gate.block(client)

    (held,) = gate.blocked()
    assert 5 * 3600 - 10 < held.seconds_left <= 5 * 3600


def test_an_ipv6_client_is_blocked_and_let_back(lab: Lab) -> None:
    gate = NftClientGate(netns=lab.server.netns)
    gate.block(made_up("fd00::5"))
    assert [held.address for held in gate.blocked()] == ["fd00::5"]
    assert gate.unblock("fd00:0::5")
    assert gate.blocked() == ()


def test_a_client_cannot_write_into_the_log_that_names_it(lab: Lab, folder: Path) -> None:
    line = "x\n  10.0.0.9|dr-martin|pc|cabinet|77|connect|ok|cabinet"
    for name in (line, "a|b", "a\x01b"):
        command = lab.people[0].smbclient(f'put {folder / "lettres" / "1.txt"} "{name}"')
        subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert "10.0.0.9" not in (lab.home / "log" / "smbd.log").read_text()
    assert not [path for path in folder.iterdir() if "|" in path.name or "\x01" in path.name]


def test_a_block_ends_by_itself(lab: Lab) -> None:
    gate = NftClientGate(netns=lab.server.netns, hours=1 / 3600)
    gate.block(made_up(lab.people[0].machine.address))
    assert gate.blocked()

    time.sleep(1.3)

    assert gate.blocked() == ()
    assert reaches(lab.people[0], 10)


def test_what_must_stay_reachable_is_never_blocked(lab: Lab) -> None:
    server = "192.0.2.9"
    gateway = lab.people[1].machine.address
    gate = NftClientGate(
        netns=lab.server.netns, protect=lambda: ((server, "it is the Relève server"),)
    )
    route = ["ip", "-n", lab.server.netns, "route"]
    subprocess.run([*route, "add", "default", "via", gateway], check=True)
    loops = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
    try:
        for address in (lab.server.address, gateway, server, *loops):
            with pytest.raises(NeverBlockedError):
                gate.block(made_up(address))
    finally:
        subprocess.run([*route, "del", "default"], check=True)
    assert "releve" not in ruleset(lab)


def made_up(address: str) -> Client:
    return Client.unseen(address, since=dt.datetime.now(dt.UTC))


def test_a_clients_own_words_cannot_break_the_rule(lab: Lab) -> None:
    client = msgspec.structs.replace(
        made_up(lab.people[0].machine.address), user='a" } ; flush ruleset', machine="x\ny" * 99
    )
    gate = NftClientGate(netns=lab.server.netns)

    gate.block(client)

    (held,) = gate.blocked()
    assert '"' not in held.user
    assert len(held.machine) <= 40


def test_the_share_is_on_the_guards_list(lab: Lab, folder: Path) -> None:
    assert [(p.name, p.path) for p in protected(lab.home)] == [("cabinet", str(folder))]


def test_strangers_and_old_dialects_are_refused(lab: Lab) -> None:
    person = lab.people[0]
    where = f"//{lab.server.address}/cabinet"
    words = (
        ("smbclient", "-N", where, "-c", "ls"),
        ("smbclient", "-A", str(person.login), "-m", "NT1", where, "-c", "ls"),
        (
            "smbclient",
            "-A",
            str(person.login),
            "--client-protection=off",
            "-m",
            "SMB2_02",
            where,
            "-c",
            "ls",
        ),
        ("smbclient", "-N", "-L", lab.server.address),
    )
    for command in words:
        ran = subprocess.run(
            person.machine.run(*command), capture_output=True, text=True, timeout=20, check=False
        )
        assert "cabinet" not in ran.stdout, command
        assert ran.returncode != 0 or "Disk" not in ran.stdout, command


def test_a_link_does_not_lead_out_of_the_share(lab: Lab, folder: Path) -> None:
    (folder / "sortie").symlink_to("/etc")
    command = lab.people[0].smbclient("get sortie/hostname /dev/null")
    ran = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    (folder / "sortie").unlink()
    assert ran.returncode != 0


_BORROWED = """
import ctypes, socket, subprocess
ctypes.CDLL(None).prctl(15, b"smbd", 0, 0, 0)
for words in ("link set lo up", "addr add 10.9.8.7/32 dev lo", "addr add 10.9.8.1/32 dev lo"):
    subprocess.run(["ip", *words.split()], check=True)
listening, calling = socket.socket(), socket.socket()
listening.bind(("10.9.8.1", 445))
listening.listen()
calling.bind(("10.9.8.7", 0))
calling.connect(("10.9.8.1", 445))
served, _ = listening.accept()
listening.close()
print("ready", flush=True)
input()
"""


# As sudo does: root's own while it waits for what it runs as somebody else.
_WAITS = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True)"


@pytest.mark.parametrize("started_by_roots", [False, True])
def test_a_program_that_borrows_the_servers_name_makes_us_block_nobody(
    tmp_path: Path, *, started_by_roots: bool
) -> None:
    """Anybody has a network of his own in which any address seems to be his client.

    And anybody calls sudo as he likes, by a link: a root's "smbd", whose child he is.
    """
    link = tmp_path / "smbd"
    link.symlink_to("/usr/bin/python3")
    starter = [str(link), "-c", _WAITS] if started_by_roots else []
    nobody = ["setpriv", "--reuid=61234", "--regid=61234", "--clear-groups"]
    command = [*starter, *nobody, "unshare", "-Urn", "/usr/bin/python3", "-c", _BORROWED]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as fake:
        assert fake.stdout is not None
        assert fake.stdout.readline() == "ready\n"
        servers = samba_proc.servers()
        pids = [seen.pid for seen in servers if fake.pid in (seen.pid, seen.parent)]
        assert len(pids) == 1 + started_by_roots
        peers = [peer for pid in pids for peer in samba_proc.sockets(pid).peers]
        assert "10.9.8.7" in [address for _, address in peers]
        clients = Clients()
        clients.poll()
        assert [clients.client_of(pid) for pid in pids] == [None] * len(pids)
        assert not clients.pids_of("10.9.8.7")
        fake.communicate("\n", timeout=10)
