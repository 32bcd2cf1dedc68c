"""A marked share, attackers in a namespace of their own, and a guard as a program: for whole runs.

Nothing here signals a process that it did not start, and attackers work only below the mark.
"""

import contextlib
import gzip
import json
import os
import queue
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from releve.apps.simulate.manifest import Entry, take
from releve.apps.simulate.mark import MARK, write_mark

Line = dict[str, Any]
_WORDS = [
    "patient",
    "suivi",
    "pour",
    "hypertension",
    "traitement",
    "reconduit",
    "bilan",
    "sanguin",
    "dans",
    "trois",
    "mois",
    "examen",
    "clinique",
    "sans",
    "particularité",
    "courrier",
    "adressé",
    "au",
    "confrère",
    "cardiologue",
    "avec",
    "résultats",
]
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, rights, who)
    for tag, rights, who in (
        (0x01, 6, 0xFFFFFFFF), (0x02, 4, 4321), (0x04, 4, 0xFFFFFFFF), (0x10, 6, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF),
    )
)  # fmt: skip


def letter(seed: int, size: int) -> bytes:
    """A text that no encryptor could have written."""
    chance = random.Random(seed)
    words = b""
    while len(words) < size:
        words += " ".join(chance.choices(_WORDS, k=200)).encode() + b".\n"
    return words[:size]


def build(share: Path, files: int = 96, *, links: bool = True) -> dict[str, Entry]:
    """Fill a marked share with letters, archives and tables, links and attributes; its manifest."""
    share.mkdir(exist_ok=True)
    write_mark(share, "sim-tests")
    chance = random.Random(files)
    for n in range(files):
        folder = share / f"Dossier {n % 8}" / f"Été {n % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        text = letter(n, chance.randrange(1500, 20_000))
        path = folder / f"courrier {n:03d}.txt"
        if n % 12 == 5:
            path = path.with_suffix(".csv.gz")
            text = gzip.compress(text, mtime=0)
        path.write_bytes(text)
        if n % 12 == 7:
            path = path.with_suffix(".docx")
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("[Content_Types].xml", "<Types/>")
                archive.writestr("word/document.xml", f"<w>{text.decode(errors='replace')}</w>")
        _dress(path, n)
    (share / "vide").mkdir()
    (share / "rien.txt").write_bytes(b"")
    (share / "lien").symlink_to("Dossier 0")
    if links:
        os.link(share / "Dossier 0" / "Été 0" / "courrier 000.txt", share / "alias.txt")
    os.sync()
    return take(share)


