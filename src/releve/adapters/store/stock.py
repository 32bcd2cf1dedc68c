"""What the parts of one keeper share: index and objects under one lock, and the folders they serve."""

import os
import threading

from releve.adapters.store.ballast import Ballast
from releve.adapters.store.index import Index
from releve.adapters.store.objects import Objects, can_clone
from releve.flow.ports import Clock, Place


class Stock:
    """The store of one file system, opened.

    Args:
        store: root-only folder for index and held bytes, made if absent.
        copy: True forces copies even where clones work.
    """

    def __init__(self, store: str, place: Place, clock: Clock, *, copy: bool) -> None:
        os.makedirs(store, mode=0o700, exist_ok=True)
        os.chmod(store, 0o700)
        self.store, self.place, self.clock = store, place, clock
        self.ballast = Ballast(store)  # before the index: it is room to open it
        self.lock = threading.RLock()
        self.index = Index(os.path.join(store, "index.sqlite"))
        self.objects = Objects(store)
        self.folders: list[str] = []
        self.clones: list[bool] = []  # per folder
        self.unreadable = 0  # files that a walk met and could not open: they are not held
        self.held_bytes = self.index.held_bytes()
        self._copy = copy

    def add_folder(self, path: str) -> int:
        """Protect a folder; answers its number. A trial decides between clones and copies."""
        number = len(self.folders)
        self.folders.append(path)
        self.clones.append(not self._copy and can_clone(self.store, _trial_place(self.store, path)))
        self.ballast.fill()
        return number


def _trial_place(store: str, folder: str) -> str:
    """Where a trial clone may be made without touching the users' folder."""
    same = os.stat(store).st_dev == os.stat(folder).st_dev
    return store if same else folder
