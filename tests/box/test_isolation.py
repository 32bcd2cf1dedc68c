"""The host is cut, its server is not, and the cut ends by itself; in real network namespaces."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from releve.adapters.linux import samba_proc
from releve.apps.box.host import LOG, FileRecords, boot_id
from releve.apps.cli.main import run
from tests.box.conftest import Net

pytestmark = [pytest.mark.root]

PORT = 4810
ECHO = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    import socket
    address_family = socket.AF_INET6
server = Server(("::", int(sys.argv[1])), Echo)
print("ready")
server.serve_forever()
"""
# Reads "old NAME" / "new NAME" / "in": says whether an echo came back within a second.
PROBE = """
import socket, sys
port, *addresses = sys.argv[1:]
def reach(connection, wait):
    connection.settimeout(wait)
    connection.sendall(b"x\\n")
    return connection.recv(2) == b"x\\n"
old = {a: socket.create_connection((a, int(port)), 5) for a in addresses}
print("ready")
for line in sys.stdin:
    kind, address = line.split()
    try:
        connection = old[address] if kind == "old" else None
        if connection is None:
            connection = socket.create_connection((address, int(port)), 0.7)
        print("yes" if reach(connection, 0.7) else "closed")
    except OSError as error:
        print("no")
"""


class Views:
    """What the host reaches, over the connections it had and over new ones."""

    def __init__(self, net: Net) -> None:
        self.net = net
        for name in ("server", "other"):
            net.python(name, ECHO, str(PORT))
        self.addresses = [f(n) for n in ("server", "other") for f in (net.address, net.six)]
        self.probe = net.python("host", PROBE, str(PORT), *self.addresses)

    def ask(self, kind: str, address: str) -> str:
        assert self.probe.stdin is not None
        assert self.probe.stdout is not None
        self.probe.stdin.write(f"{kind} {address}\n")
        self.probe.stdin.flush()
        return self.probe.stdout.readline().strip()

    def reaches(self, name: str) -> tuple[str, str]:
        return self.ask("old", self.net.address(name)), self.ask("new", self.net.address(name))


@pytest.fixture
def views(net: Net) -> Views:
    return Views(net)


def isolate(net: Net, home: Path, *words: str) -> int:
    return run(["isolate", "--home", str(home), "--netns", net.ns("host"), "--json", *words])


