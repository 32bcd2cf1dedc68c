"""The portable guard as an ordinary user meets it: no root, no kernel help, everything back."""

import contextlib
import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.need("root", "namespaces", "setpriv")
_USER = 65_534
_AS_USER = ("setpriv", "--reuid", str(_USER), "--regid", str(_USER), "--clear-groups")
_WORDS = [
    "patient",
    "examen",
    "compte",
    "rendu",
    "ordonnance",
    "traitement",
    "dossier",
    "consultation",
]

# Runs as the ordinary user inside its own PID namespace and ends with its stdin. What it is told
# by a line is done by a child, so that the guard has a program to name and to stop.
_ARENA = r"""
import os, sys
ATTACK = sys.argv[1]
print(os.getpid(), flush=True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        exec(compile(ATTACK, "attack", "exec"), {"root": sys.argv[2], "mode": line.strip()})
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""
_ATTACK = r"""
import os, time
for folder, _, names in sorted(os.walk(root)):
    for name in sorted(names):
        path = os.path.join(folder, name)
        size = os.stat(path).st_size
        fresh = os.urandom(size)
        if mode == "inplace":
            with open(path, "r+b") as file:
                file.write(fresh)
        elif mode == "newunlink":
            with open(path + ".enc", "wb") as file:
                file.write(fresh)
            os.unlink(path)
        elif mode == "over":
            with open(path + ".tmp", "wb") as file:
                file.write(fresh)
            os.rename(path + ".tmp", path)
        elif mode == "rename":
            os.rename(path, path + ".locked")
            with open(path + ".locked", "r+b") as file:
                file.write(fresh)
        elif mode == "slow":
            with open(path, "r+b") as file:
                for at in range(0, size, 1024):
                    file.seek(at)
                    file.write(fresh[at:at + 1024])
                    file.flush()
                    time.sleep(0.01)
        time.sleep(0.002)
