"""Signed heads: made every minute, kept here and sent to places that the vault's thief has not."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.durable import write
from releve.adapters.vault.server import Server, post
from releve.flow.vault import heads
from releve.flow.vault.chain import Link
from releve.model.errors import ReleveError
from releve.model.vault import SignedHead

log = structlog.get_logger()
_URLS = ("http://", "https://")


class HeadMismatchError(ReleveError):
    """A head that was signed earlier does not lie on the chain: entries were removed or changed."""

    status = 117
    remedy = (
        "Do not write to this vault; keep the disk as evidence, and restore the vault from a copy."
    )

    def __init__(self, why: str) -> None:
        super().__init__(f"The chain does not contain a signed head: {why}.")


class NotSent(NamedTuple):
    """`structure`: whose server did not take it; empty where the vault as a whole is concerned."""

    place: str
    why: str
    structure: str = ""


class Heads:
    """Signs the chain's end and brings it away. What cannot be brought now goes with the next one."""

    def __init__(
        self,
        folder: Path,
        key: Ed25519PrivateKey,
        places: Sequence[str],
        server: Server | None = None,
    ) -> None:
        self._folder, self._key, self._places = folder, key, tuple(places)
        self._server = server or Server()

    def sign(self, end: Link, at_ns: int, wall_ns: int) -> SignedHead:
        """The head of now, kept as heads/latest.json."""
        made = heads.sign(self._key, end, at_ns, wall_ns)
        write(self._folder / "latest.json", heads.write_line(made))
        return made

    def send(self, head: SignedHead) -> list[NotSent]:
        """To every place; which failed. Blocks for as long as the places take."""
        line = heads.write_line(head)
        failed = []
        for place in self._places:
            # No token of the server's goes to another address.
            why = post(place, line).why if place.startswith(_URLS) else _keep(place, line)
            if why:
                failed.append(NotSent(place, why))
        for structure in self._server.tokens:
            answer = self._server.post("heads", line, structure)
            if answer.why and not answer.is_gone:
                failed.append(NotSent(self._server.url, answer.why, structure))
        return failed


def read(path: Path) -> list[SignedHead]:
    """The heads of a file: latest.json, or the list that a folder of ours keeps."""
    return [heads.read_line(line) for line in path.read_bytes().splitlines() if line.strip()]


def _keep(folder: str, line: bytes) -> str:
    """Add the head to the folder's list of the month; why it failed, empty when it is there."""
    # The folder is not made: a disk that is not mounted must not become one of the vault's own.
    try:
        place = Path(folder)
        if not place.is_dir():
            return "the folder is not there"
        if _holds_another_vaults(place / "latest.json", heads.vault_of(line)):
            return "another vault's heads are there: each vault needs a folder of its own"
        month = heads.month_of(line)
        with (place / f"heads-{month}.jsonl").open("ab") as file:
            file.write(line)
        write(place / "latest.json", line)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _holds_another_vaults(latest: Path, ours: str) -> bool:
    """Mixed heads would prove nothing, and look like somebody else's in our place."""
    there = heads.vault_of(latest.read_bytes()) if latest.exists() else ""
    return there not in {"", ours}


def as_facts(head: SignedHead) -> dict[str, str | int]:
    """For people and --json."""
    told: dict[str, str | int] = json.loads(head.head)
    return told | {"signature": msgspec.to_builtins(head)["signature"]}
