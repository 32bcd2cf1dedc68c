"""The roll-back of one family: what becomes of each file that it touched, step by step."""

import datetime as dt
import errno
from collections.abc import Callable, Container, Iterable
from collections.abc import Set as AbstractSet

import msgspec

from releve.detect.ransom.limits import Limits
from releve.flow.guard.book import Book
from releve.flow.guard.respond.conviction import Conviction, writers_of
from releve.flow.guard.respond.hindered import (
    kept_shut,
    no_room,
    not_put_back,
    not_quarantined,
    read_only,
)
from releve.flow.guard.work import Volume
from releve.flow.ports import Clock
from releve.model.held import Generation, Kind, Name, Node
from releve.model.process import Process
from releve.recover.rollback import (
    Decision,
    LeaveAsIs,
    PutBack,
    Quarantine,
    Touch,
    Unrecoverable,
    decide,
)  # fmt: skip

_LATER = {
    errno.EROFS: read_only,
    errno.ENOSPC: no_room,
    errno.EDQUOT: no_room,
    errno.EAGAIN: kept_shut,
    errno.ETXTBSY: kept_shut,
}


class Undo:
    """Undoes what families did; used by one thread at a time.

    Args:
        volumes: by file system id.
        say: where lines go.
        proved: paths that a family is proved to have written, where evidence stands for certainty.
    """

    def __init__(
        self,
        volumes: dict[bytes, Volume],
        book: Book,
        clock: Clock,
        limits: Limits,
        say: Callable[[object], None],
        proved: Callable[[Process], Container[str]],
    ) -> None:
        self._volumes, self._book, self._clock = volumes, book, clock
        self._limits, self._say, self._proved = limits, say, proved
        self.unseen = ("", 0.0)  # whoever wrote while nobody watched, and for how long that counts
        self.unseen_ns = clock.now_ns()
        self._said_blocked: set[str] = set()
        self._touched: AbstractSet[bytes] = frozenset()  # files of the family that is being undone

    def gone_ns(self, file: bytes) -> int:
        """When a file was noticed as gone, 0 if it lives or is not known."""
        volume = self._volumes.get(file[:8])
        node = volume.keeper.node(file[8:]) if volume is not None else None
        return node.gone_ns if node is not None else 0

    def roll_back(self, c: Conviction) -> None:
        """Undo all touches that are new since the last call for this family."""
        c.tree |= set(c.head.tree())
        touches = {
            file: touch
            for file, touch in self._book.of(c.tree).items()
            if c.seen.get(file) != (touch.last_ns, touch.judged)
        }
        c.seen.update((file, (touch.last_ns, touch.judged)) for file, touch in touches.items())
        self.undo(c, touches)

    def undo(self, c: Conviction, touches: dict[bytes, Touch]) -> None:
        """Undo the given touches; quarantine first, so that names are free for the originals."""
        writers = writers_of(c.tree)
        self._touched = touches.keys() | c.seen.keys()
        if self._clock.steady() < self.unseen[1]:
            writers.add(self.unseen[0])
        plan: list[tuple[Touch, Node, Volume, Decision]] = []
        directories: list[tuple[Touch, Node, Volume]] = []
        for touch in touches.values():
            volume = self._volumes.get(touch.file[:8])
            node = self._known(c, touch, volume) if volume is not None else None
            if volume is None or node is None:
                continue
            if node.facts.kind is Kind.DIRECTORY:
                directories.append((touch, node, volume))
            else:
                plan.append((touch, node, volume, self._decide(c, touch, node, volume, writers)))
        plan.sort(key=lambda step: not isinstance(step[3], Quarantine))
        self._move_directories_back(c, directories)
        for touch, node, volume, decision in plan:
            self._do(c, touch, node, volume, decision)
        self._settle_directories(c, directories)
        for volume in self._volumes.values():
            volume.keeper.commit()

    def _known(self, c: Conviction, touch: Touch, volume: Volume) -> Node | None:
        """Its node; what the family made and nobody has held yet is held now, to be moved away."""
        keeper, key = volume.keeper, touch.file[8:]
        node = keeper.node(key)
        if node is None and touch.created and not touch.deleted and touch.became:
            number = touch.folder if touch.folder < len(keeper.folders) else 0  # before a restart
            held = keeper.hold(key, c.head.id, folder=number)
            if held.facts is not None:
                keeper.named(key, touch.became[-1])
                node = keeper.node(key)
        if node is None:
            c.seen.pop(touch.file, None)  # not done: it may be known by the next time
        return node

    def _decide(
        self, c: Conviction, touch: Touch, node: Node, volume: Volume, writers: set[str]
    ) -> Decision:
        window = (
            self._limits.window_reflink_s
            if volume.keeper.mode(node.folder) == "reflink"
            else self._limits.window_copy_s
        )
        held = volume.keeper.generations(node.id)
        if not held and self._clock.steady() < self.unseen[1] and node.born_ns > self.unseen_ns:
            # Born under a guard that was only just starting, and nobody else ever wrote it.
            touch = msgspec.structs.replace(touch, created=True)
        return decide(
            touch,
            held,
            is_family=writers.__contains__,
            bad_since_ns=c.bad_since_ns,
            born_ns=node.born_ns,
            others_ns=self._book.saves_of_others(c.tree, touch.file),
            window_ns=int(window * 1e9),
            author_known=c.head.known,
            ahead_ns=self._clock.now_ns() - self._clock.wall_ns(),
        )

    def _do(
        self, c: Conviction, touch: Touch, node: Node, volume: Volume, decision: Decision
    ) -> None:
        path = self._shown(volume, node, touch)
        try:
            match decision:
                case LeaveAsIs():
                    self._leave(c, touch, path)
                case Quarantine():
                    c.quarantined += volume.give_back.quarantine(node)
                case Unrecoverable(newest_only=newest_only):
                    if node.facts.kind is Kind.LINK:
                        self._link_back(c, touch, node, volume)
                    else:
                        (c.newest if newest_only else c.lost).append(path)
                case PutBack(generation=generation, beside=beside, newest_lost=newest_lost):
                    beside = beside and self._current(volume, node) not in self._proved(c.head)
                    self._put_back(c, touch, node, volume, generation, path, beside=beside)
                    self._second(c, node, volume, decision)
                    if newest_lost:
                        c.newest.append(path)
        except OSError as error:
            if error.errno in _LATER and not (
                isinstance(decision, Quarantine) and _LATER[error.errno] is no_room
            ):
                self._block(c, touch, volume.keeper.folders[node.folder], error.errno)
                return
            folder = volume.keeper.folders[node.folder]
            if isinstance(decision, Quarantine):
                self._say(not_quarantined(folder, c.head.id, error.strerror))
                return
            c.lost.append(path)
            self._say(not_put_back(folder, c.head.id, error.strerror))

    def _block(self, c: Conviction, touch: Touch, folder: str, why: int) -> None:
        """Nothing can be written there now: it is tried again."""
        if not c.blocked and c.head.id not in self._said_blocked:
            self._said_blocked.add(c.head.id)
            self._say(_LATER[why](folder, c.head.id))
        c.blocked[touch.file] = touch

    def _put_back(
        self,
        c: Conviction,
        touch: Touch,
        node: Node,
        volume: Volume,
        generation: Generation,
        path: str,
        *,
        beside: bool,
    ) -> None:
        names = self._wanted(volume, node, touch)
        if not names:
            c.lost.append(path)
            return
        done = volume.give_back.file(
            node, generation, names, stamp=self._stamp(), beside=beside,
            others=lambda key: volume.fsid + key not in self._touched,
        )  # fmt: skip
        c.restored += done.changed
        if done.beside:
            c.beside.append(done.beside)

    def _second(self, c: Conviction, node: Node, volume: Volume, put: PutBack) -> None:
        """Somebody saved over the damage: their version stays, and what was before it comes beside."""
        name = volume.keeper.last_name(node.id)
        if put.before is not None and name is not None:
            c.beside.append(volume.give_back.second(put.before, name, stamp=self._stamp()))

    def _stamp(self) -> str:
        now = dt.datetime.fromtimestamp(self._clock.wall_ns() / 1e9, dt.UTC)
        return now.strftime("%Y-%m-%d %Hh%M")

    def _link_back(self, c: Conviction, touch: Touch, node: Node, volume: Volume) -> None:
        for name in self._wanted(volume, node, touch):
            c.restored += volume.give_back.link(node, name)

    def _leave(self, c: Conviction, touch: Touch, path: str) -> None:
        """What came up while an author was not known stays, and is told: a person looks at it."""
        came = touch.created and not touch.deleted and touch.last_ns >= c.bad_since_ns
        if came and not c.head.known and path not in c.left:
            c.left.append(path)

    def _wanted(self, volume: Volume, node: Node, touch: Touch) -> list[Name]:
        """Names before the family came: those it took away, and those it left alone."""
        left = [n for n in volume.keeper.names(node.id) if n not in touch.became]
        wanted = list(dict.fromkeys((*touch.was, *left))) or volume.keeper.names(node.id)
        if not wanted and (last := volume.keeper.last_name(node.id)) is not None:
            wanted = [last]  # somebody else put another file in its place: that one goes beside it
        # A stale name in a folder that nobody knows any more must not keep the file from coming back.
        known = [n for n in wanted if not volume.keeper.path(n).startswith("?")]
        return known or wanted

    def _current(self, volume: Volume, node: Node) -> str:
        name = volume.keeper.last_name(node.id)
        return volume.keeper.path(name) if name else ""

    def _shown(self, volume: Volume, node: Node, touch: Touch) -> str:
        name = touch.was[0] if touch.was else volume.keeper.last_name(node.id)
        return volume.keeper.path(name) if name else "?"

    def _move_directories_back(
        self, c: Conviction, directories: Iterable[tuple[Touch, Node, Volume]]
    ) -> None:
        for touch, node, volume in directories:
            if touch.was and not touch.created:
                try:
                    volume.give_back.rename_directory(node, touch.was[0])
                except OSError as error:
                    if error.errno in _LATER:
                        self._block(c, touch, volume.keeper.folders[node.folder], error.errno)
                    continue  # its files are put back one by one, through the held tree

    def _settle_directories(
        self, c: Conviction, directories: list[tuple[Touch, Node, Volume]]
    ) -> None:
        for touch, node, volume in directories:
            try:
                if touch.created and touch.first_ns >= c.bad_since_ns:
                    volume.give_back.quarantine(node)
                elif not touch.created:
                    volume.give_back.directory(node.key)
            except OSError as error:
                if error.errno in _LATER:
                    self._block(c, touch, volume.keeper.folders[node.folder], error.errno)
                continue  # not empty: others use it
