"""The bulk: restored by restic beside the view, in care order, ended and taken up again at will."""

from collections.abc import Callable
from pathlib import Path

from releve.adapters.linux import overlay
from releve.apps.recover.opening import Opening
from releve.apps.recover.state import Asked, RecoveryHome
from releve.flow.recovery.errors import DiskRoomError
from releve.recover.care_order import Plan, batches

_MOST_EXCLUDED = 200  # words on restic's command line
_WORTH_BYTES = 1_000_000


class Staging:
    """Bulk for one recovery."""

    def __init__(self, home: RecoveryHome, asked: Asked, opening: Opening) -> None:
        self._home, self._asked, self._opening = home, asked, opening

    def restore(self, plan: Plan, heard: Callable[[int, int], None]) -> None:
        """Databases are left out: they are here already, by copy-up from their consistent copies.

        Raises: DiskRoomError before anything is begun, and those of the repository.
        """
        stage = Path(self._opening.view.stage)
        stage.mkdir(mode=0o700, exist_ok=True)
        self._need_room(plan, stage)
        here = sorted(plan.databases, key=lambda item: -item.size)[:_MOST_EXCLUDED]
        exclude = [item.path for item in here if item.size > _WORTH_BYTES]
        for places in batches(self._home.care()):
            self._opening.repository.restore_all(
                self._asked.snapshot,
                self._asked.folder,
                str(stage),
                include=places,
                exclude=() if places else exclude,  # restic takes one or the other
                hear=heard,
            )
        overlay.sync_all(str(stage))

    def _need_room(self, plan: Plan, stage: Path) -> None:
        """Restoring until the disk is full would stop people's work: so it is not begun.

        Raises: DiskRoomError.
        """
        left = sum(item.size for item in plan.rest if _size(stage / item.path) != item.size)
        free = self._opening.view.room()
        if free < left + self._asked.reserve:
            raise DiskRoomError(left + self._asked.reserve, free)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return -1
