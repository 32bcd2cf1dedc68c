"""Stage three, judge: what a change did to a file, for whom, and who is convicted by it."""

from collections.abc import Callable

from releve.detect.ransom import content
from releve.detect.ransom.content import Change, Verdict
from releve.detect.ransom.limits import Limits
from releve.detect.ransom.pairs import Fresh, Gone, Pairs, common
from releve.detect.ransom.score import Mark, Scores
from releve.flow.guard.book import Book
from releve.flow.guard.desk import Desk
from releve.flow.guard.work import Job, What
from releve.flow.ports import Bytes, Clock
from releve.model.held import Generation, Judged, Kind, Name
from releve.model.lines import Alert
from releve.model.process import Process

_JUDGED = {Verdict.CLEAN: Judged.CLEAN, Verdict.UNKNOWN: Judged.UNKNOWN, Verdict.BAD: Judged.BAD}


class Judge:
    """Takes jobs from the judge desk; convicts through `convict(head, kind)`.

    Args:
        settled: waits until the notifications made so far were read (bounded), so that the last
            writer of a file is known before anybody is blamed for it.
        protected: answers the number of living originals.
    """

    def __init__(  # noqa: PLR0913
        self, desk: Desk[Job], book: Book, scores: Scores, clock: Clock, limits: Limits,
        convict: Callable[[Process, str], None], say: Callable[[object], None],
        settled: Callable[[], None], protected: Callable[[], int],
        is_convicted: Callable[[Process], bool],
    ) -> None:
        self._desk, self._book, self._scores, self._clock = desk, book, scores, clock
        self._limits, self._convict, self._say = limits, convict, say
        self._settled, self._protected, self._is_convicted = settled, protected, is_convicted
        self._pairs = Pairs(limits.opaque_memory)
        self._judged_open: dict[bytes, float] = {}
        self._processes: dict[str, Process] = {}

    def work(self, wait_s: float) -> bool:
        """Do one job; False when there was none."""
        job = self._desk.get(wait_s)
        if job is None:
            return False
        try:
            self.judge(job)
        except OSError:
            pass  # the file or its held copy went away while it was read: what took it is judged instead
        finally:
            self._desk.done()
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

    # content changed

    def _closed(self, job: Job) -> None:
        held = job.held
        if held is None or held.facts is None or held.facts.kind is not Kind.FILE:
            return
        keeper = job.volume.keeper
        new = held.generation
        before = self._before(job, held.node, new)
        if new is not None and new.judged is not Judged.NOT_YET:
            return
        after = keeper.read(new) if new is not None else keeper.read_now(job.key)
        try:
            if before is None:
                self._fresh(job, after, held.node, new)
            else:
                self._compare(job, before, after, new, self._name(job, held.node))
        finally:
            after.close()

    def _open(self, job: Job) -> None:
        now = self._clock.steady()
        if now - self._judged_open.get(job.file, -1e9) < self._limits.judge_open_every_s:
            self._desk.put_later(self._limits.judge_open_every_s, job.process.pid, job.file, job)
            return
        if len(self._judged_open) > 4096:
            self._judged_open.clear()
        self._judged_open[job.file] = now
        keeper = job.volume.keeper
        node = keeper.node(job.key)
        if node is None:
            return
        before = self._before(job, node.id, None)
        if before is None:
            return
        after = keeper.read_now(job.key)
        try:
            self._compare(job, before, after, None, self._name(job, node.id))
        finally:
            after.close()

    def _before(self, job: Job, node: int, new: Generation | None) -> Generation | None:
        """The last sound version that is older than `new`."""
        older = [g for g in job.volume.keeper.generations(node) if new is None or g.id < new.id]
        sound = [g for g in older if g.judged is Judged.CLEAN and g.settled]
        if sound:
            return sound[-1]
        rest = [g for g in older if g.judged in (Judged.CLEAN, Judged.UNKNOWN)]
        return rest[0] if rest else None

    def _compare(
        self, job: Job, before: Generation, after: Bytes, new: Generation | None, name: Name | None
    ) -> None:
        held = job.volume.keeper.read(before)
        text = name.name.decode(errors="replace") if name else ""
        try:
            change = content.compare(held, after, before_name=text, after_name=text)
        finally:
            held.close()
        if change.verdict is Verdict.BAD:
            self._settled()
            last = self._book.last_writer(job.file)
            if last is not None and last is not job.process and last not in job.process.tree():
                if new is not None:
                    job.volume.keeper.judge(new.id, Judged.BAD)
                return  # somebody else wrote it since: what stands there now is judged as his
        self._take(job, change, new, job.file, name)

    def _take(
        self, job: Job, change: Change, new: Generation | None, file: bytes, name: Name | None
    ) -> None:
        judged = _JUDGED[change.verdict]
        if new is not None:
            job.volume.keeper.judge(new.id, judged)
        touch = self._book.find(job.process, job.file)
        if touch is not None and (new is not None or judged is Judged.BAD):
            touch.judged = max(touch.judged, judged) if judged is not Judged.CLEAN else (
                touch.judged if touch.judged is Judged.BAD else Judged.CLEAN
            )
        if change.points > 0:
            self._count(job, change, file, name, tuple(p.id for p in self._chain(job.process)))

    # new files

    def _fresh(self, job: Job, after: Bytes, node: int, new: Generation | None) -> None:
        name = self._name(job, node)
        text = name.name.decode(errors="replace") if name else ""
        shape = content.created(after, text)
        opaque = content.opaque(shape)
        lineage = tuple(p.id for p in self._chain(job.process))
        if new is not None:
            job.volume.keeper.judge(new.id, Judged.UNKNOWN if opaque else Judged.CLEAN)
        touch = self._book.find(job.process, job.file)
        if touch is not None and touch.judged is not Judged.BAD:
            touch.judged = Judged.UNKNOWN if opaque else Judged.CLEAN
        if not opaque and after.size:
            self._scores.created(lineage, self._clock.steady())
        fresh = Fresh(
            file=job.file, name=name.name if name else b"", size=after.size, opaque=opaque, lineage=lineage
        )
        gone = self._pairs.add_fresh(fresh)
        if gone is not None:
            self._stands_for(job, gone, fresh)

    def _replaced(self, job: Job) -> None:
        """A new file was renamed over an original: the old content against the new, under one name."""
        keeper = job.volume.keeper
        before = self._before(job, job.old, None)
        node = keeper.node(job.key)
        if before is None or node is None:
            return
        self._pairs.forget(job.file)
        generations = keeper.generations(node.id)
        new = generations[-1] if generations else None
        try:
            after = keeper.read(new) if new is not None and new.settled else keeper.read_now(job.key)
        except OSError:
            return
        held = keeper.read(before)
        text = job.name.name.decode(errors="replace") if job.name else ""
        try:
            change = content.compare(held, after, before_name=text, after_name=text)
        finally:
            held.close()
            after.close()
        old = keeper.node_by_id(job.old)
        original = job.volume.fsid + old.key if old else job.file
        self._take(job, change, new, original, job.name)
        touch = self._book.find(job.process, original)
        if touch is not None:
            touch.judged = _JUDGED[change.verdict]

    # originals gone

    def _gone(self, job: Job) -> None:
        keeper = job.volume.keeper
        node = keeper.node_by_id(job.old)
        if node is None or job.name is None:
            return
        lineage = tuple(p.id for p in self._chain(job.process))
        fresh = self._pairs.forget(job.file)
        if fresh is not None and common(fresh.lineage, lineage):
            return  # its own new file: temporary work, no original
        size = max((g.facts.size for g in keeper.generations(node.id)), default=node.facts.size)
        gone = Gone(file=job.file, name=job.name.name, size=size, lineage=lineage)
        found = self._pairs.add_gone(gone)
        if found is not None:
            self._stands_for(job, gone, found)
            return
        archive = self._pairs.archive(gone)
        if archive is not None:
            name = archive.name.decode(errors="replace")
            reason = content.Reason(
                why_fr=f"original supprimé après l'écriture d'une archive illisible ({name})",
                why_en=f"original deleted after an unreadable archive was written ({name})",
                score=self._limits.archived,
            )
            change = Change(points=reason.score, verdict=Verdict.BAD, reasons=(reason,))
            self._count(job, change, job.file, job.name, common(archive.lineage, lineage))
            return
        head = self._scores.deleted(lineage, self._protected(), self._clock.steady())
        if head is not None:
            self._mass_deletion(job, head)

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
                held, new, before_name=gone.name.decode(errors="replace"),
                after_name=fresh.name.decode(errors="replace"),
            )
        finally:
            held.close()
            new.close()
        if change.points > 0:
            self._count(job, change, gone.file, Name(b"", gone.name), lineage)
        else:
            self._scores.created(lineage, self._clock.steady())

    def _mass_deletion(self, job: Job, head: str) -> None:
        process = self._find(job.process, head)
        if process is not None:
            self._convict(process, "mass_deletion")

    # counting

    def _chain(self, process: Process) -> list[Process]:
        return process.chain() or [process]

    def _count(
        self, job: Job, change: Change, file: bytes, name: Name | None, lineage: tuple[str, ...]
    ) -> None:
        """Points to the writer and its ancestors, to its user's minute and day, to the folder's day."""
        now = self._clock.steady()
        path = ""
        if name is not None:
            path = job.volume.keeper.path(name) if name.directory else name.name.decode(errors="replace")
        mark = Mark(file=file, reasons=change.reasons, at_s=now, path=path)
        head = self._scores.add(lineage, mark)
        if head is not None:
            process = self._find(job.process, head)
            if process is not None:
                self._convict(process, "score")
            return
        self._count_slow(job, change.points, lineage, now)

    def _count_slow(self, job: Job, points: float, lineage: tuple[str, ...], now: float) -> None:
        top = self._find(job.process, lineage[-1]) if lineage else None
        if top is not None and top.uid >= 0:
            self._processes[top.id] = top
            for head in self._scores.add_to_pool(top.uid, top.id, points, now):
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

    def _name(self, job: Job, node: int) -> Name | None:
        return job.name or job.volume.keeper.last_name(node)
