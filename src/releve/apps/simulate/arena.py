"""The attackers' namespace as the runner sees it: one holder, orders to it, its answers."""

import contextlib
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil

from releve.apps.simulate.holder import Answer, Order
from releve.apps.simulate.ledger import Ledger
from releve.apps.simulate.places import namespace_words
from releve.model.errors import ReleveError

_START_SECONDS = 15.0


class ArenaError(ReleveError):
    """The attackers' own process namespace did not start."""

    status = 35
    remedy = "See whether `unshare -pfm --kill-child --mount-proc true` works on this machine."


class Arena:
    """A running holder. `scope` is its pid as the host sees it: what the guard is given."""

    def __init__(self, ledger: Ledger, errors: Path, words: tuple[str, ...] | None = None) -> None:
        words = namespace_words() if words is None else words
        self._ledger = ledger
        self.enclosed = bool(words)
        self._errors = errors.open("ab")
        self._process = subprocess.Popen(
            [*words, sys.executable, "-m", "releve.apps.simulate.holder"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        ledger.note("process", str(self._process.pid))
        self._answers: queue.Queue[Answer | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        if self._next(_START_SECONDS) is None:
            raise ArenaError("The attackers' namespace did not start.")
        self.scope = self._inner_pid()
        ledger.note("process", str(self.scope))

    def start(self, order: Order) -> int:
        """Have the holder start it; returns its pid inside the namespace."""
        pipe = self._process.stdin
        if pipe is None:
            raise ArenaError("The attackers' namespace is gone.")
        pipe.write(msgspec.json.encode(order) + b"\n")
        pipe.flush()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            answer = self._next(deadline - time.monotonic())
            if answer and answer.what == "started":
                return answer.pid
        raise ArenaError("The holder did not start what it was told.")

    def wait(self, seconds: float) -> Answer | None:
        """The next answer, None after that time or at the end."""
        return self._next(seconds)

    def is_alive(self) -> bool:
        """Whether the holder still runs."""
        return self._process.poll() is None

    def others(self, *, frozen: bool = True) -> list[int]:
        """Host pids of all that lives inside beside the holder; without `frozen`, of what still moves."""
        try:
            children = psutil.Process(self.scope).children(recursive=True)
        except psutil.Error:
            return []
        alive = []
        for child in children:
            with contextlib.suppress(psutil.Error):
                status = child.status()
                if status == psutil.STATUS_STOPPED:
                    alive += [child.pid] if frozen else []
                elif status != psutil.STATUS_ZOMBIE:
                    alive.append(child.pid)
        return alive

    def close(self) -> None:
        """End the holder; being pid 1, it takes all inside with it."""
        if not self.enclosed:
            self._end_children()
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
        self._ledger.forget("process", str(self._process.pid))
        self._ledger.forget("process", str(self.scope))

    def _end_children(self) -> None:
        """Without a namespace the children would outlive the holder: end them one by one, orphans too."""
        for _ in range(50):
            left = self.others()
            for pid in left:
                with contextlib.suppress(psutil.Error):
                    psutil.Process(pid).kill()
            if not left:
                return
            time.sleep(0.02)

    def _inner_pid(self) -> int:
        """The holder's pid on the host: unshare's only child, or the process itself."""
        if not self.enclosed:
            return self._process.pid
        return int(psutil.Process(self._process.pid).children()[0].pid)

    def _read(self) -> None:
        stream = self._process.stdout
        if stream is not None:
            for line in stream:
                self._answers.put(msgspec.json.decode(line, type=Answer))
        self._answers.put(None)

    def _next(self, seconds: float) -> Answer | None:
        try:
            return self._answers.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None
