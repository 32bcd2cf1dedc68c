"""A practice's folder in a real restic repository, and the command as its users run it."""

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from releve.adapters.linux import mounts
from releve.adapters.restic import tools
from releve.adapters.restic.lent import Program
from releve.apps.recover.state import RecoveryHome
from tests.restic_keys import open_at_little_cost

RELEVE = [sys.executable, "-m", "releve.apps.cli.main"]


def build(folder: Path, *, files: int = 300, archives: int = 3, database_mb: int = 4) -> None:
    """Documents by patient, archives, a database, a link, an empty folder, a second name."""
    chance = random.Random(7)
    for number in range(files):
        patient = folder / "patients" / f"{number // 10:03d}_NOM{number // 10}_Jean"
        patient.mkdir(parents=True, exist_ok=True)
        document = patient / f"CR n°{number} [a].doc"
        document.write_bytes(chance.randbytes(chance.randrange(1_000, 30_000)))
        document.chmod(0o640)
        os.utime(document, ns=(10**18 + number, 10**18 + 123_456_789 + number))
    (folder / "archives").mkdir()
    for number in range(archives):
        (folder / "archives" / f"a{number}.zip").write_bytes(chance.randbytes(8_000_000))
    (folder / "vide").mkdir()
    (folder / "lien").symlink_to("patients")
    os.link(folder / "archives/a0.zip", folder / "archives/second.zip")
    (folder / "logiciel").mkdir()
    (folder / "logiciel/base.mdb").write_bytes(chance.randbytes(2_000_000))
    with sqlite3.connect(folder / "patients.db") as database:
        database.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT)")
        rows = ((chance.randbytes(250).hex(),) for _ in range(database_mb * 2_000))
        database.executemany("INSERT INTO visit (note) VALUES (?)", rows)
    database.close()


def restic(root: Path, *words: str) -> str:
    environment = os.environ | {
        "RESTIC_REPOSITORY": str(root / "repository"),
        "RESTIC_PASSWORD_FILE": str(root / "password"),
        "RESTIC_CACHE_DIR": str(root / "cache"),
    }
    command = [tools.find(tools.RESTIC).path, *words]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return ran.stdout


def back_up(root: Path, source: Path) -> None:
    (root / "password").write_text("un mot de passe de test\n")
    restic(root, "init", "-q")
    open_at_little_cost(root / "repository", "un mot de passe de test")
    restic(root, "backup", "-q", str(source))


class Recovery:
    """One recovery of a repository at `target`, by the command itself."""

    def __init__(self, root: Path, source: Path, target: Path) -> None:
        self.root, self.source, self.target = root, source, target
        self._drivers: list[subprocess.Popen[str]] = []

    def words(self, *more: str) -> list[str]:
        lent = ["--repository", str(self.root / "repository")]
        lent += ["--password-file", str(self.root / "password"), "--reserve-mb", "1"]
        return ["start", str(self.target), *lent, "--folder", str(self.source), *more]

    def run(self, *words: str, fails: bool = False) -> str:
        """`releve recover ...` to its end; what it printed."""
        command = [*RELEVE, "recover", *words]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert (ran.returncode != 0) is fails, (words, ran.stdout[-500:], ran.stderr[-2000:])
        return ran.stderr if fails else ran.stdout

    def begin(self, *more: str) -> subprocess.Popen[str]:
        """A driver in the foreground of its own process."""
        return self.begin_by(*self.words(*more))

    def begin_by(self, *words: str) -> subprocess.Popen[str]:
        """The same, by other words."""
        command = [*RELEVE, "recover", *words, "--json"]
        driver = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._drivers.append(driver)
        return driver

    @property
    def home(self) -> RecoveryHome:
        return RecoveryHome(self.target)

    def reached(self, step: str, seconds: float = 60.0) -> float:
        """Wait for a step; when it was reached, in seconds since the order."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (self.home.path / "state.json").exists():
                found = self.home.state().seconds
                if step in found:
                    return found[step]
            for driver in self._drivers:
                if driver.poll() not in {None, 0, -signal.SIGKILL}:
                    raise AssertionError(driver.stderr.read() if driver.stderr else "it ended")
            time.sleep(0.01)
        raise AssertionError((step, self.home.state(), self.home.progress()))

    def vault(self) -> Program:
        """The process that shows the vault."""
        found = self.home.state().vault
        assert found is not None
        assert found.lives()
        return found

    def until(self, true, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.home.progress()
            time.sleep(0.02)

    def finish(self, *more: str) -> dict[str, object]:
        return json.loads(self.run("finish", str(self.target), "--json", *more))

    def close(self) -> None:
        """Leave nothing: processes that this recovery started, mounts below its own folders."""
        for driver in self._drivers:
            if driver.poll() is None:
                driver.kill()
            driver.wait(10)
            if driver.stderr:
                driver.stderr.close()
        if (self.home.path / "asked.json").exists():
            subprocess.run(
                [*RELEVE, "recover", "stop", str(self.target)],
                capture_output=True,
                timeout=60,
                check=False,
            )
        for entry in reversed(list(mounts.mounts())):
            if entry.point.startswith(str(self.target.parent) + "/"):
                mounts.unmount(entry.point, lazily=True)
        if self.target.is_dir():
            mounts.unseal(str(self.target))


def tree(folder: Path) -> dict[str, str]:
    """Every entry with what it is: content, mode, owner, time of a file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        facts = path.lstat()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[name] = f"folder {facts.st_mode:o}"
        else:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[name] = f"{digest} {facts.st_mode:o} {facts.st_uid} {facts.st_mtime_ns // 1000}"
    return found


def kill(program: Program) -> None:
    """End a process that this recovery started, at once, and wait until it is gone."""
    os.kill(program.pid, signal.SIGKILL)
    while program.lives():
        time.sleep(0.005)
