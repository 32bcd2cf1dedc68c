"""Gate, store or client killed at random moments, one after the other: nothing received is lost.

RELEVE_KILLS=50 runs as many; the suite runs few, to stay short.
"""

import json
import os
import random
import signal
import subprocess
import time

import pytest

from releve.adapters.restic import tools
from tests.vault.conftest import address, releve, repository, restic_at, same_tree

KILLS = int(os.environ.get("RELEVE_KILLS", "4"))
pytestmark = [pytest.mark.restic, pytest.mark.timeout(120 + 30 * KILLS)]


def received(gate) -> dict:
    vault = gate.vault()
    held = {(kind, name): h.size for kind, name, h in vault.book.names(repository("srv"))}
    vault.journal.close()
    return held


def test_kills_at_random_moments_lose_nothing_received(own_gate, tmp_path):
    dice = random.Random(os.environ.get("RELEVE_SEED", "relève"))
    own_gate.start()
    credential, where = own_gate.credential("srv"), address("srv")
    own_gate.client(credential).begin(where)
    folder = tmp_path / "docs"
    folder.mkdir()
    before, killed = received(own_gate), {"gate": 0, "store": 0, "client": 0}
    for number in range(KILLS):
        (folder / f"{number}.dcm").write_bytes(os.urandom(9_000_000))
        client = own_gate.client(credential)
        command = [tools.find(tools.RESTIC).path, "--no-cache", "backup", "--pack-size", "4"]
        running = subprocess.Popen(
            [*command, str(folder)],
            env=client.environment(where),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 15
        while len(received(own_gate)) == len(before) and time.monotonic() < until:
            time.sleep(0.02)  # something of this round has come: now any moment is in mid-backup
        time.sleep(0.4 * dice.random())
        victim = dice.choice(sorted(killed))
        killed[victim] += 1
        if victim == "store":
            os.kill(own_gate.store_pid(), signal.SIGKILL)
            time.sleep(dice.random() / 2)
        if victim == "gate":
            own_gate.stop(signal.SIGKILL)
        running.kill()
        running.wait()
        if victim == "gate":
            assert not own_gate.start()["missing"]
        now = received(own_gate)
        assert before.items() <= now.items()
        before = now
    client = own_gate.client(credential)
    client.restic(where, "unlock", "--remove-all")
    client.restic(where, "backup", str(folder), timeout=200)
    client.restic(where, "check", "--read-data", timeout=200)
    releve("vault", "scrub", "--data", str(own_gate.data))
    made = releve(
        "vault", "view", "--data", str(own_gate.data), "--as-of", "2099-01-01",
        "--structure", "cabinet", "--host", "srv", "--verify", "--json",
    )  # fmt: skip
    view = json.loads(made.stdout)["folder"]
    restic_at(view, "restore", "latest", "--target", str(tmp_path / "out"))
    assert same_tree(folder, tmp_path / "out" / str(folder).lstrip("/"))
    print(f"{sum(killed.values())} kills: {killed}, {len(before)} objects")
