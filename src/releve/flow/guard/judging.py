"""Stage three, judge: what a change did to a file, for whom, and who is convicted by it."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from releve.detect.ransom import content
from releve.detect.ransom.content import Change, Verdict
from releve.detect.ransom.glance import glance, rehearse
from releve.detect.ransom.limits import Limits
from releve.detect.ransom.pairs import Fresh, Gone, Pairs, common
from releve.detect.ransom.score import Mark, Scores
from releve.flow.guard.book import Book
from releve.flow.guard.desk import Desk
from releve.flow.guard.pace import Pace
from releve.flow.guard.work import Job, What
from releve.flow.ports import Bytes, Clock, Contain, Keeper
from releve.model.held import Generation, Judged, Kind, Name, is_same
from releve.model.lines import Alert
from releve.model.process import Process
from releve.sense import fanotify

_JUDGED = {Verdict.CLEAN: Judged.CLEAN, Verdict.UNKNOWN: Judged.UNKNOWN, Verdict.BAD: Judged.BAD}


def _canary(points: float) -> Change:
    """One witness made unreadable is enough."""
    reason = content.Reason(
        why_fr="un fichier témoin, que personne n'a de raison de toucher, est devenu illisible",
        why_en="a witness file, which nobody has a reason to touch, became unreadable",
        score=points,
    )
    return Change(points=points, verdict=Verdict.BAD, reasons=(reason,))


class _Live(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last look at a living file: its ctime then, when, and the verdict."""

    changed_ns: int
    at: float
    judged: Judged


