"""A host's right laid into a file: once, again, lost, and of another."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from releve.adapters.vault.layout import Layout
from releve.apps.cli.main import run
from releve.apps.vault.opened import Vault, only_writer
from releve.apps.vault.serving_certificate import own_certificate, without_own_authority
from tests.agent.hands import wait_for
from tests.vault.conftest import releve


@pytest.fixture
def data(tmp_path: Path) -> Path:
    releve("vault", "init", "--name", "coffre", "--data", str(tmp_path / "vault"))
    return tmp_path / "vault"


def add(data: Path, name: str, file: Path, *, host: str = "srv", status: int = 0) -> None:
    words = ["vault", "credential", "add", name, "--structure", "cabinet", "--host", host]
    assert run([*words, "--out", str(file), "--data", str(data), "--json"]) == status


def test_a_right_is_made_once_and_its_secret_is_only_in_the_file(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "there/coffre-srv.json"
    add(data, "srv.cabinet", file)
    laid = json.loads(file.read_bytes())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (laid["user"], laid["structure"], laid["host"]) == ("srv.cabinet", "cabinet", "srv")
    said = capsys.readouterr()
    assert json.loads(said.out)["state"] == "made"
    assert laid["secret"] not in said.out + said.err
    before = file.read_bytes(), Vault(data).book.seq
    (data / "authority.pem").write_text("PEM")
    add(data, "srv.cabinet", file)
    assert json.loads(capsys.readouterr().out)["state"] == "kept"
    assert json.loads(file.read_bytes()) == laid | {"authority": "PEM"}, "made since"
    assert Vault(data).book.seq == before[1]


def test_a_gate_that_was_never_opened_is_trusted_by_the_hosts_that_were_given_a_secret_before(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "coffre-srv.json"
    add(data, "srv.cabinet", file)
    given = json.loads(file.read_bytes())["authority"]
    shown = Path(own_certificate(Vault(data).layout, "127.0.0.1", ()))
    chain = x509.load_pem_x509_certificates(shown.read_bytes())
    chain[0].verify_directly_issued_by(x509.load_pem_x509_certificate(given.encode()))
    assert (data / "authority.pem").read_text() == given, "the gate goes on with it"
    without_own_authority(Vault(data).layout)
    add(data, "srv.cabinet", file)
    assert json.loads(file.read_bytes())["authority"] == "", "a certificate from elsewhere"


def test_without_a_file_the_secret_is_told_once(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["vault", "credential", "add", "srv", "--structure", "cabinet", "--host", "srv"]
    assert run([*words, "--quota", "1G", "--data", str(data), "--json"]) == 0
    secret = json.loads(capsys.readouterr().out)["secret"]
    kept = Vault(data).credentials.get("srv")
    assert kept.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert (kept.limits.quota_bytes, kept.limits.read_bytes_per_day) == (1 << 30, 256 << 20)
    assert run([*words, "--data", str(data)]) == 118


def test_a_kill_between_file_and_right_is_completed_with_the_same_secret(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "coffre-srv.json"
    add(data, "srv.cabinet", file)
    secret = json.loads(file.read_bytes())["secret"]
    (data / "credentials/srv.cabinet.json").unlink()  # as before it was written
    capsys.readouterr()
    add(data, "srv.cabinet", file)
    assert json.loads(capsys.readouterr().out)["state"] == "made"
    assert json.loads(file.read_bytes())["secret"] == secret


def test_one_that_was_carried_away_is_not_made_anew_and_a_lost_one_gets_a_follower(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "coffre-srv.json"
    add(data, "srv.cabinet", file)
    file.unlink()
    capsys.readouterr()
    add(data, "srv.cabinet", file)
    assert json.loads(capsys.readouterr().out)["state"] == "carried"
    assert not file.exists()
    add(data, "srv.cabinet-2", file)
    capsys.readouterr()
    add(data, "srv.cabinet", file)  # the script, run again
    assert json.loads(capsys.readouterr().out)["state"] == "kept"
    assert json.loads(file.read_bytes())["user"] == "srv.cabinet-2"


def test_another_hosts_name_or_file_is_refused(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "coffre-srv.json"
    add(data, "srv.cabinet", file)
    add(data, "srv.cabinet", tmp_path / "new.json", host="radio", status=118)
    add(data, "radio.cabinet", file, host="radio", status=118)
    changed = json.loads(file.read_bytes()) | {"secret": "another"}
    file.write_text(json.dumps(changed))
    add(data, "srv.cabinet", file, status=118)
    file.write_text("{}")
    add(data, "srv.cabinet", file, status=118)
    assert not (tmp_path / "new.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
@pytest.mark.parametrize("planted", ["file", "folder", "link"])
def test_a_secret_that_another_user_laid_there_makes_no_right(
    data: Path, tmp_path: Path, planted: str
) -> None:
    file = tmp_path / "there/coffre-srv.json"
    file.parent.mkdir()
    known = {"user": "srv.cabinet", "secret": "known", "structure": "cabinet", "host": "srv"}
    if planted == "link":
        (tmp_path / "known.json").write_text(json.dumps(known))
        file.symlink_to(tmp_path / "known.json")
    else:
        file.write_text(json.dumps(known))
        os.chown(file if planted == "file" else file.parent, 4242, 4242)
    add(data, "srv.cabinet", file, status=2)
    assert Vault(data).credentials.get("srv.cabinet") is None


def test_which_server_hears_is_added_and_the_rest_of_the_configuration_stays(
    data: Path, tmp_path: Path
) -> None:
    releve("vault", "init", "--name", "coffre", "--head-place", str(tmp_path), "--data", str(data))
    link = {"structure": "cabinet", "url": "https://releve:8443", "token": "t1", "authority": "PEM"}
    file = tmp_path / "link.json"
    for structure, token in (("cabinet", "t1"), ("clinique", "t2"), ("cabinet", "t3")):
        file.write_text(json.dumps(link | {"structure": structure, "token": token}))
        assert run(["vault", "report-to", str(file), "--data", str(data), "--json"]) == 0
    config = Layout(data).config()
    assert config.head_places == (str(tmp_path),)
    assert config.server_url == "https://releve:8443"
    assert (data / "server.tokens").read_text() == "clinique t2\ncabinet t3\n"
    assert stat.S_IMODE((data / "server.tokens").stat().st_mode) == 0o600
    assert (data / "server-authority.pem").read_text() == "PEM"
    file.write_text(json.dumps(link | {"url": "https://other:1"}))
    assert run(["vault", "report-to", str(file), "--data", str(data)]) == 2
    (data / "server.tokens").write_text("one-for-all\n")
    file.write_text(json.dumps(link))
    assert run(["vault", "report-to", str(file), "--data", str(data)]) == 2
    assert (data / "server.tokens").read_text() == "one-for-all\n"


def test_two_structures_told_of_at_once_are_both_heard(data: Path) -> None:
    link = {"url": "https://releve:8443", "authority": ""}
    words = ("vault", "report-to", "-", "--data", str(data), "--json")
    with only_writer(Layout(data)):
        told = []
        for structure in ("cabinet", "clinique"):
            one = subprocess.Popen(
                [sys.executable, "-m", "releve.apps.cli.main", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            assert one.stdin is not None
            one.stdin.write(json.dumps(link | {"structure": structure, "token": "t"}).encode())
            one.stdin.close()
            told.append(one)
        wait_for(lambda: all(one.poll() is None and waits_for_a_lock(one.pid) for one in told), 40)
        (data / "server.tokens").write_text("maison t\n")  # whoever held it first
    assert [one.wait(40) for one in told] == [0, 0]
    lines = (data / "server.tokens").read_text().splitlines()
    assert sorted(lines) == ["cabinet t", "clinique t", "maison t"]
    assert Layout(data).config().server_token_file == str(data / "server.tokens")


def waits_for_a_lock(pid: int) -> bool:
    """As the kernel lists those who wait: `1: -> FLOCK ADVISORY WRITE PID ...`."""
    waiting = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any("->" in words and str(pid) in words for words in waiting)
