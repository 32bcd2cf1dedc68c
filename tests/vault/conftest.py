"""A real gate with a real rest-server behind it, real restic before it, all on loopback."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from releve.adapters.restic import tools
from releve.apps.cli.main import run
from releve.apps.vault.opened import Vault
from releve.model.vault import Credential, CredentialKind, Limits, Repository
from tests.restic_keys import open_at_little_cost

STRUCTURE = "cabinet"


class Gate:
    """A vault's folder and the `releve vault serve` that a test may kill and start again."""

    def __init__(self, data: Path) -> None:
        self.data, self.url, self.found = data, "", {}
        self.process: subprocess.Popen[bytes] | None = None
        releve("vault", "init", "--name", "coffre", "--reserve", "1M", "--data", str(data))

    def start(self, *words: str) -> dict:
        """Serve; answers what it said at the start."""
        command = [sys.executable, "-m", "releve.apps.cli.main", "vault", "serve", "--json"]
        self.log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = subprocess.Popen(
            [*command, "--data", str(self.data), "--listen", "127.0.0.1:0", *words],
            stdout=subprocess.PIPE,
            stderr=self.log,
            start_new_session=True,
        )
        line = self.process.stdout.readline()
        assert line, (self.data.parent / f"{self.data.name}.log").read_text()[-3000:]
        self.found = json.loads(line)
        self.url = self.found["url"]
        return self.found

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.wait(20)
        self.process.stdout.close()
        self.log.close()
        self.process = None

    def store_pid(self) -> int:
        """The rest-server that this gate started; waited for while the gate starts it again."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until = time.monotonic() + 20
        while not (found := children.read_text().split()):
            assert time.monotonic() < until, "the gate did not start its store again"
            time.sleep(0.01)
        return int(found[0])

    def vault(self) -> Vault:
        return Vault(self.data)

    def credential(self, name: str, **facts) -> tuple[str, str]:
        """A new credential, made as the command makes it; (id, secret)."""
        vault, secret = self.vault(), secrets.token_urlsafe(32)
        limits = Limits(**facts.pop("limits", {}))
        known = {"structure": STRUCTURE, "host": name, "kind": CredentialKind.INGEST} | facts
        vault.credentials.put(
            name,
            Credential(
                id=name,
                secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
                made_ns=vault.clock.now_ns(),
                limits=limits,
                **known,
            ),
        )
        vault.journal.close()
        return name, secret

    def client(self, credential: tuple[str, str]) -> "Client":
        return Client(self.url, *credential)

    def notices(self) -> list[dict]:
        path = self.data / "notices.jsonl"
        return [json.loads(row) for row in path.read_text().splitlines()] if path.exists() else []


class Client:
    """Whoever holds a credential and speaks plain HTTP: restic, or a thief."""

    def __init__(self, url: str, name: str, secret: str) -> None:
        self.url, self.name, self.secret = url, name, secret

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers
    ) -> tuple[int, bytes]:
        place = urlsplit(self.url)
        token = base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        told = {"Authorization": f"Basic {token}"} if self.name else {}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def put(self, kind: str, body: bytes, name: str = "", *, repository: str) -> int:
        """Upload an object under its true name, or another."""
        name = name or hashlib.sha256(body).hexdigest()
        return self.ask("POST", f"{repository}{kind}/{name}", body)[0]

    def begin(self, repository: str) -> None:
        """What `restic init` sends, of a repository that opens at little cost."""
        assert self.ask("POST", f"{repository}?create=true")[0] == 200
        for name, body in _new_repository().items():
            assert self.ask("POST", f"{repository}{name}", body)[0] == 200

    def restic(self, repository: str, *words: str, timeout: float = 90, check: bool = True):
        done = subprocess.run(
            [tools.find(tools.RESTIC).path, "--no-cache", *words],
            env=self.environment(repository),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr[-2000:]
        return done

    def environment(self, repository: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "RESTIC_PASSWORD": "phrase",
            "RESTIC_REPOSITORY": f"rest:{self.url.rstrip('/')}{repository}",
            "RESTIC_REST_USERNAME": self.name,
            "RESTIC_REST_PASSWORD": self.secret,
        }


@cache
def _new_repository() -> dict[str, bytes]:
    """The objects of a repository that restic has just made, by their names."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [tools.find(tools.RESTIC).path, "--no-cache", "-q", "-r", folder, "init"],
            env={"PATH": os.environ["PATH"], "HOME": "/", "RESTIC_PASSWORD": "phrase"},
            timeout=90,
            check=True,
        )
        open_at_little_cost(Path(folder), "phrase")
        found = (path for path in Path(folder).rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def releve(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "releve.apps.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def restic_at(folder: str | Path, *words: str) -> subprocess.CompletedProcess[str]:
    """restic on a folder: what a clean room does with a view."""
    done = subprocess.run(
        [tools.find(tools.RESTIC).path, "--no-cache", "--no-lock", "-r", str(folder), *words],
        env={"PATH": os.environ["PATH"], "HOME": "/", "RESTIC_PASSWORD": "phrase"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def month() -> str:
    return time.strftime("%Y-%m", time.gmtime())


def address(host: str, generation: str = "") -> str:
    return f"/{STRUCTURE}/{host}/{generation or month()}/"


def repository(host: str, generation: str = "") -> Repository:
    return Repository(structure=STRUCTURE, host=host, generation=generation or month())


def objects_on(gate: Gate, host: str = "") -> dict[str, str]:
    """Path and SHA-256 of every object on the vault's disk; locks and uploads under way left out."""
    base, found = gate.data / "repos" / STRUCTURE / host, {}
    for path in sorted(base.rglob("*")):
        if "/locks/" in str(path) or ".rest-server-temp" in path.name:
            continue
        try:
            found[str(path.relative_to(base))] = hashlib.sha256(path.read_bytes()).hexdigest()
        except (IsADirectoryError, FileNotFoundError):
            continue
    return found


def same_tree(a: Path, b: Path) -> bool:
    def content(root: Path) -> dict[str, bytes]:
        return {
            str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()
        }

    return content(a) == content(b)


@pytest.fixture(scope="session")
def gate(tmp_path_factory):
    """One gate for all tests that do not harm it; each takes a host of its own."""
    running = Gate(tmp_path_factory.mktemp("gate") / "vault")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_gate(tmp_path, need):
    """A gate that the test may kill; not yet started."""
    need("restic")
    made = Gate(tmp_path / "vault")
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def host(request, need):
    need("restic")
    return "h" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]


@pytest.fixture
def documents(tmp_path):
    """A small practice: many small files, one that makes more than one pack."""
    folder = tmp_path / "docs"
    (folder / "lettres").mkdir(parents=True)
    for number in range(60):
        (folder / "lettres" / f"CR {number}.txt").write_bytes(os.urandom(500) + b"%d" % number)
    (folder / "radio.dcm").write_bytes(os.urandom(6_000_000))
    return folder


@pytest.fixture
def backed_up(gate, host, documents):
    """A host whose repository has one snapshot; (client, address, documents)."""
    client, where = gate.client(gate.credential(host)), address(host)
    client.begin(where)
    client.restic(where, "backup", str(documents))
    return client, where, documents


@pytest.fixture
def cli(capsys):
    """The command in this process: its status must be as said; its words."""

    def call(*words: str, status: int = 0) -> str:
        capsys.readouterr()
        assert run(list(words)) == status
        return capsys.readouterr().out

    return call
