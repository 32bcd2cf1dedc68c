"""A pause of milliseconds for who changes originals faster than they can be looked at."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from releve.detect.ransom.limits import Limits
from releve.flow.ports import Clock
from releve.model.process import Process

_REMEMBERED = 1024  # processes
_LOOK_S = 0.005


class _Count:
    """The originals that one process changed in quick succession."""

    __slots__ = ("at_s", "files", "is_suspect", "looks", "makes", "next", "step", "suspect_s")

    def __init__(self, files: int) -> None:
        self.files, self.next, self.at_s, self.is_suspect = 0, files, -1e9, False
        self.step = files  # from one halt to the next
        self.makes, self.suspect_s = False, -1e9
        self.looks = 0  # since it was halted


class Brake:
    """Halts a process that changes one original after the other, until they were looked at.

    A look takes longer than an encryptor needs for a file: without the pause it goes on while its
    first files are judged. Honest programs wait ever more seldom: from one pause to the next it
    takes four times as many files, and those that are read of while it is halted do not count for
    it. Who was found to have destroyed one is halted at each further one.

    Args:
        halt: stops this very process now; False where that must not be.
        resume: lets it go on, unless it is held for another reason.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        halt: Callable[[Process], bool],
        resume: Callable[[Process], None],
    ) -> None:
        self._clock, self._limits = clock, limits
        self._halt, self._resume = halt, resume
        self._counts: OrderedDict[Process, _Count] = OrderedDict()
        self._halted: dict[Process, float] = {}  # until then
        self._any = threading.Event()
        self._lock = threading.Lock()  # a halt and its end must not cross

    def made(self, process: Process) -> None:
        """It made a file: what it deletes from now on may have been replaced by that."""
        self._count(process).makes = True

    def deleted(self, process: Process) -> None:
        """It deleted another original; who only deletes is not kept waiting, deletion alone convicts late."""
        if self._count(process).makes:
            self.note(process)

    def _count(self, process: Process) -> _Count:
        count = self._counts.get(process)
        if count is None:
            count = self._counts[process] = _Count(self._limits.brake_files)
            if len(self._counts) > _REMEMBERED:
                calm = (p for p, c in self._counts.items() if not c.is_suspect)
                del self._counts[next(calm, next(iter(self._counts)))]
        else:
            self._counts.move_to_end(process)
        return count

    def note(self, process: Process) -> None:
        """It began to change another original."""
        now, count = self._clock.steady(), self._count(process)
        self._forget_old(count, now)
        count.files = self._after(count, 1, now)
        count.at_s = now
        if count.is_suspect or count.files >= count.next:
            self._stop(process, count, now)

    def ahead(self, process: Process, files: int) -> None:
        """So many originals more are among what was just read; each is noted when its turn comes."""
        now, count = self._clock.steady(), self._count(process)
        self._forget_old(count, now)
        if count.is_suspect or self._after(count, files, now) >= count.next:
            self._stop(process, count, now)

    def _forget_old(self, count: _Count, now: float) -> None:
        """After a long pause it is counted anew, and what it destroyed long ago is forgotten."""
        limits = self._limits
        if now - count.at_s > limits.brake_forget_s:
            count.files, count.next, count.step = 0, limits.brake_files, limits.brake_files
        if now - count.suspect_s > limits.family_memory_s:
            count.is_suspect = False

    def _after(self, count: _Count, files: int, now: float) -> int:
        """How many there are with so many more, of which only the first may come after a pause."""
        if count.is_suspect or now - count.at_s <= self._limits.brake_within_s:
            return count.files + files
        return max(count.files, 1) + files - 1

    def _stop(self, process: Process, count: _Count, now: float) -> None:
        if not self._lock.acquire(blocking=False):
            return  # the reader waits for nobody
        try:
            count.looks = 0
            if process in self._halted:
                return
            if self._halt(process):
                self._halted[process] = now + self._limits.suspect_s
                self._any.set()
            else:
                self._next(count)
        finally:
            self._lock.release()

    def _next(self, count: _Count) -> None:
        count.next = max(count.files, count.next) + count.step * (self._limits.brake_growth - 1)
        count.step *= self._limits.brake_growth

    def suspect(self, process: Process) -> None:
        """One original that it changed was found destroyed."""
        count = self._counts.get(process)
        if count is not None:
            count.is_suspect, count.suspect_s = True, self._clock.steady()

    @property
    def is_on(self) -> bool:
        """Somebody is halted."""
        return bool(self._halted)

    def follows(self, process: Process) -> bool:
        """It is halted at each further original."""
        count = self._counts.get(process)
        return count is not None and count.is_suspect

    def looked(self, process: Process, *, is_last: bool) -> None:
        """One of its files was looked at; `is_last`: none waits any more."""
        count = self._counts.get(process)
        if process not in self._halted or count is None:
            return
        count.looks += 1
        if is_last or (count.looks >= self._limits.brake_looks and not count.is_suspect):
            self._release(process)

    def let_go(self, wait_s: float) -> None:
        """Nobody waits longer than that, whatever keeps the judge: a stage of its own."""
        if not self._any.wait(wait_s):
            return
        self._any.clear()
        while self._halted:
            now = self._clock.steady()
            for process, until in list(self._halted.items()):
                if now > until:
                    self._release(process)
            self._clock.sleep(_LOOK_S)

    def release_all(self) -> None:
        """The guard ends."""
        for process in list(self._halted):
            self._release(process)

    def _release(self, process: Process) -> None:
        with self._lock:
            if self._halted.pop(process, None) is not None:
                count = self._counts.get(process)
                if count is not None and not count.is_suspect:
                    self._next(count)
                self._resume(process)