class _Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was damaged when it was looked at, and still open."""

    job: Job
    change: Change
    changed_ns: int
    name: Name | None


class Judge:
    """Takes jobs from the judge desk; convicts through `convict(head, kind)`.

    Args:
        contain: tells one remote client from another.
        suspend: holds a family still (True) or lets it go on (False).
        protected: answers the number of living originals.
    """

    def __init__(
        self,
        desk: Desk[Job],
        book: Book,
        scores: Scores,
        clock: Clock,
        limits: Limits,
        convict: Callable[[Process, str], None],
        say: Callable[[object], None],
        protected: Callable[[], int],
        is_convicted: Callable[[Process], bool],
        suspend: Callable[[Process, bool], None],
        contain: Contain,
        pace: Pace,
    ) -> None:
        self._desk, self._book, self._scores, self._clock = desk, book, scores, clock
        self._limits, self._convict, self._say = limits, convict, say
        self._protected, self._is_convicted = protected, is_convicted
        self._suspend, self._contain = suspend, contain
        self._pace = pace
        self.canaries: frozenset[bytes] = frozenset()  # files nobody has a reason to change
        self._canary = _canary(limits.canary)
        self._suspects: dict[Process, float] = {}
        self._suspected: set[str] = set()  # once per process: a pause is not to be repeated
        self._pairs = Pairs(limits.opaque_memory, limits.deleted_before_s)
        self._doubts: dict[Process, dict[bytes, _Doubt]] = {}
        self._live: OrderedDict[bytes, _Live] = OrderedDict()
        self._processes: dict[str, Process] = {}
        self._young: OrderedDict[bytes, tuple[float, Job]] = OrderedDict()  # new files, until when
        self._carried: Process | None = None
        self._carried_until = 0.0

    def rehearse(self, keeper: Keeper) -> None:
        """Before the first file is judged: what a first time costs is paid now."""
        rehearse()
        keeper.generations(0)
        keeper.node_by_id(0)

    def carry(self, absent: Process, until: float) -> None:
        """What was found at a start and what goes on right after it may be one attack: they add up."""
        self._carried, self._carried_until = absent, until
        self._processes[absent.id] = absent

    def work(self, wait_s: float) -> bool:
        """Do one job; False when there was none."""
        if self._suspects:
            self._let_go()
            wait_s = 0.002
        if self._young:
            wait_s = min(wait_s, self._look_at_young())
        job = self._desk.get(wait_s)
        if job is None:
            return False
        began = self._clock.steady()
        try:
            self.judge(job)
        except OSError:
            pass  # the file or its held copy went away while it was read: what took it is judged instead
        finally:
            self._desk.done()
        if self._book.maker(job.file) is not None:
            self._pace.rest(job, self._clock.steady() - began, len(self._desk))
        return True

    def judge(self, job: Job) -> None:
        """Judge one piece of work now."""
        if self._is_convicted(job.process):
            return  # it is being undone
        match job.what:
            case What.CLOSED:
                self._closed(job)
            case What.OPEN:
                self._open(job)
            case What.REPLACED:
                self._replaced(job)
            case What.GONE:
                self._gone(job)

    def _let_go(self) -> None:
        """Suspects against whom nothing more was found go on."""
        now = self._clock.steady()
        for head, until in list(self._suspects.items()):
            if now > until or self._is_convicted(head):
                del self._suspects[head]
                self._suspend(head, False)

    # content changed

    def _open(self, job: Job, *, is_due: bool = False) -> None:
        """What stands there now, at once: holding may take long (a clone first flushes its source)."""
        now = self._clock.steady()
        keeper = job.volume.keeper
        if job.mask & fanotify.CLOSE_WRITE:
            self._settle_doubt(job)
        changed = keeper.changed_ns(job.key)
        known = self._live.get(job.file)
        if not changed or (known is not None and known.changed_ns == changed):
            return
        closed = job.mask & fanotify.CLOSE_WRITE
        if not closed and known is not None and now - known.at < self._limits.judge_open_every_s:
            self._desk.put_later(self._limits.judge_open_every_s, job.process.pid, job.file, job)
            return
        node = keeper.node(job.key)
        before = self._before(job, node.id, None, file=job.file) if node is not None else None
        if before is not None and is_same(
            before, changed, self._clock.now_ns() - self._clock.wall_ns()
        ):
            return  # it is held as it is
        if before is None and not closed:
            return  # a new file is judged once it is whole
        if before is None and not is_due and self._may_wait(job, now):
            return
        after = keeper.read_now(job.key)
        try:
            name = job.name or (keeper.last_name(node.id) if node is not None else None)
            if before is None:
                judged = self._fresh(job, after, name, changed)
            else:
                change = self._change(job, before, after, name)
                judged = _JUDGED[change.verdict]
                # Saved again and again, a file may be open anew by the time its close is looked at.
                whole = closed and not (change.points and keeper.is_being_written(job.key))
                if whole or not self._is_doubtful(job, change, changed, name):
                    self._take(job, change, job.file, name)
        finally:
            after.close()
        if keeper.changed_ns(job.key) == changed and (closed or judged is not Judged.BAD):
            self._remember(job.file, _Live(changed_ns=changed, at=now, judged=judged))

    def _is_doubtful(self, job: Job, change: Change, changed: int, name: Name | None) -> bool:
        """A file in the middle of being saved is damaged too: wait for its close, or for more of them."""
        if change.verdict is not Verdict.BAD:
            return False
        doubts = self._doubts.setdefault(job.process, {})
        old = doubts.get(job.file)
        if old is not None and old.changed_ns == changed:
            del doubts[job.file]
            return False  # nothing moved since: it was left like this
        doubts[job.file] = _Doubt(job=job, change=change, changed_ns=changed, name=name)
        if len(doubts) >= self._limits.doubts:
            for doubt in self._doubts.pop(job.process).values():
                with contextlib.suppress(OSError):  # gone meanwhile: what took it is judged instead
                    self._take_doubt(doubt)
            return True
        self._live.pop(job.file, None)
        self._desk.put_later(self._limits.doubt_s, job.process.pid, (job.file, "doubt"), job)
        return True

    def _take_doubt(self, doubt: _Doubt) -> None:
        """One of several damaged at once; one that moved since may be whole by now: look again."""
        job, change, keeper = doubt.job, doubt.change, doubt.job.volume.keeper
        if keeper.changed_ns(job.key) != doubt.changed_ns:
            node = keeper.node(job.key)
            before = self._before(job, node.id, None, file=job.file) if node is not None else None
            if before is None:
                return
            after = keeper.read_now(job.key)
            try:
                change = self._change(job, before, after, doubt.name)
            finally:
                after.close()
        self._take(job, change, job.file, doubt.name)

    def _settle_doubt(self, job: Job) -> None:
        """The file was closed: what it is now counts, not what it was on the way."""
        doubts = self._doubts.get(job.process)
        if doubts is not None:
            doubts.pop(job.file, None)
            if not doubts:
                del self._doubts[job.process]

    def _remember(self, file: bytes, live: "_Live") -> None:
        self._live[file] = live
        self._live.move_to_end(file)
        if len(self._live) > 4096:
            self._live.popitem(last=False)

    def _closed(self, job: Job) -> None:
        """The held copy of a save: judged as the live file was if it is the same, else by itself."""
        held = job.held
        if held is None or held.facts is None or held.facts.kind is not Kind.FILE:
            return
        keeper = job.volume.keeper
        new = held.generation
        if new is None or new.judged is not Judged.NOT_YET:
            return
        known = self._live.get(job.file)
        if known is not None and known.changed_ns == new.facts.ctime_ns:
            keeper.judge(new.id, known.judged)
            return
        before = self._before(job, held.node, new, file=job.file)
        if before is not None and not new.settled:
            return  # somebody still writes: the living file is judged, at its close or as a doubt
        name = job.name or keeper.last_name(held.node)
        after = keeper.read(new)
        try:
            if before is None:
                whole = new.settled or job.tries > 1
                judged = self._fresh(job, after, name, new.facts.ctime_ns, whole=whole)
            else:
                judged = self._compare(job, before, after, name)
        finally:
            after.close()
        keeper.judge(new.id, judged)

    def _before(
        self, job: Job, node: int, new: Generation | None, *, file: bytes = b""
    ) -> Generation | None:
        """The last sound version that is older than `new`.

        Args:
            file: named by who judges its content: what was held of a new file while it was being
                written is no version of it.
        """
        older = [g for g in job.volume.keeper.generations(node) if new is None or g.id < new.id]
        sound = [g for g in older if g.judged is Judged.CLEAN and g.settled]
        if sound:
            return sound[-1]
        rest = [g for g in older if g.judged in (Judged.CLEAN, Judged.UNKNOWN)]
        if file and self._book.maker(file) is not None:
            rest = [g for g in rest if g.settled]
        return rest[0] if rest else None

    def _compare(self, job: Job, before: Generation, after: Bytes, name: Name | None) -> Judged:
        change = self._change(job, before, after, name)
        self._take(job, change, job.file, name)
        return _JUDGED[change.verdict]

    def _change(self, job: Job, before: Generation, after: Bytes, name: Name | None) -> Change:
        held = job.volume.keeper.read(before)
        text = name.name.decode(errors="replace") if name else ""
        try:
            change = glance(held, after) or content.compare(
                held, after, before_name=text, after_name=text
            )
        finally:
            held.close()
        if change.verdict is Verdict.UNKNOWN and not change.points and self._is_new(job):
            # Nobody's original, and readable: somebody else's work for all we know.
            if not content.opaque(content.created(after, text)):
                return msgspec.structs.replace(change, verdict=Verdict.CLEAN)
        return change

    def _is_new(self, job: Job) -> bool:
        """Made by an unknown writer, and not an original of ours."""
        touch = None if job.process.known else self._book.find(job.process, job.file)
        return touch is not None and touch.created

    def _take(self, job: Job, change: Change, file: bytes, name: Name | None) -> None:
        self._note(job, file, _JUDGED[change.verdict])
        if change.points > 0:
            self._count(job, change, file, name, tuple(p.id for p in self._chain(job.process)))

    def _note(self, job: Job, file: bytes, judged: Judged) -> None:
        """What the last look at this touch said; bad stays bad."""
        touch = self._book.find(job.process, file)
        if touch is not None and judged is Judged.BAD and not touch.bad_ns:
            touch.bad_ns = job.seen_ns
        if touch is not None and touch.judged is not Judged.BAD:
            touch.judged = judged

    # new files

    def _may_wait(self, job: Job, now: float) -> bool:
        """Most new files of a save are gone in a moment; none waits while an original is missing."""
        if self._pairs.awaits(now):
            return False
        self._young[job.file] = (now + self._limits.young_s, job)
        return True

    def _look_at_young(self, *, all_of_them: bool = False) -> float:
        """Look at the new files whose time has come; answers how long the next may wait."""
        while self._young:
            file, (until, job) = next(iter(self._young.items()))
            left = until - self._clock.steady()
            if left > 0 and not all_of_them:
                return left
            del self._young[file]
            if not self._is_convicted(job.process):
                with contextlib.suppress(OSError):  # it went away meanwhile
                    self._open(job, is_due=True)
        return 1.0

    def _fresh(
        self, job: Job, after: Bytes, name: Name | None, changed_ns: int, *, whole: bool = True
    ) -> Judged:
        """Look at a new file; one that is not whole yet stands for nothing that is gone."""
        text = name.name.decode(errors="replace") if name else ""
        opaque = content.opaque(content.created(after, text))
        lineage = tuple(p.id for p in self._chain(job.process))
        judged = Judged.UNKNOWN if opaque else Judged.CLEAN if after.size else Judged.NOT_YET
        self._note(job, job.file, judged)
        if not opaque and after.size:
            self._scores.created(lineage, self._clock.steady())
        fresh = Fresh(
            file=job.file,
            name=name.name if name else b"",
            size=after.size,
            opaque=opaque,
            lineage=lineage,
            at_s=self._clock.steady(),
            changed_ns=changed_ns,
        )
        gone = self._pairs.add_fresh(fresh, match=whole)
        if gone is not None:
            self._stands_for(job, gone, fresh)
        return judged

    def _replaced(self, job: Job) -> None:
        """A new file was renamed over an original: the old content against the new, under one name."""
        keeper = job.volume.keeper
        before = self._before(job, job.old, None)
        node = keeper.node(job.key)
        if before is None:
            return
        self._pairs.forget(job.file)
        generations = keeper.generations(node.id) if node is not None else []
        new = generations[-1] if generations else None
        after = keeper.read_now(job.key)  # what stands there: a held version may be from mid-save
        held = keeper.read(before)
        text = job.name.name.decode(errors="replace") if job.name else ""
        try:
            change = content.compare(held, after, before_name=text, after_name=text)
        finally:
            held.close()
            after.close()
        old = keeper.node_by_id(job.old)
        original = job.volume.fsid + old.key if old else job.file
        self._take(job, change, original, job.name)
        self._note(job, job.file, _JUDGED[change.verdict])
        if new is not None:
            keeper.judge(new.id, _JUDGED[change.verdict])

    # originals gone

    def _gone(self, job: Job) -> None:
        keeper = job.volume.keeper
        node = keeper.node_by_id(job.old)
        if node is None or job.name is None:
            return
        lineage = tuple(p.id for p in self._chain(job.process))
        self._young.pop(job.file, None)
        fresh = self._pairs.forget(job.file)
        if self._is_own_work(job, lineage) or (
            fresh is not None and common(fresh.lineage, lineage)
        ):
            return  # its own new file: temporary work, no original
        self._look_at_young(all_of_them=True)
        size = max((g.facts.size for g in keeper.generations(node.id)), default=node.facts.size)
        gone = Gone(
            file=job.file, name=job.name.name, size=size, lineage=lineage, at_s=self._clock.steady()
        )
        found = self._pairs.add_gone(gone)
        if found is not None:
            self._stands_for(job, gone, found)
            return
        archive = self._pairs.archive(gone)
        if archive is not None and self._is_still_opaque(job, archive):
            name = archive.name.decode(errors="replace")
            reason = content.Reason(
                why_fr=f"original supprimé après l'écriture d'une archive illisible ({name})",
                why_en=f"original deleted after an unreadable archive was written ({name})",
                score=self._limits.archived,
            )
            change = Change(points=reason.score, verdict=Verdict.BAD, reasons=(reason,))
            self._count(job, change, job.file, job.name, common(archive.lineage, lineage))
            return
        head = self._scores.deleted(lineage, self._protected, self._clock.steady())
        if head is not None:
            self._mass_deletion(job, head)

    def _is_still_opaque(self, job: Job, fresh: Fresh) -> bool:
        """An archive that was looked at while it was written may read now that it is whole."""
        keeper, key = job.volume.keeper, fresh.file[8:]
        changed = keeper.changed_ns(key) if fresh.file[:8] == job.volume.fsid else 0
        if changed in (0, fresh.changed_ns):
            return True
        now = keeper.read_now(key)
        try:
            shape = content.created(now, fresh.name.decode(errors="replace"))
        finally:
            now.close()
        opaque = content.opaque(shape)
        self._pairs.look_again(
            msgspec.structs.replace(fresh, opaque=opaque, size=now.size, changed_ns=changed)
        )
        return opaque

    def _is_own_work(self, job: Job, lineage: tuple[str, ...]) -> bool:
        """The family made this file itself a moment ago."""
        made = self._book.maker(job.file)
        if made is None or job.seen_ns - made[1] > self._limits.own_work_s * 1e9:
            return False
        return bool(common(lineage, [p.id for p in made[0].chain()]))

    def _stands_for(self, job: Job, gone: Gone, fresh: Fresh) -> None:
        """`fresh` stands for the original `gone`: honest if it really holds it."""
        keeper = job.volume.keeper
        node = keeper.node(gone.file[8:])
        before = self._before(job, node.id, None) if node else None
        if before is None or gone.file[:8] != job.volume.fsid:
            return
        lineage = common(fresh.lineage, gone.lineage)
        held = keeper.read(before)
        try:
            new = keeper.read_now(fresh.file[8:])
        except OSError:
            held.close()
            return
        try:
            change = content.replaced(
                held,
                new,
                before_name=gone.name.decode(errors="replace"),
                new_name=fresh.name.decode(errors="replace"),
            )
        finally:
            held.close()
            new.close()
        if change.points > 0:
            self._count(
                job, change, gone.file, keeper.last_name(node.id) if node else None, lineage
            )
        else:
            self._scores.created(lineage, self._clock.steady())

    def _mass_deletion(self, job: Job, head: str) -> None:
        process = self._find(job.process, head)
        if process is not None:
            self._convict(process, "mass_deletion")
        if process is self._carried and job.process is not process:
            self._convict(self._own_head(job.process), "mass_deletion")

    # counting

    def _chain(self, process: Process) -> list[Process]:
        chain = process.chain() or [process]
        if self._carried is None or process is self._carried:
            return chain
        if self._clock.steady() > self._carried_until:
            self._carried = None
            return chain
        return [*chain, self._carried]

    def _own_head(self, process: Process) -> Process:
        """Of a writer whose part alone would not convict: the lowest that destroyed more than one file."""
        chain = process.chain() or [process]
        return next((p for p in chain if len(self._scores.marks(p.id)) > 1), chain[0])

    def _count(
        self, job: Job, change: Change, file: bytes, name: Name | None, lineage: tuple[str, ...]
    ) -> None:
        """Points to the writer and its ancestors, to its user's minute and day, to the folder's day."""
        self._pace.hurry()
        now = self._clock.steady()
        path = ""
        if file in self.canaries:
            change = self._canary
        if name is not None:
            path = job.volume.keeper.path(name)
        mark = Mark(file=file, reasons=change.reasons, at_s=now, path=path)
        head = self._scores.add(lineage, mark)
        if head is not None:
            process = self._find(job.process, head)
            if process is not None and process is self._carried:
                self._convict(process, "while_dead")
                if job.process is not process:
                    self._convict(self._own_head(job.process), "score")
            elif process is not None:
                self._convict(process, "score")
            return
        if self._contain.is_blocked(job.process):
            self._convict(job.process, "client")  # another connection of a client that was stopped
            return
        if change.points and self._scores.total(lineage[0]) >= self._limits.suspect:
            self._hold_still(job.process, lineage[0], now)
        self._count_slow(job, change.points, lineage, now)

    def _hold_still(self, process: Process, wanted: str, now: float) -> None:
        """Two files gone within a moment: it waits while the rest of what it did is looked at."""
        head = self._find(process, wanted)
        if head is not None and head not in self._suspects and head.id not in self._suspected:
            self._suspected.add(head.id)
            self._suspects[head] = now + self._limits.suspect_s
            self._suspend(head, True)

    def _count_slow(self, job: Job, points: float, lineage: tuple[str, ...], now: float) -> None:
        carried = self._carried.id if self._carried is not None else ""
        own = [one for one in lineage if one != carried]
        top = self._find(job.process, own[-1]) if own else None
        if top is not None and top.uid >= 0:
            self._processes[top.id] = top
            who_pays = self._contain.client(job.process) or f"user {top.uid}"
            for head in self._scores.add_to_pool(who_pays, top.id, points, now):
                process = self._processes.pop(head, None)
                if process is not None:
                    self._convict(process, "pool")
        for who, label in (
            (f"user {job.process.uid}", f"l'utilisateur {job.process.uid}"),
            (f"folder {job.folder}", f"le dossier {job.volume.keeper.folders[job.folder]}"),
        ):
            total = self._scores.add_to_day(who, lineage, points, now)
            if total is not None:
                self._say(
                    Alert(
                        kind="slow_score",
                        folder=job.volume.keeper.folders[job.folder],
                        why=f"Sur 24 heures, {label} totalise {total:.0f} points de destruction, "
                        "sans qu'un programme seul suffise à l'expliquer : à regarder.",
                        why_en=f"Over 24 hours {who} adds up to {total:.0f} points of destruction that no "
                        "single program explains: worth a look.",
                    )
                )

    def _find(self, process: Process, wanted: str) -> Process | None:
        for ancestor in self._chain(process):
            if ancestor.id == wanted:
                return ancestor
        return self._processes.get(wanted)
