"""The vault's bench runs as its page says and names its figures; the shaped link is as slow as it says."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.mark.root
@pytest.mark.timeout(240)
def test_the_quick_bench_names_every_figure(need) -> None:
    need("root", "restic", "overlay", "postgres")
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/vault.py"), "--quick", "--json", "--only", "backup", "instant", "scrub"],
        capture_output=True, text=True, check=False, timeout=220, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    wanted = {
        "first_file_s", "database_query_s", "database_first_write_s", "all_local_s", "restic_restore_s",
        "all_local_vs_restic", "backup_mb_per_s", "restic_backup_mb_per_s", "backup_vs_restic",
        "host_backup_mb_per_s", "scrub_mb_per_s", "restic_check_read_data_mb_per_s", "finish_verified_s",
        "load_before", "load_after_instant",
    }  # fmt: skip
    assert {name for name in wanted if not isinstance(found.get(name), int | float)} == set()
    assert found["files_saved_meanwhile_lost"] == 0 < found["files_saved_meanwhile"]


def test_the_link_has_the_rate_and_the_round_trip_that_it_was_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        words = ["--mbit", "80", "--rtt-ms", "40"]
        link = subprocess.Popen(
            [sys.executable, str(ROOT / "bench/link.py"), f"127.0.0.1:{port}", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        threading.Thread(target=_answer, args=(there,), daemon=True).start()
        with socket.create_connection(
            ("127.0.0.1", json.loads(link.stdout.readline())["port"])
        ) as we:
            begun = time.perf_counter()
            we.sendall(b"?")
            assert we.recv(1) == b"!"
            first = time.perf_counter() - begun
            while we.recv(1 << 20):
                pass
            whole = time.perf_counter() - begun
        link.stdin.write("\n")
        link.stdin.flush()
        assert json.loads(link.stdout.readline()) == {"down": 4_000_001, "up": 1}
        link.stdin.close()
        assert link.wait(20) == 0
        link.stdout.close()
    assert first >= 0.08  # a handshake and a question
    assert whole - first >= 4_000_000 / 10_000_000 * 0.95


def _answer(there: socket.socket) -> None:
    connection, _ = there.accept()
    with connection:
        connection.recv(1)
        connection.sendall(b"!" + bytes(4_000_000))
