"""A database server as the backup takes it: its dump is loaded and counted before it is proved."""

import json
import os
import subprocess
import sys

import msgspec
import pytest

from releve.model.sources import MariaDbSource, PostgresSource
from tests.backup.servers import mariadb, postgres, postgres_programs
from tests.drill.conftest import check

pytestmark = pytest.mark.restic


@pytest.mark.postgres
@pytest.mark.need("mariadb")
def test_the_dumps_of_servers_are_proved_by_loading_and_counting_them(
    practice, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", f"{postgres_programs()}:{os.environ['PATH']}")
    secret = tmp_path / "my.cnf"
    secret.touch(mode=0o600)
    secret.write_text("[client]\npassword='p\"a\\\\ss'\n")
    with postgres() as first, mariadb(tmp_path / "my") as second:
        first.sql(
            "CREATE TABLE visite AS SELECT n AS id, now() AS le FROM generate_series(1,700) n"
        )
        second.sql(
            "CREATE DATABASE agenda; USE agenda; CREATE TABLE visite (id INT PRIMARY KEY, le DATETIME);"
            "INSERT INTO visite SELECT seq, '2026-11-20 10:00:00' FROM seq_1_to_300"
        )
        sources = (
            PostgresSource(
                name="dossier", database="postgres", user="postgres", host=str(first.folder),
                password_file=str(first.folder / "pgpass"),
            ),
            MariaDbSource(
                name="agenda", database="agenda", user="reader", socket=str(second.folder),
                password_file=str(secret),
            ),
        )  # fmt: skip
        config = practice.state.config()
        practice.state.reconfigure(msgspec.structs.replace(config, sources=sources))
        practice.back_up()
    env = {"RELEVE_PG_BIN": str(postgres_programs())}
    status, made = practice.drill(env=env)
    assert status == 0, made
    parts = check(made, "databases")["parts"]
    known = [("sqlite", 200), ("postgresql", 700), ("mariadb", 300)]
    assert [(p["kind"], p["rows"]) for p in parts] == known
    assert parts[2]["newest"].startswith("2026-11-20T10:00:00")


@pytest.mark.need("mariadb")
def test_a_damaged_dump_and_one_that_calls_a_shell_load_as_damaged(tmp_path):
    """As they would come from somebody who could write to the backup."""
    scratch = tmp_path / "room" / "scratch"
    scratch.mkdir(parents=True)
    torn, foul = tmp_path / "torn.sql", tmp_path / "foul.sql"
    begun = "CREATE DATABASE a; USE a;\nCREATE TABLE t (id INT);\nINSERT INTO t VALUES (1);\n"
    torn.write_text(begun + "INSERT INTO t VALUES (2")
    foul.write_text(f"{begun}\\! touch {tmp_path}/called\nINSERT INTO t VALUES (3);\n")
    words = "import json, sys; from releve.adapters.drill import mariadb, namespace;"
    words += "shut = namespace.shut_in((), ());"
    words += "o, why = mariadb.load(sys.argv[2:], sys.argv[2:], sys.argv[1], is_shut_in=shut);"
    words += "print(json.dumps([[why], *[[x.error, x.rows] for x in o]]))"
    ran = subprocess.run(
        [sys.executable, "-c", words, str(scratch), str(torn), str(foul)],
        capture_output=True, text=True, check=True, timeout=90,
    )  # fmt: skip
    [why], torn_is, foul_is = json.loads(ran.stdout)
    assert not why
    assert torn_is == ["load", 0]
    assert foul_is[0] == "load" or foul_is == ["", 2]
    assert not (tmp_path / "called").exists()
