"""Stop, kill, roll back, quarantine, settle: what follows from a conviction, journaled first."""

import datetime as dt
import queue
from collections.abc import Callable, Container, Iterable

import msgspec

from releve.detect.ransom.content import Reason
from releve.detect.ransom.limits import Limits
from releve.detect.ransom.score import Mark, Scores
from releve.flow.guard.book import Book, merge
from releve.flow.guard.work import Volume
from releve.flow.ports import Clock, Contain, Hands, Processes
from releve.model.held import Generation, Judged, Kind, Name, Node
from releve.model.lines import Alert, Point, RolledBack, Stopped
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

_encode = msgspec.msgpack.Encoder().encode
_SAME_NS = 60_000_000  # /proc tells starts in ticks of 10 ms, fork records in ns


class Member(msgspec.Struct, frozen=True):
    """A process as the journal remembers it."""

    pid: int
    start_ns: int


class Journal(msgspec.Struct, kw_only=True):
    """A conviction on disk: enough to finish it after a kill -9."""

    family: str
    at_ns: int
    bad_since_ns: int
    members: list[Member]
    writers: list[str]
    touches: list[Touch]
    kill: bool = True
    known: bool = True


class Conviction(msgspec.Struct, kw_only=True):
    """One family on its way from conviction to rolled back."""

    head: Process
    kind: str  # "score", "pool", "mass_deletion", "while_dead", "order", "journal"
    action: str
    bad_since_ns: int
    marks: list[Mark]
    tree: set[Process]
    seen: dict[bytes, tuple[int, Judged]] = {}
    restored: int = 0
    lost: list[str] = []
    newest: list[str] = []
    quarantined: list[str] = []
    beside: list[str] = []
    said: tuple[int, ...] = ()


