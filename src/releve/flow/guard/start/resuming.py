"""After a pause: what changed while nobody watched, and what was under way when the guard went."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from releve.flow.guard.book import Book
from releve.flow.guard.judge.judging import Judge
from releve.flow.guard.respond.responding import Responder
from releve.flow.guard.work import Job, Volume, What
from releve.flow.ports import Clock
from releve.model.held import HoldResult, Judged, Kind
from releve.model.process import Process
from releve.recover.rollback import Touch

RECENT_NS = (
    60_000_000_000  # of a guard that was killed: so much of its last work is looked at again
)
_CARRY_S = 60.0  # an attack goes on after the restart: both halves count together for so long


def together(changed: Iterable[HoldResult], recent: Iterable[HoldResult]) -> list[HoldResult]:
    """One result per node: what a comparison found now, and what was noted shortly before the end."""
    found: dict[int, HoldResult] = {}
    for late in (*changed, *recent):
        now = found.get(late.node, late)
        best = now if now.generation is not None or now.refused else late
        found[late.node] = msgspec.structs.replace(
            best,
            is_new=now.is_new or late.is_new,
            lost_names=tuple(
                n
                for n in dict.fromkeys((*late.lost_names, *now.lost_names))
                if n not in late.new_names  # given and taken away again meanwhile
            ),
            new_names=tuple(dict.fromkeys((*late.new_names, *now.new_names))),
        )
    return [r for r in found.values() if not (r.is_new and r.refused == "gone")]  # came and went


class Resume:
    """Judges what changed unseen as the work of one unknown writer.

    Args:
        note_outside: told of files that have names outside the folder.
    """

    def __init__(
        self,
        book: Book,
        judge: Judge,
        responder: Responder,
        clock: Clock,
        note_outside: Callable[[Volume, int, HoldResult], None],
    ) -> None:
        self._book, self._judge, self._responder, self._clock = book, judge, responder, clock
        self._note_outside = note_outside

    def start(self, found: Sequence[tuple[Volume, int, list[HoldResult]]], absent: Process) -> None:
        """After the comparison at a start: finish what was begun, then judge the rest."""
        jobs = [job for one in found for job in self._take(*one, absent)]
        if self._responder.after_restart.is_unsure():
            # Of an unknown author only what is judged bad is undone, and verdicts went with the guard.
            self._judge_carried(jobs, absent)
            jobs = []
        under_way = self._responder.after_restart.finish(self._book.of((absent,)), absent)
        for file in under_way:
            self._book.forget(absent, file)
        self._judge_carried([job for job in jobs if job.file not in under_way], absent)
        if under_way and any(map(_is_suspicious, self._book.of((absent,)).values())):
            self._responder.convict(absent, "while_dead")

    def _judge_carried(self, jobs: list[Job], absent: Process) -> None:
        """What goes on right after the start adds up with what was found at it."""
        if jobs:
            until = self._clock.steady() + _CARRY_S
            self._responder.before = lambda: self._suspicious(absent, until)
            self._judge.carry(absent, until)
            self._responder.undo.unseen = (absent.id, until)
        self._judge_all(jobs)

    def _suspicious(self, absent: Process, until: float) -> Process | None:
        """Whoever wrote while nobody watched, if something of that is bad and not long ago."""
        is_over = self._clock.steady() > until
        if is_over or not any(map(_is_suspicious, self._book.of((absent,)).values())):
            return None
        return absent

    def judge(
        self, volume: Volume, number: int, changed: list[HoldResult], absent: Process
    ) -> None:
        """What a comparison found while the guard runs (lost notifications)."""
        self._judge_all(self._take(volume, number, changed, absent))

    def _take(
        self, volume: Volume, number: int, changed: list[HoldResult], absent: Process
    ) -> list[Job]:
        """Touches of the unknown writer, and what is to be judged; new files first: deletions pair."""
        now = self._clock.now_ns()
        jobs: list[Job] = []
        for result in changed:
            node = volume.keeper.node_by_id(result.node)
            if node is None:
                continue
            self._note_outside(volume, number, result)
            file = volume.fsid + node.key
            touch = self._book.touch(absent, file, number, now)
            touch.was += tuple(n for n in result.lost_names if n not in touch.was)
            name = result.lost_names[0] if result.lost_names else volume.keeper.last_name(node.id)
            gone = result.refused == "gone"
            touch.created, touch.deleted = result.is_new, gone
            touch.became += tuple(n for n in result.new_names if n not in touch.became)
            touch.wrote = not gone and (result.generation is not None or bool(result.refused))
            if node.facts.kind is not Kind.FILE:
                continue
            job = Job(
                what=What.GONE if gone else What.CLOSED,
                process=absent,
                volume=volume,
                file=file,
                folder=number,
                seen_ns=now,
                name=name,
                held=None if gone else result,
                old=node.id,
            )
            jobs.append(job)
        return sorted(jobs, key=lambda job: job.what is What.GONE)

    def _judge_all(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            try:
                self._judge.judge(job)
            except OSError:
                continue  # it went away meanwhile: the events tell


def _is_suspicious(touch: Touch) -> bool:
    """Left by an attack that the guard was undoing when it went: destroyed, or new and unreadable."""
    return touch.judged is Judged.BAD or (touch.created and touch.judged is Judged.UNKNOWN)
