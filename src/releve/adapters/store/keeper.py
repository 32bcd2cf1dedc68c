"""The keeper of originals: holds, looks up, and gives back; one per file system.

`place` says what a key is and opens it (handles on Linux, inode numbers elsewhere); everything
else is the same on every system, and one contract suite judges both.
"""

import contextlib
import os
from collections.abc import Iterator

from releve.adapters.store.comparing import Compare
from releve.adapters.store.holding import Hold, nobody_writes
from releve.adapters.store.marks import Marks
from releve.adapters.store.names import Names
from releve.adapters.store.objects import HeldBytes
from releve.adapters.store.recent import Recent
from releve.adapters.store.room import Room
from releve.adapters.store.stock import Stock
from releve.adapters.store.walk import Walk
from releve.flow.ports import Clock, Place
from releve.model.held import Generation, Judged, Name, Node


class Keeper:
    """Holds the originals of the protected folders of one file system.

    Its parts share one lock and one index. What a part does is bound here by its name and not
    wrapped: `hold`, `named` and `unnamed` run for every save.

    Args:
        store: root-only folder for index and held bytes, made if absent.
        place: how files are named and opened.
        clock: wall clock in ns.
        full_share: the store stops at this share of bytes or inodes of its file system.
        copy: True forces copies even where clones work (to measure, or another disk).
    """

    def __init__(
        self, store: str, place: Place, clock: Clock, *, full_share: float = 0.8, copy: bool = False
    ) -> None:
        self._stock = stock = Stock(store, place, clock, copy=copy)
        self.store, self.place, self.clock = store, place, clock
        self.lock, self.index, self.objects = stock.lock, stock.index, stock.objects
        self.folders, self.add_folder = stock.folders, stock.add_folder
        self.settle_folders = stock.settle_folders
        self.marks = Marks(os.path.join(store, "still"))
        self.temporary: set[str] = set()  # files of a roll-back that have no name of their own yet
        self.being_given: set[bytes] = set()  # keys that are being given back now
        self.given = 0  # how many were, so far
        names, room = Names(stock), Room(stock, full_share)
        hold = Hold(stock, room)
        self.walk = Walk(stock)
        compare, recent = Compare(stock, self.walk, names, hold, room), Recent(stock)
        self.hold = hold.hold
        self.named, self.unnamed = names.named, names.unnamed
        self.path, self.last_name = names.path, names.last_name
        self.baseline, self.tree = compare.baseline, compare.tree
        self.is_empty, self.complete = compare.is_empty, compare.complete
        self.count_entries = self.walk.count_entries
        self.recent, self.close_clean = recent.recent, recent.close_clean
        self.room_bytes, self.prune = room.left_bytes, room.prune
        self.gone_count, self.prune_gone = room.gone_count, room.prune_gone
        self.retire, self.commit, self.take_lost = room.retire, room.commit, room.take_lost

    @contextlib.contextmanager
    def giving(self, key: bytes) -> Iterator[None]:
        """What happens to `key` meanwhile is the guard's own work: watchers without pids ask."""
        self.being_given.add(key)
        try:
            yield
        finally:
            self.being_given.discard(key)
            self.given += 1

    def mode(self, folder: int) -> str:
        return "reflink" if self._stock.clones[folder] else "copy"

    def write_back(self) -> None:
        """The index's log goes into the index now and then; nobody waits for that. No lock."""
        self.index.write_back()

    @property
    def held_bytes(self) -> int:
        """Of all generations, as long as the files themselves are."""
        return self._stock.held_bytes

    def take_unreadable(self) -> int:
        """How many files walks could not open since this was asked last: they are not held."""
        count, self._stock.unreadable = self._stock.unreadable, 0
        return count

    def counts(self, folder: int) -> tuple[int, int]:
        """Living files and their bytes."""
        with self.lock:
            return self.index.counts(folder)

    def node(self, key: bytes) -> Node | None:
        """What is known of it; None too when it is in no folder that is protected now."""
        with self.lock:
            node = self.index.node(key)
        return node if node is None or node.folder >= 0 else None

    def node_by_id(self, node: int) -> Node | None:
        with self.lock:
            return self.index.node_by_id(node)

    def names(self, node: int) -> list[Name]:
        with self.lock:
            return self.index.names(node)

    def generations(self, node: int) -> list[Generation]:
        with self.lock:
            return self.index.generations(node)

    def judge(self, generation: int, judged: Judged) -> None:
        with self.lock:
            self.index.judge(generation, judged)

    def changed_ns(self, key: bytes) -> int:
        """Ctime of the living file, 0 when it is gone."""
        try:
            fd = self.place.open(key, os.O_PATH)
        except OSError:
            return 0
        try:
            st = os.fstat(fd)
            return st.st_ctime_ns if st.st_nlink else 0
        finally:
            os.close(fd)

    def read(self, generation: Generation) -> HeldBytes:
        """Raises FileNotFoundError when the store is damaged."""
        return self.objects.open(
            generation.id, generation.facts.size, generation.pack, generation.offset
        )

    def read_now(self, key: bytes) -> HeldBytes:
        """The living file. Raises OSError(ESTALE) when it is gone."""
        fd = self.place.open(key, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        return HeldBytes(fd, os.fstat(fd).st_size)

    def is_being_written(self, key: bytes) -> bool:
        """Whether somebody has it open for writing; False where nobody can tell, or it is gone."""
        try:
            fd = self.place.open(key, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            return not nobody_writes(fd)
        finally:
            os.close(fd)

    def put_conviction(self, family: str, at_ns: int, state: str, body: bytes) -> None:
        with self.lock:
            self.index.put_conviction(family, at_ns, state, body)

    def drop_conviction(self, family: str) -> None:
        with self.lock:
            self.index.drop_conviction(family)

    def open_convictions(self) -> list[tuple[str, int, str, bytes]]:
        with self.lock:
            return self.index.open_convictions()

    def close(self) -> None:
        self.commit()
        with self.lock:
            self.index.close()
            self.objects.close()
            self._stock.ballast.close()
            self.place.close()
