"""The vault's folder: what lies where, its configuration and its key."""

import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.durable import write
from releve.adapters.own_key import own_key
from releve.flow.vault.names import VIEWS
from releve.model.errors import ReleveError
from releve.model.vault import Limits, ObjectKind, Repository

GIB = 1 << 30
DEFAULT = "/var/lib/releve/vault"
ENVIRONMENT = "RELEVE_VAULT"


class VaultNotMadeError(ReleveError):
    """The folder holds no vault, or its configuration cannot be read."""

    status = 110
    remedy = "Run `releve vault init`, or name the vault's folder with --data."

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(f"No usable vault in {folder}: {why}.")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """DATA/vault.json, written by `releve vault init`."""

    name: str
    head_places: tuple[str, ...] = ()  # folders or URLs that get each signed head
    server_url: str = ""  # gets heads, notices and standings
    server_token_file: str = ""
    server_authority_file: str = ""  # PEM, when the server's authority is its own
    standing_every_s: float = 300.0
    standing_soonest_s: float = 15.0  # after the one before, where a first backup was never told
    head_every_s: float = 60.0
    reserve_bytes: int = 2 * GIB  # uploads are refused below it: the disk never fills to the brim
    ingest: Limits = Limits(read_bytes_per_day=256 << 20)  # where a credential says nothing else
    notice_command: tuple[str, ...] = ()  # run with each notice on stdin: a mail, an SMS


class Layout:
    """Paths below DATA; nothing is read or made before it is asked for."""

    def __init__(self, data: str | Path) -> None:
        self.data = Path(data).absolute()
        self.config_file = self.data / "vault.json"
        self.key_file = self.data / "keys/head.key"
        self.repos = self.data / "repos"
        self.served = self.data / "served"  # what rest-server sees: links of two levels
        self.journal = self.data / "receipts/journal.jsonl"
        self.heads = self.data / "heads"
        self.views = self.data / "views"
        self.credentials = self.data / "credentials"
        self.approvers = self.data / "approvers"
        self.openings = self.data / "openings"
        self.agreements = self.data / "agreements"
        self.holds = self.data / "holds"
        self.spent = self.data / "spent"
        self.strange = self.data / "strange"
        self.notices = self.data / "notices.jsonl"
        self.reporting = self.data / "reporting.json"
        self.scrub_file = self.data / "scrub.json"
        self.run = self.data / "run"
        self.socket = self.run / "store.sock"

    def make(self) -> None:
        folders = [self.data, self.repos, self.served, self.journal.parent, self.heads, self.views]
        folders += [self.credentials, self.approvers, self.openings, self.agreements, self.holds]
        folders += [self.spent, self.strange, self.run, self.key_file.parent]
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def config(self) -> Config:
        """Raises: VaultNotMadeError."""
        try:
            return msgspec.json.decode(self.config_file.read_bytes(), type=Config)
        except OSError as error:
            raise VaultNotMadeError(str(self.data), error.strerror or "unreadable") from error
        except msgspec.DecodeError as error:
            raise VaultNotMadeError(str(self.data), str(error)) from error

    def save_config(self, config: Config) -> None:
        write(self.config_file, msgspec.json.format(msgspec.json.encode(config)) + b"\n")

    def key(self) -> Ed25519PrivateKey:
        """Signs heads; made once."""
        return own_key(self.key_file)

    def repository(self, repository: Repository) -> Path:
        return self.repos / repository.structure / repository.host / repository.generation

    def object(self, repository: Repository, kind: ObjectKind, name: str) -> Path:
        return object_in(self.repository(repository), kind, name)

    def served_link(self, repository: Repository) -> Path:
        return self.served / repository.structure / f"{repository.host},{repository.generation}"

    def served_path(self, repository: Repository, kind: ObjectKind | None, name: str) -> str:
        """The store's path of a repository's object, of a listing, of the repository itself."""
        own = f"/{repository.structure}/{repository.host},{repository.generation}/"
        return own + _within(kind, name)

    def served_view_path(self, view: str, kind: ObjectKind | None, name: str) -> str:
        return f"/{VIEWS}/{view}/" + _within(kind, name)

    def serve_view(self, view: str) -> None:
        link = self.served / VIEWS / view
        link.parent.mkdir(mode=0o700, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(self.views / view, link.parent))

    def serve(self, repository: Repository) -> None:
        """Let rest-server see the repository; it knows folders of two levels only."""
        link = self.served_link(repository)
        if not link.is_symlink():
            self.repository(repository).mkdir(mode=0o700, parents=True, exist_ok=True)
            link.parent.mkdir(mode=0o700, exist_ok=True)
            link.symlink_to(os.path.relpath(self.repository(repository), link.parent))


def _within(kind: ObjectKind | None, name: str) -> str:
    if kind is None or kind is ObjectKind.CONFIG:
        return kind or ""
    return f"{kind}/{name}"


def object_in(folder: Path, kind: ObjectKind, name: str) -> Path:
    """Where restic's layout has an object of a repository."""
    match kind:
        case ObjectKind.CONFIG:
            return folder / "config"
        case ObjectKind.DATA:
            return folder / "data" / name[:2] / name
        case _:
            return folder / kind / name
