"""Convictions and frozen suspects on disk, so that a guard that is killed finds them again."""

import contextlib
from collections.abc import Iterable

import msgspec

from releve.flow.guard.book import Book
from releve.flow.guard.respond.conviction import Conviction, Journal, Member, writers_of
from releve.flow.guard.work import Volume
from releve.flow.ports import Clock, Keeper, Processes
from releve.model.process import Process

_encode = msgspec.msgpack.Encoder().encode
_SAME_NS = 60_000_000  # /proc tells starts in ticks of 10 ms, fork records in ns


class Diary:
    """Rows on the first volume's index; a restart finishes what is not done.

    Args:
        volumes: by file system id.
    """

    def __init__(
        self, volumes: dict[bytes, Volume], book: Book, processes: Processes, clock: Clock
    ) -> None:
        self._volumes, self._book = volumes, book
        self._processes, self._clock = processes, clock

    @property
    def _keeper(self) -> Keeper:
        return next(iter(self._volumes.values())).keeper

    def still(self, head: Process) -> None:
        """Before they are frozen: a guard that dies right after must find them, to let them go on.

        Where the disk has no room for even that, they are frozen all the same.
        """
        members = [Member(p.pid, p.start_ns) for p in head.tree() if not p.ended]
        journal = Journal(
            family=head.id, at_ns=self._clock.now_ns(), bad_since_ns=0, members=members, writers=[], touches=[]
        )  # fmt: skip
        self._keeper.marks.put(head.id, _encode(journal))

    def stills(self) -> list[Journal]:
        """Families that were frozen by a guard that did not live to say what becomes of them."""
        found = []
        for body in self._keeper.marks.all():
            with contextlib.suppress(msgspec.DecodeError):  # cut by a full disk
                found.append(msgspec.msgpack.decode(body, type=Journal))
        return found

    def moves(self, family: str) -> None:
        """It is not held still any more, or what becomes of it is written down."""
        self._keeper.marks.drop(family)

    def drop(self, family: str) -> None:
        self._keeper.drop_conviction(family)
        self.moves(family)

    def put(self, journal: Journal, state: str) -> None:
        self._keeper.put_conviction(journal.family, journal.at_ns, state, _encode(journal))

    def commit(self) -> None:
        self._keeper.commit()

    def write(self, c: Conviction, members: Iterable[Process], state: str) -> None:
        """What is known of a conviction now; "stopped" is to be finished, "frozen" and "done" are not."""
        journal = Journal(
            family=c.head.id,
            at_ns=self._clock.now_ns(),
            bad_since_ns=c.bad_since_ns,
            members=[Member(p.pid, p.start_ns) for p in members],
            writers=list(writers_of(c.tree)),
            touches=list(self._book.of(c.tree).values()) if state == "stopped" else [],
            kill=c.action != "frozen",
            known=c.head.known,
        )
        for _ in range(2):  # what a full disk refused has given room back: once more
            self.put(journal, state)
            if self._keeper.commit(sure=True):
                self.moves(c.head.id)
                return

    def open(self) -> list[tuple[Journal, str]]:
        """Every conviction that is not done, with its state, in the order of time."""
        return [
            (msgspec.msgpack.decode(body, type=Journal), state)
            for _, _, state, body in self._keeper.open_convictions()
        ]

    def left(self, journal: Journal) -> list[Process]:
        """Its members that still live, by pid and start."""
        found = [(m, self._processes.get(m.pid)) for m in journal.members]
        return [
            p for m, p in found if abs(p.start_ns - m.start_ns) < _SAME_NS and not p.is_boundary
        ]
