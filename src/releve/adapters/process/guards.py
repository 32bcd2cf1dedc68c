"""The guard as a process of its own session, which outlives the agent that started it."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from releve.flow.agent.ports import GuardStatus

_START_SECONDS = 10.0
_MOST_ERRORS = 1024 * 1024  # of what guards said on stderr; one older file is kept


class ProcessGuards:
    """At most one guard per folder of state; its lock is held by the guard process itself."""

    def __init__(self, home: Path, command: Sequence[str]) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home, self._command = home, tuple(command)
        self._child: subprocess.Popen[bytes] | None = None

    def status(self) -> GuardStatus | None:
        """The last guard that was started here, by this agent or an earlier one."""
        ended = self._child.poll() if self._child else None
        state = self._state()
        if state is None:
            return None
        pid, out = state
        running = self._is_locked()
        own = self._child is not None and self._child.pid == pid
        status = ended if own and not running else None
        return GuardStatus(pid=pid, out=out, running=running, status=status)

    def start(self) -> GuardStatus:
        """Start one, unless one runs; returns once it holds the lock or has failed."""
        now = self.status()
        if now is not None and now.running:
            return now
        out = self._home / f"out-{time.time_ns()}.jsonl"
        self._bound_errors()
        launcher = [sys.executable, "-I", "-m", "releve.adapters.process.launch"]
        paths = (
            self._home / "guard.lock",
            self._home / "guard.json",
            out,
            self._home / "guard.err",
        )
        self._child = subprocess.Popen(
            [*launcher, *map(str, paths), "--", *self._command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a signal to the agent's group must not reach the guard
            cwd="/",
        )
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            status = self.status()
            if status is not None and status.out == str(out):
                return status
            if self._child.poll() is not None:
                break
            time.sleep(0.01)
        return GuardStatus(
            pid=self._child.pid, out=str(out), running=False, status=self._child.poll()
        )

    def command(self) -> tuple[str, ...]:
        """The words of the guard that runs, as the system has them; none when it cannot be seen."""
        status = self.status()
        if status is None or not status.running:
            return ()
        try:
            words = Path(f"/proc/{status.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return ()
        return tuple(os.fsdecode(word) for word in words[:-1])

    def terminate(self) -> None:
        """Ask the guard to end cleanly. The pid is read again under its lock: never a stranger."""
        status = self.status()
        if status is None or not status.running:
            return
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(status.pid)
            try:
                again = self.status()
                if again is not None and again.running and again.pid == status.pid:
                    signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            finally:
                os.close(descriptor)

    def forget_outputs(self, keep: str) -> None:
        for path in self._home.glob("out-*.jsonl"):
            if str(path) != keep:
                path.unlink(missing_ok=True)

    def _bound_errors(self) -> None:
        path = self._home / "guard.err"
        if path.exists() and path.stat().st_size > _MOST_ERRORS:
            path.replace(self._home / "guard.err.1")

    def _state(self) -> tuple[int, str] | None:
        try:
            state = json.loads((self._home / "guard.json").read_bytes())
            return int(state["pid"]), str(state["out"])
        except (OSError, ValueError, KeyError):
            return None

    def _is_locked(self) -> bool:
        try:
            descriptor = os.open(self._home / "guard.lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False