def _dress(path: Path, n: int) -> None:
    if n % 5 == 0:
        os.setxattr(path, "user.patient", b"oui")
    if n % 7 == 0:
        with contextlib.suppress(OSError):
            os.setxattr(path, "system.posix_acl_access", ACL)
    os.chown(path, 61001 + n % 3, 61000)
    os.utime(path, ns=(10**18 * 16 // 10 + n, 10**18 * 16 // 10 + n * 1_000_003))


def differences(
    before: dict[str, Entry], share: Path, honest: dict[str, bytes] | None = None
) -> list[str]:
    """What is not as before, in words; `honest` are edits that must stand, by name."""
    after = take(share)
    honest = honest or {}
    found = []
    for name, entry in before.items():
        now = after.get(name)
        if name in honest:
            if now is None or (share / name).read_bytes() != honest[name]:
                found.append(f"{name}: honest edit lost")
        elif now is None:
            found.append(f"{name}: gone")
        else:
            found += [
                f"{name}: {field} {getattr(entry, field)!r:.80} -> {getattr(now, field)!r:.80}"
                for field in Entry.__struct_fields__
                if field != "inode" and getattr(entry, field) != getattr(now, field)
            ]
    for name in after.keys() - before.keys():
        if name not in honest:
            found.append(f"{name}: should not be there")
        elif (share / name).read_bytes() != honest[name]:
            found.append(f"{name}: honest new file changed")
    return found


def touched_up(texts: dict[Path, bytes]) -> dict[Path, bytes]:
    """What the honest `touch_up` of `attacks.py` makes of them."""
    return {path: text + b"\nRelu.\n" for path, text in texts.items()}


class GuardRun:
    """`releve guard run --json` on folders; its lines as they come."""

    def __init__(
        self, folders: list[Path], *words: str, store: Path | None = None, stderr: Path
    ) -> None:
        command = [sys.executable, "-m", "releve.apps.guard", "run", "--json", *words]
        for folder in folders:
            command += ["--protect", str(folder)]
        if store is not None:
            command += ["--store", str(store)]
        self._stderr = stderr.open("ab")
        self.error_file = stderr
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._stderr, stdin=subprocess.DEVNULL
        )
        self.lines: list[Line] = []
        self._news: queue.Queue[Line | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        stream = self.process.stdout
        if stream is None:
            return
        with contextlib.suppress(ValueError, OSError):
            for raw in stream:
                line = json.loads(raw)
                self.lines.append(line)
                self._news.put(line)
        self._news.put(None)

    def wait(
        self, event: str, seconds: float = 20.0, where: Callable[[Line], bool] = lambda _l: True
    ) -> Line:
        """The next line of that kind."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._news.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                break
            if line["event"] == event and where(line):
                return line
        said = [line for line in self.lines if line["event"] != "progress"]
        raise AssertionError(f"no {event} after {seconds} s: {said} / {self.words()}")

    def ready(self, seconds: float = 30.0) -> Line:
        return self.wait("ready", seconds)

    def all(self, event: str) -> list[Line]:
        return [line for line in self.lines if line["event"] == event]

    def words(self) -> str:
        """What it said on stderr."""
        return self.error_file.read_text(errors="replace")[-3000:]

    def kill9(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> int:
        """SIGTERM and its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise
        finally:
            self._stderr.close()


class Attackers:
    """A PID namespace of its own with a shell as its pid 1; all inside dies with it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._out = log.open("ab")
        self.process = subprocess.Popen(
            ["unshare", "-pfm", "--kill-child", "--mount-proc", "sh"],
            stdin=subprocess.PIPE, stdout=self._out, stderr=self._out,
        )  # fmt: skip
        self._number = 0
        self.wait(self.start("true"))

    @property
    def scope(self) -> int:
        """What `--scope` is given: unshare itself, whose children live in the namespace."""
        return self.process.pid

    def start(self, command: str) -> int:
        """Run a command line inside, in the background; its number."""
        if self.process.stdin is None:
            raise AssertionError
        self._number += 1
        self.process.stdin.write(f"(( {command} ); echo ended {self._number} $?) &\n".encode())
        self.process.stdin.flush()
        return self._number

    def python(self, script: str, *words: object, awaited: Path | None = None) -> int:
        """Run a script of `tests/guard/attacks.py`, which begins once the file `awaited` exists."""
        arguments = " ".join(f"'{word}'" for word in words)
        place = Path(__file__).with_name("attacks.py")
        start = f"AWAITED='{awaited or ''}' exec {sys.executable}"
        return self.start(f"{start} -S {place} {script} {arguments}")

    def wake(self) -> None:
        """Let everybody inside go on whom a killed guard left halted."""
        self.wait(self.start("kill -CONT -1"))

    def status(self, number: int) -> int | None:
        for line in self._log.read_text(errors="replace").splitlines():
            words = line.split()
            if words[:2] == ["ended", str(number)]:
                return int(words[2])
        return None

    def wait(self, number: int, seconds: float = 20.0) -> int:
        """The exit status of a command."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.status(number)
            if status is not None:
                return status
            time.sleep(0.005)
        raise AssertionError(f"still running after {seconds} s: {self._log.read_text()[-500:]}")

    def inside(self) -> list[int]:
        """Host pids of everything in the namespace but its pid 1."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            try:
                below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                continue
            children = [int(child) for child in below]
            found += children if pid != self.process.pid else []
            todo += children
        return found

    def end(self) -> None:
        """End the namespace by its own unshare: --kill-child takes everything inside along."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self._out.close()


class Ground:
    """A share on one file system with its store, guards and attackers; all is ended with it."""

    def __init__(self, base: Path, logs: Path) -> None:
        self.base, self.logs = base, logs
        self.share, self.store = base / "share", base / "store"
        self._guards: list[GuardRun] = []
        self._attackers: list[Attackers] = []

    def build(self, files: int = 96, *, links: bool = True) -> dict[str, Entry]:
        return build(self.share, files, links=links)

    def attackers(self) -> Attackers:
        self._attackers.append(Attackers(self.logs / f"attackers{len(self._attackers)}.log"))
        return self._attackers[-1]

    def guard(
        self, *words: str, enforce: bool = True, folders: list[Path] | None = None
    ) -> GuardRun:
        """A guard, scoped to the first attackers there are."""
        more = [*words, *(["--enforce"] if enforce else [])]
        if self._attackers:
            more += ["--scope", str(self._attackers[0].scope)]
        run = GuardRun(
            folders or [self.share],
            *more,
            store=self.store,
            stderr=self.logs / f"guard{len(self._guards)}.err",
        )
        self._guards.append(run)
        return run

    def end(self) -> None:
        for attackers in self._attackers:
            attackers.end()
        for guard in self._guards:
            if guard.process.poll() is None:
                guard.kill9()


def using(base: Path, logs: Path) -> Iterator[Ground]:
    """A ground that is cleared away afterwards."""
    ground = Ground(base, logs)
    try:
        yield ground
    finally:
        ground.end()
        subprocess.run(["rm", "-rf", "--one-file-system", str(base)], check=False)


__all__ = ["MARK", "Attackers", "Ground", "GuardRun", "build", "differences", "letter", "using"]
