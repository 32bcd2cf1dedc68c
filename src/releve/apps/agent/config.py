"""The agent's home on its host: who it is, whom it obeys, and what it runs."""

import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from releve.adapters.durable import write
from releve.adapters.own_key import own_key
from releve.model.errors import ReleveError

DEFAULT_HOME = Path("/var/lib/releve/agent")


class NotEnrolledError(ReleveError):
    """This home belongs to no structure yet."""

    status = 44
    remedy = "Make a token on the server, then run `releve agent enrol --token TOKEN`."

    def __init__(self, home: Path) -> None:
        super().__init__(f"The agent in {home} is not enrolled.")


class AlreadyEnrolledError(ReleveError):
    """An agent is never pointed at another server by a command: it could be an attacker's."""

    status = 45
    remedy = "Use another --home, or remove this one by hand if the host really changes hands."

    def __init__(self, home: Path) -> None:
        super().__init__(f"The agent in {home} is enrolled already.")


class AgentConfigError(ReleveError):
    """agent.json cannot be read."""

    status = 46
    remedy = "Mend the file, or enrol again in a new home."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """agent.json. Written at enrolment; the guard's and backup's words may be edited after."""

    url: str
    structure: str
    structure_name: str
    host: str
    host_name: str
    server_key: bytes
    has_authority: bool
    guard: tuple[str, ...] = ()  # words after `releve guard run`; empty: no guard on this host
    backup: tuple[str, ...] = ()  # words after `releve backup run`; empty: no backup from here
    backup_every_seconds: float = 3600.0
    drill: tuple[str, ...] = ()  # words after `releve drill run`
    drills: bool = True  # restore drills of what is backed up from here
    drill_asked_every_seconds: float = 3600.0
    help_port: int = 0  # of the help page on loopback; 0: none
    labels: dict[str, str] = {}  # protected folder -> the name that may leave the host
    heartbeat_seconds: float = 30.0
    demonstration: bool = False  # its lines are fed to it, and it obeys no order
    no_folders: bool = False  # taken in without any: what it lacks is not still to come
    spool_bytes: int = 256 * 1024 * 1024


class Home:
    """Files of one agent, for its own user only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spool = path / "agent.db"
        self.guard = path / "guard"
        self.feeding = path / "feed.lock"
        self.isolation = path / "isolation.json"  # as last told to the server
        self.contact = path / "contact.json"  # when the server last answered
        self.help = path / "help.json"  # calls that were asked here
        self.authority = path / "authority.pem"
        self._config = path / "agent.json"
        self._key = path / "agent.key"
        self._path_key = path / "path.key"

    def make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def is_enrolled(self) -> bool:
        return self._config.exists()

    def config(self) -> Config:
        if not self._config.exists():
            raise NotEnrolledError(self.path)
        try:
            return msgspec.json.decode(self._config.read_bytes(), type=Config)
        except msgspec.DecodeError as error:
            raise AgentConfigError(self._config, str(error)) from error

    def write_config(self, config: Config) -> None:
        write(self._config, msgspec.json.format(msgspec.json.encode(config)))

    def key(self) -> Ed25519PrivateKey:
        """The agent's own key."""
        return own_key(self._key)

    def path_key(self) -> bytes:
        """The key of path tokens; only this host has it."""
        if not self._path_key.exists():
            write(self._path_key, secrets.token_bytes(32))
        return self._path_key.read_bytes()


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
