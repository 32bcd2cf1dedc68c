"""Who touched what: kept per process for as long as a roll-back may need it."""

import threading
from collections.abc import Iterable

import msgspec

from releve.flow.guard.authors import Authors
from releve.flow.guard.touches import Touches, is_idle
from releve.model.held import Judged
from releve.model.process import Process
from releve.recover.rollback import SETTLED_NS, Touch

_AT_ONCE = 64  # the reader waits for no more than that
_MANY = 4096  # touches of one process; of more, the old are dropped
_OFTEN = 256


class Book:
    """Touches per process, and the last writer and last foreign save per file.

    Args:
        memory_ns: sound touches older than this are dropped.
    """

    def __init__(self, memory_ns: int) -> None:
        self._memory_ns = memory_ns
        self._touches: dict[Process, Touches] = {}
        self._authors = Authors()
        self._lent: set[int] = set()  # touches that somebody may be adding to, by id()
        self._lock = threading.Lock()

    def touch(self, process: Process, file: bytes, folder: int, now_ns: int) -> Touch:
        """The touch of `process` on `file`, begun now if it is the first."""
        with self._lock:
            touches = self._touches.get(process)
            if touches is None:
                touches = self._touches[process] = Touches()
            touch = touches.find(file)
            if touch is None:
                touch = Touch(file=file, folder=folder, first_ns=now_ns, last_ns=now_ns)
                touches.put(touch)
                if len(touches) > _MANY and len(touches) % _OFTEN == 0:
                    touches.forget(now_ns - self._memory_ns)
            elif touch.created and _bears_its_name(process, touch, now_ns):
                touch.was = touch.became = ()
            touch.last_ns = now_ns
            self._lent.add(id(touch))
            return touch

    def pack(self, now_ns: int) -> None:
        """Pack the idle touches that nobody asked for since the last time; called every second."""
        with self._lock:
            lent, self._lent = self._lent, set()
            all_ = list(self._touches.values())
        for touches in all_:
            with self._lock:
                live = touches.live()
            idle = [touch for touch in live if is_idle(touch, now_ns)]
            for start in range(0, len(idle), _AT_ONCE):
                with self._lock:
                    for touch in idle[start : start + _AT_ONCE]:
                        if id(touch) not in lent and id(touch) not in self._lent:
                            touches.pack(touch, now_ns)

    def wrote(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` is the last who changed the content of `file`, as was noticed now."""
        with self._lock:
            self._authors.wrote(process, file, now_ns)

    def wrote_ns(self, file: bytes) -> int:
        """When it was last noticed that somebody changed its content."""
        with self._lock:
            return self._authors.wrote_ns(file)

    def saved(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` closed `file` after writing."""
        with self._lock:
            self._authors.saved(process, file, now_ns)

    def made(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` made `file`."""
        with self._lock:
            self._authors.made(process, file, now_ns)

    def maker(self, file: bytes) -> tuple[Process, int] | None:
        """Who made a file, and when, if that is not long ago."""
        with self._lock:
            return self._authors.maker(file)

    def last_writer(self, file: bytes) -> Process | None:
        """Who changed its content last, if that is not long ago."""
        with self._lock:
            return self._authors.writer(file)

    def saves_of_others(self, family: set[Process], file: bytes) -> list[int]:
        """When people outside the family last saved it (ns), oldest first; a few are remembered."""
        with self._lock:
            saves = self._authors.saves(file)
        return [at for process, at in saves if process not in family]

    def has(self, process: Process) -> bool:
        return process in self._touches

    def find(self, process: Process, file: bytes) -> Touch | None:
        with self._lock:
            touches = self._touches.get(process)
            touch = touches.find(file) if touches else None
            if touch is not None:
                self._lent.add(id(touch))
            return touch

    def judged(
        self, process: Process, file: bytes, judged: Judged, *, noticed_ns: int, looked_ns: int
    ) -> None:
        """What the last look at this touch said; bad stays bad, from when it was first noticed."""
        with self._lock:  # in one go: it is not packed between
            touches = self._touches.get(process)
            touch = touches.find(file) if touches else None
            if touch is None:
                return
            if judged is Judged.BAD and not touch.bad_ns:
                touch.bad_ns = noticed_ns
            if touch.judged is not Judged.BAD:
                touch.judged, touch.looked_ns = judged, looked_ns

    def forget(self, process: Process, file: bytes) -> None:
        """Somebody else answers for this touch."""
        with self._lock:
            touches = self._touches.get(process)
            if touches is not None:
                touches.remove(file)

    def inherit(self, process: Process) -> None:
        """The process ended long ago: its parent answers for its touches."""
        with self._lock:
            touches = self._touches.pop(process, None)
            if not touches or process.parent is None or process.parent.is_boundary:
                return
            heir = self._touches.get(process.parent) or Touches()
            few, many = sorted((touches, heir), key=len)
            for touch in few:
                known = many.find(touch.file)
                many.put(merge(known, touch) if known else touch)
            self._touches[process.parent] = many

    def of(self, family: Iterable[Process]) -> dict[bytes, Touch]:
        """All touches of a family, one per file, in the order of their first."""
        found: dict[bytes, Touch] = {}
        with self._lock:
            for process in family:
                for touch in self._touches.get(process) or ():
                    known = found.get(touch.file)
                    found[touch.file] = _in_turn(process, known, touch) if known else touch
        return dict(sorted(found.items(), key=lambda entry: entry[1].first_ns))

    def drop(self, family: Iterable[Process]) -> None:
        with self._lock:
            for process in family:
                self._touches.pop(process, None)


def _bears_its_name(process: Process, touch: Touch, now_ns: int) -> bool:
    """Nobody knows who made the file, and it stood since: its name is its own, not an attack's."""
    return not process.known and now_ns - touch.last_ns >= SETTLED_NS


def _in_turn(process: Process, a: Touch, b: Touch) -> Touch:
    """Merge two touches, of which the later one may have found a name that is the file's own."""
    first, second = (a, b) if a.first_ns <= b.first_ns else (b, a)
    if first.created and _bears_its_name(process, first, second.first_ns):
        first = msgspec.structs.replace(first, was=(), became=())
    return merge(first, second)


def merge(a: Touch, b: Touch) -> Touch:
    """Two touches of one family on one file, in the order of time."""
    first, second = (a, b) if a.first_ns <= b.first_ns else (b, a)
    judged = max(a.judged, b.judged)
    if first.created and second.deleted and judged is not Judged.BAD:
        judged = second.judged  # what it was before it went says nothing of why it went
    return Touch(
        file=a.file,
        folder=a.folder,
        first_ns=first.first_ns,
        last_ns=max(a.last_ns, b.last_ns),
        bad_ns=min(filter(None, (a.bad_ns, b.bad_ns)), default=0),
        wrote_ns=max(a.wrote_ns, b.wrote_ns),
        looked_ns=max(a.looked_ns, b.looked_ns),
        created=first.created,
        wrote=a.wrote or b.wrote,
        deleted=second.deleted or (first.deleted and not second.created),
        was=(*first.was, *(n for n in second.was if n not in first.became and n not in first.was)),
        became=(*first.became, *second.became),
        judged=judged,
    )
