"""A database server as the backup takes it: its dump is loaded and counted before it is proved."""

import os

import msgspec
import pytest

from releve.model.sources import PostgresSource
from tests.backup.servers import postgres, postgres_programs
from tests.drill.conftest import check

pytestmark = [pytest.mark.restic, pytest.mark.postgres]


def test_the_dump_of_a_server_is_proved_by_loading_it(practice, monkeypatch):
    monkeypatch.setenv("PATH", f"{postgres_programs()}:{os.environ['PATH']}")
    with postgres() as server:
        server.sql(
            "CREATE TABLE visite AS SELECT n AS id, now() AS le FROM generate_series(1,700) n"
        )
        source = PostgresSource(
            name="dossier", database="postgres", user="postgres", host=str(server.folder),
            password_file=str(server.folder / "pgpass"),
        )  # fmt: skip
        config = practice.state.config()
        practice.state.reconfigure(msgspec.structs.replace(config, sources=(source,)))
        practice.back_up()
    env = {"RELEVE_PG_BIN": str(postgres_programs())}
    status, made = practice.drill(env=env)
    assert status == 0, made
    parts = check(made, "databases")["parts"]
    assert [(p["kind"], p["rows"]) for p in parts] == [("sqlite", 200), ("postgresql", 700)]
