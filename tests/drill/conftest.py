"""A machine that is backed up to a real rest-server, and its drills run as real processes."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from releve.adapters.restic.rest_server import RestServer
from releve.apps.backup.state import Config, State
from releve.apps.simulate.corpus import dicom
from tests.restic_keys import open_at_little_cost

RELEVE = (sys.executable, "-m", "releve.apps.cli.main")
PATIENTS, VISITS = 40, 160


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


class Practice:
    """The practice's folder, its backups, and its drills."""

    def __init__(self, root: Path, server: RestServer) -> None:
        self.root, self.server = root, server
        self.share, self.drills = root / "share", root / "drills"
        self.state = State(str(root / "state"))

    def back_up(self):
        config = self.state.config()
        return self.state.run().run(config.folders, config.exclude, lambda _: None)

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.share / "patients.db")

    def start(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen:
        return subprocess.Popen(
            [*RELEVE, "drill", *words, "--drills", str(self.drills), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | (env or {}), process_group=0,
        )  # fmt: skip

    def call(self, *words: str, env: dict[str, str] | None = None) -> tuple[int, list[dict], str]:
        process = self.start(*words, env=env)
        out, err = process.communicate(timeout=100)
        return process.returncode, [json.loads(line) for line in out.splitlines()], err

    def drill(self, *words: str, env: dict[str, str] | None = None) -> tuple[int, dict]:
        """Run one to its end; exit status and certificate."""
        status, told, err = self.call("run", "--state", str(self.state.folder), *words, env=env)
        assert told, err
        assert told[-1].get("event") == "drill", (told[-1], err)
        return status, told[-1]["certificate"]

    def kill_after_steps(self, least: int, *words: str) -> None:
        """Kill -9 in the middle: when so many steps have ended, and not all."""
        process = self.start("run", "--state", str(self.state.folder), *words)
        while self.steps() < least:
            assert process.poll() is None, "it ended before"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)

    def steps(self) -> int:
        try:
            with contextlib.closing(sqlite3.connect(self.drills / "drills.db")) as journal:
                return int(journal.execute("SELECT count(*) FROM step").fetchone()[0])
        except sqlite3.Error:
            return 0  # it is about to be made

    def kill_at(self, seconds: float, *words: str) -> bool:
        """Kill -9 that long after its start; whether it was still alive."""
        process = self.start("run", "--state", str(self.state.folder), *words)
        time.sleep(seconds)
        was_alive = process.poll() is None
        if was_alive:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        return was_alive


def check(made: dict, name: str) -> dict:
    (found,) = [one for one in made["checks"] if one["name"] == name]
    return found


@pytest.fixture
def practice(tmp_path, need, request):
    need("restic")
    template = request.getfixturevalue("template")
    shutil.copytree(template / "vault", tmp_path / "vault")
    shutil.copytree(template / "state", tmp_path / "state", ignore=shutil.ignore_patterns("cache"))
    fill(tmp_path / "share")
    with RestServer(str(tmp_path / "vault")) as running:
        made = Practice(tmp_path, running)
        password = (made.state.folder / "http-password").read_text()
        config = Config(url=running.url("host"), user="host", folders=(str(made.share),))
        made.state.configure(config, password)
        yield made


def fill(share: Path) -> None:
    """Letters, a patient database, images."""
    rng = Random(3)
    (share / "lettres").mkdir(parents=True)
    for number in range(30):
        (share / "lettres" / f"CR {number}.txt").write_bytes(rng.randbytes(300 + number * 11))
    with sqlite3.connect(share / "patients.db") as database:
        database.execute("CREATE TABLE patient (id INTEGER PRIMARY KEY, nom TEXT)")
        database.execute("CREATE TABLE visite (id INTEGER PRIMARY KEY, jour TEXT, note TEXT)")
        database.executemany("INSERT INTO patient (nom) VALUES (?)", [("X" * 30,)] * PATIENTS)
        rows = [(f"2026-{k % 10 + 1:02d}-{k % 28 + 1:02d}", "note " * 9) for k in range(VISITS)]
        database.executemany("INSERT INTO visite (jour, note) VALUES (?, ?)", rows)
    database.close()
    (share / "images").mkdir()
    pictures = dicom.smooth_pictures(rng, 2)
    for number in range(4):
        image = dicom.image(rng, pictures, "DUPONT")
        (share / "images" / f"{number}.dcm").write_bytes(image)
