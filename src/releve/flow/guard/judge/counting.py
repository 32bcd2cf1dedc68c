"""What was found against a writer adds up, until somebody is convicted by it."""

from collections.abc import Callable

import msgspec

from releve.detect.ransom import content
from releve.detect.ransom.content import Change, Verdict
from releve.detect.ransom.score import Mark
from releve.flow.guard.ground import Ground
from releve.flow.guard.judge.comparing import JUDGED
from releve.flow.guard.judge.nameless import Nameless
from releve.flow.guard.read.brake import Brake
from releve.flow.guard.work import Job
from releve.flow.ports import Contain
from releve.model.held import Judged, Name
from releve.model.lines import Alert
from releve.model.process import Process


class Powers(msgspec.Struct, frozen=True, kw_only=True):
    """What judging may ask of the rest of the guard."""

    convict: Callable[[Process, str], None]  # a family's head, and the kind of its conviction
    is_convicted: Callable[[Process], bool]
    suspend: Callable[[Process, bool], None]  # holds a family still (True) or lets it go on
    protected: Callable[[], int]  # the number of living originals
    at_terminal: Callable[[int], bool]  # a person works with this process at a terminal
    reader_first: Callable[[], None]  # waits a moment while notifications are taken in
    brake: Brake  # halts who changes originals faster than they are looked at
    contain: Contain  # tells one remote client from another


def _canary(points: float) -> Change:
    """One witness made unreadable is enough."""
    reason = content.Reason(
        why_fr="un fichier témoin, que personne n'a de raison de toucher, est devenu illisible",
        why_en="a witness file, which nobody has a reason to touch, became unreadable",
        score=points,
    )
    return Change(points=points, verdict=Verdict.BAD, reasons=(reason,))


class Count:
    """Marks to scores: per family, per user and client, per day; convicts, and holds suspects still."""

    def __init__(self, ground: Ground, powers: Powers) -> None:
        self._book, self._scores, self._clock = ground.book, ground.scores, ground.clock
        self._limits, self._pace, self._say = ground.limits, ground.pace, ground.say
        self._convict, self._is_convicted = powers.convict, powers.is_convicted
        self._suspend, self._contain = powers.suspend, powers.contain
        self._brake = powers.brake
        self._protected, self._at_terminal = powers.protected, powers.at_terminal
        self.nameless = Nameless(powers.contain, ground.clock, ground.limits, powers.convict)
        self.canaries: frozenset[bytes] = frozenset()  # files nobody has a reason to change
        self._canary = _canary(ground.limits.canary)
        self.suspects: dict[Process, float] = {}  # held still until then
        self._suspected: dict[str, float] = {}  # their points at their last pause
        self._processes: dict[str, Process] = {}
        self._carried: Process | None = None
        self._carried_until = 0.0

    def carry(self, absent: Process, until: float) -> None:
        """Until then everybody's work adds up with that of `absent`."""
        self._carried, self._carried_until = absent, until
        self._processes[absent.id] = absent

    def let_go(self) -> None:
        """Suspects against whom nothing more was found go on."""
        now = self._clock.steady()
        for head, until in list(self.suspects.items()):
            if now > until or self._is_convicted(head):
                del self.suspects[head]
                self._suspend(head, False)

    def looked(self, head: Process) -> None:
        """All that it did was looked at, and its next harm will be met at once."""
        if self.suspects.pop(head, None) is not None:
            self._suspend(head, False)

    def let_all_go(self) -> None:
        """The guard ends: nobody stays held by a mere suspicion."""
        for head in list(self.suspects):
            del self.suspects[head]
            self._suspend(head, False)
        self._brake.release_all()

    def lineage(self, process: Process) -> tuple[str, ...]:
        """Who pays for what the process does: itself and its ancestors."""
        return tuple(p.id for p in self._chain(process))

    def take(self, job: Job, change: Change, file: bytes, name: Name | None) -> None:
        """What a look found: noted with the touch, and counted if something was destroyed."""
        self.note(job, file, JUDGED[change.verdict])
        if change.points > 0:
            self.count(job, change, file, name, self.lineage(job.process))

    def note(self, job: Job, file: bytes, judged: Judged) -> None:
        """What the last look at this touch said; bad stays bad."""
        looked_ns = job.began_ns or self._clock.now_ns()
        self._book.judged(job.process, file, judged, noticed_ns=job.seen_ns, looked_ns=looked_ns)

    def count(
        self, job: Job, change: Change, file: bytes, name: Name | None, lineage: tuple[str, ...]
    ) -> None:
        """Points to the writer and its ancestors, to its user's minute and day, to the folder's day."""
        self._pace.press()
        try:
            self._weigh(job, change, file, name, lineage)
        finally:
            self._pace.hurry()  # it takes half a millisecond: whoever it was is still by now

    def _weigh(
        self, job: Job, change: Change, file: bytes, name: Name | None, lineage: tuple[str, ...]
    ) -> None:
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
        self.nameless.note(job.process)
        if change.points and self._is_suspect(job.process, lineage[0]):
            self._hold_still(job.process, lineage[0], now)
        self._count_slow(job, change.points, lineage, now)

    def _is_suspect(self, process: Process, head: str) -> bool:
        total = self._scores.total(head)
        if total < self._limits.suspect:
            return False
        # A shell says of a job that is held still that it was stopped, and takes the terminal back.
        return total >= self._limits.suspect_at_terminal or not self._at_terminal(process.pid)

    def deleted(self, job: Job, lineage: tuple[str, ...]) -> None:
        """An original went without anything in its place: many of them convict."""
        head = self._scores.deleted(lineage, self._protected, self._clock.steady())
        if head is not None:
            self._mass_deletion(job, head)

    def _mass_deletion(self, job: Job, head: str) -> None:
        process = self._find(job.process, head)
        if process is not None:
            self._convict(process, "mass_deletion")
        if process is self._carried and job.process is not process:
            self._convict(self._own_head(job.process), "mass_deletion")

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

    def _hold_still(self, process: Process, wanted: str, now: float) -> None:
        """It waits while the rest of what it did is looked at: again only if it destroyed more since."""
        self._brake.suspect(process)
        head, total = self._find(process, wanted), self._scores.total(wanted)
        if head is None or head in self.suspects:
            return
        if total >= self._suspected.get(head.id, 0.0) + self._limits.suspect:
            self._suspected[head.id] = total
            self.suspects[head] = now + self._limits.suspect_s
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
