"""Freeze, convict, kill, roll back, settle: what follows from a suspicion, journaled first."""

import queue
import threading
from collections.abc import Callable, Container

from releve.detect.ransom.content import Reason
from releve.detect.ransom.score import Mark
from releve.flow.guard.ground import Ground
from releve.flow.guard.respond.conviction import Conviction, convicted, rolled_back
from releve.flow.guard.respond.finishing import Finish
from releve.flow.guard.respond.journaling import Diary
from releve.flow.guard.respond.telling import Tell
from releve.flow.guard.respond.undoing import Undo
from releve.flow.guard.respond.waiting import Waiting
from releve.flow.ports import Contain, Hands, Processes
from releve.model.lines import Point
from releve.model.process import Process


class Responder:
    """Carries convictions out, one after the other, on its own thread.

    Args:
        idle: waits (bounded) until everything noticed so far was read, held and judged.
        wait_read: waits (bounded, short) until the notifications made so far were read.
        spare: says whether the family must be frozen instead of killed (it carries care).
        contain: what stops a remote client instead of a local program.
    """

    def __init__(
        self,
        ground: Ground,
        processes: Processes,
        hands: Hands,
        contain: Contain,
        idle: Callable[[float], None],
        wait_read: Callable[[], None],
        spare: Callable[[Process], bool],
        *,
        enforce: bool,
    ) -> None:
        volumes, book, clock = ground.volumes, ground.book, ground.clock
        limits, say = ground.limits, ground.say
        self._book, self._scores = book, ground.scores
        self._processes, self._hands, self._contain = processes, hands, contain
        self._clock, self._limits, self._say, self._idle = clock, limits, say, idle
        self._spare, self._wait_read, self.enforce = spare, wait_read, enforce
        self._todo: queue.Queue[Conviction | None] = queue.Queue()
        self.convicted: dict[Process, Conviction] = {}
        self.frozen: dict[str, Process] = {}
        self.on_convicted: Callable[[Process], None] = lambda _head: None
        self.renew: Callable[[Process], Process | None] = lambda _head: None
        self.proved: Callable[[Process], Container[str]] = lambda _head: ()
        self.evidence: Callable[[Process], tuple[Point, ...]] = lambda _head: ()
        self._would: set[str] = set()
        self._cleared: set[str] = set()
        self.before: Callable[[], Process | None] = lambda: None  # left damage while nobody watched
        self._working = False
        self._queued: set[Process] = set()
        self._still: dict[Process, int] = {}
        self._signals = (
            threading.Lock()
        )  # who is held still, and the signals for it, change together
        self._diary = Diary(volumes, book, processes, clock)
        self._tell = Tell(
            volumes,
            book,
            contain,
            clock,
            limits,
            say,
            lambda head: self.evidence(head),  # noqa: PLW0108 - set later
        )
        self.undo = Undo(volumes, book, clock, limits, say, lambda head: self.proved(head))  # noqa: PLW0108 - set later
        self.waiting = Waiting(self._diary, self.undo, clock, say)
        self.after_restart = Finish(
            self._diary, self.undo, self.waiting, hands, clock, say, self.frozen
        )

    def convict(self, head: Process, kind: str) -> None:
        """Stop a family now (on the caller's thread) and queue its roll-back.

        It is frozen first and asked about afterwards: if all that spoke against it turns out to be
        the work of somebody who wrote the same files right after it, it goes on within milliseconds.
        """
        if head in self.convicted or head.id in self._would:
            return
        if not self.enforce:
            self._would_stop(head, kind)
            return
        with self._signals:
            self._note_still(head)
            stopped_ns = self._hands.freeze(head)
            if head in self._still and not head.children:
                stopped_ns = self._still[head]  # seen still then, and nothing was born since
            self._still.setdefault(head, stopped_ns)  # no end of a short halt lets it go
        if kind != "order" and not self._is_confirmed(head, kind):
            self._let_go_on(head)
            return
        self._book_convicted(head, kind, stopped_ns)

    def suspend(self, head: Process, still: bool) -> None:
        """Hold a suspected family still, or let it go on; a convicted one stays as it is."""
        if not still:
            if head in self._still:  # also if its client was not known when it was suspected
                self._let_go_on(head)
            return
        if not self.enforce or not head.known or self._contain.serves(head):
            return
        with self._signals:
            self._note_still(head)
            self._still[head] = self._hands.freeze(head)

    def _let_go_on(self, head: Process) -> None:
        with self._signals:
            self._still.pop(head, None)
            if not self.is_convicted(head):
                self._hands.thaw(head, but=self._stays)
                self._diary.drop(head.id)

    def _stays(self, process: Process) -> bool:
        """Whoever lets its parents go on lets nobody go who is held for himself."""
        return self.is_convicted(process) or any(p in self._still for p in process.chain())

    def halt(self, process: Process) -> bool:
        """Stop one process for a moment, before anything is found against it; noted first.

        Never in watch mode, nor programs that carry care or serve a remote client.
        """
        if not self.enforce or not process.known:
            return False
        if self.is_convicted(process) or self._contain.serves(process) or self._spare(process):
            return False
        if not self._signals.acquire(blocking=False):
            return False  # somebody is being stopped for good: the reader waits for nothing
        try:
            if process in self._still:
                return False
            self._diary.still(process)
            if self._hands.halt(process):
                return True
            self._diary.moves(process.id)
            return False
        finally:
            self._signals.release()

    def resume(self, process: Process) -> None:
        """Its moment is over; who is suspected or convicted by now stays as it is."""
        with self._signals:
            if process in self._still or self.is_convicted(process):
                return
            self._hands.resume(process)
            self._diary.moves(process.id)

    def _note_still(self, head: Process) -> None:
        if head.known and head not in self._still:
            self._diary.still(head)

    def _would_stop(self, head: Process, kind: str) -> None:
        if not self._is_confirmed(head, kind):
            return
        self._would.add(head.id)
        tree, marks = set(head.tree()), self._scores.marks(head.id)
        bad_since = self._tell.bad_since(tree, marks, kind)
        now = self._clock.wall_ns()
        self._say(self._tell.stopped(head, tree, marks, kind, bad_since, now, "would_stop", ()))
        self._scores.settle([p.id for p in head.chain()] or [head.id])

    def _is_confirmed(self, head: Process, kind: str) -> bool:
        """Drop the marks of files that somebody else destroyed last; is there still enough?

        Once for each: who is cleared again and again has somebody who clears him.
        """
        if kind not in ("score", "pool") or head.id in self._cleared:
            return True
        self._wait_read()
        tree = set(head.tree())
        lineage = [p.id for p in head.chain()] or [head.id]
        dropped = False
        for mark in self._scores.marks(head.id):
            last = self._book.last_writer(mark.file)
            if last is not None and last not in tree and self._is_to_blame(last, mark.file):
                self._scores.drop([p.id for p in tree] + lineage, mark.file)
                dropped = True
        if not dropped or self._scores.total(head.id) >= self._limits.convict:
            return True
        self._cleared.add(head.id)
        return False

    def _is_to_blame(self, process: Process, file: bytes) -> bool:
        """He was found to have destroyed it himself: a save that came after the damage is no proof."""
        return self.is_convicted(process) or any(
            mark.file == file for mark in self._scores.marks(process.id)
        )

    def _book_convicted(self, head: Process, kind: str, stopped_ns: int) -> None:
        marks = self._scores.marks(head.id)
        bad_since = self._tell.bad_since(set(head.tree()), marks, kind)
        client = self._contain.block(head)
        freeze = kind == "mass_deletion" or self._spare(head)
        action = "client_blocked" if client else "frozen" if freeze else "killed"
        members = self._processes.members(head)
        if not members and not client:
            action = "none"
        tree = set(head.tree())
        conviction = convicted(head, kind, action, bad_since, marks, tree)
        self.convicted[head] = conviction
        self._still.pop(head, None)
        self.on_convicted(head)
        self._diary.write(conviction, members, "stopped")  # on a full disk it goes on without
        self._say(
            self._tell.stopped(
                head, tree, marks, kind, bad_since, stopped_ns, action, members, client
            )
        )
        self._scores.settle([p.id for p in head.chain()] or [head.id])
        self._todo.put(conviction)

    def is_convicted(self, process: Process) -> bool:
        """It belongs to a family that was convicted: its work is undone, not judged."""
        if not process.known:
            return False  # everybody else is behind it too: what is sound is kept, so it is judged
        return bool(self.convicted) and any(p in self.convicted for p in process.chain())

    def late(self, head: Process) -> None:
        """A convicted family moved again (a child that was being born): stop it again."""
        conviction = self.convicted.get(head) if head.known else None
        if conviction is None or conviction.action == "client_blocked":
            return
        if conviction.action == "frozen":
            if not self._hands.is_moving(head):
                return  # noticed late: it was done before it was frozen
            if not self._spare(head):
                conviction.action = "killed"  # somebody woke it, and nobody of ours
        self._diary.still(head)
        self._hands.freeze(head)
        self._queue(conviction)

    def again(self, head: Process) -> None:
        """More of what a convicted family did was found: undo that too."""
        conviction = self.convicted.get(head)
        if conviction is not None:
            self._queue(conviction)

    def _queue(self, c: Conviction) -> None:
        """Once, however many late notifications ask for it: carrying out looks at all of them."""
        if c.head not in self._queued:
            self._queued.add(c.head)
            self._todo.put(c)

    def work(self, wait_s: float) -> bool:
        """Carry out one conviction; False when there was none."""
        try:
            conviction = self._todo.get(timeout=wait_s)
        except queue.Empty:
            self.waiting.again()
            return False
        self._working = True
        try:
            if conviction is not None:
                self._queued.discard(conviction.head)
                self._carry_out(conviction)
                self.waiting.again()
        finally:
            self._working = False
        return True

    @property
    def is_idle(self) -> bool:
        return self._todo.empty() and not self._working

    def _carry_out(self, c: Conviction) -> None:
        started = self._clock.steady()
        if c.action == "frozen":
            self.frozen[c.head.id] = c.head
        else:
            self.frozen.pop(c.head.id, None)
            self._hands.kill(c.head)
        self._idle(
            0.5 if c.head.known else 30.0
        )  # unknown: what is not judged cannot be told apart
        # What was read since the conviction is known now: a restart must find that as well.
        self._diary.write(c, self._processes.members(c.head), "stopped")
        self.undo.roll_back(c)
        spent = self._clock.steady() - started
        self._clock.sleep(self._limits.settle_s)
        self._idle(0.5)
        self._renew(c)
        settled = self._clock.steady()
        self.undo.roll_back(c)
        spent += self._clock.steady() - settled
        author = self.before() if c.head.known else None
        if author is not None:  # what this family did began while nobody watched
            self.convict(author, "while_dead")
        if c.blocked:
            self.waiting.add(c, c.head.id, lambda: self._write_end(c))
            return
        self._write_end(c)
        done = (c.restored, len(c.lost), len(c.newest), len(c.quarantined), len(c.left))
        if c.said == done:
            return  # a late notification that changed nothing
        c.said = done
        self._say(rolled_back(c, c.head.id, self._clock.wall_ns(), spent))
        self._tell.kind(c)

    def _write_end(self, c: Conviction) -> None:
        members = self._processes.members(c.head)
        self._diary.write(c, members, "frozen" if c.action == "frozen" else "done")

    def _renew(self, c: Conviction) -> None:
        """An unknown writer that was convicted is followed by another record, already under suspicion."""
        fresh = self.renew(c.head)
        if fresh is None:
            return
        self._idle(10.0)
        reason = Reason(
            why_fr="suite d'une attaque dont l'auteur n'est pas connu avec certitude",
            why_en="follows an attack whose author is not known for certain",
            score=self._limits.convict - 1.0,
        )
        self._scores.add((fresh.id,), Mark(file=b"", reasons=(reason,), at_s=self._clock.steady()))

    def look_at_frozen(self) -> None:
        """Frozen families that were woken are stopped again; those of which nobody lives wait for nothing."""
        for family, head in list(self.frozen.items()):
            if not head.known:
                continue
            if self._processes.members(head):
                self.late(head)
                continue
            del self.frozen[family]
            conviction = self.convicted.get(head)
            if conviction is not None and conviction.action == "frozen":
                conviction.action, conviction.said = "none", ()  # once more over what it touched
                self._queue(conviction)
            else:
                self._tell.ended(head)

    def decide(self, family: str, verb: str) -> bool:
        """A person decided about a frozen family: "thaw" it or "kill" it; False if there is none."""
        head = self.frozen.pop(family, None)
        if head is None:
            return False
        conviction = self.convicted.pop(head, None)
        self._diary.drop(head.id)
        if verb == "thaw":
            self._hands.thaw(head)
        else:
            self._hands.kill(head)
            if conviction is not None:
                conviction.action = "killed"
                self.convicted[head] = conviction
                self._todo.put(conviction)
        return True

    def close(self) -> None:
        self._todo.put(None)
