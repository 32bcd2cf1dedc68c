"""Holds what a key names now: as a clone or a copy, settled or torn."""

import contextlib
import errno
import fcntl
import os

import msgspec

from releve.adapters.store.ballast import FULL
from releve.adapters.store.facts import facts_of
from releve.adapters.store.room import Room
from releve.adapters.store.stock import Stock
from releve.model.held import Facts, Generation, HoldResult, Judged, Kind, is_same

_GONE = frozenset({errno.ESTALE, errno.ENOENT, errno.ENXIO, errno.ELOOP})


class Hold:
    """Makes generations; numbers them itself, so that row and object stay together."""

    def __init__(self, stock: Stock, room: Room) -> None:
        self._stock, self._has_room = stock, room.has_room
        self._lock, self._index, self._objects = stock.lock, stock.index, stock.objects
        self._place, self._clock, self._clones = stock.place, stock.clock, stock.clones
        row = self._index.db.execute("SELECT max(id) FROM generation").fetchone()
        self._next = int(row[0] or 0) + 1
        sequence = self._index.db.execute(
            "SELECT seq FROM sqlite_sequence WHERE name='generation'"
        ).fetchone()
        if sequence:
            self._next = max(self._next, int(sequence[0]) + 1)

    def hold(
        self, key: bytes, writer: str, *, folder: int, judged: Judged | None = None
    ) -> HoldResult:
        """Hold what `key` names now as a new generation, unless it is held as it is.

        A copy is settled when size and ctime did not move and nobody has the file open for
        writing. `refused` says why nothing was held ("gone", "full", or the error).
        """
        try:
            fd = self._place.open(key, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return self._hold_link(key, folder)
            why = "gone" if error.errno in _GONE else str(error)
            return HoldResult(key=key, node=0, facts=None, generation=None, refused=why)
        try:
            return self._hold_open(fd, key, writer, folder, judged)
        finally:
            os.close(fd)

    def _hold_open(
        self, fd: int, key: bytes, writer: str, folder: int, judged: Judged | None
    ) -> HoldResult:
        st = os.fstat(fd)
        now = self._clock.now_ns()
        facts = facts_of(fd, st)
        if facts.nlink == 0:
            return HoldResult(key=key, node=0, facts=None, generation=None, refused="gone")
        with self._lock:
            node = self._index.node(key)
            number = node.id if node else self._index.add_node(key, folder, facts, now)
            if node is not None and node.folder < 0:
                self._index.take_in(number, folder)
            if facts.kind != Kind.FILE:
                self._index.set_facts(number, facts)
                return HoldResult(
                    key=key, node=number, facts=facts, generation=None, is_new=node is None
                )
            last = self._index.last_generation(number) if node else None
            ahead = now - self._clock.wall_ns()
            same = last is not None and is_same(last, facts.ctime_ns, ahead)
            if last is not None and same and not last.settled:
                if nobody_writes(fd) and os.fstat(fd).st_ctime_ns == facts.ctime_ns:
                    self._index.settle(last.id)
                    last = msgspec.structs.replace(last, settled=True)
                self._index.set_facts(number, facts)
                return HoldResult(key=key, node=number, facts=facts, generation=last)
            if last is not None and same:
                self._index.set_facts(number, facts)
                return HoldResult(key=key, node=number, facts=facts, generation=last)
            if not self._has_room(facts.size, folder):
                self._index.set_facts(number, facts)
                return HoldResult(
                    key=key,
                    node=number,
                    facts=facts,
                    generation=None,
                    refused="full",
                    is_new=node is None,
                )
            generation, lost = self._next, self._index.lost
            self._next += 1
        return self._take(fd, generation, number, facts, writer, folder, judged, node is None, lost)

    def _take(
        self,
        fd: int,
        generation: int,
        node: int,
        facts: Facts,
        writer: str,
        folder: int,
        judged: Judged | None,
        is_new: bool,
        lost: int,
    ) -> HoldResult:
        pack = offset = 0
        try:
            if self._clones[folder]:
                self._objects.clone(fd, generation)
            else:
                with self._lock if facts.size <= 1 << 20 else contextlib.nullcontext():
                    pack, offset = self._objects.copy(fd, facts.size, generation)
        except OSError as error:
            why = (
                "full"
                if error.errno in FULL
                else "torn"
                if error.errno == errno.ESTALE
                else str(error)
            )
            return HoldResult(
                key=b"", node=node, facts=facts, generation=None, refused=why, is_new=is_new
            )
        free = nobody_writes(fd)
        after = os.fstat(fd)
        settled = free and (after.st_size, after.st_ctime_ns) == (facts.size, facts.ctime_ns)
        held = Generation(
            id=generation,
            node=node,
            facts=facts,
            pack=pack,
            offset=offset,
            taken_ns=self._clock.now_ns(),
            writer=writer,
            settled=settled,
            judged=judged if judged is not None else Judged.CLEAN if not writer else Judged.NOT_YET,
        )
        with self._lock:
            if self._index.lost != lost:  # the number of the node may be another file's by now
                return HoldResult(key=b"", node=0, facts=None, generation=None, refused="full")
            if not is_new:
                self._index.set_facts(node, facts)
            held_id = self._index.add_generation(held)
            if held_id != generation:  # keep row and object together, whatever SQLite numbered
                self._index.db.execute(
                    "UPDATE generation SET id=? WHERE id=?", (generation, held_id)
                )
            self._stock.held_bytes += facts.size
        return HoldResult(key=b"", node=node, facts=facts, generation=held, is_new=is_new)

    def _hold_link(self, key: bytes, folder: int) -> HoldResult:
        try:
            fd = self._place.open(key, os.O_PATH | os.O_NOFOLLOW)
        except OSError:
            return HoldResult(key=key, node=0, facts=None, generation=None, refused="gone")
        try:
            target = os.readlink("", dir_fd=fd)
            facts = facts_of(fd, os.fstat(fd), target=os.fsencode(target))
        except OSError as error:
            return HoldResult(key=key, node=0, facts=None, generation=None, refused=str(error))
        finally:
            os.close(fd)
        with self._lock:
            number = self._index.add_node(key, folder, facts, self._clock.now_ns())
            self._index.set_facts(number, facts)
        return HoldResult(key=key, node=number, facts=facts, generation=None)


def nobody_writes(fd: int) -> bool:
    """A read lease is only granted while no descriptor is open for writing (fcntl(2), F_SETLEASE).

    It is given back at once; a writer that opens in these microseconds waits for no longer.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno != errno.EAGAIN  # EACCES: another user's file, of which nothing is told
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True
