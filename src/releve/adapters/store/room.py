"""Room in the store: how much is left, and what is given back of it."""

import os
from collections.abc import Callable

from releve.adapters.store.stock import Stock
from releve.model.held import Generation
from releve.recover.retention import advance

_RETIRED_NS = 3_600_000_000_000  # how far the end of the retention moves before that is written


class Room:
    """Bytes and inodes of one store.

    Args:
        full_share: the store stops at this share of bytes or inodes of its file system.
    """

    def __init__(self, stock: Stock, full_share: float) -> None:
        self._stock, self._full_share = stock, full_share
        self._lock, self._index, self._clock = stock.lock, stock.index, stock.clock
        self._clones = stock.clones
        self._dropped: list[Generation] = []
        self._checked_ns = 0
        self._retired_ns = 0
        self._left = 1
        self.ballast = stock.ballast
        self._has_lost = False

    def left_bytes(self) -> int:
        """What the store may still take before it stops at its share.

        The share is df(1)'s: blocks kept back for others (ext4's reserve) count neither as used nor as room.
        """
        v = os.statvfs(self._stock.store)
        total = (v.f_blocks - v.f_bfree + v.f_bavail) * v.f_frsize
        return max(0, int(v.f_bavail * v.f_frsize - (1 - self._full_share) * total))

    def has_room(self, size: int, folder: int) -> bool:
        """Bytes and inodes below the share; looked up at most every 100 ms (a clone costs one inode)."""
        now = self._clock.now_ns()
        if now - self._checked_ns > 100_000_000 or now < self._checked_ns:
            v = os.statvfs(self._stock.store)
            keep = 1 - self._full_share
            inodes = v.f_files == 0 or v.f_ffree > keep * v.f_files
            self._left = self.left_bytes() if inodes else 0
            self._checked_ns = now
        if self._clones[folder]:
            return self._left > 0
        self._left -= size
        return self._left > 0

    def prune(self, node: int, keep: Callable[[list[Generation]], set[int]]) -> int:
        """Drop the generations of a node that `keep` does not name; answers how many went."""
        with self._lock:
            held = self._index.generations(node)
            wanted = keep(held)
            dropped = [g for g in held if g.id not in wanted]
            for g in dropped:
                self._index.drop_generation(g.id)
                self._stock.held_bytes -= g.facts.size
            self._dropped += dropped  # their bytes go once their rows are gone for good
        return len(dropped)

    def gone_count(self) -> tuple[int, int]:
        """Deleted files that are still held, and the bytes of their versions."""
        with self._lock:
            return self._index.gone_count()

    def prune_gone(self, limit_ns: int, most: int = 500) -> int:
        """Drop files that are gone since before `limit_ns` with all their versions, a few at a time."""
        with self._lock:
            gone = self._index.gone_before(limit_ns)[:most]
        for node in gone:
            self.prune(node, lambda _held: set())
            with self._lock:
                self._index.drop_node(node)
        return len(gone)

    def retire(self, keep_ns: int, ran_ns: int) -> int:
        """Drop files that are gone for longer than `keep_ns`, however the clock was set.

        `ran_ns`: how long the guard ran since the last call; see `recover.retention`.
        """
        with self._lock:
            row = self._index.db.execute("SELECT min(gone) FROM node WHERE gone>0").fetchone()
            oldest = int(row[0] or 0)
            if not oldest:
                return 0
            noted = int(self._index.setting("retired") or 0)
            limit = advance(
                max(noted, self._retired_ns),
                now_ns=self._clock.now_ns(),
                keep_ns=keep_ns,
                oldest_ns=oldest,
                ran_ns=ran_ns,
            )
            self._retired_ns = limit
            if limit - noted > _RETIRED_NS or limit > oldest:
                self._index.set_setting("retired", b"%d" % limit)
        self.ballast.fill()
        return self.prune_gone(limit)

    def commit(self, *, sure: bool = False) -> bool:
        """Make what was noted survive kill -9, and give back the room of what was dropped.

        On a disk that is all but full it waits for better times, unless it gives room back or must
        be `sure`: then the room that was set aside is spent on it. False when it is not done.
        """
        with self._lock:
            dropped, self._dropped = self._dropped, []
            if self.ballast.is_tight():
                if not (sure or dropped):
                    return False
                self.ballast.spend()
            try:
                self._index.commit()
            except OSError:
                self._has_lost = True  # what was dropped is held after all: its bytes stay
                return False
        for g in dropped:
            self._stock.objects.drop(g.id, g.facts.size, g.pack, g.offset)
        return True

    def take_lost(self) -> bool:
        """Whether notes went with a full disk that has room again now: all must be compared again."""
        if not self._has_lost or self.ballast.is_tight():
            return False
        self._has_lost = False
        return True
