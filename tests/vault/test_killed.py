"""kill -9 of gate and store in mid-backup: nothing received is lost, no half state is shown."""

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from releve.adapters.restic import tools
from tests.vault.conftest import address, objects_on, releve, repository, restic_at, same_tree

pytestmark = [pytest.mark.restic, pytest.mark.timeout(240)]


def backup_under_way(client, where, folder):
    """restic, packs of 4 MiB, three at once; not waited for."""
    command = [tools.find(tools.RESTIC).path, "--no-cache", "--json", "-o", "rest.connections=3"]
    return subprocess.Popen(
        [*command, "backup", "--pack-size", "4", str(folder)],
        env=client.environment(where),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for(what, seconds=20.0):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def big(tmp_path):
    folder = tmp_path / "big"
    folder.mkdir()
    for number in range(24):
        (folder / f"serie {number}.dcm").write_bytes(os.urandom(3_000_000))
    return folder


def receipted(gate):
    vault = gate.vault()
    return {(kind, name): held.size for kind, name, held in vault.book.names(repository("srv"))}


def names_on_disk(gate):
    """Of what was received whole: the config, and what is named by its hash."""
    names = {Path(path).name for path in objects_on(gate, "srv")}
    return {name for name in names if len(name) in (6, 64)}


def test_a_gate_killed_in_mid_backup_loses_nothing_and_the_backup_goes_on(own_gate, big, tmp_path):
    own_gate.start()
    credential = own_gate.credential("srv")
    port = own_gate.url.rsplit(":", 1)[1].strip("/")
    client, where = own_gate.client(credential), address("srv")
    client.begin(where)
    running = backup_under_way(client, where, big)
    try:
        for count in (5, 9, 13):
            wait_for(lambda count=count: len(objects_on(own_gate, "srv")) >= count)
            before = receipted(own_gate)
            own_gate.stop(signal.SIGKILL)
            found = own_gate.start("--listen", f"127.0.0.1:{port}")
            assert not found["missing"]
            after = receipted(own_gate)
            assert before.items() <= after.items()
            there = names_on_disk(
                own_gate
            )  # restic goes on: an object lies there before its receipt
            assert {name for _, name in after} <= there
            wait_for(lambda there=there: there <= {name for _, name in receipted(own_gate)})
        assert running.wait(120) == 0, "restic went on when the gate was back"
    finally:
        running.kill()
        running.wait()
    client.restic(where, "check", "--read-data")
    done = releve(
        "vault", "view", "--data", str(own_gate.data), "--as-of", "2099-01-01",
        "--structure", "cabinet", "--host", "srv", "--verify", "--json",
    )  # fmt: skip

    folder = json.loads(done.stdout)["folder"]
    restic_at(folder, "restore", "latest", "--target", str(tmp_path / "out"))
    assert same_tree(big, tmp_path / "out" / str(big).lstrip("/"))
    releve("vault", "scrub", "--data", str(own_gate.data))


def test_a_store_killed_in_mid_backup_is_started_again_and_the_backup_succeeds(
    own_gate, big, tmp_path
):
    own_gate.start()
    client, where = own_gate.client(own_gate.credential("srv")), address("srv")
    client.begin(where)
    running = backup_under_way(client, where, big)
    dice = random.Random(3)
    try:
        for count in (4, 8, 12):
            wait_for(lambda count=count: len(objects_on(own_gate, "srv")) >= count)
            time.sleep(dice.random() / 10)
            os.kill(own_gate.store_pid(), signal.SIGKILL)
        assert running.wait(120) == 0
    finally:
        running.kill()
        running.wait()
    client.restic(where, "check", "--read-data")
    client.restic(where, "restore", "latest", "--target", str(tmp_path / "out"))
    assert same_tree(big, tmp_path / "out" / str(big).lstrip("/"))
    assert "store_fell" in {notice["notice"] for notice in own_gate.notices()}
    releve("vault", "scrub", "--data", str(own_gate.data))


def test_an_object_without_receipt_gets_one_at_the_start_and_halves_are_removed(own_gate):
    own_gate.start()
    client, where = own_gate.client(own_gate.credential("srv")), address("srv")
    client.ask("POST", where + "?create=true", b"")
    own_gate.stop(signal.SIGKILL)
    base = own_gate.data / "repos/cabinet/srv" / where.split("/")[3]
    body = os.urandom(1000)
    name = hashlib.sha256(body).hexdigest()
    (base / "data" / name[:2]).mkdir(exist_ok=True)
    (base / "data" / name[:2] / name).write_bytes(body)
    half = base / "data" / name[:2] / f"{name}.rest-server-temp12345"
    half.write_bytes(body[:10])
    false = base / "index" / ("0" * 64)
    false.write_bytes(b"not what the name says")
    found = own_gate.start()
    assert (found["receipted"], found["torn"]) == (1, 1)
    assert len(found["strange"]) == 1
    assert not half.exists()
    assert {name for _, name in receipted(own_gate)} == {name}
    assert {"found_at_start", "strange"} <= {n["notice"] for n in own_gate.notices()}
    again = own_gate.client((client.name, client.secret))
    assert again.put("data", body, repository=where) == 200


def test_a_second_gate_on_the_same_vault_is_refused(gate):
    done = releve(
        "vault", "serve", "--data", str(gate.data), "--listen", "127.0.0.1:0", check=False
    )
    assert done.returncode == 121
