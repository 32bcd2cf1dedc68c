"""A second vault by pull: keyless, complete, suspicious; and what the disk flipped is healed from it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from releve.adapters.vault.layout import Layout
from releve.apps.vault.copies import Copies
from releve.apps.vault.look import ScrubFoundError
from releve.flow.vault.copying import CopySourceError
from releve.model.copies import Copy, CopyKind
from releve.model.vault import CredentialKind
from tests.vault.conftest import Gate, address, objects_on, releve, restic_at

pytestmark = pytest.mark.restic


def sign_head(gate: Gate) -> None:
    """The head that the gate signs each minute, now."""
    vault = gate.vault()
    vault.heads().sign(vault.journal.end, vault.clock.now_ns(), vault.clock.wall_ns())
    vault.journal.close()


class Pair:
    """A vault and a second one that pulls from it, each with its gate."""

    def __init__(self, first: Gate, folder: Path) -> None:
        self.first, self.second = first, Gate(folder / "second")
        self.folder = folder
        first.start()
        self.second.start()
        self.link(first, self.second, "premier", CopyKind.SOURCE)

    def link(self, seen: Gate, seer: Gate, name: str, kind: CopyKind) -> None:
        """`seer` gets a copy's credential at `seen`."""
        name_, secret = seen.credential(
            f"for-{name}", kind=CredentialKind.COPY, structure="", host=""
        )
        file = self.folder / f"{name}.secret"
        file.write_text(f"{name_}\n{secret}\n")
        file.chmod(0o600)
        key = (seen.data / "head.pub").read_text().strip()
        copy = Copy(name=name, kind=kind, url=seen.url, secret_file=str(file), public_key=key)
        Copies(Layout(seer.data)).add(copy)

    def head(self) -> None:
        """The head that the gate signs each minute, now."""
        sign_head(self.first)

    def pull(self, *, check: bool = True) -> dict:
        self.head()
        words = ["vault", "copy", "run", "premier", "--json", "--data", str(self.second.data)]
        done = releve(*words, check=check)
        told = json.loads(done.stdout) if done.stdout else {}
        return told | {"status": done.returncode, "error": done.stderr}

    def fill(self, host: str, documents: Path, extra: int = 0) -> str:
        client, where = self.first.client(self.first.credential(host)), address(host)
        client.begin(where)
        client.restic(where, "backup", str(documents))
        for _ in range(extra):
            assert client.put("data", os.urandom(2000), repository=where) == 200
        return where


def _json(*words: str) -> dict:
    return json.loads(releve(*words, "--json").stdout.splitlines()[-1])


@pytest.fixture
def pair(own_gate, tmp_path):
    made = Pair(own_gate, tmp_path)
    yield made
    made.second.stop()


def test_a_second_vault_has_it_all_without_a_key_and_brings_only_what_is_new(
    pair, documents, tmp_path
) -> None:
    pair.fill("srv1", documents)
    first = pair.pull()
    assert first["objects"] == len(objects_on(pair.first))
    assert objects_on(pair.second) == objects_on(pair.first)
    assert pair.pull()["objects"] == 0
    (documents / "neuf.txt").write_bytes(os.urandom(900))
    client = pair.first.client(pair.first.credential("srv1"))
    client.restic(address("srv1"), "backup", str(documents))
    assert 0 < pair.pull()["objects"] < first["objects"]
    data = str(pair.second.data)
    assert _json("vault", "copy", "verify", "premier", "--read", "--data", data)["missing"] == []
    restic_at(
        pair.second.data / "repos/cabinet/srv1" / address("srv1").split("/")[3],
        "restore", "latest", "--target", str(tmp_path / "back"),
    )  # fmt: skip
    back = tmp_path / "back" / documents.relative_to("/")
    held = pair.second.credential(
        "secours", host="srv1", kind=CredentialKind.RESTORE, expires_ns=time.time_ns() + 10**13
    )
    told = pair.second.client(held).restic(address("srv1"), "snapshots", "--json", "--no-lock")
    assert len(json.loads(told.stdout)) == 2  # the second vault's own gate gives it out
    assert (back / "neuf.txt").read_bytes() == (documents / "neuf.txt").read_bytes()


def test_the_copys_credential_reads_and_does_nothing_else(pair, documents) -> None:
    where = pair.fill("srv1", documents)
    name, secret = (pair.folder / "premier.secret").read_text().split()
    thief = pair.first.client((name, secret))
    before = objects_on(pair.first)
    for method, path in [
        ("DELETE", f"/.copy/object{where}config"),
        ("POST", f"/.copy/object{where}config"),
        ("GET", f"{where}config"),
        ("POST", f"{where}data/{'0' * 64}"),
        ("DELETE", f"{where}locks/{'0' * 64}"),
        ("GET", "/.copy/object/../../keys/head.key"),
        ("GET", "/.copy/object/%2e%2e/keys/head.key"),
        ("GET", "/.copy/journal/-1"),
    ]:
        assert thief.ask(method, path)[0] in {400, 403, 404, 405}, (method, path)
    assert objects_on(pair.first) == before
    ingest = pair.first.client(pair.first.credential("srv2"))
    assert ingest.ask("GET", "/.copy/journal/0")[0] == 403
    assert pair.first.client(("", "")).ask("GET", "/.copy/head")[0] == 401


