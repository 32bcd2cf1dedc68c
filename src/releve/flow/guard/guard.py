"""The guard's driver: three stages on their own threads, and what follows from a conviction.

    read -> hold -> judge -> (convict) -> respond

Nobody is ever blocked by it: notifications only, so no deadlock can hang a file server.
"""

from collections.abc import Callable

import msgspec

from releve.detect.ransom.limits import Limits
from releve.detect.ransom.score import Scores
from releve.flow.guard.approving import Approvals, Approved
from releve.flow.guard.book import Book
from releve.flow.guard.desk import Desk
from releve.flow.guard.ground import Desks, Ground
from releve.flow.guard.hold.holding import Holder
from releve.flow.guard.hold.originals import Originals
from releve.flow.guard.judge.counting import Powers
from releve.flow.guard.judge.judging import Judge
from releve.flow.guard.pace import Pace
from releve.flow.guard.quiet import Quiet
from releve.flow.guard.read.brake import Brake
from releve.flow.guard.read.intake import Intake
from releve.flow.guard.read.mapped import Mapped
from releve.flow.guard.read.reading import Reader
from releve.flow.guard.read.trees import Trees
from releve.flow.guard.respond.responding import Responder
from releve.flow.guard.rounds import Rounds
from releve.flow.guard.stages import Stages
from releve.flow.guard.start.baseline import Baseline
from releve.flow.guard.start.resuming import Resume
from releve.flow.guard.work import Volume, merge
from releve.flow.ports import Clock, Contain, Hands, Openers, Processes, Share, Watcher
from releve.model.lines import Alert, Folder, Ready
from releve.model.process import Process