"""


class Guarding:
    """A portable guard run as the ordinary user; its lines as they come."""

    def __init__(self, folder: Path, scope: int, *more: str) -> None:
        self.process = subprocess.Popen(
            [*_AS_USER, sys.executable, "-m", "releve.apps.guard", "run", "--portable", "--enforce",
             "--protect", str(folder), "--scope", str(scope), "--json", *more],
            stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "src", "HOME": str(folder.parent)},
        )  # fmt: skip
        self.lines: list[dict[str, object]] = []
        self._news: queue.Queue[dict[str, object] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            line = json.loads(raw)
            self.lines.append(line)
            self._news.put(line)
        self._news.put(None)

    def wait(self, event: str, seconds: float = 40.0) -> dict[str, object]:
        end = time.monotonic() + seconds
        while True:
            line = self._news.get(timeout=max(0.01, end - time.monotonic()))
            assert line is not None, "the guard ended"
            if line["event"] == event:
                return line

    def end(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()


class Arena:
    """The attackers' own PID namespace, run as the ordinary user."""

    def __init__(self, folder: Path) -> None:
        self._outer = subprocess.Popen(
            ["unshare", "-pfm", "--mount-proc", *_AS_USER, "/usr/bin/python3", "-c", _ARENA, _ATTACK,
             str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        assert self._outer.stdout is not None
        assert self._outer.stdout.readline().strip() == "1"
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        self.scope = int(children.read_text().split()[0])

    def attack(self, mode: str) -> None:
        assert self._outer.stdin is not None
        self._outer.stdin.write(mode + "\n")
        self._outer.stdin.flush()

    def ended(self) -> int:
        """Exit code of the attacker, negative for the signal that ended it."""
        assert self._outer.stdout is not None
        return int(self._outer.stdout.readline().split()[1])

    def close(self) -> None:
        """Its pid 1 ends with its stdin, and takes all inside with it."""
        assert self._outer.stdin is not None
        self._outer.stdin.close()
        try:
            self._outer.wait(5)
        except subprocess.TimeoutExpired:
            os.kill(self.scope, 9)
            self._outer.wait(5)


@pytest.fixture
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of 400 texts that belongs to the ordinary user, as do all folders above it."""
    base = Path(f"/tmp/releve-portable-{os.getpid()}-{random.randrange(1 << 30):x}")
    share = base / "share"
    chance = random.Random(7)
    for number in range(400):
        path = share / f"d{number // 25:02}" / f"f{number:03}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(chance.choice(_WORDS) for _ in range(chance.randint(100, 2500))))
    for path in [base, *base.rglob("*")]:
        os.chown(path, _USER, _USER)
    yield share
    subprocess.run(["rm", "-rf", str(base)], check=False)


@pytest.fixture
def arena(share: Path) -> Iterator[Arena]:
    made = Arena(share)
    yield made
    made.close()


@pytest.fixture
def guarding(share: Path, arena: Arena) -> Iterator[Callable[..., Guarding]]:
    started: list[Guarding] = []

    def start(*more: str) -> Guarding:
        started.append(Guarding(share, arena.scope, *more))
        started[-1].wait("ready")
        return started[-1]

    yield start
    for guard in started:
        guard.end()


def state(share: Path) -> dict[str, tuple[bytes, int, int, int]]:
    found = {}
    for path in share.rglob("*"):
        if path.is_file():
            st = path.stat()
            found[str(path.relative_to(share))] = (
                path.read_bytes(),
                st.st_uid,
                st.st_mode,
                st.st_mtime_ns,
            )
    return found


def settled(
    share: Path, wanted: dict[str, tuple[bytes, int, int, int]], seconds: float = 25.0
) -> list[str]:
    """What differs from before, once nothing differs or the time is over."""
    end = time.monotonic() + seconds
    while True:
        now = state(share)
        wrong = [name for name in wanted.keys() | now.keys() if wanted.get(name) != now.get(name)]
        if not wrong or time.monotonic() > end:
            return sorted(wrong)
        time.sleep(0.2)


def test_a_running_portable_guard_is_found_by_its_folder_and_one_inside_it(
    share: Path, guarding: Callable[..., Guarding]
) -> None:
    """By the words of `--help`, as root and as the user who started it."""
    guard = guarding()
    command = [sys.executable, "-m", "releve.apps.cli.main", "guard", "status", "--json"]
    env = {**os.environ, "PYTHONPATH": "src", "HOME": str(share.parent)}
    for who in ((), _AS_USER):
        for folder in (share, share / "d00"):
            asked = [*who, *command, "--protect", str(folder)]
            told = subprocess.run(
                asked, env=env, cwd=Path(__file__).parents[2], capture_output=True, check=False
            )
            assert told.returncode == 0, told.stderr
            (held,) = json.loads(told.stdout)["body"]["folders"]
            assert held["path"] == str(share)
    assert guard.end() == 0


@pytest.mark.parametrize("mode", ["inplace", "newunlink", "over", "rename", "slow"])
def test_every_file_is_back_after_an_attack_by_the_same_user(
    share: Path, arena: Arena, guarding: Callable[..., Guarding], mode: str
) -> None:
    before = state(share)
    guard = guarding()
    arena.attack(mode)
    back = guard.wait("rolled_back")
    assert back["lost"] == []
    assert settled(share, before) == []
    stops = [line for line in guard.lines if line["event"] == "stopped"]
    assert stops
    assert {line["action"] for line in stops} <= {"killed", "none"}
    assert guard.end() == 0


@pytest.mark.parametrize(
    ("mode", "after_s"),
    [("newunlink", 3), ("newunlink", 15), ("over", 12), ("inplace", 12), ("rename", 12)],
)
def test_what_was_made_after_the_start_comes_back_too(
    share: Path, arena: Arena, guarding: Callable[..., Guarding], mode: str, after_s: int
) -> None:
    guard = guarding()
    new = share / "a-new"
    new.mkdir()
    chance = random.Random(9)
    for number in range(20):
        made = new / f"n{number:03}.txt"
        made.write_text(" ".join(chance.choice(_WORDS) for _ in range(800)))
    if mode == "newunlink" and after_s > 10:
        (new / "sealed.dat").write_bytes(chance.randbytes(20_000))
    for path in [new, *new.iterdir()]:
        os.chown(path, _USER, _USER)
    time.sleep(after_s)
    before = state(share)
    arena.attack(mode)
    back = guard.wait("rolled_back")
    assert back["lost"] == []
    assert settled(share, before) == []


def test_what_it_leaves_of_an_attack_is_told(
    share: Path, arena: Arena, guarding: Callable[..., Guarding]
) -> None:
    """Copies of a few bytes are too small to be judged: they stay, and each is named."""
    for number in range(12):
        tiny = share / f"d{number:02}" / "ok.txt"
        tiny.write_text("ok\n")
        os.chown(tiny, _USER, _USER)
    before = state(share)
    guard = guarding()
    arena.attack("newunlink")
    guard.wait("rolled_back")
    wrong = settled(share, before, 12)
    told = {
        Path(path).relative_to(share).as_posix()
        for line in guard.lines
        if line["event"] == "rolled_back"
        for path in line["left"]
    }
    assert set(wrong) <= told
    assert all((share / name).exists() for name in told)
    assert all(name.endswith(".enc") for name in told)


def test_the_writer_of_a_long_attack_is_named_and_stopped(
    share: Path, arena: Arena, guarding: Callable[..., Guarding]
) -> None:
    before = state(share)
    guard = guarding()
    arena.attack("slow")
    stopped = guard.wait("stopped")
    assert stopped["action"] == "killed"
    assert "python3" in str(stopped["program"])
    assert any("en écriture" in point["why"] for point in stopped["points"])  # type: ignore[attr-defined]
    assert arena.ended() == -9
    assert settled(share, before) == []


def test_honest_work_during_an_attack_stays(
    share: Path, arena: Arena, guarding: Callable[..., Guarding]
) -> None:
    guard = guarding()
    edited, added = share / "d15" / "f399.txt", share / "d15" / "nouveau.txt"
    os.setegid(_USER)
    os.seteuid(_USER)
    try:
        text = edited.read_text() + " suite du compte rendu"
        edited.write_text(text)
        added.write_text("courrier au confrère " * 30)
        arena.attack("slow")
        time.sleep(0.1)
        added.write_text("courrier au confrère, relu " * 30)
    finally:
        os.seteuid(0)
        os.setegid(0)
    back = guard.wait("rolled_back")
    assert back["lost"] == []
    assert edited.read_text() == text
    assert added.read_text() == "courrier au confrère, relu " * 30
    assert str(edited) not in json.dumps(back, ensure_ascii=False)
    assert str(added) not in json.dumps(back, ensure_ascii=False)


def test_nobody_outside_the_scope_is_stopped(
    share: Path, arena: Arena, guarding: Callable[..., Guarding]
) -> None:
    """The attack comes from outside of what may be touched: undone, and its author left alone."""
    before = state(share)
    guard = guarding()
    outside = subprocess.Popen(
        [
            *_AS_USER,
            "/usr/bin/python3",
            "-c",
            f"root, mode = {str(share)!r}, 'inplace'\n" + _ATTACK,
        ],
        cwd="/",
    )
    stopped = guard.wait("stopped")
    assert stopped["action"] == "none"
    assert stopped["user"] == "", "whose account it is, is not known either"
    assert stopped["pids"] == []
    assert guard.wait("rolled_back")["lost"] == []
    assert outside.wait(30) == 0
    assert settled(share, before) == []
    assert guard.wait("alert")["kind"] == "writer_unknown"


def test_what_happened_while_it_was_dead_is_found_and_undone(
    share: Path, arena: Arena, guarding: Callable[..., Guarding]
) -> None:
    before = state(share)
    first = guarding()
    first.process.kill()
    first.process.wait(10)
    arena.attack("newunlink")
    assert arena.ended() == 0
    honest = share / "d00" / "note.txt"
    honest.write_text("rendez-vous reporté " * 20)
    os.chown(honest, _USER, _USER)
    again = guarding()
    again.wait("rolled_back")
    before["d00/note.txt"] = state(share)["d00/note.txt"]
    assert settled(share, before) == []


def test_ready_says_what_this_mode_can_and_cannot(guarding: Callable[..., Guarding]) -> None:
    guard = guarding()
    ready = next(line for line in guard.lines if line["event"] == "ready")
    folder = ready["folders"][0]  # type: ignore[index]
    assert folder["mode"] in {"portable-clone", "portable-copy"}
    assert folder["attribution"] == "evidence"
    assert len(folder["can"]) == len(folder["can_en"]) == 3
    assert len(folder["cannot"]) == len(folder["cannot_en"]) == 5
    assert any("certitude" in sentence for sentence in folder["cannot"])
    assert Path(str(ready["store"])).stat().st_uid == _USER
    assert Path(str(ready["store"])).stat().st_mode & 0o777 == 0o700
    with contextlib.suppress(queue.Empty):
        guard.wait("stopped", 0.5)
        pytest.fail("nothing happened, and somebody was stopped")


def test_what_cannot_be_read_is_said_not_to_be_held(
    share: Path, guarding: Callable[..., Guarding]
) -> None:
    secret = share / "d00" / "f000.txt"
    os.chown(secret, 0, 0)
    secret.chmod(0o600)
    guard = guarding()
    alerts = [line for line in guard.lines if line["event"] == "alert"]
    assert [line["kind"] for line in alerts] == ["not_held"]
    assert "ne peut pas lire, et ne garde pas : 1." in str(alerts[0]["why"])
