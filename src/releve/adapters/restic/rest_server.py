"""A rest-server of our own: append-only, private repositories, on loopback by default."""

import base64
import hashlib
import os
import re
import secrets
import signal
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Self

from releve.adapters.restic import tools
from releve.adapters.restic.child import dies_with_us
from releve.model.errors import ReleveError

_RELOADED = "Reloaded htpasswd file"
_PATIENCE_S = 10.0
_STARTED = re.compile(r"start server on (?:\[::\]|[\d.]+):(\d+)")


class RestServerNotStartedError(ReleveError):
    """rest-server did not start."""

    status = 95
    remedy = "Choose another port or folder; the folder must be writable."

    def __init__(self, why: str) -> None:
        super().__init__(f"rest-server did not start: {why or 'it said nothing'}.")


class RestServer:
    """Runs while the block is entered; the data stay.

    Args:
        folder: where the repositories are; made, private, if absent.
        listen: address; port 0 lets the system choose.
        max_bytes: quota of the whole folder; 0: none.
    """

    def __init__(self, folder: str, listen: str = "127.0.0.1:0", *, max_bytes: int = 0) -> None:
        self._folder, self._listen, self._max_bytes = Path(folder), listen, max_bytes
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the server)
        self.port = 0

    def add_user(self, name: str, password: str | None = None) -> str:
        """Allow a user (again); answers the password. Works while the server runs.

        The password is 256 bits of chance, which is why its plain SHA-1 may be kept: rest-server
        reads bcrypt and SHA-1 only, and nobody guesses 256 bits.
        """
        password = password or secrets.token_urlsafe(32)
        digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()  # noqa: S324
        file = self._folder / ".htpasswd"
        rows = file.read_text().splitlines() if file.exists() else []
        kept = [row for row in rows if not row.startswith(f"{name}:")]
        new = file.with_name(".htpasswd.new")
        new.touch(mode=0o600)
        new.write_text("".join(f"{row}\n" for row in (*kept, f"{name}:{{SHA}}{digest}")))
        new.replace(file)
        self._reload()
        return password

    def _reload(self) -> None:
        """Make it read .htpasswd again, and return when it has."""
        if self._process is None:
            return
        before = self._said().count(_RELOADED)
        self._process.send_signal(signal.SIGHUP)
        until = monotonic() + _PATIENCE_S
        while self._said().count(_RELOADED) == before and monotonic() < until:
            sleep(0.005)

    def url(self, user: str) -> str:
        """The address of the user's repository."""
        host = self._listen.rpartition(":")[0] or "127.0.0.1"
        return f"http://{host}:{self.port}/{user}/"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self, patience_s: float = _PATIENCE_S) -> None:
        """Return when it answers.

        Raises: RestServerNotStartedError, and those of tools.find.
        """
        (self._folder / ".htpasswd").touch(mode=0o600)
        quota = ["--max-size", str(self._max_bytes)] if self._max_bytes else []
        command = [tools.find(tools.REST_SERVER).path, "--append-only", "--private-repos", *quota]
        command += ["--path", str(self._folder), "--listen", self._listen]
        self._log.truncate(0)
        self._process = subprocess.Popen(
            dies_with_us(command),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        until = monotonic() + patience_s
        while not (started := _STARTED.search(said := self._said())):
            if self._process.poll() is not None or monotonic() > until:
                self.stop()
                raise RestServerNotStartedError(said.strip().rpartition("\n")[2])
            sleep(0.02)
        self.port = int(started[1])

    def stop(self) -> None:
        """End it; harmless when it runs no more."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def wait(self) -> int:
        """Wait for its end; its exit status."""
        return self._process.wait() if self._process else 0

    def _said(self) -> str:
        return os.pread(self._log.fileno(), 1 << 16, 0).decode(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.close()