def link(net: Net) -> str:
    return f"{net.address('server')}:{PORT}"


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def dead_man(home: Path) -> int:
    """The pid of the tidying process, once it has said so."""
    file = home / "isolation-dead-man.json"
    until = time.monotonic() + 10
    while not (file.exists() and file.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    entry = json.loads(file.read_text())
    seen = samba_proc.look(entry["pid"])
    assert seen is not None
    assert seen.starttime == entry["starttime"]
    return int(entry["pid"])


def wait_for(condition: object, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def test_the_server_stays_reachable_and_everybody_else_is_cut_until_release(
    net: Net, views: Views, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert views.reaches("other") == ("yes", "yes")

    assert isolate(net, home, "--server", link(net), "--reason", "essai") == 0

    assert answer(capsys)["isolated"] is True
    assert views.reaches("server") == ("yes", "yes")
    assert views.reaches("other") == ("no", "no")
    assert views.ask("old", net.six("other")) == "no"
    assert views.ask("new", net.six("server")) == "no"  # only the named address is kept
    assert "essai" in (home / "motd").read_text()
    assert "releve release" in (home / "motd").read_text()

    assert run(["release", "--home", str(home), "--netns", net.ns("host")]) == 0

    assert views.reaches("server") == ("yes", "yes")
    assert views.ask("new", net.address("other")) == "yes"
    # The old connection was silent, not closed: what was sent meanwhile arrives late.
    assert wait_for(lambda: views.ask("old", net.address("other")) == "yes")
    assert net.nft("host") == ""
    assert wait_for(lambda: {p.name for p in home.iterdir()} == {LOG})


def test_nobody_reaches_the_host_from_outside_either(net: Net, home: Path) -> None:
    net.python("host", ECHO, str(PORT))
    assert isolate(net, home, "--server", link(net)) == 0

    outside = net.python("other", PROBE, str(PORT))
    assert outside.stdin is not None
    assert outside.stdout is not None
    for address in (net.address("host"), net.six("host")):
        outside.stdin.write(f"new {address}\n")
        outside.stdin.flush()
        assert outside.stdout.readline().strip() == "no"


def test_a_server_with_an_ipv6_address_is_kept(net: Net, views: Views, home: Path) -> None:
    assert isolate(net, home, "--server", f"[{net.six('server')}]:{PORT}") == 0

    assert views.ask("old", net.six("server")) == "yes"
    assert views.ask("new", net.six("server")) == "yes"
    assert views.ask("new", net.address("server")) == "no"


def test_the_kernel_ends_the_cut_when_no_process_of_ours_lives(
    net: Net, views: Views, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isolate(net, home, "--server", link(net), "--hours", "0.0008") == 0  # 3 seconds
    started = time.monotonic()
    # Its pid and start time were just compared, and this test had it started.
    held = os.pidfd_open(dead_man(home))
    signal.pidfd_send_signal(held, signal.SIGKILL)
    os.close(held)
    assert views.ask("new", net.address("other")) == "no"

    assert wait_for(lambda: views.ask("new", net.address("other")) == "yes")

    assert 2 < time.monotonic() - started < 6
    assert "releve_iso" in net.nft("host")  # an empty shell, which the next look clears away
    (home / "isolation-dead-man.json").unlink()  # of the killed one
    assert isolate(net, home, "--status") == 0
    assert answer(capsys)["isolated"] is False
    assert net.nft("host") == ""
    assert not (home / "motd").exists()


def test_an_isolation_that_nobody_renews_leaves_nothing_behind(net: Net, home: Path) -> None:
    assert isolate(net, home, "--server", link(net), "--hours", "0.0003") == 0

    assert wait_for(lambda: net.nft("host") == "")
    assert wait_for(lambda: {p.name for p in home.iterdir()} == {LOG})
    assert "ended by itself" in (home / LOG).read_text()


def test_renewing_starts_the_time_anew(
    net: Net, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isolate(net, home, "--server", link(net), "--hours", "0.01") == 0
    assert isolate(net, home, "--renew", "--hours", "2") == 0

    said = answer(capsys)
    assert said["isolated"] is True
    assert 7190 <= int(str(said["seconds_left"])) <= 7200


def test_what_is_not_isolated_cannot_be_renewed(net: Net, home: Path) -> None:
    assert isolate(net, home, "--renew") == 63


def test_isolating_twice_keeps_the_last_word(net: Net, views: Views, home: Path) -> None:
    assert isolate(net, home, "--server", f"{net.address('other')}:{PORT}") == 0
    assert isolate(net, home, "--server", link(net)) == 0

    assert views.ask("new", net.address("server")) == "yes"
    assert views.ask("new", net.address("other")) == "no"


def test_a_host_with_a_care_role_is_cut_only_in_the_name_of_a_person(
    net: Net, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--server", link(net))
    assert isolate(net, home, "--configure", "--care-role", "imagerie", *words) == 0

    assert isolate(net, home) == 62
    assert net.nft("host") == ""
    assert "imagerie" in capsys.readouterr().err
    assert isolate(net, home, "--care-approved-by", " ") == 62

    assert isolate(net, home, "--care-approved-by", "Dr Martin") == 0
    record = answer(capsys)["record"]
    assert isinstance(record, dict)
    assert record["approved_by"] == "Dr Martin"
    assert "Dr Martin" in (home / "motd").read_text()


def test_without_a_server_it_is_refused_unless_said(net: Net, views: Views, home: Path) -> None:
    assert isolate(net, home) == 73
    assert isolate(net, home, "--server", "10.0.0.1") == 73
    assert isolate(net, home, "--server", link(net), "--hours", "0") == 64
    assert net.nft("host") == ""

    assert isolate(net, home, "--without-server") == 0
    assert views.reaches("server") == ("no", "no")


def test_the_plan_changes_nothing(net: Net, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert isolate(net, home, "--plan", "--server", link(net)) == 0

    assert net.address("server") in str(answer(capsys)["rules"])
    assert net.nft("host") == ""


def test_a_restart_of_the_machine_does_not_let_the_attacker_out(
    net: Net, views: Views, home: Path
) -> None:
    assert isolate(net, home, "--server", link(net)) == 0
    records = FileRecords(home)
    record = records.load()
    assert record is not None
    assert record.boot == boot_id()
    # What a restart leaves: the record of another boot, and no rule.
    records.save(msgspec.structs.replace(record, boot="another"))
    flush = ["ip", "netns", "exec", net.ns("host"), "nft", "flush", "ruleset"]
    subprocess.run(flush, check=True)
    assert views.ask("new", net.address("other")) == "yes"

    assert isolate(net, home, "--resume") == 0

    assert views.ask("new", net.address("other")) == "no"
    assert views.ask("new", net.address("server")) == "yes"
