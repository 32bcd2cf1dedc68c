"""What the parts of one keeper share: index and objects under one lock, and the folders they serve."""

import os
import threading

import msgspec

from releve.adapters.store.ballast import Ballast
from releve.adapters.store.index import Index
from releve.adapters.store.objects import Objects, can_clone
from releve.flow.ports import Clock, Place

_FOLDERS = "folders"


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

    def settle_folders(self) -> None:
        """All folders are added: the index counts them in this order from now on.

        It may know them in another order, or one that nobody asks to be protected any more: what
        is held of that stays for who restores, and is no original of the guard's.
        """
        with self.lock:
            kept = self.index.setting(_FOLDERS)
            before = (
                self._from_before() if kept is None else msgspec.json.decode(kept, type=list[str])
            )
            if kept is not None and before == self.folders:
                return
            places = {
                was: self.folders.index(p) for was, p in enumerate(before) if p in self.folders
            }
            if before != self.folders:
                self.index.renumber(places)
            for path in set(before) - {"", *self.folders}:
                self.index.set_setting("baseline " + path, None)
            self.index.set_setting(_FOLDERS, msgspec.json.encode(self.folders))
            self.index.commit()

    def _from_before(self) -> list[str]:
        """The folders of a store that does not say which number is whose; "" where nobody knows.

        A folder itself is a node, too, with its number.
        """
        found: dict[int, str] = {}
        for path in self.index.baselines():
            try:
                node = self.index.node(self.place.key_of(path))
            except OSError:
                continue
            if node is not None:
                found.setdefault(node.folder, path)
        for number, path in enumerate(self.folders):
            if path not in found.values():
                found.setdefault(number, path)
        return [found.get(number, "") for number in range(max(found, default=-1) + 1)]


def _trial_place(store: str, folder: str) -> str:
    """Where a trial clone may be made without touching the users' folder."""
    same = os.stat(store).st_dev == os.stat(folder).st_dev
    return store if same else folder
