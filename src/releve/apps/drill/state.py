"""The drills' folder: journal, key, certificates, rooms. Root only.

drills.db, lock, key, schedule.json, certificates/ID.{json,fr.html,fr.pdf,...}, rooms/ID/.
"""

import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters import durable
from releve.adapters.drill.journal import SqliteJournal
from releve.adapters.own_key import own_key
from releve.adapters.private import private_store
from releve.flow.drill.ports import UnknownDrillError
from releve.model.drill import Drill, Schedule

DEFAULT = "/var/lib/releve/drill"
ENVIRONMENT = "RELEVE_DRILL_STATE"


class DrillHome:
    """Files of the drills of one machine."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = Path(private_store(_named(folder)))
        self.folder.chmod(0o700)
        self._key = self.folder / "key"
        self._schedule = self.folder / "schedule.json"

    def journal(self) -> SqliteJournal:
        return SqliteJournal(str(self.folder))

    def room(self, drill: Drill) -> str:
        """Dot name: if it lies in a folder that is backed up whole, it is left out of backups."""
        top = Path(drill.room) if drill.room else self.folder / "rooms"
        return str(top / f".releve-room-{drill.id}")

    def key(self) -> Ed25519PrivateKey:
        """The key that signs the certificates of this installation."""
        return own_key(self._key)

    def schedule(self) -> Schedule:
        try:
            return msgspec.json.decode(self._schedule.read_bytes(), type=Schedule)
        except (OSError, msgspec.DecodeError):
            return Schedule()

    def set_schedule(self, schedule: Schedule) -> None:
        durable.write(self._schedule, msgspec.json.encode(schedule))

    def keep(self, documents: dict[str, bytes]) -> Path:
        """Put the forms of a certificate on disk; the folder they are in."""
        folder = self.folder / "certificates"
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, content in documents.items():
            durable.write(folder / name, content)
        return folder


def is_made(folder: str | None) -> bool:
    """Whether there was ever a drill to look at: `DrillHome` makes the folder."""
    return Path(_named(folder)).is_dir()


def _named(folder: str | None) -> str:
    return folder or os.environ.get(ENVIRONMENT) or DEFAULT


def find(drills: list[Drill], named: str) -> Drill:
    """The drill of that name or beginning. Raises: UnknownDrillError."""
    fitting = [one for one in drills if one.id.startswith(named)]
    if len(fitting) != 1:
        raise UnknownDrillError(named)
    return fitting[0]
