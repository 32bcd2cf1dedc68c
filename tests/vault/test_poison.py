"""A thief who may add poisons the repository; the view as of before restores identically."""

import datetime as dt
import hashlib
import json
import os
import re

import pytest

from tests.vault.conftest import address, month, releve, restic_at, same_tree

pytestmark = [pytest.mark.restic, pytest.mark.timeout(180)]


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def view_of(gate, host, at, *words):
    done = releve(
        "vault", "view", "--data", str(gate.data), "--as-of", at,
        "--structure", "cabinet", "--host", host, "--json", *words,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_a_poisoned_repository_restores_identically_through_the_view(
    gate, host, backed_up, tmp_path
):
    client, where, documents = backed_up
    at = now()
    assert client.put("index", os.urandom(64), repository=where) == 200
    assert client.put("data", os.urandom(3000), repository=where) == 200
    assert client.put("snapshots", os.urandom(300), repository=where) == 200
    assert client.put("keys", b'{"created":"2026-01-01T00:00:00Z"}', repository=where) == 200
    broken = client.restic(where, "restore", "latest", "--target", str(tmp_path / "a"), check=False)
    assert broken.returncode != 0, "the poison has no effect: the test proves nothing"
    made = view_of(gate, host, at, "--verify")
    assert made["left_out"] == 4
    assert made["verified"]
    restic_at(made["folder"], "restore", "latest", "--target", str(tmp_path / "b"))
    assert same_tree(documents, tmp_path / "b" / str(documents).lstrip("/"))
    restic_at(made["folder"], "check", "--read-data")
    assert not list(tmp_path.glob("**/*.new"))


def test_the_host_hears_what_broke_and_goes_on_in_a_new_generation(gate, host, documents, tmp_path):
    client, state = gate.client(gate.credential(host)), ("--state", str(tmp_path / "state"))
    (tmp_path / "secret").write_text(client.secret)
    words = ("--user", host, "--http-password-file", str(tmp_path / "secret"))
    url = gate.url.rstrip("/") + address(host)
    releve("backup", "setup", "--url", url, *words, "--folder", str(documents), *state)
    releve("backup", "run", *state)
    assert client.put("index", b"abc", repository=address(host)) == 200
    broken = releve("backup", "run", *state, check=False)
    assert broken.returncode == 91
    assert "ended with 2: panic: " in broken.stderr
    assert "errgroup" not in broken.stderr
    assert "releve key rotate" in broken.stderr
    releve("key", "rotate", "--why", "index", "--yes", *state)
    releve("backup", "run", *state)


def test_forged_dates_of_snapshots_do_not_enter_the_view(gate, host, backed_up, tmp_path):
    client, where, documents = backed_up
    at = now()
    (documents / "lettres" / "CR 1.txt").write_bytes(b"encrypted")
    for date in ("2019-01-01 00:00:00", "2099-01-01 00:00:00"):
        client.restic(where, "backup", "--time", date, str(documents))
    made = view_of(gate, host, at)
    listed = restic_at(made["folder"], "snapshots", "--json").stdout
    assert len(json.loads(listed)) == 1


def test_a_view_is_read_through_the_gate_with_the_right_to_restore_only(
    gate, host, backed_up, tmp_path
):
    client, _, documents = backed_up
    made = view_of(gate, host, now())
    assert client.ask("GET", made["url_path"] + "config")[0] == 403
    key = [tmp_path / "a.key", tmp_path / "b.key"]
    for path in key:
        releve("vault", "approver", "make-key", str(path))
        name = host + path.stem
        releve(
            "vault",
            "approver",
            "add",
            name,
            "--public-key",
            f"{path}.pub",
            "--data",
            str(gate.data),
        )
    asked = json.loads(
        releve(
            "vault", "credential", "open", "--data", str(gate.data), "--structure", "cabinet",
            "--host", host, "--incident", "i1", "--reason", "essai", "--by", "A. Martin", "--json",
        ).stdout
    )  # fmt: skip
    reader = gate.client((asked["credential"], asked["secret"]))
    assert reader.ask("GET", made["url_path"] + "config")[0] == 401
    for path in key:
        assert reader.ask("GET", made["url_path"] + "config")[0] == 401
        signed = releve(
            "vault", "credential", "approve", asked["opening"], "--data", str(gate.data),
            "--approver", host + path.stem, "--key", str(path),
        ).stdout  # fmt: skip
    day = r"\d+(?:er)? \S+ \d{4} à \d\d:\d\d \S+"  # as a person writes it, on this machine's clock
    assert re.fullmatch(rf"Ouvert jusqu'à {day}\n", signed.replace("\xa0", " "))
    reader.restic(
        made["url_path"], "--no-lock", "restore", "latest", "--target", str(tmp_path / "c")
    )
    assert same_tree(documents, tmp_path / "c" / str(documents).lstrip("/"))
    name = hashlib.sha256(b"x").hexdigest()
    for path in (made["url_path"], f"/cabinet/{host}/{month()}/"):
        assert reader.ask("POST", f"{path}data/{name}", b"x")[0] == 403
        assert reader.ask("DELETE", f"{path}snapshots/{name}")[0] == 403
    listed = releve("vault", "credential", "list", "--data", str(gate.data), "--json").stdout
    [told] = [
        row for row in map(json.loads, listed.splitlines()) if row["credential"] == asked["opening"]
    ]
    assert 0 < told["steps"]["to_first_signature_s"] <= told["steps"]["to_open_s"]
    assert told["steps"]["to_open_s"] < told["steps"]["to_first_read_s"]
    shown = releve("vault", "credential", "list", "--data", str(gate.data)).stdout
    [line] = [line for line in shown.splitlines() if line.startswith(asked["opening"])]
    assert "  ouvert  " in line
    assert re.search(rf"jusqu'à {day}  première", line.replace("\xa0", " "))
    assert "  2 signatures  ouvert en " in line
    assert "None" not in shown
    steps = [notice["notice"] for notice in gate.notices() if asked["opening"] in notice["about"]]
    assert steps == ["restore_asked", "restore_signed", "restore_opened"]
    releve("vault", "credential", "close", asked["opening"], "--data", str(gate.data))
    assert reader.ask("GET", made["url_path"] + "config")[0] == 401
    view_count = len(list((gate.data / "repos/cabinet" / host).rglob("*")))
    releve("vault", "view", "--remove", made["id"], "--data", str(gate.data))
    assert not (gate.data / "views" / made["id"]).exists()
    assert len(list((gate.data / "repos/cabinet" / host).rglob("*"))) == view_count


def test_before_the_first_snapshot_there_is_no_view(gate, host):
    client = gate.client(gate.credential(host))
    client.begin(f"/cabinet/{host}/{month()}/")
    done = releve(
        "vault", "view", "--data", str(gate.data), "--as-of", now(), "--structure", "cabinet",
        "--host", host, check=False,
    )  # fmt: skip
    assert done.returncode == 116
