"""`releve backup` from the first word to the last, as an administrator types it."""

import json
import re
import subprocess
import sys

import pytest

from releve.apps.cli.main import run

pytestmark = pytest.mark.restic


@pytest.fixture
def served(tmp_path):
    """`releve backup serve-dev` in the foreground; its first line."""
    secret = tmp_path / "http-password"
    command = [sys.executable, "-m", "releve.apps.cli.main", "backup", "serve-dev", "--json"]
    command += ["--path", str(tmp_path / "vault"), "--user", "host"]
    command += ["--http-password-file", str(secret)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline()), secret
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_set_up_run_list_check(served, share, tmp_path, capsys):
    ready, secret = served
    assert ready["event"] == "ready"
    assert secret.stat().st_mode & 0o777 == 0o600
    state = ("--state", str(tmp_path / "state"))

    def call(*words):
        capsys.readouterr()
        assert run(["backup", *words, *state]) == 0
        return capsys.readouterr().out

    where = ("--url", ready["url"], "--user", "host", "--folder", str(share))
    said = call("setup", *where, "--http-password-file", str(secret))
    assert "Dépôt créé" in said
    assert "papier" in said
    said = call("run")
    assert re.search(r"Sauvegarde [0-9a-f]{8} : 2\d fichiers", said)
    assert "1 base copiée" in said
    assert [json.loads(line) for line in call("run", "--if-due", "--json").splitlines()] == [
        {"event": "not_due"}
    ]
    lines = [json.loads(line) for line in call("run", "--json").splitlines()]
    assert lines[-1]["event"] == "backup"
    assert lines[-1]["files_new"] == 0
    snapshots = [json.loads(line) for line in call("list", "--json").splitlines()]
    assert [s["id"] for s in snapshots][-1] == lines[-1]["snapshot"]
    assert str(share) in call("list")
    assert "sain" in call("check")


def test_before_it_is_set_up_the_remedy_says_how(tmp_path, capsys):
    assert run(["backup", "run", "--json", "--state", str(tmp_path)]) == 93
    assert "backup setup" in json.loads(capsys.readouterr().err)["remedy"]
