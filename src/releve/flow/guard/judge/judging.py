"""Stage three, judge: what a change did to a file, for whom, and who is convicted by it."""

import errno
import itertools

import msgspec

from releve.detect.ransom.glance import rehearse
from releve.flow.guard.desk import Desk
from releve.flow.guard.ground import Ground
from releve.flow.guard.judge.comparing import JUDGED, Compare
from releve.flow.guard.judge.counting import Count, Powers
from releve.flow.guard.judge.doubting import Doubts
from releve.flow.guard.judge.pairing import Pairing
from releve.flow.guard.work import Job, What, is_of_originals
from releve.flow.ports import Bytes, Keeper
from releve.model.held import Generation, Judged, Kind, Name, is_same
from releve.model.process import Process
from releve.sense import fanotify

_REMEMBERED = 2048  # living files


class _Live(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last look at a living file: its ctime then, when, the verdict, and for whose write."""

    changed_ns: int
    began_ns: int
    at: float
    judged: Judged
    writer: Process


class Judge:
    """Takes jobs from its desk: changed content itself, new and gone files through `Pairing`.

    What it finds goes to `count`, which convicts.
    """

    def __init__(self, ground: Ground, desk: Desk[Job], powers: Powers) -> None:
        self._desk, self._book, self._clock = desk, ground.book, ground.clock
        self._limits, self._pace = ground.limits, ground.pace
        self._is_convicted, self._brake = powers.is_convicted, powers.brake
        self._reader_first = powers.reader_first
        self._compare = Compare(ground.book)
        self.count = Count(ground, powers)
        self._doubts = Doubts(self._compare, self.count, ground.limits.doubts, self._look_again)
        self._pairing = Pairing(ground, self._compare, self.count, desk, self._open)
        self._live: dict[bytes, _Live] = {}
        self.awaits = self._pairing.awaits

    def rehearse(self, keeper: Keeper) -> None:
        """Before the first file is judged: what a first time costs is paid now."""
        rehearse()
        keeper.generations(0)
        keeper.node_by_id(0)

    def carry(self, absent: Process, until: float) -> None:
        """What was found at a start and what goes on right after it may be one attack: they add up."""
        self.count.carry(absent, until)

    def work(self, wait_s: float) -> bool:
        """Do one job; False when there was none."""
        if self.count.suspects:
            self.count.let_go()
            wait_s = 0.002
        job = self._desk.get(wait_s)
        self.count.nameless.look()
        if job is None:
            return False
        if self._book.maker(job.file) is None:
            self._reader_first()
        began, job.began_ns = self._clock.steady(), self._clock.now_ns()
        try:
            self.judge(job)
        except OSError as error:
            # Gone while it was read: what took it is judged instead. A lease (fcntl(2), F_SETLEASE)
            # keeps a file shut until its holder lets go or the kernel breaks it, 45 s at most.
            if error.errno == errno.EAGAIN:
                self._desk.put_later(self._limits.leased_s, job.process.pid, job.file, job)
        finally:
            self._desk.done()
            self._let_go_on(job)
        if self._book.maker(job.file) is not None and not self._desk.has_lane(is_of_originals):
            self._pace.rest(job, self._clock.steady() - began, len(self._desk))
        return True

    def _let_go_on(self, job: Job) -> None:
        """Whoever will be halted at the next original need not wait longer than for these looks."""
        process = job.process
        if not self._brake.is_on and process not in self.count.suspects:
            return
        is_last = not self._desk.has_lane(process.pid.__eq__)
        if is_last or job.what is not What.OPEN or job.mask & fanotify.CLOSE_WRITE:
            self._brake.looked(process, is_last=is_last)  # half a save tells nothing
        if (
            is_last
            and self._brake.follows(process)
            and not self._desk.has_lane((-process.pid).__eq__)
            and not self._desk.has_later(lambda job: job.is_due and job.process is process)
        ):
            self.count.looked(process)

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
                self._pairing.replaced(job)
            case What.GONE:
                self._pairing.gone(job)

    def _open(self, job: Job) -> None:
        """What stands there now, at once: holding may take long (a clone first flushes its source)."""
        now, began_ns = self._clock.steady(), self._clock.now_ns()
        keeper = job.volume.keeper
        if job.mask & fanotify.CLOSE_WRITE:
            self._doubts.settle(job)
        changed = keeper.changed_ns(job.key)
        known = self._live.get(job.file)
        if not changed or (known is not None and self._is_known(known, changed, job)):
            return
        closed = job.mask & fanotify.CLOSE_WRITE
        if not closed and known is not None and now - known.at < self._limits.judge_open_every_s:
            self._desk.put_later(self._limits.judge_open_every_s, job.process.pid, job.file, job)
            return
        node = keeper.node(job.key)
        before = (
            self._compare.before(job, node.id, None, file=job.file) if node is not None else None
        )
        if before is not None and is_same(
            before, changed, self._clock.now_ns() - self._clock.wall_ns()
        ):
            return  # it is held as it is
        if before is None and not closed:
            return  # a new file is judged once it is whole
        after = keeper.read_now(job.key)
        try:
            name = job.name or (keeper.last_name(node.id) if node is not None else None)
            if before is None:
                judged = self._pairing.fresh(job, after, name, changed)
            else:
                change = self._compare.change(job, before, after, name)
                judged = JUDGED[change.verdict]
                # Saved again and again, a file may be open anew by the time its close is looked at.
                whole = closed and not (change.points and keeper.is_being_written(job.key))
                if whole or not self._doubts.is_doubtful(job, change, changed, name):
                    self.count.take(job, change, job.file, name)
        finally:
            after.close()
        if keeper.changed_ns(job.key) == changed and (closed or judged is not Judged.BAD):
            self._remember(
                job.file,
                _Live(
                    changed_ns=changed, began_ns=began_ns, at=now, judged=judged, writer=job.process
                ),
            )

    def _is_known(self, known: _Live, changed: int, job: Job) -> bool:
        """Nothing moved since the last look; damage by two writers is looked at for each of them."""
        if not self._is_still(known, changed, job.file):
            return False
        is_his = known.writer is job.process or not job.mask & fanotify.MODIFY
        return is_his or known.judged is not Judged.BAD

    def _is_still(self, known: _Live, changed_ns: int, file: bytes) -> bool:
        """What was seen stands there: ctimes alone do not tell, they are equal for 4 ms."""
        return known.changed_ns == changed_ns and self._book.wrote_ns(file) < known.began_ns

    def _look_again(self, job: Job) -> None:
        self._live.pop(job.file, None)
        job.is_due = False
        self._desk.put_later(self._limits.doubt_s, job.process.pid, (job.file, "doubt"), job)

    def _remember(self, file: bytes, live: _Live) -> None:
        self._live.pop(file, None)  # the last comes last
        self._live[file] = live
        if len(self._live) > _REMEMBERED:
            for oldest in list(itertools.islice(self._live, _REMEMBERED // 8)):
                del self._live[oldest]

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
        if known is not None and self._is_still(known, new.facts.ctime_ns, job.file):
            keeper.judge(new.id, known.judged)
            return
        before = self._compare.before(job, held.node, new, file=job.file)
        if before is not None and not new.settled:
            return  # somebody still writes: the living file is judged, at its close or as a doubt
        name = job.name or keeper.last_name(held.node)
        after = keeper.read(new)
        try:
            if before is None:
                whole = new.settled or job.tries > 1
                judged = self._pairing.fresh(job, after, name, new.facts.ctime_ns, whole=whole)
            else:
                judged = self._saved(job, before, after, name)
        finally:
            after.close()
        keeper.judge(new.id, judged)

    def _saved(self, job: Job, before: Generation, after: Bytes, name: Name | None) -> Judged:
        change = self._compare.change(job, before, after, name)
        self.count.take(job, change, job.file, name)
        return JUDGED[change.verdict]
