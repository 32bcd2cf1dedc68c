"""Stage two, hold: every closed save becomes a held generation; small files first, big ones aside."""

from array import array
from collections import OrderedDict

from releve.flow.guard.ground import Desks, Ground
from releve.flow.guard.work import Job, is_of_originals, lane
from releve.model.held import Kind
from releve.model.lines import Alert, Window
from releve.recover.rollback import keep
from releve.sense import fanotify

_SHORT = 4  # a longer queue has no time for others
_FIRST_S, _LOOK_S = 0.003, 0.0003
_OPEN_S, _OPEN_MOST_S = 0.0125, 60.0


class Holder:
    """Takes jobs from the hold desk, holds, and passes them on to the judge; large files go aside."""

    def __init__(self, ground: Ground, desks: Desks) -> None:
        self._desk, self._big, self._judge = desks.hold, desks.big, desks.judge
        self._book, self._clock, self._limits = ground.book, ground.clock, ground.limits
        self._pace, self._say = ground.pace, ground.say
        self._last: OrderedDict[bytes, float] = OrderedDict()
        self._delays = array("f")  # ms from save to settled copy, since the last window
        self._full_said = -1e9
        self._since_commit = 0

    def work(self, wait_s: float) -> bool:
        """Do one job; False when there was none."""
        job = self._desk.get(wait_s)
        if job is None:
            return False
        self._after_the_judge()
        began = self._clock.steady()
        try:
            self._one(job)
        finally:
            self._desk.done()
        if self._book.maker(job.file) is not None:  # what was there before is never kept waiting
            self._pace.rest(job, self._clock.steady() - began, len(self._desk))
        return True

    def _after_the_judge(self) -> None:
        """A look takes a third of a millisecond, and meanwhile files are destroyed: it comes first."""
        until = self._clock.steady() + _FIRST_S
        while self._judge.is_at(is_of_originals) and len(self._desk) < _SHORT:
            if self._clock.steady() >= until:
                return
            self._clock.sleep(_LOOK_S)

    def work_big(self, wait_s: float) -> bool:
        """The same for the worker of large files."""
        job = self._big.get(wait_s)
        if job is None:
            return False
        try:
            self._hold(job)
        finally:
            self._big.done()
        return True

    def _one(self, job: Job) -> None:
        now = self._clock.steady()
        pause = (
            self._limits.rehold_reflink_s
            if job.volume.keeper.mode(job.folder) == "reflink"
            else self._limits.rehold_copy_s
        )
        last = self._last.get(job.file, -1e9)
        if now - last < pause and not job.at_once:
            self._desk.put_later(last + pause - now, job.process.pid, job.file, job)
            return
        self._last[job.file] = now
        self._last.move_to_end(job.file)
        while now - next(iter(self._last.values())) > self._limits.rehold_copy_s:
            self._last.popitem(last=False)  # its pause is over: that of the others is shorter
        node = job.volume.keeper.node(job.key)
        if node is not None and node.facts.size > self._limits.big:
            self._big.put(job.process.pid, job.file, job)
            return
        self._hold(job)

    def _hold(self, job: Job) -> None:
        keeper = job.volume.keeper
        result = keeper.hold(job.key, job.process.id, folder=job.folder)
        job.held = result
        if result.facts is not None and job.name is not None:
            # A file that was renamed while its job waited has its name already: this one is old.
            if result.is_new or not keeper.names(result.node):
                keeper.named(job.key, job.name)
        if result.refused == "full":
            self._say_full(job)
        generation = result.generation
        if generation is not None and generation.settled and job.mask & fanotify.CLOSE_WRITE:
            since_seen = self._clock.now_ns() - job.seen_ns
            self._delays.append(
                min(since_seen, self._clock.wall_ns() - generation.facts.ctime_ns) / 1e6
            )
        if generation is not None and not generation.settled and result.refused == "":
            job.tries += 1
            pause = min(_OPEN_MOST_S, _OPEN_S * 4**job.tries)  # a log may stay open all day
            self._desk.put_later(pause, job.process.pid, job.file, job)
        if result.node and generation is not None and not result.is_new:
            keeper.prune(result.node, lambda held: keep(held, self._limits.generations))
        if result.facts is not None and result.facts.kind is Kind.FILE:
            touch = self._book.find(job.process, job.file)
            turn = lane(job.process, is_new=touch is not None and touch.created)
            self._judge.put(turn, (job.file, "held"), job)
        self._since_commit += 1
        if self._since_commit >= 64 or self._desk.is_idle():
            self._since_commit = 0
            if not keeper.commit():
                self._say_full(job)

    def _say_full(self, job: Job) -> None:
        now = self._clock.steady()
        if now - self._full_said < 60:
            return
        self._full_said = now
        folder = job.volume.keeper.folders[job.folder]
        self._say(
            Alert(
                kind="store_full",
                folder=folder,
                why="La réserve des originaux est pleine : les nouvelles versions ne sont plus gardées. "
                "Libérez de la place ou agrandissez le disque ; les originaux déjà gardés le restent.",
                why_en="The store of originals is full: new versions are no longer held. Free some room "
                "or enlarge the disk; originals already held stay.",
            )
        )

    def window(self, folder: str, held_bytes: int, room_bytes: int) -> Window | None:
        """The window since the last call, None without saves."""
        told, self._delays = self._delays, array("f")
        if not told:
            return None
        delays = sorted(told)
        count = len(delays)
        return Window(
            folder=folder,
            saves=count,
            p50_ms=round(delays[count // 2], 2),
            p99_ms=round(delays[min(count - 1, int(count * 0.99))], 2),
            worst_ms=round(delays[-1], 2),
            held_bytes=held_bytes,
            room_bytes=room_bytes,
        )
