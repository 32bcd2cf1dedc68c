"""The box whole: real clients, real Samba, the real guard. One client attacks, another works."""

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releve.apps.box.lab import Lab

pytestmark = [pytest.mark.samba, pytest.mark.timeout(180)]

WORDS = [
    "bonjour",
    "patient",
    "tension",
    "scanner",
    "lettre",
    "compte",
    "rendu",
    "traitement",
    "suivi",
    "dose",
]
FOLDERS = 20


def letter(chance: random.Random) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(1500))


@pytest.fixture
def ground() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="rlv-guarded-"))
    made.chmod(0o755)
    chance = random.Random(7)
    for number in range(300):
        folder = made / "cabinet" / f"dossier{number % FOLDERS}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"lettre{number}.txt").write_text(letter(chance))
    (made / "honnête.txt").write_text(letter(chance))
    (made / "chiffre").write_bytes(chance.randbytes(16_000))
    yield made
    shutil.rmtree(made)


class RunningGuard:
    """`releve guard run` beside the lab; its signals are confined to the server's namespace."""

    def __init__(self, lab: Lab, store: Path) -> None:
        words = ["--box", str(lab.home), "--scope", str(lab.pid), "--store", str(store)]
        self.lines: list[dict[str, object]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "releve.apps.guard", "run", "--enforce", "--json", *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def said(self, event: str) -> list[dict[str, object]]:
        return [line for line in self.lines if line["event"] == event]

    def wait(self, condition: Callable[[], bool], seconds: float = 30) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            if condition():
                return True
            time.sleep(0.05)
        return condition()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        self._thread.join(timeout=10)
        return status


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def facts(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    found = {}
    for path in folder.rglob("lettre*"):
        status = path.stat()
        found[path.name] = (status.st_uid, status.st_gid, status.st_mode, status.st_mtime_ns)
    return found


# One harmful save is under the threshold; a connection that is judged after its client was
# blocked starts from zero. `SmbContain.is_blocked` says that it should not.


@pytest.mark.parametrize(
    "per_connection",
    [
        pytest.param(1, id="a connection per file"),
        pytest.param(100, id="one connection"),
    ],
)
def test_the_attacking_client_is_stopped_undone_and_kept_out_while_the_other_works(
    ground: Path, per_connection: int
) -> None:
    folder, cipher = ground / "cabinet", ground / "chiffre"
    with Lab(folder) as lab:
        before, were = contents(folder), facts(folder)
        guard = RunningGuard(lab, ground / "store")
        try:
            assert guard.wait(lambda: bool(guard.said("ready")))
            attacker, colleague = lab.people
            honest = [
                f"put {ground / 'honnête.txt'} dossier{n % FOLDERS}/note{n}.txt" for n in range(30)
            ]
            work = subprocess.Popen(
                colleague.smbclient(*honest), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            names = [f"dossier{n % FOLDERS}/lettre{n}.txt" for n in range(60)]
            for start in range(0, len(names), per_connection):
                harm = [
                    words
                    for name in names[start : start + per_connection]
                    for words in (f"put {cipher} {name}", f"rename {name} {name}.locked")
                ]
                command = ["timeout", "8", *attacker.smbclient(*harm)]
                if subprocess.run(command, capture_output=True, check=False).returncode != 0:
                    break

            assert guard.wait(lambda: bool(guard.said("rolled_back")))
            assert work.wait(timeout=30) == 0
            assert guard.wait(
                lambda: all(contents(folder).get(name) == was for name, was in before.items())
            )
            stopped = guard.said("stopped")
            assert {line["client"] for line in stopped} == {attacker.machine.address}
            assert {line["action"] for line in stopped} == {"client_blocked"}
            assert sum(int(str(line["files_touched"])) for line in stopped) <= 20
            assert not [name for line in guard.said("rolled_back") for name in line["lost"]]
            now = contents(folder)
            assert {name: now[name] for name in before} == before
            assert facts(folder) == were
            notes = [name for name in now if "note" in name]
            assert len(notes) == 30
            assert not [name for name in now if name not in before and name not in notes]
            assert not reaches(attacker.smbclient("ls"))
            assert reaches(colleague.smbclient("ls"))
            assert lab.releve("share", "status", "--home", str(lab.home))  # the server goes on
        finally:
            assert guard.end() == 0
        # Its rules went with it, and are brought back at its next start for the rest of the time.
        assert rules(lab) == ""
        (kept,) = json.loads((lab.home / "blocked.json").read_text())
        assert kept["address"] == attacker.machine.address


def rules(lab: Lab) -> str:
    command = [*lab.server.run("nft", "list", "ruleset")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def reaches(command: list[str]) -> bool:
    ran = subprocess.run(["timeout", "3", *command], capture_output=True, check=False)
    return ran.returncode == 0
