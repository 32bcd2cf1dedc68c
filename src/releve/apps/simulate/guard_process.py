"""The guard as the simulation sees it: a program that is started, prints lines, and ends on SIGTERM."""

import contextlib
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from releve.apps.simulate.ledger import Ledger
from releve.model.errors import ReleveError
from releve.model.lines import GuardLine, Progress, Ready

_decode = msgspec.json.Decoder(GuardLine).decode
_END_SECONDS = 15.0


class GuardFailedError(ReleveError):
    """The guard ended or stayed silent before it was ready."""

    status = 36
    remedy = (
        "Start `releve guard run` by hand on the same folder; its last words are in the message."
    )


class GuardProcess:
    """A guard over one folder; its lines are kept in order, unreadable ones are counted."""

    def __init__(
        self, ledger: Ledger, share: Path, *, store: Path | None, scope: int | None, portable: bool, errors: Path,
        listener: Callable[[GuardLine], None] | None = None,
    ) -> None:  # fmt: skip
        words = [
            sys.executable,
            "-m",
            "releve.apps.guard",
            "run",
            "--enforce",
            "--protect",
            str(share),
            "--json",
        ]
        words += ["--store", str(store)] if store else []
        words += ["--scope", str(scope)] if scope else []
        words += ["--portable"] if portable else []
        self._ledger = ledger
        self._error_file = errors
        self._errors = errors.open("ab")
        self._listener = listener
        self.lines: list[GuardLine] = []
        self.unreadable = 0
        self._news: queue.Queue[GuardLine | None] = queue.Queue()
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=self._errors, stdin=subprocess.DEVNULL
        )
        ledger.note("process", str(self.process.pid))
        threading.Thread(target=self._read, daemon=True).start()

    def wait_ready(self, seconds: float) -> Ready:
        """Until every folder is held and watched.

        Raises:
            GuardFailedError: it ended, or did not say `ready` in that time.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._news.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(line, Ready):
                return line
            if line is None:
                break
        raise GuardFailedError(f"The guard was not ready: {self.last_words()}")

    def next_line(self, seconds: float) -> GuardLine | None:
        """The next line that is not progress, None after that time or at its end."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._news.get(timeout=left)
            except queue.Empty:
                return None
            if line is None:
                time.sleep(min(left, 0.05))
                return None
            if not isinstance(line, Progress):
                return line
        return None

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """The end of what it said on stderr."""
        with contextlib.suppress(OSError):
            said = (
                self._error_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            )
            return " / ".join(said[-3:])
        return ""

    def stop(self) -> int:
        """SIGTERM, then SIGKILL if it does not end; returns its exit status."""
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._errors.close()
        self._ledger.forget("process", str(self.process.pid))
        return status

    def _read(self) -> None:
        stream = self.process.stdout
        if stream is not None:
            for raw in stream:
                try:
                    line = _decode(raw)
                except msgspec.DecodeError:
                    self.unreadable += 1
                    continue
                self.lines.append(line)
                self._news.put(line)
                if self._listener:
                    self._listener(line)
        self._news.put(None)
