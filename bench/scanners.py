"""What watches a folder while work is measured: nobody, the guard, or ClamAV on access."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MARK = b"RELEVE-BENCH-HARMLESS-TEST-SIGNATURE-7f3a91c2"


def cpu_s(pid: int) -> float:
    """CPU seconds that a process used, from /proc/PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident_mb(pid: int) -> float:
    """Resident memory, MB (10^6)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def private_mb(pid: int) -> float:
    """Resident memory that is this process's alone, MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) * 1024 / 1e6


class Nobody:
    """No watcher: what everything is compared with."""

    name = "off"

    def start(self) -> None: ...

    def rest(self) -> float:
        return 0.0

    def stop(self) -> None: ...


class Guard:
    """`releve guard run --enforce` over a folder; its signals reach one PID namespace alone."""

    name = "guard"

    def __init__(self, share: Path, store: Path, errors: Path, scope: int) -> None:
        self.share, self.store, self.errors, self.scope = share, store, errors, scope
        self.baseline_s: list[float] = []
        self.stopped: list[str] = []
        self.windows: list[dict[str, float]] = []
        self.room_bytes = 0
        self.mode = ""

    def start(self) -> None:
        """Until it says `ready`: the baseline is held."""
        shutil.rmtree(self.store, ignore_errors=True)
        free = _free(self.share)
        began = time.perf_counter()
        words = ["-m", "releve.apps.guard", "run", "--enforce", "--scope", str(self.scope)]
        words += ["--json", "--protect", str(self.share)]
        self.lines = self.errors.with_suffix(".lines")
        with self.errors.open("ab") as errors, self.lines.open("wb") as lines:
            self.process = subprocess.Popen(
                [sys.executable, *words, "--store", str(self.store)], stdout=lines, stderr=errors
            )
        while not (ready := self._said("ready")):
            if self.process.poll() is not None or time.perf_counter() - began > 600:
                raise SystemExit(f"the guard is not ready: {self.errors.read_text()[-500:]}")
            time.sleep(0.02)
        self.baseline_s.append(time.perf_counter() - began)
        self.mode = ready[0]["folders"][0]["mode"]
        os.sync()
        self.room_bytes = max(self.room_bytes, free - _free(self.share))

    def _said(self, event: str) -> list[dict]:
        whole = self.lines.read_bytes().rpartition(b"\n")[0]
        lines = [json.loads(line) for line in whole.splitlines() if line]
        return [line for line in lines if line["event"] == event]

    def rest(self) -> float:
        """Seconds until it has caught up: 100 ms without CPU, at most 30 s."""
        began, last, quiet = time.perf_counter(), cpu_s(self.process.pid), 0
        while quiet < 2 and time.perf_counter() - began < 30:
            time.sleep(0.05)
            now = cpu_s(self.process.pid)
            quiet = quiet + 1 if now - last < 0.011 else 0
            last = now
        return max(0.0, time.perf_counter() - began - 0.1)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.windows += self._said("window")
        for line in self._said("stopped"):
            self.stopped.append(line["points"][0]["why"] if line["points"] else "?")


class ClamAV:
    """clamd and clamonacc with prevention, on their own configuration, socket and signatures.

    The signature base holds one harmless test signature: real ones cannot be had without the
    network, so its cost here is a lower bound.
    """

    name = "clamav"

    def __init__(self, share: Path, home: Path) -> None:
        self.share, self.home = share, home
        self.why_not = ""
        self._running: list[subprocess.Popen[bytes]] = []
        if missing := [p for p in ("clamd", "clamonacc") if shutil.which(p, path=_PATH) is None]:
            self.why_not = f"{', '.join(missing)} not installed (Debian: clamav-daemon)"
        elif os.geteuid():
            self.why_not = "on-access scanning needs root"
        else:
            self._configure()

    def _configure(self) -> None:
        base = self.home / "db"
        base.mkdir(parents=True)
        (base / "bench.ndb").write_text(f"Releve.Bench.Test:0:*:{_MARK.hex()}\n")
        self.conf = self.home / "clamd.conf"
        self.conf.write_text(
            f"DatabaseDirectory {base}\nLocalSocket {self.home}/clamd.sock\nForeground yes\n"
            f"LogFile {self.home}/clamd.log\nUser clamav\nOnAccessIncludePath {self.share}\n"
            "OnAccessPrevention yes\nOnAccessExcludeUname clamav\nOnAccessExtraScanning no\n"
        )
        subprocess.run(["chown", "-R", "clamav", str(self.home)], check=True)

    def start(self) -> None:
        """Until it refuses a file with the test signature; else `why_not` says what happened."""
        if self.why_not:
            return None
        self._run("clamd", "-c", str(self.conf))
        if not self._wait((self.home / "clamd.sock").exists, 60):
            return self._fail("clamd made no socket")
        probe = self.share / ".clamav-trial"
        probe.write_bytes(_MARK)
        log = self.home / "clamonacc.log"
        self._run("clamonacc", "-F", "--fdpass", "-c", str(self.conf), "-l", str(log))
        if not self._wait(lambda: self._refuses(probe), 20):
            said = log.read_text(errors="replace")[-300:] if log.exists() else "nothing"
            self._fail(f"clamonacc scanned nothing within 20 s; it said: {said}")
        probe.unlink(missing_ok=True)
        return None

    def _refuses(self, probe: Path) -> bool:
        try:
            return not probe.read_bytes()
        except PermissionError:
            return True

    def _run(self, *words: str) -> None:
        found = shutil.which(words[0], path=_PATH) or words[0]
        with (self.home / f"{words[0]}.err").open("ab") as errors:
            self._running.append(
                subprocess.Popen([found, *words[1:]], stdout=errors, stderr=errors)
            )

    def _wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end and all(p.poll() is None for p in self._running):
            if holds():
                return True
            time.sleep(0.1)
        return False

    def _fail(self, why: str) -> None:
        self.why_not = why
        self.stop()

    def rest(self) -> float:
        return 0.0

    def memory_mb(self) -> float:
        """Resident memory of both programs."""
        return sum(resident_mb(p.pid) for p in self._running if p.poll() is None)

    def stop(self) -> None:
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
        self._running.clear()
        (self.home / "clamd.sock").unlink(missing_ok=True)


_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def _free(folder: Path) -> int:
    seen = os.statvfs(folder)
    return seen.f_bfree * seen.f_frsize
