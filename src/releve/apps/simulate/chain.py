"""The chain around the guard, on loopback: server, agent, backup to an append-only store, one file restored.

Every program is started as a user would start it, by its command. What the guards say goes to the agent
as it comes, so that the run's incidents stand in the console while they happen.
"""

import hashlib
import queue
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec

from releve.apps.simulate.corpus.tree import build
from releve.apps.simulate.ledger import Ledger, room
from releve.model.lines import GuardLine, Progress, Stopped
from releve.model.proof import CareResult

_PORT = 8443
_START_SECONDS = 30.0
_STORED_SECONDS = 30.0
_BACKUP_SECONDS = 120.0
_BACKUP_FILES = 300
_STRUCTURE = "Cabinet de démonstration"


class ChainFailed(Exception):  # noqa: N818 - becomes a CareResult that is not ok
    """One program of the chain did not do its part; the message is what it said."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the programs print with --json, as far as it is needed here."""

    url: str = ""
    setup_code: str = ""
    token: str = ""
    events_waiting: int = -1
    sha256: str = ""
    event: str = ""


class Chain:
    """The programs of one run. Nothing is started before `start`."""

    def __init__(self, book: Ledger, *, serve: bool) -> None:
        self.url = ""
        self.setup_code = ""
        self.not_shown: list[str] = []
        self._serve = serve
        self._ledger = book
        self._folder = room() / f"{book.run}-console"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._found = 0  # convictions, also of who had ended by himself
        self._port = 0

    def boot(self) -> None:
        """Start the server's process; `start` waits for it."""
        if find_spec("litestar") is None:
            self.not_shown.append("le serveur et sa console (installez releve[server])")
            return
        self._ledger.note("folder", str(self._folder))
        self._folder.mkdir(mode=0o700, parents=True)
        self._port = _free_port()
        listen = f"127.0.0.1:{self._port}"
        home = str(self._folder / "serveur")
        self._launch("server", ["server", "run", "--home", home, "--listen", listen, "--json"])

    def start(self) -> Iterator[CareResult]:
        """Server, then agent; each as a result."""
        if "server" in self._processes:
            said = "Le serveur répond sur la boucle locale"
            yield self._timed("server", said, self._await_server)
        if self.url:
            yield self._timed("agent", "L'agent est inscrit et relié", self._start_agent)

    def feed(self, line: GuardLine) -> None:
        """Hand a guard's line to the agent; never waits."""
        if not isinstance(line, Progress) and "feed" in self._processes:
            self._found += isinstance(line, Stopped)
            self._lines.put(msgspec.json.encode(line) + b"\n")

    def finish(self) -> Iterator[CareResult]:
        """Wait until the server has stored all, then backup and restore."""
        if "feed" in self._processes:
            said = f"Le serveur a reçu les {self._found} constats de cette simulation"
            yield self._timed("incident_visible", said, self._all_stored)
        yield from self._backup()

    def keep(self) -> frozenset[tuple[str, str]]:
        """What stays for `--serve`: the server, the agent, their folder."""
        kept = {("folder", str(self._folder))}
        for name in ("server", "agent"):
            if name in self._processes:
                kept.add(("process", str(self._processes[name].pid)))
        return frozenset(kept)

    def keeper(self) -> int:
        """The process as long as which the kept run lives."""
        return self._processes["server"].pid

    def release(self) -> None:
        """Let the feeder end; the ledger ends the rest."""
        self._lines.put(None)

    def _await_server(self) -> None:
        facts = self._first_line("server")
        _until_listening(self._port)
        self.url, self.setup_code = facts.url, facts.setup_code

    def _start_agent(self) -> None:
        home = str(self._folder / "agent")
        made = self._call("server", "token", "create", "--home", str(self._folder / "serveur"), "--structure", _STRUCTURE, "--url", self.url, "--json")  # fmt: skip  # noqa: E501
        token = msgspec.json.decode(made, type=Facts).token
        self._call("agent", "enrol", "--home", home, "--token", token, "--name", "serveur-fichiers", "--care-role", "dossier patient", "--demonstration", "--json")  # fmt: skip  # noqa: E501
        self._launch("agent", ["agent", "run", "--home", home, "--heartbeat", "5"])
        self._launch("feed", ["agent", "feed", "--home", home, "--json"])
        threading.Thread(target=self._write_lines, daemon=True).start()

    def _write_lines(self) -> None:
        pipe = self._processes["feed"].stdin
        while pipe is not None and (line := self._lines.get()) is not None:
            try:
                pipe.write(line)
                pipe.flush()
            except OSError:
                return
        if pipe is not None:
            pipe.close()

    def _all_stored(self) -> None:
        """The agent keeps an event until the server has stored it: nothing waiting means all is there."""
        self._lines.put(None)
        self._processes["feed"].wait(timeout=_STORED_SECONDS)
        self._ledger.forget("process", str(self._processes["feed"].pid))
        deadline = time.monotonic() + _STORED_SECONDS
        waiting = -1
        while time.monotonic() < deadline:
            home = str(self._folder / "agent")
            # Its status says whether all is well; here only what waits is asked.
            said = self._call("agent", "status", "--home", home, "--json", any_status=True)
            waiting = msgspec.json.decode(said, type=Facts).events_waiting
            if waiting == 0:
                return
            time.sleep(0.2)
        raise ChainFailed(f"{waiting} événements attendent encore")

    def _backup(self) -> Iterator[CareResult]:
        base = room() / f"{self._ledger.run}-sauvegarde"
        self._ledger.note("folder", str(base))
        base.mkdir(mode=0o700, parents=True)
        source = base / "partage"
        build(source, run=self._ledger.run, seed=11, files=_BACKUP_FILES)
        yield self._timed(
            "backup",
            f"Sauvegarde en ajout seul de {_BACKUP_FILES} fichiers",
            lambda: self._save(base, source),
        )
        yield self._timed(
            "restore",
            "Un fichier repris de la sauvegarde, empreinte égale",
            lambda: self._bring_back(base, source),
        )

    def _save(self, base: Path, source: Path) -> None:
        password = base / "http"
        user = "simulation-" + secrets.token_hex(3)
        words = ["backup", "serve-dev", "--path", str(base / "depots"), "--user", user, "--http-password-file", str(password), "--json"]  # fmt: skip  # noqa: E501
        self._launch("store", words)
        url = self._first_line("store").url
        state = str(base / "etat")
        self._call("backup", "setup", "--url", url, "--user", user, "--folder", str(source), "--http-password-file", str(password), "--state", state, "--json")  # fmt: skip  # noqa: E501
        self._call("backup", "run", "--state", state, "--json")

    def _bring_back(self, base: Path, source: Path) -> None:
        original = next(path for path in sorted(source.rglob("*.pdf")) if path.is_file())
        back = base / "repris.pdf"
        self._call("restore", str(original), "--from", "snapshots", "--to", str(back), "--state", str(base / "etat"), "--json")  # fmt: skip  # noqa: E501
        if _digest(original) != _digest(back):
            raise ChainFailed("l'empreinte du fichier repris diffère")

    def _timed(self, name: str, said: str, work: Callable[[], None]) -> CareResult:
        begun = time.monotonic()
        try:
            work()
        except (ChainFailed, OSError, subprocess.TimeoutExpired, msgspec.DecodeError) as why:
            took = (time.monotonic() - begun) * 1000
            return CareResult(name=name, ok=False, ms=took, detail=f"{said} : non ({_short(why)})")
        return CareResult(name=name, ok=True, ms=(time.monotonic() - begun) * 1000, detail=said)

    def _launch(self, name: str, words: list[str]) -> None:
        """Start a program that stays, in a session of its own: Ctrl-C is ours to pass on, in order."""
        folder = room() / f"{self._ledger.run}-journaux"
        if not folder.exists():
            self._ledger.note("folder", str(folder))
            folder.mkdir(mode=0o700)
        with (folder / f"{name}.out").open("wb") as out, (folder / f"{name}.err").open("wb") as err:
            self._processes[name] = subprocess.Popen(
                _command(words), stdin=subprocess.PIPE if name == "feed" else subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        self._ledger.note("process", str(self._processes[name].pid))

    def _first_line(self, name: str) -> Facts:
        """What a launched program says first, with --json."""
        file = room() / f"{self._ledger.run}-journaux" / f"{name}.out"
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            line, end, _ = file.read_bytes().partition(b"\n")
            if end:
                return msgspec.json.decode(line, type=Facts)
            if self._processes[name].poll() is not None:
                break
            time.sleep(0.05)
        raise ChainFailed(_tail(file.with_suffix(".err")))

    def _call(self, *words: str, any_status: bool = False) -> bytes:
        """Run a command to its end; returns its last line."""
        done = subprocess.run(
            _command(list(words)), capture_output=True, check=False, timeout=_BACKUP_SECONDS
        )
        if done.returncode and not (any_status and done.stdout):
            raise ChainFailed(done.stderr.decode(errors="replace").strip()[-300:])
        lines = done.stdout.strip().splitlines()
        return lines[-1] if lines else b"{}"


def _command(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "releve.apps.cli.main", *words]


def _free_port() -> int:
    """The usual port if it is free, else any."""
    for port in (_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ChainFailed("aucun port libre sur la boucle locale")


def _until_listening(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise ChainFailed("le serveur n'écoute pas")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _short(why: Exception) -> str:
    return " / ".join(str(why).split("\n"))[-200:]


def _tail(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip()[-300:]
