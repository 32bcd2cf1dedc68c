"""A real rest-server on loopback, a share with a database, and the state of one machine."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from releve.adapters.restic.rest_server import RestServer
from releve.apps.backup.state import Config, State
from tests.restic_keys import open_at_little_cost

pytestmark = pytest.mark.restic


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A vault and a state whose repository is made; it opens at little cost."""
    root = tmp_path_factory.mktemp("template")
    with RestServer(str(root / "vault")) as running:
        made = State(str(root / "state"))
        config = Config(url=running.url("host"), user="host", folders=("/",))
        made.configure(config, running.add_user("host"))
        assert made.engine().init()
    open_at_little_cost(root / "vault/host", made.password_file.read_text())
    return root


@pytest.fixture
def server(tmp_path, need, request):
    need("restic")
    shutil.copytree(request.getfixturevalue("template") / "vault", tmp_path / "vault")
    with RestServer(str(tmp_path / "vault")) as running:
        yield running


@pytest.fixture
def share(tmp_path):
    """Documents with odd names, a database, modes and times that are not the default ones."""
    folder = tmp_path / "share"
    (folder / "lettres [2026]").mkdir(parents=True)
    for number in range(20):
        document = folder / "lettres [2026]" / f"CR n°{number} *.txt"
        document.write_text(f"Compte rendu {number} : suivi, rien à signaler.\n" * 9)
        document.chmod(0o640)
        os.utime(document, ns=(10**18 + number, 10**18 + 123_456_789 + number))
    with sqlite3.connect(folder / "patients.db") as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT)")
        database.executemany("INSERT INTO visit (note) VALUES (?)", [("x" * 200,)] * 500)
    database.close()
    return folder


@pytest.fixture
def state(tmp_path, server, share, template):
    """A machine that is set up: its repository exists."""
    shutil.copytree(template / "state", tmp_path / "state", ignore=shutil.ignore_patterns("cache"))
    made = State(str(tmp_path / "state"))
    password = (made.folder / "http-password").read_text()
    config = Config(url=server.url("host"), user="host", folders=(str(share),))
    made.configure(config, password)
    return made


@pytest.fixture
def back_up(state):
    """Make one backup of the share; answers what it did."""

    def once(told=None):
        tell = (lambda _: None) if told is None else told.append
        config = state.config()
        return state.run().run(config.folders, config.exclude, tell)

    return once


def facts(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_size
