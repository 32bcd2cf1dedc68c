"""Where the vault's bench stands: a practice, a real gate, a bare rest-server, restic before both."""

import contextlib
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import practice

from releve.adapters.restic import tools
from releve.adapters.restic.child import dies_with_us
from releve.adapters.restic.rest_server import RestServer
from releve.apps.backup.state import Config, State
from releve.apps.vault.opened import Vault
from releve.model.vault import Credential, CredentialKind

RELEVE = [sys.executable, "-m", "releve.apps.cli.main"]
STRUCTURE, HOST = "cabinet", "srv1"
_YEAR_NS = 365 * 86_400 * 10**9


class Gate:
    """A vault and the `releve vault serve` before it."""

    def __init__(self, data: Path) -> None:
        self.data, self.url = data, ""
        subprocess.run(
            [*RELEVE, "vault", "init", "--name", "coffre", "--reserve", "1G", "--data", str(data)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._secrets = data.parent / "secrets"
        self._secrets.mkdir(mode=0o700, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def credential(self, name: str, host: str, kind: CredentialKind) -> Path:
        """A right and the file of its secret; one of that name is replaced."""
        vault, secret = Vault(self.data), secrets.token_urlsafe(32)
        made = Credential(
            id=name,
            secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            made_ns=vault.clock.now_ns(),
            structure=STRUCTURE,
            host=host,
            kind=kind,
            expires_ns=time.time_ns() + _YEAR_NS if kind is CredentialKind.RESTORE else 0,
        )
        vault.credentials.put(name, made)
        vault.journal.close()
        file = self._secrets / name
        file.write_text(secret)
        return file

    def address(self, host: str) -> str:
        return f"{self.url}{STRUCTURE}/{host}/{time.strftime('%Y-%m', time.gmtime())}/"

    def start(self) -> None:
        log = (self.data.parent / "gate.log").open("ab")
        command = [*RELEVE, "vault", "serve", "--json", "--data", str(self.data)]
        self._process = subprocess.Popen(
            dies_with_us([*command, "--listen", "127.0.0.1:0"]),
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        if self._process.stdout is None or not (line := self._process.stdout.readline()):
            raise SystemExit((self.data.parent / "gate.log").read_text()[-2000:])
        self.url = json.loads(line)["url"]

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None

    def cpu_s(self) -> float:
        """What the gate itself used so far; its store is another process."""
        if self._process is None:
            return 0.0
        rest = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(rest[11]) + int(rest[12])) / os.sysconf("SC_CLK_TCK")


class Ground:
    """Parts read it and leave it as it is; with `keep` it stays for the next run."""

    def __init__(self, root: Path, size: practice.Size, gate: Gate, bare: RestServer) -> None:
        self.root, self.size, self.gate, self.bare = root, size, gate, bare
        self.source = root / "cabinet"
        self.files, self.bytes = practice.weigh(self.source)
        self.state = State(str(root / "state"))

    def plain(self, *words: str, host: str = "plain") -> float:
        """restic before the bare append-only rest-server; the seconds."""
        return restic(self._environment(self.bare.url(host), host, self._bare_secret(host)), *words)

    def through_gate(self, *words: str, host: str) -> float:
        """The same restic before the gate, in a new repository of that host; the seconds."""
        secret = self.root / "secrets" / host
        if not secret.exists():
            self.gate.credential(host, host, CredentialKind.INGEST)
        return restic(self._environment(self.gate.address(host), host, secret.read_text()), *words)

    def lent(self, host: str = HOST, *, address: str = "") -> list[str]:
        """Words of `recover start`: the gate, by a right to restore."""
        url = self.gate.address(host)
        if address:
            url = url.replace(url.split("/")[2], address)
        reader = self.gate.credential(f"{host}-reader", host, CredentialKind.RESTORE)
        password = self.state.password_file
        words = ["--repository", f"rest:{url}", "--user", reader.name]
        return [*words, "--http-password-file", str(reader), "--password-file", str(password)]

    def fill(self) -> None:
        """One backup as a host makes it, through the gate."""
        secret = self.gate.credential(HOST, HOST, CredentialKind.INGEST).read_text()
        config = Config(url=self.gate.address(HOST), user=HOST, folders=(str(self.source),))
        self.state.configure(config, secret)
        if (self.root / "filled").exists():
            return
        self.state.engine().init()
        begun = time.perf_counter()
        self.state.run().run(config.folders, config.exclude, lambda _: None)
        took = time.perf_counter() - begun
        (self.root / "filled").write_text(f"{took:.2f}")

    def fill_plain(self) -> None:
        """The same by restic before the bare server, once, for the parts that compare with it."""
        done = self.root / "filled-plain"
        if not done.exists():
            self.plain("init")
            self.plain("backup", str(self.source))
            done.touch()

    def _bare_secret(self, host: str) -> str:
        secret = self.root / "secrets" / f"bare-{host}"
        if not secret.exists():
            secret.write_text(self.bare.add_user(host))
        return secret.read_text()

    def _environment(self, url: str, user: str, secret: str) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
        return kept | {
            "RESTIC_REPOSITORY": f"rest:{url}",
            "RESTIC_REST_USERNAME": user,
            "RESTIC_REST_PASSWORD": secret,
            "RESTIC_PASSWORD_FILE": str(self.state.password_file),
            "RESTIC_CACHE_DIR": str(self.root / "cache" / user),
        }


def restic(environment: dict[str, str], *words: str) -> float:
    """The seconds."""
    command = [tools.find(tools.RESTIC).path, "-q", "--exclude", ".releve-*", *words]
    if words[0] != "backup":
        command = [command[0], "-q", *words]
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


@contextlib.contextmanager
def ground(root: Path, size: practice.Size) -> Iterator[Ground]:
    """Both servers run while the block is entered; what is there already is used again."""
    root.chmod(0o755)
    practice.kept(root / "cabinet", size)
    gate = Gate(root / "vault")
    gate.start()
    try:
        with RestServer(str(root / "bare")) as bare:
            at = Ground(root, size, gate, bare)
            at.fill()
            practice.settle()
            yield at
    finally:
        gate.stop()
