"""New files and originals that are gone: which stands for which, and what stands for none."""

import contextlib
from collections.abc import Callable

import msgspec

from releve.detect.ransom import content
from releve.detect.ransom.content import Change, Verdict
from releve.detect.ransom.pairs import Fresh, Gone, Pairs, common
from releve.flow.guard.desk import Desk
from releve.flow.guard.ground import Ground
from releve.flow.guard.judge.comparing import JUDGED, Compare
from releve.flow.guard.judge.counting import Count
from releve.flow.guard.work import Job
from releve.flow.ports import Bytes
from releve.model.held import Judged, Name

_LAST = 8  # as many new files may be looked at for one deletion: others wait meanwhile


class Pairing:
    """Keeps what was made and what went lately.

    Args:
        desk: the judge's own: a new file goes back there for a moment.
        look: looks at such a file now; raises OSError when it went away.
    """

    def __init__(
        self,
        ground: Ground,
        compare: Compare,
        count: Count,
        desk: Desk[Job],
        look: Callable[[Job], None],
    ) -> None:
        self._book, self._scores, self._clock = ground.book, ground.scores, ground.clock
        self._limits, self._compare, self._count = ground.limits, compare, count
        self._desk, self._look = desk, look
        limits = ground.limits
        self._pairs = Pairs(limits.opaque_memory, limits.deleted_before_s, limits.stranger_s)

    def awaits(self) -> bool:
        """An original is missing for which nothing stands yet: no new file is left alone meanwhile."""
        return self._pairs.awaits(self._clock.steady())

    def _look_at_young(self, lineage: tuple[str, ...], gone: bytes) -> None:
        """The family's last new files at once, and those named after what is gone; others in turn."""
        left_alone = self._desk.hasten(lambda waiting: waiting.is_due)
        for job in reversed(left_alone[-_LAST:]):
            is_named = job.name is not None and job.name.name.startswith(gone + b".")
            if is_named or common(self._count.lineage(job.process), lineage):
                with contextlib.suppress(OSError):  # it went away meanwhile
                    self._look(job)

    def fresh(
        self, job: Job, after: Bytes, name: Name | None, changed_ns: int, *, whole: bool = True
    ) -> Judged:
        """Look at a new file; one that is not whole yet stands for nothing that is gone."""
        text = name.name.decode(errors="replace") if name else ""
        opaque = content.opaque(content.created(after, text))
        lineage = self._count.lineage(job.process)
        judged = Judged.UNKNOWN if opaque else Judged.CLEAN if after.size else Judged.NOT_YET
        self._count.note(job, job.file, judged)
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

    def replaced(self, job: Job) -> None:
        """A new file was renamed over an original: the old content against the new, under one name."""
        keeper = job.volume.keeper
        before = self._compare.before(job, job.old, None)
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
        self._count.take(job, change, original, job.name)
        self._count.note(job, job.file, JUDGED[change.verdict])
        if new is not None:
            keeper.judge(new.id, JUDGED[change.verdict])

    def gone(self, job: Job) -> None:
        keeper = job.volume.keeper
        node = keeper.node_by_id(job.old)
        if node is None or job.name is None:
            return
        lineage = self._count.lineage(job.process)
        fresh = self._pairs.forget(job.file)
        if self._is_own_work(job, lineage) or (
            fresh is not None and common(fresh.lineage, lineage)
        ):
            return  # its own new file: temporary work, no original
        self._look_at_young(lineage, job.name.name)  # one of them may stand for it
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
            self._count.count(job, change, job.file, job.name, common(archive.lineage, lineage))
            return
        self._count.deleted(job, lineage)

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
        return bool(common(lineage, [p.id for p in made[0].ancestors()]))

    def _stands_for(self, job: Job, gone: Gone, fresh: Fresh) -> None:
        """`fresh` stands for the original `gone`: honest if it really holds it."""
        keeper = job.volume.keeper
        node = keeper.node(gone.file[8:])
        before = self._compare.before(job, node.id, None) if node else None
        if before is None or gone.file[:8] != job.volume.fsid:
            return
        lineage = common(fresh.lineage, gone.lineage) or gone.lineage  # no part of it joins them
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
            self._count.count(
                job, change, gone.file, keeper.last_name(node.id) if node else None, lineage
            )
        else:
            self._scores.created(lineage, self._clock.steady())
