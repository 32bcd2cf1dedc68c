"""Quarantine: what attackers made goes out of the folder and stays in the store under a number."""

import errno
import os

from releve.adapters.store.keeper import Keeper
from releve.adapters.store.spots import Spot, copy_out


class Quarantine:
    """A folder of the store, on the same file system where possible."""

    def __init__(self, keeper: Keeper) -> None:
        self._folder = os.path.join(keeper.store, "quarantine")
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._number = len(os.listdir(self._folder))

    def take(self, spot: Spot) -> None:
        """Out of the folder, kept in the store under a number (its name is in the list beside it)."""
        self._number += 1
        target = os.path.join(self._folder, f"{self._number:08d}")
        while os.path.lexists(target):
            self._number += 1
            target = os.path.join(self._folder, f"{self._number:08d}")
        with open(
            os.path.join(self._folder, "names"), "a", encoding="utf-8", errors="surrogateescape"
        ) as names:
            shown = spot.shown.replace("\n", "\\n")  # a name may not write a line of its own
            names.write(f"{self._number:08d}\t{shown}\n")
        try:
            os.rename(spot.name, target, src_dir_fd=spot.folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy_out(spot, target)
            os.unlink(spot.name, dir_fd=spot.folder)