_HALT_S = 0.0005
_MEMORY_NS = 600_000_000_000  # sound touches older than this are forgotten


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the guard is made of: one adapter per port."""

    volumes: tuple[Volume, ...]
    watcher: Watcher
    processes: Processes
    hands: Hands
    contain: Contain
    openers: Openers
    clock: Clock
    own: frozenset[int]
    report_bug: Callable[[Exception], None]
    at_terminal: Callable[[int], bool]  # a person works with this process at a terminal
    share: Callable[[Share], None]  # asks for more or less of the processor
    comes_first: Callable[[], None]  # the calling thread is kept waiting by no other program
    settle: Callable[[], None]  # takes the processor that others use least


class Guard:
    """Holds the originals of all volumes and stops what destroys them.

    Args:
        parts: the adapters.
        limits: every parameter of judgement and holding.
        say: takes each line; called from several threads, must not block for long.
        enforce: False only says what it would have stopped.
        spare: says of a family's head that it carries care: frozen, never killed.
        approved: says whether a person approved what a family does: head, paths, and who of it
            left unreadable content.
    """

    def __init__(
        self,
        parts: Parts,
        limits: Limits,
        say: Callable[[object], None],
        *,
        enforce: bool,
        spare: Callable[[Process], bool],
        approved: Approved,
    ) -> None:
        self._parts, self._say, self._clock = parts, say, parts.clock
        self._ground = ground = _ground(parts, limits, say)
        steady = parts.clock.steady
        self._desks = desks = Desks(
            hold=Desk(merge, steady), big=Desk(merge, steady), judge=Desk(merge, steady)
        )
        self._stages = Stages(say, parts.report_bug)
        self._intake = Intake(parts.watcher, parts.clock, limits)
        self.originals = Originals(ground)
        quiet = Quiet(self._intake, desks, parts.clock)
        self.holder = Holder(ground, desks)
        self.responder = Responder(
            ground,
            parts.processes,
            parts.hands,
            parts.contain,
            quiet.wait,
            self._intake.wait,
            spare,
            enforce=enforce,
        )
        self.brake = Brake(
            parts.clock,
            limits,
            self._halt,
            self._go_on,
        )
        powers = Powers(
            convict=Approvals(ground, self.responder, approved).convict,
            is_convicted=self.responder.is_convicted,
            suspend=self.responder.suspend,
            protected=self.originals.living,
            at_terminal=parts.at_terminal,
            contain=parts.contain,
            brake=self.brake,
            reader_first=self._intake.first,
        )
        self.judge = Judge(ground, desks.judge, powers)
        self._baseline = Baseline(parts.clock, say, self._outside)
        self._resume = Resume(
            ground.book, self.judge, self.responder, parts.clock, self._baseline.note_outside
        )
        trees = Trees(ground.book, parts.clock)
        self._rounds = Rounds(
            ground,
            self.originals,
            trees,
            Mapped(ground, parts.openers, parts.processes, desks.judge),
            self.holder,
            self.responder,
            self._resume,
            quiet,
            parts.settle,
        )
        self.reader = Reader(
            ground,
            desks,
            parts.processes,
            own=parts.own,
            on_overflow=self._rounds.overflow,
            on_tree=trees.add,
            sees_all=parts.watcher.sees_all,
            brake=self.brake,
            awaits=self.judge.awaits,
            on_late=self.responder.late,
        )
        self.responder.on_convicted = self.reader.late.add

    def start(self, folders_said: Callable[[], tuple[Folder, ...]], pid: int, store: str) -> None:
        """Hold the baseline (or compare after a pause), then watch; says `ready` at the end."""
        absent = Process(0, self._clock.now_ns(), None, program="(pendant l'arrêt)", known=False)
        self.responder.after_restart.stop_left()
        found = [
            (volume, number, self._baseline.take(volume, number, folder, absent))
            for volume in self.volumes
            for number, folder in enumerate(volume.keeper.folders)
        ]
        self._resume.start(found, absent)
        for volume in self.volumes:
            self.judge.rehearse(volume.keeper)
        self._stages.start("read", self._read)
        self._stages.repeat("hold", self._hold_one)
        self._stages.repeat("big", lambda: self.holder.work_big(0.5))
        self._stages.repeat("judge", lambda: self.judge.work(0.5))
        self._stages.repeat("brake", lambda: self.brake.let_go(0.5))
        self._stages.repeat("respond", lambda: self.responder.work(0.5))
        self._stages.every(0.02, "walk", self._rounds.turn)
        self._stages.every(0.5, "write back", self._write_back)
        self._parts.share(Share.USUAL)
        enforces = self.responder.enforce
        self._say(Ready(folders=folders_said(), enforce=enforces, pid=pid, store=store))

    @property
    def baseline_ms(self) -> dict[str, float]:
        """How long the baseline of each folder took."""
        return self._baseline.took_ms

    def _read(self) -> None:
        self._parts.comes_first()
        self._intake.loop(
            self.reader.route,
            self._stages.is_over,
            self._not_routed,
            in_haste=lambda: self._ground.pace.is_hurried,
        )

    def _not_routed(self, error: Exception) -> None:
        self._stages.failed(error)
        self._rounds.rescan.set()  # what was not routed is found by comparing

    def _halt(self, process: Process) -> bool:
        if self._parts.at_terminal(process.pid) or not self.responder.halt(process):
            return False
        self._ground.pace.wake()
        return True

    def _go_on(self, process: Process) -> None:
        self.responder.resume(process)
        if not self.brake.is_on:
            self._ground.pace.let_go()

    def _hold_one(self) -> bool:
        """Hold the next save; the first destroyed file gives the judge the floor for a moment."""
        if self.brake.is_on:
            self._clock.sleep(_HALT_S)  # somebody waits for the judge: milliseconds, and seldom
            return False
        return not self._ground.pace.leaves_the_floor() and self.holder.work(0.5)

    def _write_back(self) -> None:
        for volume in self.volumes:
            volume.keeper.write_back()

    def _outside(self, volume: Volume, key: bytes, folder: int) -> None:
        self.reader.adopt(volume, key, folder, outside=True)

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """The file systems that are guarded."""
        return tuple(self._ground.volumes.values())

    def enforce(self) -> None:
        """From now on act; until now it only said what it would have stopped."""
        self.responder.enforce = True
        self._say(
            Alert(
                kind="enforcing",
                why="La période d'observation est finie : le gardien agit désormais.",
                why_en="The watch period is over: the guard acts from now on.",
            )
        )

    def stop_family(self, family: str) -> bool:
        """An order: stop a family by its id and undo what it did; False if it is not known."""
        number = family.partition("-")[0]
        if not number.isdecimal():
            return False
        pid = int(number)
        process = self._parts.processes.get(pid)
        if process.id != family or process.is_boundary:
            return False
        self.responder.convict(process, "order")
        return True

    def watch_canaries(self, keys: frozenset[bytes]) -> None:
        """Files (file system id + key) of which one alone convicts whoever makes it unreadable."""
        self.judge.count.canaries = keys

    def inherit(self, process: Process) -> None:
        """An ended process is forgotten: its parent answers for its touches."""
        self._ground.book.inherit(process)
        self._ground.scores.forget(process.id)

    def close(self) -> None:
        """End the loops; what is being rolled back is finished first."""
        end = self._clock.steady() + 10
        while not self.responder.is_idle and self._clock.steady() < end:
            self._clock.sleep(0.01)
        self.responder.look_at_frozen()
        self._rounds.say_window()
        self._stages.end()
        for desk in (self._desks.hold, self._desks.big, self._desks.judge):
            desk.close()
        self.responder.close()
        self._stages.join()
        self.judge.count.let_all_go()
        self._parts.contain.close()
        self._parts.watcher.close()
        for volume in self.volumes:
            if self._stages.were_started:
                volume.keeper.close_clean()
            volume.keeper.close()


def _ground(parts: Parts, limits: Limits, say: Callable[[object], None]) -> Ground:
    return Ground(
        volumes={v.fsid: v for v in parts.volumes},
        book=Book(_MEMORY_NS),
        scores=Scores(limits),
        clock=parts.clock,
        limits=limits,
        pace=Pace(parts.clock, limits, parts.share),
        say=say,
    )
