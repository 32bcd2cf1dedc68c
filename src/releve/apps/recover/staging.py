"""The bulk: restored by restic beside the view, in care order, ended and taken up again at will."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from releve.adapters.linux import overlay
from releve.adapters.restic.databases import SIDE_FILES
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
        exclude = self._here_already(plan)
        for places in batches(self._home.care()):
            self._opening.repository.restore_all(
                self._asked.snapshot,
                self._asked.folder,
                str(stage),
                include=places,
                exclude=() if places else exclude,  # restic takes one or the other
                hear=heard,
            )
        self._put_consistent_copies(stage)
        overlay.sync_all(str(stage))

    def _here_already(self, plan: Plan) -> list[str]:
        """Big databases that are above. One whose folder people renamed meanwhile is not."""
        view = self._opening.view
        big = sorted((i for i in plan.databases if i.size > _WORTH_BYTES), key=lambda i: -i.size)
        return [item.path for item in big[:_MOST_EXCLUDED] if view.is_in_place(item.path)]

    def _put_consistent_copies(self, stage: Path) -> None:
        """Where a database comes from the stage after all, its consistent copy is what counts."""
        inside = len(self._asked.folder.rstrip("/")) + 1
        scratch = self._home.path / "copy"
        for copy in self._opening.copies(self._vault_point()):
            path = copy.path[inside:]
            if self._opening.view.is_in_place(path):
                continue
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(mode=0o700)
            snapshot = self._asked.bases_snapshot
            self._opening.repository.restore(snapshot, copy.copy, str(scratch))
            brought = scratch / Path(copy.copy).name
            brought.chmod(copy.mode)
            os.chown(brought, copy.uid, copy.gid)
            os.utime(brought, ns=(copy.mtime_ns, copy.mtime_ns))
            brought.replace(stage / path)
            scratch.rmdir()
            for side in SIDE_FILES:
                (stage / f"{path}{side}").unlink(missing_ok=True)

    def _vault_point(self) -> str:
        return self._home.state().vault_point

    def _need_room(self, plan: Plan, stage: Path) -> None:
        """Restoring until the disk is full would stop people's work: so it is not begun.

        Raises: DiskRoomError.
        """
        documents = plan.rest.bytes + sum(item.size for item in plan.today)
        left = max(0, documents - _bytes_in(stage))
        free = self._opening.view.room()
        if free < left + self._asked.reserve:
            raise DiskRoomError(left + self._asked.reserve, free)


def _bytes_in(folder: Path) -> int:
    return sum(
        Path(parent, name).lstat().st_size for parent, _, names in os.walk(folder) for name in names
    )