class Responder:
    """Carries convictions out, one after the other, on its own thread.

    Args:
        volumes: by file system id.
        say: where lines go.
        idle: waits (bounded) until everything noticed so far was read, held and judged.
        wait_read: waits (bounded, short) until the notifications made so far were read.
        spare: says whether the family must be frozen instead of killed (it carries care).
        contain: what stops a remote client instead of a local program.
    """

    def __init__(  # noqa: PLR0913
        self,
        volumes: dict[bytes, Volume],
        book: Book,
        scores: Scores,
        processes: Processes,
        hands: Hands,
        contain: Contain,
        clock: Clock,
        limits: Limits,
        say: Callable[[object], None],
        idle: Callable[[float], None],
        wait_read: Callable[[], None],
        spare: Callable[[Process], bool],
        *,
        enforce: bool,
    ) -> None:
        self._volumes, self._book, self._scores = volumes, book, scores
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
        self.unseen = ("", 0.0)  # whoever wrote while nobody watched, and for how long that counts
        self.unseen_ns = clock.now_ns()
        self._would: set[str] = set()
        self._working = False
        self._still: dict[Process, int] = {}

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
        stopped_ns = self._hands.freeze(head)
        self._note_still(head)
        if head in self._still and not head.children:
            stopped_ns = self._still[head]  # seen still then, and nothing was born since
        if kind != "order" and not self._is_confirmed(head, kind):
            self._hands.thaw(head)
            self._note_thawed(head)
            return
        self._book_convicted(head, kind, stopped_ns)

    def suspend(self, head: Process, still: bool) -> None:
        """Hold a suspected family still, or let it go on; a convicted one stays as it is."""
        if not self.enforce or not head.known or self._contain.serves(head):
            return
        if still:
            stopped_ns = self._hands.freeze(head)
            self._note_still(head)
            self._still[head] = stopped_ns
        else:
            self._still.pop(head, None)
            if not self.is_convicted(head):
                self._hands.thaw(head)
                self._note_thawed(head)

    def _note_still(self, head: Process) -> None:
        """As soon as they are frozen: a guard that dies now must find them, to let them go on."""
        if not head.known or head in self._still:
            return
        members = [Member(p.pid, p.start_ns) for p in self._processes.members(head)]
        journal = Journal(
            family=head.id, at_ns=self._clock.now_ns(), bad_since_ns=0, members=members, writers=[], touches=[]
        )  # fmt: skip
        keeper = next(iter(self._volumes.values())).keeper
        keeper.put_conviction(head.id, journal.at_ns, "still", _encode(journal))
        keeper.commit()

    def _note_thawed(self, head: Process) -> None:
        keeper = next(iter(self._volumes.values())).keeper
        keeper.drop_conviction(head.id)

    def _would_stop(self, head: Process, kind: str) -> None:
        if not self._is_confirmed(head, kind):
            return
        self._would.add(head.id)
        tree, marks = set(head.tree()), self._scores.marks(head.id)
        bad_since = self._bad_since(tree, marks, kind)
        now = self._clock.now_ns()
        self._say(self._stopped(head, tree, marks, kind, bad_since, now, "would_stop", ()))
        self._scores.settle([p.id for p in head.chain()] or [head.id])

    def _is_confirmed(self, head: Process, kind: str) -> bool:
        """Drop the marks of files that somebody else wrote last; is there still enough?"""
        if kind not in ("score", "pool"):
            return True
        self._wait_read()
        tree = set(head.tree())
        lineage = [p.id for p in head.chain()] or [head.id]
        dropped = False
        for mark in self._scores.marks(head.id):
            last = self._book.last_writer(mark.file)
            if last is not None and last not in tree:
                self._scores.drop([p.id for p in tree] + lineage, mark.file)
                dropped = True
        return not dropped or self._scores.total(head.id) >= self._limits.convict

    def _book_convicted(self, head: Process, kind: str, stopped_ns: int) -> None:
        marks = self._scores.marks(head.id)
        bad_since = self._bad_since(set(head.tree()), marks, kind)
        client = self._contain.block(head)
        freeze = kind == "mass_deletion" or self._spare(head)
        action = "client_blocked" if client else "frozen" if freeze else "killed"
        members = self._processes.members(head)
        if not members and not client:
            action = "none"
        tree = set(head.tree())
        conviction = Conviction(
            head=head,
            kind=kind,
            action=action,
            bad_since_ns=bad_since,
            marks=marks,
            tree=tree,
            seen={},
            lost=[],
            newest=[],
            quarantined=[],
            beside=[],
        )
        self.convicted[head] = conviction
        self.on_convicted(head)
        self._write_journal(conviction, members, "stopped")
        self._say(
            self._stopped(head, tree, marks, kind, bad_since, stopped_ns, action, members, client)
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
        if conviction is not None and conviction.action in ("killed", "none"):
            self._hands.freeze(head)
            self._todo.put(conviction)

    def again(self, head: Process) -> None:
        """More of what a convicted family did was found: undo that too."""
        conviction = self.convicted.get(head)
        if conviction is not None:
            self._todo.put(conviction)

    def work(self, wait_s: float) -> bool:
        """Carry out one conviction; False when there was none."""
        try:
            conviction = self._todo.get(timeout=wait_s)
        except queue.Empty:
            return False
        self._working = True
        try:
            if conviction is not None:
                self._carry_out(conviction)
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
            self._hands.kill(c.head)
        self._idle(
            0.5 if c.head.known else 30.0
        )  # unknown: what is not judged cannot be told apart
        # What was read since the conviction is known now: a restart must find that as well.
        self._write_journal(c, self._processes.members(c.head), "stopped")
        self._roll_back(c)
        spent = self._clock.steady() - started
        self._clock.sleep(self._limits.settle_s)
        self._idle(0.5)
        self._renew(c)
        settled = self._clock.steady()
        self._roll_back(c)
        spent += self._clock.steady() - settled
        self._write_journal(
            c, self._processes.members(c.head), "frozen" if c.action == "frozen" else "done"
        )
        done = (c.restored, len(c.lost), len(c.newest), len(c.quarantined))
        if c.said == done:
            return  # a late notification that changed nothing
        c.said = done
        self._say(
            RolledBack(
                family=c.head.id,
                restored=c.restored,
                lost=tuple(c.lost),
                newest_save_lost=tuple(c.newest),
                quarantined=tuple(c.quarantined),
                kept_both=tuple(c.beside),
                rollback_ms=round(spent * 1000, 1),
                at=_iso(self._clock.now_ns()),
            )
        )
        self._say_kind(c)

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
        """Frozen families of which nobody lives any more wait for no decision."""
        for family, head in list(self.frozen.items()):
            if head.known and not self._processes.members(head):
                del self.frozen[family]
                self._say_ended(head)

    def _say_ended(self, head: Process) -> None:
        self._say(
            Alert(
                kind="family_ended",
                family=head.id,
                at=_iso(self._clock.now_ns()),
                why=f"{head.program or 'Le programme'} ne tourne plus ; ce qu'il a fait est annulé.",
                why_en=f"{head.program or 'The program'} no longer runs; what it did is undone.",
            )
        )

    def _say_kind(self, c: Conviction) -> None:
        if c.action == "none" and c.head.known:
            self._say_ended(c.head)
        if c.action == "none" and not c.head.known:
            self._say(
                Alert(
                    kind="writer_unknown",
                    family=c.head.id,
                    at=_iso(self._clock.now_ns()),
                    why="Des fichiers ont été détruits puis remis, mais aucun programme n'a pu être désigné "
                    "avec certitude : aucun n'a été arrêté. Cherchez ce qui tourne, la garde continue.",
                    why_en="Files were destroyed and given back, but no program could be named for certain: "
                    "none was stopped. Look at what is running; the guard goes on.",
                )
            )
        if c.action == "frozen":
            self._say(
                Alert(
                    kind="frozen",
                    family=c.head.id,
                    at=_iso(self._clock.now_ns()),
                    why=f"{c.head.program or 'Un programme'} est suspendu, ses effets sont annulés : "
                    f"à vous de décider (`releve guard thaw {c.head.id}` ou `releve guard kill {c.head.id}`).",
                    why_en=f"{c.head.program or 'A program'} is frozen and its effects undone: you decide "
                    f"(`releve guard thaw {c.head.id}` or `releve guard kill {c.head.id}`).",
                )
            )

    # rolling back

    def _roll_back(self, c: Conviction) -> None:
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
        writers = _writers(c.tree)
        if self._clock.steady() < self.unseen[1]:
            writers.add(self.unseen[0])
        plan: list[tuple[Touch, Node, Volume, Decision]] = []
        directories: list[tuple[Touch, Node, Volume]] = []
        for touch in touches.values():
            volume = self._volumes[touch.file[:8]]
            node = volume.keeper.node(touch.file[8:])
            if node is None:
                continue
            if node.facts.kind is Kind.DIRECTORY:
                directories.append((touch, node, volume))
            else:
                plan.append((touch, node, volume, self._decide(c, touch, node, volume, writers)))
        plan.sort(key=lambda step: not isinstance(step[3], Quarantine))
        self._move_directories_back(directories)
        for touch, node, volume, decision in plan:
            self._do(c, touch, node, volume, decision)
        self._settle_directories(c, directories)
        for volume in self._volumes.values():
            volume.keeper.commit()

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
            others_last_ns=self._book.last_save_of_others(c.tree, touch.file),
            window_ns=int(window * 1e9),
            author_known=c.head.known,
        )

    def _do(
        self, c: Conviction, touch: Touch, node: Node, volume: Volume, decision: Decision
    ) -> None:
        path = self._shown(volume, node, touch)
        try:
            match decision:
                case LeaveAsIs():
                    return
                case Quarantine():
                    c.quarantined += volume.give_back.quarantine(node)
                case Unrecoverable(newest_only=newest_only):
                    if node.facts.kind is Kind.LINK:
                        self._link_back(c, touch, node, volume)
                    else:
                        (c.newest if newest_only else c.lost).append(path)
                case PutBack(generation=generation, beside=beside, newest_lost=newest_lost):
                    beside = beside and self._current(volume, node) not in self.proved(c.head)
                    self._put_back(c, touch, node, volume, generation, path, beside=beside)
                    if newest_lost:
                        c.newest.append(path)
        except OSError as error:
            c.lost.append(path)
            self._say(
                Alert(
                    kind="put_back_failed",
                    family=c.head.id,
                    folder=volume.keeper.folders[node.folder],
                    why=f"Un fichier n'a pas pu être remis : {error.strerror}. L'original reste gardé ; "
                    "`releve restore` le rendra quand la cause sera levée.",
                    why_en=f"A file could not be put back: {error.strerror}. Its original stays held; "
                    "`releve restore` gives it back once the cause is gone.",
                )
            )

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
        stamp = dt.datetime.fromtimestamp(self._clock.now_ns() / 1e9, dt.UTC).strftime(
            "%Y-%m-%d %Hh%M"
        )
        done = volume.give_back.file(node, generation, names, stamp=stamp, beside=beside)
        c.restored += done.changed
        if done.beside:
            c.beside.append(done.beside)

    def _link_back(self, c: Conviction, touch: Touch, node: Node, volume: Volume) -> None:
        for name in self._wanted(volume, node, touch):
            c.restored += volume.give_back.link(node, name)

    def _wanted(self, volume: Volume, node: Node, touch: Touch) -> list[Name]:
        """Names before the family came: those it took away, and those it left alone."""
        left = [n for n in volume.keeper.names(node.id) if n not in touch.became]
        wanted = list(dict.fromkeys((*touch.was, *left))) or volume.keeper.names(node.id)
        # A stale name in a folder that nobody knows any more must not keep the file from coming back.
        known = [n for n in wanted if not volume.keeper.path(n).startswith("?")]
        return known or wanted

    def _current(self, volume: Volume, node: Node) -> str:
        name = volume.keeper.last_name(node.id)
        return volume.keeper.path(name) if name else ""

    def _shown(self, volume: Volume, node: Node, touch: Touch) -> str:
        name = touch.was[0] if touch.was else volume.keeper.last_name(node.id)
        return volume.keeper.path(name) if name else "?"

    def _move_directories_back(self, directories: Iterable[tuple[Touch, Node, Volume]]) -> None:
        for touch, node, volume in directories:
            if touch.was and not touch.created:
                try:
                    volume.give_back.rename_directory(node, touch.was[0])
                except OSError:
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
            except OSError:
                continue  # not empty: others use it

    # what is said

    def _bad_since(self, tree: set[Process], marks: list[Mark], kind: str) -> int:
        """The family's first harmful act: its sound work before that is kept."""
        touches = self._book.of(tree)
        files = {mark.file for mark in marks}
        bad = [
            t.bad_ns or (t.last_ns if t.deleted else t.first_ns)
            for t in touches.values()
            if t.bad_ns
            or t.file in files
            or (t.created and t.judged not in (Judged.CLEAN, Judged.NOT_YET))
            or (kind == "mass_deletion" and t.deleted)
        ]
        return min(bad, default=self._clock.now_ns())

    def _stopped(
        self,
        head: Process,
        tree: set[Process],
        marks: list[Mark],
        kind: str,
        bad_since: int,
        stopped_ns: int,
        action: str,
        members: Iterable[Process],
        client: str = "",
    ) -> Stopped:
        touches = self._book.of(tree)
        originals = [
            t
            for t in touches.values()
            if not t.created
            and (t.wrote or t.deleted or t.was)
            and not (t.judged is Judged.CLEAN and t.last_ns < bad_since)
        ]
        first = self._first_write(originals, bad_since)
        points = tuple(
            Point(why=r.why_fr, why_en=r.why_en, score=r.score, path=mark.path)
            for mark in marks[:50]
            for r in mark.reasons
        )
        points += self.evidence(head)
        if kind == "mass_deletion":
            points += (
                Point(
                    why=f"{len(originals)} originaux supprimés sans rien écrire à leur place",
                    why_en=f"{len(originals)} originals deleted with nothing written in their place",
                    score=self._limits.convict,
                ),
            )
        return Stopped(
            family=head.id,
            points=points,
            files_touched=len(originals),
            action=action,
            first_write_to_stop_ms=round(max(0.0, (stopped_ns - first) / 1e6), 2),
            at=_iso(stopped_ns),
            program=head.program,
            user=self._contain.user(head) or (str(head.uid) if head.uid >= 0 else ""),
            client=client,
            pids=tuple(p.pid for p in members),
        )

    def _first_write(self, touches: list[Touch], bad_since: int) -> int:
        """Earliest ctime of a touched file; of a deleted one, when its deletion was noticed."""
        times = []
        for touch in sorted(touches, key=lambda t: t.first_ns)[:64]:
            volume = self._volumes[touch.file[:8]]
            changed = volume.keeper.changed_ns(touch.file[8:])
            node = volume.keeper.node(touch.file[8:])
            held = volume.keeper.generations(node.id) if node is not None else ()
            if changed and any(
                g.facts.ctime_ns == changed and g.judged is Judged.CLEAN for g in held
            ):
                continue  # opened and closed, nothing written: that time is an older one
            times.append(changed or touch.first_ns)
        return min([*times, bad_since])

    def _write_journal(self, c: Conviction, members: Iterable[Process], state: str) -> None:
        """On the first volume's index; a restart finishes what is not done."""
        journal = Journal(
            family=c.head.id,
            at_ns=self._clock.now_ns(),
            bad_since_ns=c.bad_since_ns,
            members=[Member(p.pid, p.start_ns) for p in members],
            writers=list(_writers(c.tree)),
            touches=list(self._book.of(c.tree).values()) if state == "stopped" else [],
            kill=c.action != "frozen",
            known=c.head.known,
        )
        keeper = next(iter(self._volumes.values())).keeper
        keeper.put_conviction(c.head.id, journal.at_ns, state, _encode(journal))
        keeper.commit()

    def decide(self, family: str, verb: str) -> bool:
        """A person decided about a frozen family: "thaw" it or "kill" it; False if there is none."""
        head = self.frozen.pop(family, None)
        if head is None:
            return False
        conviction = self.convicted.pop(head, None)
        self._note_thawed(head)
        if verb == "thaw":
            self._hands.thaw(head)
        else:
            self._hands.kill(head)
            if conviction is not None:
                conviction.action = "killed"
                self.convicted[head] = conviction
                self._todo.put(conviction)
        return True

    def stop_left(self) -> None:
        """After a restart, first of all: kill what still lives of open convictions, let suspects go."""
        for journal, state in self._open():
            for process in self._left(journal):
                if state == "still":
                    self._hands.thaw(process)
                elif state == "frozen":
                    self.frozen[journal.family] = process
                elif journal.kill:
                    self._hands.freeze(process)
                    self._hands.kill(process)

    def _open(self) -> list[tuple[Journal, str]]:
        keeper = next(iter(self._volumes.values())).keeper
        return [
            (msgspec.msgpack.decode(body, type=Journal), state)
            for _, _, state, body in keeper.open_convictions()
        ]

    def _left(self, journal: Journal) -> list[Process]:
        """Its members that still live, by pid and start."""
        found = [(m, self._processes.get(m.pid)) for m in journal.members]
        return [
            p for m, p in found if abs(p.start_ns - m.start_ns) < _SAME_NS and not p.is_boundary
        ]

    def finish(self, unseen: dict[bytes, Touch], absent: Process) -> set[bytes]:
        """After a restart: finish the roll-back of open convictions.

        Args:
            unseen: what changed while nobody watched; on files that such a family had touched it
                is taken for the family's.
            absent: stands for whoever did that.

        Returns: the files that were looked after.
        """
        keeper = next(iter(self._volumes.values())).keeper
        done: set[bytes] = set()
        for journal, state in self._open():
            if state == "stopped":
                c, touched = self._finish(journal, unseen, absent)
                done |= touched
                self._say(_rolled_back(c, journal.family, self._clock.now_ns()))
                if not journal.kill:
                    self.frozen.update((journal.family, p) for p in self._left(journal)[:1])
            if state != "frozen" and journal.family not in self.frozen:
                keeper.drop_conviction(journal.family)
            elif state == "stopped":
                keeper.put_conviction(journal.family, journal.at_ns, "frozen", _encode(journal))
        keeper.commit()
        return done

    def _finish(
        self, journal: Journal, unseen: dict[bytes, Touch], absent: Process
    ) -> tuple[Conviction, set[bytes]]:
        head = Process(0, journal.at_ns, None, program="journal", known=journal.known)
        c = Conviction(
            head=head,
            kind="journal",
            action="killed" if journal.kill else "frozen",
            bad_since_ns=journal.bad_since_ns,
            marks=[],
            tree={head},
            seen={},
            lost=[],
            newest=[],
            quarantined=[],
            beside=[],
        )
        touches: dict[bytes, Touch] = {}
        for touch in journal.touches:
            known = touches.get(touch.file)
            touches[touch.file] = merge(known, touch) if known is not None else touch
        for file, late in unseen.items():
            if file in touches:
                touches[file] = merge(touches[file], late)
            elif late.deleted and not late.created:
                # Deleted around the end of the guard, unread: giving it back harms nobody.
                touches[file] = late
        self._undo_as(c, touches, {*journal.writers, absent.id})
        return c, set(touches)

    def _undo_as(self, c: Conviction, touches: dict[bytes, Touch], writers: set[str]) -> None:
        """Undo with writers that live on only by their ids."""
        for writer in writers:
            pid, _, tick = writer.partition("-")
            c.tree.add(Process(int(pid), int(tick) * 10_000_000, None, known=False))
        self.undo(c, {f: t for f, t in touches.items() if t.file[:8] in self._volumes})

    def close(self) -> None:
        self._todo.put(None)


def _rolled_back(c: Conviction, family: str, now_ns: int) -> RolledBack:
    return RolledBack(
        family=family,
        restored=c.restored,
        lost=tuple(c.lost),
        newest_save_lost=tuple(c.newest),
        quarantined=tuple(c.quarantined),
        kept_both=tuple(c.beside),
        at=_iso(now_ns),
    )


def _writers(tree: Iterable[Process]) -> set[str]:
    """Ids under which a family's generations were held."""
    found: set[str] = set()
    for process in tree:
        found.add(process.id)
        found.update(process.former)
    return found


def _iso(ns: int) -> str:
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC).isoformat(timespec="milliseconds")
