"""Heads reach a second place; what is not reachable is told; a cut journal is found by them."""

import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.vault.heads import Heads, read
from releve.flow.vault.chain import FIRST, Link
from tests.vault.conftest import Gate, address, releve

pytestmark = [pytest.mark.restic, pytest.mark.timeout(120)]


def test_heads_go_to_the_second_place_and_prove_that_nothing_was_cut_off(tmp_path, need):
    need("restic")
    usb, gone = tmp_path / "usb", tmp_path / "gone"
    usb.mkdir()
    gone.mkdir()
    gate = Gate(tmp_path / "vault")
    releve(
        "vault", "init", "--name", "coffre", "--reserve", "1M", "--data", str(gate.data),
        "--head-place", str(usb), "--head-place", str(gone),
    )  # fmt: skip
    config = json.loads((gate.data / "vault.json").read_bytes()) | {"head_every_s": 0.2}
    (gate.data / "vault.json").write_text(json.dumps(config))
    gone.rmdir()
    gate.start()
    try:
        client = gate.client(gate.credential("srv"))
        client.ask("POST", address("srv") + "?create=true", b"")
        for number in range(3):
            client.put("data", b"%d" % number, repository=address("srv"))
        time.sleep(1.0)
    finally:
        gate.stop()
    assert not gone.exists(), "a disk that is not mounted does not become a folder"
    told = [n for n in gate.notices() if n["notice"] == "head_not_delivered"]
    assert [n["about"] for n in told] == [str(gone)], "once, not each time"
    kept = next(usb.glob("heads-*.jsonl"))
    words = ("vault", "head", "--data", str(gate.data), "--check", str(kept))
    assert releve(*words, check=False).returncode == 0
    emptied = tmp_path / "emptied.jsonl"
    emptied.touch()
    assert releve(*words[:-1], str(emptied), check=False).returncode == 2
    journal = gate.data / "receipts/journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert releve(*words, check=False).returncode == 117
    journal.write_bytes(whole.replace(b'"size":1', b'"size":2', 1))
    assert releve(*words, check=False).returncode == 122


def test_a_place_holds_the_heads_of_one_vault(tmp_path):
    usb = tmp_path / "usb"
    usb.mkdir()
    end, told = Link(seq=0, hash=FIRST), []
    for name in ("un", "deux", "un"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        key = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32))
        kept = Heads(folder, key, (str(usb),))
        told.append(kept.send(kept.sign(end, 10**18, 10**18)))
    assert [[one.place for one in failed] for failed in told] == [[], [str(usb)], []]
    assert "a folder of its own" in told[1][0].why
    (list_of_one,) = usb.glob("heads-*.jsonl")
    assert len(read(list_of_one)) == 2


def test_a_folder_for_heads_that_is_not_there_is_refused_when_it_is_named(tmp_path):
    usb, data = tmp_path / "usb", tmp_path / "vault"
    words = ("vault", "init", "--name", "coffre", "--data", str(data), "--head-place", str(usb))
    refused = releve(*words, check=False)
    assert refused.returncode == 102
    assert f"{usb} cannot get the signed heads" in refused.stderr
    assert "mkdir" in refused.stderr
    assert not usb.exists()
    assert not data.exists(), "nothing was made"
    usb.write_text("a file")
    assert releve(*words, check=False).returncode == 102
    usb.unlink()
    usb.mkdir()
    releve(*words)
    usb.rmdir()  # the disk was taken out: what was told before may be told again
    again = releve(*words, "--reserve", "1M")
    assert f"{usb} ne reçoit pas de tête maintenant" in again.stderr
    assert json.loads((data / "vault.json").read_bytes())["head_places"] == [str(usb)]


def test_changing_one_thing_of_a_vault_leaves_the_rest_as_it_was(tmp_path):
    """The server that hears it and the places of its heads above all: without, it is silent."""
    usb, token, data = tmp_path / "usb", tmp_path / "token", tmp_path / "vault"
    usb.mkdir()
    token.write_text("jeton")
    words = ("vault", "init", "--data", str(data))
    server = ("--server-url", "https://releve:8443/", "--server-token-file", str(token))
    releve(
        *words, "--name", "coffre", "--head-place", str(usb), *server, "--notice-command", "true"
    )
    kept = json.loads((data / "vault.json").read_bytes())
    limits = kept["ingest"] | {"read_bytes_per_day": 1 << 30}  # what a person wrote there
    (data / "vault.json").write_text(json.dumps(kept | {"ingest": limits}))
    said = releve(*words, "--reserve", "900T").stderr
    assert "ce coffre ne recevra rien" in said, "known now, and not at the first backup"
    assert "Attention" not in releve(*words, "--reserve", "1M").stderr
    changed = json.loads((data / "vault.json").read_bytes())
    assert changed == kept | {"ingest": limits, "reserve_bytes": 1 << 20}
    assert changed["server_url"] == "https://releve:8443"
    releve(*words, "--notice-command", "", "--head-place", "")
    emptied = json.loads((data / "vault.json").read_bytes())
    assert emptied == changed | {"notice_command": [], "head_places": []}
