"""Who touched what: kept per process for as long as a roll-back may need it."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from releve.model.held import Judged, Name
from releve.model.process import Process
from releve.recover.rollback import Touch

_FILES = 50_000
_SAVES = 4


class _File:
    """What is remembered of one file, whoever touches it."""

    __slots__ = ("last", "maker", "saves", "wrote_ns")

    def __init__(self) -> None:
        self.wrote_ns = 0
        self.last: Process | None = None
        self.maker: tuple[Process, int] | None = None
        self.saves: tuple[tuple[Process, int], ...] = ()


class Book:
    """Touches per process, and the last writer and last foreign save per file.

    Args:
        memory_ns: sound touches older than this are dropped.
    """

    def __init__(self, memory_ns: int) -> None:
        self._memory_ns = memory_ns
        self._touches: dict[Process, OrderedDict[bytes, Touch]] = {}
        self._files: OrderedDict[bytes, _File] = OrderedDict()
        self._lock = threading.Lock()

    def touch(self, process: Process, file: bytes, folder: int, now_ns: int) -> Touch:
        """The touch of `process` on `file`, begun now if it is the first."""
        with self._lock:
            touches = self._touches.setdefault(process, OrderedDict())
            touch = touches.get(file)
            if touch is None:
                touch = touches[file] = Touch(
                    file=file, folder=folder, first_ns=now_ns, last_ns=now_ns, was=[], became=[]
                )
                if len(touches) > 4096 and len(touches) % 256 == 0:
                    self._trim(touches, now_ns)
            touch.last_ns = now_ns
            return touch

    def _trim(self, touches: OrderedDict[bytes, Touch], now_ns: int) -> None:
        for file in list(touches)[:256]:
            touch = touches[file]
            if touch.judged is Judged.CLEAN and now_ns - touch.last_ns > self._memory_ns:
                del touches[file]

    def _file(self, file: bytes) -> _File:
        known = self._files.get(file)
        if known is None:
            known = self._files[file] = _File()
            if len(self._files) > _FILES:
                self._files.popitem(last=False)
        else:
            self._files.move_to_end(file)
        return known

    def wrote(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` is the last who changed the content of `file`, as was noticed now."""
        with self._lock:
            known = self._file(file)
            known.last, known.wrote_ns = process, now_ns

    def wrote_ns(self, file: bytes) -> int:
        """When it was last noticed that somebody changed its content."""
        with self._lock:
            known = self._files.get(file)
            return known.wrote_ns if known is not None else 0

    def saved(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` closed `file` after writing."""
        with self._lock:
            known = self._file(file)
            before = known.saves
            if before and before[-1][0] is process:
                before = before[:-1]
            known.saves = (*before[1 - _SAVES :], (process, now_ns))

    def made(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` made `file`."""
        with self._lock:
            self._file(file).maker = (process, now_ns)

    def maker(self, file: bytes) -> tuple[Process, int] | None:
        """Who made a file, and when, if that is not long ago."""
        with self._lock:
            known = self._files.get(file)
            return known.maker if known is not None else None

    def last_writer(self, file: bytes) -> Process | None:
        with self._lock:
            known = self._files.get(file)
            return known.last if known is not None else None

    def saves_of_others(self, family: set[Process], file: bytes) -> list[int]:
        """When people outside the family last saved it (ns), oldest first; a few are remembered."""
        with self._lock:
            known = self._files.get(file)
            saves = known.saves if known is not None else ()
            return [at for process, at in saves if process not in family]

    def has(self, process: Process) -> bool:
        return process in self._touches

    def find(self, process: Process, file: bytes) -> Touch | None:
        with self._lock:
            touches = self._touches.get(process)
            return touches.get(file) if touches else None

    def forget(self, process: Process, file: bytes) -> None:
        """Somebody else answers for this touch."""
        with self._lock:
            touches = self._touches.get(process)
            if touches is not None:
                touches.pop(file, None)

    def inherit(self, process: Process) -> None:
        """The process ended long ago: its parent answers for its touches."""
        with self._lock:
            touches = self._touches.pop(process, None)
            if not touches or process.parent is None or process.parent.is_boundary:
                return
            heir = self._touches.setdefault(process.parent, OrderedDict())
            for file, touch in touches.items():
                heir[file] = merge(heir[file], touch) if file in heir else touch

    def of(self, family: Iterable[Process]) -> dict[bytes, Touch]:
        """All touches of a family, one per file."""
        found: dict[bytes, Touch] = {}
        with self._lock:
            for process in family:
                for file, touch in (self._touches.get(process) or {}).items():
                    known = found.get(file)
                    found[file] = merge(known, touch) if known else touch
        return found

    def drop(self, family: Iterable[Process]) -> None:
        with self._lock:
            for process in family:
                self._touches.pop(process, None)


def merge(a: Touch, b: Touch) -> Touch:
    """Two touches of one family on one file, in the order of time."""
    first, second = (a, b) if a.first_ns <= b.first_ns else (b, a)
    became: list[Name] = [*first.became, *second.became]
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
        was=[*first.was, *(n for n in second.was if n not in first.became and n not in first.was)],
        became=became,
        judged=max(a.judged, b.judged),
    )
