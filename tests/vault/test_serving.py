"""The gate as it is run: TLS, notices and heads to a server, a full disk, its words."""

import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from releve.adapters.restic import tools
from releve.apps.backup.state import Config, State
from releve.apps.vault import cli
from releve.flow.backup import VaultFullError
from tests.vault.conftest import Gate, address, objects_on, releve, same_tree

pytestmark = [pytest.mark.restic, pytest.mark.timeout(120)]


def test_restic_speaks_to_the_gate_over_tls_with_its_own_authority(own_gate, documents, tmp_path):
    own_gate.start("--tls")
    assert own_gate.url.startswith("https://")
    client, where = own_gate.client(own_gate.credential("srv")), address("srv")
    authority = ("--cacert", str(own_gate.data / "authority.pem"))
    client.restic(where, *authority, "init")
    client.restic(where, *authority, "backup", str(documents))
    client.restic(where, *authority, "restore", "latest", "--target", str(tmp_path / "out"))
    assert same_tree(documents, tmp_path / "out" / str(documents).lstrip("/"))
    place = ("127.0.0.1", int(own_gate.url.strip("/").rsplit(":", 1)[1]))
    with socket.create_connection(place) as wire, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(wire, server_hostname="127.0.0.1")


def test_the_hosts_own_backup_goes_through_the_gate_and_comes_back(own_gate, documents, tmp_path):
    own_gate.start("--tls")
    _, secret = own_gate.credential("srv")
    (tmp_path / "secret").write_text(secret)
    state = ("--state", str(tmp_path / "state"))
    releve(
        "backup", "setup", *state, "--url", own_gate.url.rstrip("/") + address("srv"),
        "--user", "srv", "--http-password-file", str(tmp_path / "secret"),
        "--ca-file", str(own_gate.data / "authority.pem"), "--folder", str(documents),
    )  # fmt: skip
    releve("backup", "run", *state)
    releve("backup", "check", *state)
    status = releve("vault", "status", "--json", "--data", str(own_gate.data)).stdout
    assert json.loads(status.splitlines()[0])["last_snapshot_ns"]


def test_the_gate_does_not_listen_in_the_clear_beyond_this_machine(gate):
    words = ("vault", "serve", "--data", str(gate.data), "--listen", "0.0.0.0:0", "--no-tls")
    assert releve(*words, check=False).returncode == 2


class _Heard(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words) -> None:
        pass


def test_the_structures_server_hears_heads_and_who_opened_what(tmp_path, need):
    need("restic")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Heard)
    server.heard = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    gate = Gate(tmp_path / "vault")
    token = tmp_path / "token"
    token.write_text("secret\n")
    data = ("--data", str(gate.data))
    releve(
        "vault", "init", "--name", "coffre", *data,
        "--server-url", f"http://127.0.0.1:{server.server_port}", "--server-token-file", str(token),
    )  # fmt: skip
    gate.start()
    try:
        releve(
            "vault", "credential", "open", *data, "--structure", "cabinet", "--incident", "i1",
            "--reason", "essai", "--by", "A. Martin",
        )  # fmt: skip
        until = time.monotonic() + 10
        while len({path for path, *_ in server.heard}) < 2 and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        gate.stop()
        server.shutdown()
        server.server_close()
    said = {path: (token, body) for path, token, body in server.heard}
    assert said["/api/v1/vault/notices"][1]["notice"] == "restore_asked"
    assert said["/api/v1/vault/notices"][1]["by"] == "A. Martin"
    assert {"head", "signature"} <= said["/api/v1/vault/heads"][1].keys()
    assert {token for token, _ in said.values()} == {"Bearer secret"}


def test_a_full_disk_refuses_uploads_keeps_all_and_is_told(own_gate):
    config = json.loads((own_gate.data / "vault.json").read_bytes()) | {"reserve_bytes": 1 << 60}
    own_gate.start()
    client, where = own_gate.client(own_gate.credential("srv")), address("srv")
    client.ask("POST", where + "?create=true", b"")
    body = os.urandom(5000)
    assert client.put("data", body, repository=where) == 200
    kept = objects_on(own_gate)
    own_gate.stop()
    (own_gate.data / "vault.json").write_text(json.dumps(config))
    own_gate.start()
    again = own_gate.client((client.name, client.secret))
    assert again.put("data", b"more", repository=where) == 507
    assert again.put("data", body, repository=where) == 200
    assert objects_on(own_gate) == kept
    assert "disk_full" in {notice["notice"] for notice in own_gate.notices()}


@pytest.mark.parametrize("is_first", [True, False])
def test_a_full_vault_is_told_to_who_backs_up_within_seconds_and_as_that(
    own_gate, documents, tmp_path, is_first
):
    """Not as a link that is to be looked at, after three minutes of silence."""
    own_gate.start()
    name, secret = own_gate.credential("srv")
    url = f"{own_gate.url.rstrip('/')}{address('srv')}"
    state = State(str(tmp_path / "state"))
    state.configure(Config(url=url, user=name, folders=(str(documents),)), secret)
    if not is_first:
        assert state.engine().init()
    own_gate.stop()
    releve("vault", "init", "--data", str(own_gate.data), "--reserve", "900T")
    own_gate.start("--listen", own_gate.found["url"].split("/")[2])
    begun = time.monotonic()
    with pytest.raises(VaultFullError):
        state.engine().init() if is_first else state.run().run(
            (str(documents),), (), lambda _: None
        )
    assert time.monotonic() - begun < 40
    own_gate.stop()
    releve("vault", "init", "--data", str(own_gate.data), "--reserve", "1M")
    own_gate.start("--listen", own_gate.found["url"].split("/")[2])
    state.engine().init()
    state.run().run((str(documents),), (), lambda _: None)


def test_a_client_killed_in_mid_backup_leaves_nothing_half_and_the_next_one_succeeds(
    own_gate, tmp_path
):
    own_gate.start()
    client, where = own_gate.client(own_gate.credential("srv")), address("srv")
    client.restic(where, "init")
    folder = tmp_path / "big"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}").write_bytes(os.urandom(3_000_000))
    for pause in (0.9, 1.1, 1.3):
        running = subprocess.Popen(
            [
                tools.find(tools.RESTIC).path,
                "--no-cache",
                "backup",
                "--pack-size",
                "4",
                str(folder),
            ],
            env=client.environment(where),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(pause)
        running.send_signal(signal.SIGKILL)
        running.wait()
    client.restic(where, "unlock", "--remove-all")
    client.restic(where, "backup", str(folder))
    client.restic(where, "check", "--read-data")
    time.sleep(0.3)
    assert not list((own_gate.data / "repos").rglob("*.rest-server-temp*"))
    releve("vault", "scrub", "--data", str(own_gate.data))
    status = releve("vault", "status", "--json", "--data", str(own_gate.data)).stdout
    assert [json.loads(row)["event"] for row in status.splitlines()] == ["generation", "vault"]


def test_every_command_of_the_vault_shows_an_example():
    for name, command in cli.vault.commands.items():
        below = getattr(command, "commands", {name: command})
        for one in below.values():
            assert "Example: releve vault" in one.help, one.name
