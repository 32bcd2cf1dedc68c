"""Notes of this host's recoveries, one file each: a driver writes its own, the agent reads all."""

import os
from pathlib import Path

import msgspec

from releve.adapters.linux import samba_proc
from releve.model.recovery import RecoveryNote

FOLDER = Path(os.environ.get("RELEVE_RECOVERIES", "/var/lib/releve/recoveries"))


class Recoveries:
    """The folder of notes; root's own."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    def keep(self, note: RecoveryNote) -> None:
        """Replace the recovery's note; a lost one is renewed at once, so no disk is waited for.

        Raises: OSError.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._folder / f".{note.id}.new"
        new.write_bytes(msgspec.json.encode(note))
        new.replace(self._folder / f"{note.id}.json")

    def notes(self) -> list[RecoveryNote]:
        """All that can be read; one whose driver died says so by `pid` 0."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                note = msgspec.json.decode(path.read_bytes(), type=RecoveryNote)
            except (OSError, msgspec.DecodeError):
                continue
            found.append(note if _lives(note) else msgspec.structs.replace(note, pid=0))
        return found


def _lives(note: RecoveryNote) -> bool:
    seen = samba_proc.look(note.pid) if note.pid else None
    return seen is not None and not seen.dead and seen.starttime == note.starttime
