"""Quarantine: what attackers made goes out of the folder and stays in the store under a number."""

import contextlib
import errno
import os

from releve.adapters.store.keeper import Keeper
from releve.adapters.store.spots import Spot, copy_out


class Quarantine:
    """A folder of the store, on the same file system where possible."""

    def __init__(self, keeper: Keeper) -> None:
        self._folder = os.path.join(keeper.store, "quarantine")
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        self._names = os.path.join(self._folder, "names")
        with open(self._names, "ab"):
            pass  # on a disk without inodes it could not be made any more
        self._number = len(os.listdir(self._folder))

    def take(self, spot: Spot) -> None:
        """Out of the folder, kept in the store under a number (its name is in the list beside it).

        Where the disk has no room for the name, the file goes without. Raises: OSError.
        """
        self._number += 1
        target = os.path.join(self._folder, f"{self._number:08d}")
        while os.path.lexists(target):
            self._number += 1
            target = os.path.join(self._folder, f"{self._number:08d}")
        shown = spot.shown.replace("\n", "\\n")  # a name may not write a line of its own
        with contextlib.suppress(OSError), open(self._names, "ab", buffering=0) as names:
            names.write(f"{self._number:08d}\t{shown}\n".encode(errors="surrogateescape"))
        try:
            os.rename(spot.name, target, src_dir_fd=spot.folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy_out(spot, target)
            os.unlink(spot.name, dir_fd=spot.folder)