def test_a_source_that_lost_or_changed_objects_is_an_alert_and_the_rest_is_brought(
    pair, documents
) -> None:
    pair.fill("srv1", documents, extra=6)
    packs = sorted((pair.first.data / "repos/cabinet/srv1").glob("*/data/*/*"))
    packs[0].unlink()
    packs[1].write_bytes(b"x" * packs[1].stat().st_size)
    told = pair.pull(check=False)
    assert told["status"] == CopySourceError.status
    assert len(told["lost"]) == 2
    assert any("missing" in line for line in told["lost"])
    assert any("another content" in line for line in told["lost"])
    assert told["objects"] == len(objects_on(pair.first)) - 1
    assert any(note["notice"] == "copy_source_lost" for note in pair.second.notices())
    again = pair.pull(check=False)
    assert again["status"] == CopySourceError.status
    assert again["objects"] == 0


def test_a_source_whose_chain_was_cut_rewritten_or_signed_by_another_is_refused(
    pair, documents
) -> None:
    pair.fill("srv1", documents)
    pair.pull()
    held = objects_on(pair.second)
    journal, key = pair.first.data / "receipts/journal.jsonl", pair.first.data / "keys/head.key"
    lines, secret = journal.read_bytes().splitlines(keepends=True), key.read_bytes()

    def rewrite() -> None:
        journal.unlink()  # the gate finds everything again, and says so under another chain

    attacks = {
        "shorter": lambda: journal.write_bytes(b"".join(lines[:-3])),
        "another chain": rewrite,
        "another key": key.unlink,
    }
    place = pair.first.url.split("//")[1].rstrip("/")
    for name, attack in attacks.items():
        pair.first.stop()
        attack()
        pair.first.start("--listen", place)
        told = pair.pull(check=False)
        assert told["status"] == CopySourceError.status, name
        assert objects_on(pair.second) == held
        pair.first.stop()
        journal.write_bytes(b"".join(lines))
        key.write_bytes(secret)


def test_a_bit_that_flips_in_100_random_objects_is_found_named_and_healed_from_the_copy(
    pair, documents, tmp_path
) -> None:
    pair.fill("srv1", documents, extra=110)
    assert pair.pull()["lost"] == []
    pair.link(pair.second, pair.first, "second", CopyKind.VAULT)
    data = str(pair.first.data)
    sign_head(pair.second)
    assert _json("vault", "copy", "verify", "second", "--data", data)["missing"] == []
    before = objects_on(pair.first)
    chance = random.Random(20261122)
    base = pair.first.data / "repos/cabinet"
    victims = chance.sample(sorted(before), 100)
    for name in victims:
        content = bytearray((base / name).read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (base / name).write_bytes(content)
    found = releve("vault", "scrub", "--json", "--data", data, check=False)
    assert found.returncode == ScrubFoundError.status
    bad = json.loads((pair.first.data / "scrub.json").read_bytes())["bad"]
    assert {each["name"] for each in bad} == {Path(name).name for name in victims}
    healed = releve("vault", "copy", "heal", "second", "--json", "--data", data)
    assert sum(json.loads(line)["healed"] for line in healed.stdout.splitlines()) == 100
    assert objects_on(pair.first) == before
    assert len(list((pair.first.data / "strange").iterdir())) == 100
    releve("vault", "scrub", "--json", "--data", data)
    host = pair.first.data / "repos/cabinet/srv1" / address("srv1").split("/")[3]
    restic_at(host, "restore", "latest", "--target", str(tmp_path / "back"))


def test_a_pull_that_was_killed_goes_on_and_counts_nothing_twice(pair, documents) -> None:
    pair.fill("srv1", documents, extra=60)
    pair.head()
    words = [sys.executable, "-m", "releve.apps.cli.main", "vault", "copy", "run", "premier"]
    for delay in (0.9, 1.1, 1.3):
        child = subprocess.Popen([*words, "--data", str(pair.second.data)], stderr=-3, stdout=-3)
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert pair.pull()["lost"] == []
    assert objects_on(pair.second) == objects_on(pair.first)
    journal = (pair.second.data / "receipts/journal.jsonl").read_text().splitlines()
    names = [row["name"] for row in map(json.loads, journal) if row["entry"] == "receipt"]
    assert len(names) == len(set(names)) == len(objects_on(pair.first))
