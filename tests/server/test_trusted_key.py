"""Who holds a signed page and no server is told where the key comes from."""

from pathlib import Path

import pytest

from releve.apps.cli.main import run
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store
from tests.server.world import add_host


def test_who_has_no_key_of_the_server_is_told_where_it_comes_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "server")
    add_host(make_store(home), "serveur", "Cabinet")
    at, out = ["--home", str(home.path)], str(tmp_path / "out")
    named = ["--structure", "Cabinet", "--out", out]
    assert run(["statement", "make", *named, "--month", "2026-11", *at]) == 0
    assert run(["leave", *named, "--erase", "--by", "Anne", "--reason", "fin", *at]) == 0
    assert run(["audit", "key", *at]) == 0
    key = capsys.readouterr().out.split()[-1]
    certificate = next(Path(out).glob("*/effacement.json"))
    statement = next(one for one in Path(out).glob("*/releve-*.json"))
    nowhere = ["--home", str(tmp_path / "nowhere")]
    for words in (
        ["statement", "verify", str(statement)],
        ["leave", "--verify", str(certificate)],
    ):
        assert run([*words, *nowhere]) == 2, words
        said = capsys.readouterr().err
        assert "releve audit key` prints it" in said, words
        assert "--key KEY" in said, words
        assert run([*words, *nowhere, "--key", key]) == 0
    assert run(["audit", "verify", "--heads", out, *nowhere]) == 2
    assert "releve audit key` prints it" in capsys.readouterr().err
    assert run(["audit", "key", *nowhere]) == 2
    said = capsys.readouterr().err
    assert "--home DIR" in said
    assert "--key" not in said, "there is none to name"
    assert not (tmp_path / "nowhere").exists()
