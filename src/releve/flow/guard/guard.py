"""The guard's driver: three stages on their own threads, and what follows from a conviction.

    read -> hold -> judge -> (convict) -> respond

Nobody is ever blocked by it: notifications only, so no deadlock can hang a file server.
"""

import threading
from collections.abc import Callable, Sequence

import msgspec

from releve.detect.ransom.limits import Limits
from releve.detect.ransom.score import Scores
from releve.flow.guard.book import Book
from releve.flow.guard.counting import Powers
from releve.flow.guard.desk import Desk
from releve.flow.guard.ground import Ground
from releve.flow.guard.holding import Holder
from releve.flow.guard.judging import Judge
from releve.flow.guard.pace import Pace
from releve.flow.guard.reading import Reader
from releve.flow.guard.responding import Responder
from releve.flow.guard.resuming import RECENT_NS, Resume, together
from releve.flow.guard.work import Job, Volume, What, merge
from releve.flow.ports import Clock, Contain, Hands, Keeper, Openers, Processes, Share, Watcher
from releve.model.held import HoldResult, Judged, Kind
from releve.model.lines import Alert, Folder, Progress, Ready
from releve.model.process import Process

_AUTHOR_NS = 30_000_000_000  # below the minute after which a parent answers for an ended program

_COMMIT_S = 0.1  # so old may be what a kill -9 makes forgotten: verdicts come after the last hold


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
    share: Callable[[Share], None]  # asks for more or less of the processor


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
        approved: Callable[[Process, Sequence[str], Sequence[Process]], str],
    ) -> None:
        self._parts, self._limits, self._say = parts, limits, say
        self._clock = parts.clock
        self._approved = approved
        self._volumes = {v.fsid: v for v in parts.volumes}
        self._book = Book(int(600e9))
        self._scores = Scores(limits)
        steady = parts.clock.steady
        self._hold: Desk[Job] = Desk(merge, steady)
        self._big: Desk[Job] = Desk(merge, steady)
        self._judge_desk: Desk[Job] = Desk(merge, steady)
        self._pace = Pace(parts.clock, limits, parts.share)
        self.holder = Holder(
            self._hold, self._big, self._judge_desk, parts.clock, limits, say, self._pace
        )
        self.responder = Responder(
            self._volumes,
            self._book,
            self._scores,
            parts.processes,
            parts.hands,
            parts.contain,
            parts.clock,
            limits,
            say,
            self._wait_idle,
            self._wait_read,
            spare,
            enforce=enforce,
        )
        ground = Ground(
            volumes=self._volumes,
            book=self._book,
            scores=self._scores,
            clock=parts.clock,
            limits=limits,
            pace=self._pace,
            say=say,
        )
        powers = Powers(
            convict=self._convict,
            is_convicted=self.responder.is_convicted,
            suspend=self.responder.suspend,
            protected=self._living,
            contain=parts.contain,
        )
        self.judge = Judge(ground, self._judge_desk, powers)
        self.reader = Reader(
            self._volumes,
            parts.processes,
            self._book,
            self._hold,
            self._judge_desk,
            parts.clock,
            own=parts.own,
            on_overflow=self._overflow,
            on_tree=self._tree,
            sees_all=parts.watcher.sees_all,
            on_late=self.responder.late,
            young_s=limits.young_s,
        )
        self.responder.on_convicted = self.reader.late.add
        self._resume = Resume(
            self._book, self.judge, self.responder, parts.clock, self._note_outside
        )
        self._comparing = False
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._blocked = False
        self._reads = 0
        self._pruned_at = self._committed_at = steady()
        self._rescan = threading.Event()
        self._trees: list[tuple[Volume, int, bytes]] = []
        self._trees_lock = threading.Lock()
        self._enforce = enforce
        self.baseline_ms: dict[str, float] = {}

    # start

    def start(self, folders_said: Callable[[], tuple[Folder, ...]], pid: int, store: str) -> None:
        """Hold the baseline (or compare after a pause), then watch; says `ready` at the end."""
        absent = Process(0, self._clock.now_ns(), None, program="(pendant l'arrêt)", known=False)
        self.responder.after_restart.stop_left()
        found = [
            (volume, number, self._baseline(volume, number, folder, absent))
            for volume in self._volumes.values()
            for number, folder in enumerate(volume.keeper.folders)
        ]
        self._resume.start(found, absent)
        for volume in self._volumes.values():
            self.judge.rehearse(volume.keeper)
        for name, loop in (
            ("read", self._read_loop),
            ("hold", self._hold_loop),
            ("big", self._big_loop),
            ("judge", self._judge_loop),
            ("respond", self._respond_loop),
            ("walk", self._walk_loop),
        ):
            thread = threading.Thread(target=loop, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._say(Ready(folders=folders_said(), enforce=self._enforce, pid=pid, store=store))

    def _baseline(
        self, volume: Volume, number: int, folder: str, absent: Process
    ) -> list[HoldResult]:
        """Hold what is not held as it is; answers what changed since the guard last watched."""
        keeper = volume.keeper
        first = keeper.is_empty(number)
        recent = [] if first else keeper.recent(number, RECENT_NS)
        started = self._clock.steady()
        total = keeper.count_entries(number)
        phase = "baseline" if first else "compare"

        def progress(files: int, size: int) -> None:
            share = min(99.0, 100 * files / total) if total else 0.0
            self._say(
                Progress(
                    folder=folder,
                    phase=phase,
                    files=files,
                    percent=round(share, 1),
                    bytes_held=size,
                )
            )

        walked = keeper.baseline(number, "" if first else absent.id, progress)
        changed: list[HoldResult] = []
        if first:
            for result in walked:
                self._note_outside(volume, number, result)
            keeper.complete(number)
        else:
            changed = together(walked, recent)
        files, size = keeper.counts(number)
        self.baseline_ms[folder] = round((self._clock.steady() - started) * 1000, 1)
        self._say(Progress(folder=folder, phase=phase, files=files, percent=100.0, bytes_held=size))
        self._say_unreadable(keeper, folder)
        return changed

    def _say_unreadable(self, keeper: Keeper, folder: str) -> None:
        count, keeper.unreadable = keeper.unreadable, 0
        if count:
            self._say(
                Alert(
                    kind="not_held",
                    folder=folder,
                    why=f"{count} fichiers ne peuvent pas être lus par le gardien : ils ne sont pas gardés. "
                    "Donnez-lui le droit de les lire, ou lancez-le en root.",
                    why_en=f"{count} files cannot be read by the guard: they are not held. Let it read them, or "
                    "run it as root.",
                )
            )

    def _note_outside(self, volume: Volume, number: int, result: HoldResult) -> None:
        facts = result.facts
        if facts is not None and facts.kind is Kind.FILE and facts.nlink > 1 and result.key:
            self.reader.adopt(volume, result.key, number, outside=True)

    def _living(self) -> int:
        """Originals that live now."""
        return sum(
            v.keeper.counts(n)[0]
            for v in self._volumes.values()
            for n in range(len(v.keeper.folders))
        )

    def enforce(self) -> None:
        """From now on act; until now it only said what it would have stopped."""
        self.responder.enforce = self._enforce = True
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

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """The file systems that are guarded."""
        return tuple(self._volumes.values())

    def watch_canaries(self, keys: frozenset[bytes]) -> None:
        """Files (file system id + key) of which one alone convicts whoever makes it unreadable."""
        self.judge.count.canaries = keys

    def freeable(self) -> tuple[int, int]:
        """Deleted files whose versions are still held, and their bytes."""
        counts = [v.keeper.gone_count() for v in self._volumes.values()]
        return sum(c[0] for c in counts), sum(c[1] for c in counts)

    def free(self) -> int:
        """Give back the room of all deleted files now, on a person's request; answers how many."""
        freed = 0
        for volume in self._volumes.values():
            freed += volume.keeper.prune_gone(self._clock.now_ns(), 1 << 30)
            volume.keeper.commit()  # the room itself returns with it: somebody waits for it
        return freed

    def prune(self) -> int:
        """Give back the room of deleted files after the retention; answers how many were dropped."""
        now = self._clock.steady()
        ran, self._pruned_at = now - self._pruned_at, now
        keep_ns, ran_ns = int(self._limits.retention_s * 1e9), int(ran * 1e9)
        return sum(v.keeper.retire(keep_ns, ran_ns) for v in self._volumes.values())

    def damaged(self, process: Process) -> set[str]:
        """Paths of what it touched and what is not known to be sound, new and former names."""
        paths = set()
        touches = [
            t for t in self._book.of(process.tree()).values() if t.judged is not Judged.CLEAN
        ]
        for touch in sorted(touches, key=lambda t: -t.last_ns)[:500]:
            keeper = self._volumes[touch.file[:8]].keeper
            node = keeper.node(touch.file[8:])
            names = {
                *touch.was,
                *touch.became,
                *(keeper.names(node.id) if node is not None else ()),
            }
            paths |= {keeper.path(name) for name in names}
        return paths

    def inherit(self, process: Process) -> None:
        """An ended process is forgotten: its parent answers for its touches."""
        self._book.inherit(process)
        self._scores.forget(process.id)

    # loops

    def _read_loop(self) -> None:
        watcher, route = self._parts.watcher, self.reader.route
        while not self._closing.is_set():
            changes = watcher.read(0)
            if not changes:
                self._blocked = True
                changes = watcher.read(0.2)
                self._blocked = False
            try:
                route(changes)
            except Exception as error:  # noqa: BLE001 - the one guard per driver loop
                self._say_bug(error)
                self._rescan.set()  # what was not routed is found by comparing
            self._reads += 1

    def _hold_loop(self) -> None:
        self._loop(self._hold_one)

    def _hold_one(self) -> bool:
        """Hold the next save; the first destroyed file gives the judge the floor for a moment."""
        return not self._pace.leaves_the_floor() and self.holder.work(0.5)

    def _big_loop(self) -> None:
        self._loop(lambda: self.holder.work_big(0.5))

    def _judge_loop(self) -> None:
        self._loop(lambda: self.judge.work(0.5))

    def _respond_loop(self) -> None:
        self._loop(lambda: self.responder.work(0.5))

    def _loop(self, work: Callable[[], bool]) -> None:
        """One stage until the end. A bug in it is said and does not stop the protection."""
        while not self._closing.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the one guard per driver loop
                self._say_bug(error)

    def _say_bug(self, error: Exception) -> None:
        stage = threading.current_thread().name
        self._parts.report_bug(error)
        self._say(
            Alert(
                kind="internal_error",
                why=f"Erreur interne à l'étape « {stage} » ({type(error).__name__}) : la garde continue, "
                "signalez-la à votre infogérant.",
                why_en=f"Internal error in stage {stage} ({type(error).__name__}): the guard goes on; tell "
                "your operator.",
            )
        )

    def _walk_loop(self) -> None:
        """The slow eye: mapped files, trees that came in, rescans, the window's figures."""
        last_walk = last_window = self._clock.steady()
        while not self._closing.wait(0.02):
            try:
                last_walk, last_window = self._walk(last_walk, last_window)
            except Exception as error:  # noqa: BLE001 - the one guard per driver loop
                self._say_bug(error)

    def _walk(self, last_walk: float, last_window: float) -> tuple[float, float]:
        self._take_trees()
        if self._rescan.is_set():
            self._rescan.clear()
            self._compare_all()
        now = self._clock.steady()
        self._pace.look()
        if now - self._committed_at >= _COMMIT_S:
            self._committed_at = now
            for volume in self._volumes.values():
                volume.keeper.commit()
        if now - last_walk >= self._limits.walk_every_s:
            last_walk = now
            self._look_at_mapped()
            self.responder.look_at_frozen()
        if now - last_window >= 5.0:
            last_window = now
            self.say_window()
            self.prune()
        return last_walk, last_window

    def say_window(self) -> None:
        """Say the window since the last time, if there were saves."""
        volume = next(iter(self._volumes.values()))
        keeper = volume.keeper
        window = self.holder.window(keeper.folders[0], keeper.held_bytes, keeper.room_bytes())
        if window is not None:
            self._say(window)

    def _look_at_mapped(self) -> None:
        for pid, path in self._parts.openers.writers():
            for volume in self._volumes.values():
                for number, root in enumerate(volume.keeper.folders):
                    if path.startswith(root + "/"):
                        self._look_at_one(volume, number, pid, path)

    def _look_at_one(self, volume: Volume, number: int, pid: int, path: str) -> None:
        try:
            key = volume.keeper.place.key_of(path)
        except OSError:
            return
        node = volume.keeper.node(key)
        changed = volume.keeper.changed_ns(key)
        if node is None or not changed or changed == node.facts.ctime_ns:
            return
        process = self._parts.processes.get(pid)
        file = volume.fsid + key
        now = self._clock.now_ns()
        seen = min(changed + now - self._clock.wall_ns(), now)
        touch = self._book.touch(process, file, number, seen)
        touch.wrote = True
        self._book.wrote(process, file)
        job = Job(
            what=What.OPEN, process=process, volume=volume, file=file, folder=number, seen_ns=now
        )
        self._judge_desk.put(process.pid, file, job)

    def _tree(self, volume: Volume, folder: int, directory: bytes) -> None:
        with self._trees_lock:
            self._trees.append((volume, folder, directory))

    def _take_trees(self) -> None:
        while self._trees:
            with self._trees_lock:
                volume, folder, directory = self._trees.pop(0)
            node = volume.keeper.node(directory[8:])
            writer = ""
            touchers = self._book.last_writer(directory)
            if touchers is not None:
                writer = touchers.id
            if node is not None:
                for result in volume.keeper.tree(directory[8:], folder, writer or "tree"):
                    if result.is_new and touchers is not None:
                        now = self._clock.now_ns()
                        self._book.touch(
                            touchers, directory[:8] + result.key, folder, now
                        ).created = True

    # waiting and failing

    def _wait_read(self) -> None:
        """Until what the kernel had queued by now was read; at most 20 ms."""
        end = self._clock.steady() + 0.02
        reads = self._reads
        while self._clock.steady() < end:
            if self._blocked or self._reads >= reads + 2:
                return
            self._clock.sleep(0.0005)

    def _wait_idle(self, most_s: float) -> None:
        """Until nothing noticed so far waits to be held or judged; at most `most_s`."""
        end = self._clock.steady() + most_s
        while self._clock.steady() < end:
            self._wait_read()
            self._hold.hasten(lambda job: not job.tries)  # the family's new files must be known
            if (
                not self._parts.watcher.is_behind()
                and not self._comparing
                and self._hold.is_idle()
                and (self._judge_desk.is_idle() or threading.current_thread().name == "judge")
            ):
                return
            self._clock.sleep(0.001)

    def _convict(self, head: Process, kind: str) -> None:
        if head in self.responder.convicted:
            return  # its further marks are many: nothing more is to be decided
        paths = [mark.path for mark in self._scores.marks(head.id)]
        approval = self._approved(head, paths, self._authors(head))
        if approval:
            self._scores.settle([p.id for p in head.chain()] or [head.id])
            self._say(
                Alert(
                    kind="approved",
                    family=head.id,
                    why=f"Chiffrement en masse par {head.program}, approuvé : {approval}.",
                    why_en=f"Bulk encryption by {head.program}, approved: {approval}.",
                )
            )
            return
        self.responder.convict(head, kind)

    def _authors(self, head: Process) -> list[Process]:
        """Who of the family wrote content that nobody can read, not long ago.

        The shell that deletes the originals afterwards is none of them; a program that was started
        beside the approved one is. What ended long ago counts for its parent, so it is left out.
        """
        since = self._clock.now_ns() - _AUTHOR_NS
        return [
            process
            for process in head.tree()
            if any(
                t.judged in (Judged.BAD, Judged.UNKNOWN) and t.wrote and t.last_ns >= since
                for t in self._book.of((process,)).values()
            )
        ]

    def _overflow(self) -> None:
        if not self._rescan.is_set():
            self._say(
                Alert(
                    kind="overflow",
                    why="Des notifications ont été perdues : tout est comparé de nouveau aux originaux.",
                    why_en="Notifications were lost: everything is compared with the originals again.",
                )
            )
        self._rescan.set()

    def _compare_all(self) -> None:
        absent = Process(0, self._clock.now_ns(), None, program="(inconnu)", known=False)
        self._comparing = True
        try:
            for volume in self._volumes.values():
                for number in range(len(volume.keeper.folders)):
                    changed = list(volume.keeper.baseline(number, absent.id, lambda _f, _b: None))
                    self._resume.judge(volume, number, changed, absent)
        finally:
            self._comparing = False
        self.responder.again(absent)  # what was judged after its conviction is undone as well

    def close(self) -> None:
        """End the loops; what is being rolled back is finished first."""
        end = self._clock.steady() + 10
        while not self.responder.is_idle and self._clock.steady() < end:
            self._clock.sleep(0.01)
        self.responder.look_at_frozen()
        self.say_window()
        self._closing.set()
        for desk in (self._hold, self._big, self._judge_desk):
            desk.close()
        self.responder.close()
        for thread in self._threads:
            thread.join(3)
        self._parts.contain.close()
        self._parts.watcher.close()
        for volume in self._volumes.values():
            if self._threads:
                volume.keeper.close_clean()
            volume.keeper.close()
