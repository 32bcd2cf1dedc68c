"""The recovery's note for this host's agent, which tells the server how far it is."""

import contextlib
import datetime as dt
import hashlib
import os

from releve.adapters.recoveries import Recoveries
from releve.adapters.restic.lent import Program
from releve.apps.recover.state import Asked, Progress
from releve.model.recovery import RecoveryNote


class Noting:
    """Writes the note of one recovery; one that names no incident writes none."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._driver = Program.of(os.getpid())
        order = f"{asked.target}\0{asked.ordered_ns}"
        self._id = hashlib.sha256(order.encode()).hexdigest()[:16]
        self._notes = Recoveries()

    def tell(self, progress: Progress) -> None:
        """Of what the driver, or the finishing, reached. A full disk stops no recovery."""
        if self._asked.incident:
            with contextlib.suppress(OSError):
                self._notes.keep(self._note(progress))

    def _note(self, progress: Progress) -> RecoveryNote:
        asked = self._asked
        return RecoveryNote(
            id=self._id,
            incident=asked.incident,
            folder=asked.folder,
            snapshot=asked.snapshot,
            clean_at=asked.course.at if asked.course else None,
            ordered_at=dt.datetime.fromtimestamp(asked.ordered_ns / 1e9, dt.UTC),
            phase=progress.phase,
            pid=self._driver.pid if progress.running else 0,
            starttime=self._driver.starttime,
            seconds=progress.seconds,
            files=progress.files,
            files_home=progress.files_home,
            bytes=progress.bytes,
            bytes_home=progress.bytes_home,
            laid=progress.laid,
            failures=progress.failures,
        )
