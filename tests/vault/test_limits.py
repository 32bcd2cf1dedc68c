"""What a stolen ingest credential can use up: its own quota, its own read budget, no more."""

import datetime as dt
import hashlib
import json
import os
import signal
import time

import msgspec
import pytest

from releve.flow.vault.rules import Bucket, Spent, may_begin, spend
from tests.vault.conftest import address, objects_on, releve

pytestmark = [pytest.mark.restic, pytest.mark.timeout(120)]
DAY_NS = 86_400_000_000_000


def test_the_quota_stops_uploads_and_what_was_received_stays_readable(gate, host):
    client = gate.client(gate.credential(host, limits={"quota_bytes": 1_000_000}))
    client.ask("POST", address(host) + "?create=true", b"")
    body = os.urandom(300_000)
    answers = [client.put("data", body + bytes([n]), repository=address(host)) for n in range(5)]
    assert answers == [200, 200, 200, 403, 403]
    assert client.put("data", body + bytes([0]), repository=address(host)) == 200, "it is there"
    assert len(objects_on(gate, host)) == 3
    used = sum(
        p.stat().st_size for p in (gate.data / "repos/cabinet" / host).rglob("*") if p.is_file()
    )
    assert used <= 1_000_000


def test_exfiltration_stops_at_the_budget_and_a_killed_gate_forgets_nothing(own_gate):
    own_gate.start()
    client = own_gate.client(own_gate.credential("srv", limits={"read_bytes_per_day": 3_000_000}))
    where = address("srv")
    client.ask("POST", where + "?create=true", b"")
    bodies = [os.urandom(500_000) for _ in range(10)]
    names = [hashlib.sha256(body).hexdigest() for body in bodies]
    for body in bodies:
        assert client.put("data", body, repository=where) == 200
    taken = 0
    for name in names:
        status, body = client.ask("GET", f"{where}data/{name}")
        taken += len(body) if status == 200 else 0
        part = client.ask("GET", f"{where}data/{name}", Range="bytes=0-99999")
        taken += len(part[1]) if part[0] == 206 else 0
    assert 2_000_000 < taken <= 3_000_000
    assert client.ask("GET", f"{where}data/{names[0]}")[0] == 403
    own_gate.stop(signal.SIGKILL)
    own_gate.start()
    again = own_gate.client((client.name, client.secret))
    assert again.ask("GET", f"{where}data/{names[0]}")[0] == 403
    assert again.ask("GET", f"{where}data/")[0] == 200, "listings and small things stay free"
    assert "read_budget_used_up" in {notice["notice"] for notice in own_gate.notices()}


def test_a_day_of_backups_needs_none_of_the_budget(gate, host, backed_up):
    client, where, documents = backed_up
    (documents / "neuf.txt").write_bytes(os.urandom(1000))
    client.restic(where, "backup", str(documents))
    spent = gate.data / "spent" / f"{host}.json"
    assert not spent.exists() or json.loads(spent.read_bytes())["bytes"] < 2_000_000


def test_uploads_keep_to_the_rate(gate, host):
    client = gate.client(gate.credential(host, limits={"bytes_per_s": 1_000_000}))
    client.ask("POST", address(host) + "?create=true", b"")
    began = time.monotonic()
    for _ in range(3):
        client.put("data", os.urandom(1_000_000), repository=address(host))
    assert time.monotonic() - began > 1.5


def test_a_closed_credential_is_refused_at_once(gate, host):
    client = gate.client(gate.credential(host))
    assert client.ask("POST", address(host) + "?create=true", b"")[0] == 200
    vault = gate.vault()
    held = vault.credentials.get(host)
    vault.credentials.put(host, msgspec.structs.replace(held, closed_ns=1))
    assert client.ask("GET", address(host) + "config")[0] == 401


def test_locks_come_and_go_without_receipt_but_not_without_end(gate, host):
    client = gate.client(gate.credential(host))
    client.ask("POST", address(host) + "?create=true", b"")
    entries = gate.vault().book.seq
    names = []
    for number in range(205):
        body = b"lock %d" % number
        names.append(hashlib.sha256(body).hexdigest())
        status = client.put("locks", body, repository=address(host))
        assert status == (200 if number < 200 else 403)
    assert client.ask("DELETE", f"{address(host)}locks/{names[0]}")[0] == 200
    assert gate.vault().book.seq == entries


def test_the_budget_is_of_a_day_of_the_vaults_clock() -> None:
    first = spend(Spent(), 60, 100, 5)
    assert first is not None
    assert spend(first, 41, 100, 6) is None
    assert spend(first, 40, 100, 6) == Spent(day=0, bytes=100)
    assert spend(first, 100, 100, DAY_NS) == Spent(day=1, bytes=100)


def test_a_bucket_owes_what_it_gave_in_advance() -> None:
    bucket = Bucket(100)
    assert bucket.take(100, 0.0) == 0.0
    assert bucket.take(100, 0.0) == 1.0
    assert bucket.take(0, 10.0) == 0.0
    assert Bucket(0).take(10**12, 0.0) == 0.0


def test_a_generation_bears_the_month_of_the_vaults_clock() -> None:
    at = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    assert may_begin("2026-11", at)
    assert may_begin("2026-11-9", at)
    assert not may_begin("2026-11-10", at)
    assert not may_begin("2026-12", at)
    assert may_begin("2026-12", at.replace(day=30, hour=12))


def test_a_drill_with_the_right_to_add_says_that_it_may_not_read_so_much(
    own_gate, documents, tmp_path
):
    own_gate.start()
    client = own_gate.client(own_gate.credential("srv", limits={"read_bytes_per_day": 3_000_000}))
    (tmp_path / "secret").write_text(client.secret)
    state = ("--state", str(tmp_path / "state"))
    words = ("--user", "srv", "--http-password-file", str(tmp_path / "secret"))
    url = own_gate.url.rstrip("/") + address("srv")
    releve("backup", "setup", "--url", url, *words, "--folder", str(documents), *state)
    releve("backup", "run", *state)
    done = releve("drill", "run", *state, "--drills", str(tmp_path / "d"), "--json", check=False)
    assert done.returncode == 103, done.stderr
    made = json.loads(done.stdout.splitlines()[-1])["certificate"]
    (brought,) = [one for one in made["checks"] if one["name"] == "all_local"]
    assert [reason["kind"] for reason in brought["reasons"]] == ["read_refused"]
