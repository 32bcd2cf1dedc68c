"""Who adds up: points per family, per user over a minute and a day, deletions per family.

A fold: `Scores` keeps private mutable state (copying it at every save would cost more than the
judgement) and every method answers what follows from it; no clock, no input but the arguments.
Points roll up the lineage: the lowest process whose subtree reaches the limit is convicted, so
neither one process per file nor an honest sibling below the same shell changes the verdict.
"""

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from releve.detect.ransom.content import Reason
from releve.detect.ransom.limits import Limits


class Mark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Points of one file for one writer."""

    file: bytes
    reasons: tuple[Reason, ...]
    at_s: float
    path: str = ""

    @property
    def points(self) -> float:
        return sum(reason.score for reason in self.reasons)


class _Recent:
    """How many there were lately, counted by the second: there may be many in one."""

    __slots__ = ("_seconds", "count")

    def __init__(self) -> None:
        self._seconds: list[list[int]] = []  # the second, and how many
        self.count = 0

    def add(self, now_s: float) -> None:
        if not self._seconds or self._seconds[-1][0] < int(now_s):
            self._seconds.append([int(now_s), 0])
        self._seconds[-1][1] += 1
        self.count += 1

    def forget(self, before_s: float) -> None:
        while self._seconds and self._seconds[0][0] + 1 <= before_s:
            self.count -= self._seconds.pop(0)[1]


class _Sum:
    """Marks of one process and all below it."""

    __slots__ = ("created", "deleted", "marks", "originals", "total")

    def __init__(self) -> None:
        self.marks: dict[bytes, Mark] = {}  # the oldest first
        self.total = 0.0
        self.deleted = _Recent()
        self.created = _Recent()
        self.originals = 0  # that lived when it was last asked, and those deleted by then

    def add(self, mark: Mark, memory_s: float) -> None:
        old = self.marks.pop(mark.file, None)
        if old is not None:
            self.total -= old.points
            if old.points > mark.points:
                mark = old
        self.marks[mark.file] = mark
        self.total += mark.points
        while self.marks:
            first = next(iter(self.marks.values()))
            if mark.at_s - first.at_s <= memory_s:
                break
            self.total -= self.marks.pop(first.file).points


class Scores:
    """Sums over lineages and users. A lineage is a sequence of process ids, the writer first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sums: dict[str, _Sum] = {}
        self._pools: dict[str, deque[tuple[float, str, float]]] = {}
        self._days: dict[str, deque[tuple[float, tuple[str, ...], float]]] = {}
        self._alerted: dict[str, float] = {}

    def add(self, lineage: Sequence[str], mark: Mark) -> str | None:
        """Count a mark for a writer and its ancestors; answers the id to convict, if any."""
        convicted = None
        memory_s = self._limits.family_memory_s
        for process in lineage:
            total = self._sums.setdefault(process, _Sum())
            total.add(mark, memory_s)
            memory_s = self._limits.ancestor_memory_s
            if convicted is None and total.total >= self._limits.convict:
                convicted = process
        return convicted

    def add_to_pool(self, who: str, head: str, points: float, now_s: float) -> tuple[str, ...]:
        """Many small families of one user: answers the heads to convict together, if any."""
        pool = self._pools.setdefault(who, deque())
        pool.append((now_s, head, points))
        while pool and now_s - pool[0][0] > self._limits.pool_memory_s:
            pool.popleft()
        heads = dict.fromkeys(h for _, h, _ in pool)
        total = sum(points for _, _, points in pool)
        if total >= self._limits.convict and len(heads) >= self._limits.pool_families:
            pool.clear()
            return tuple(heads)
        return ()

    def add_to_day(
        self, who: str, lineage: Sequence[str], points: float, now_s: float
    ) -> float | None:
        """Slow attacks: answers the day's sum when a person should look, at most hourly.

        What a convicted family did does not count: it is told and undone already.
        """
        day = self._days.setdefault(who, deque())
        day.append((now_s, tuple(lineage), points))
        while day and now_s - day[0][0] > self._limits.slow_memory_s:
            day.popleft()
        total = sum(points for _, _, points in day)
        if total < self._limits.slow_alert or now_s - self._alerted.get(who, -1e9) < 3600:
            return None
        self._alerted[who] = now_s
        return total

    def created(self, lineage: Sequence[str], now_s: float) -> None:
        """A sound new file: a reason for deletions."""
        for process in lineage:
            created = self._sums.setdefault(process, _Sum()).created
            created.add(now_s)
            created.forget(now_s - self._limits.mass_deletion_s)

    def deleted(
        self, lineage: Sequence[str], protected: Callable[[], int], now_s: float
    ) -> str | None:
        """An original is gone and nothing stands for it; answers the id of a mass deletion.

        Args:
            protected: counts the originals that live now; asked only now and then.
        """
        limits = self._limits
        found = None
        for process in lineage:
            total = self._sums.setdefault(process, _Sum())
            total.deleted.add(now_s)
            for times in (total.deleted, total.created):
                times.forget(now_s - limits.mass_deletion_s)
            count = total.deleted.count
            if count % limits.wipe_files == 0:
                total.originals = protected() + count
            if found is None and count >= limits.wipe_files and self._is_mass(total):
                found = process
        return found

    def _is_mass(self, total: _Sum) -> bool:
        limits, count = self._limits, total.deleted.count
        if total.created.count >= limits.deletion_reason * count:
            return False
        share = count / max(count, total.originals)
        if count >= limits.mass_deletion_files and share >= limits.mass_deletion_share:
            return True
        return count >= limits.wipe_files and share >= limits.wipe_share

    def marks(self, process: str) -> list[Mark]:
        """Marks of a process and all below it, heaviest first."""
        total = self._sums.get(process)
        found = list(total.marks.values()) if total else []
        return sorted(found, key=lambda mark: -mark.points)

    def drop(self, lineage: Sequence[str], file: bytes) -> None:
        """Somebody else did it: the mark no longer weighs on this lineage."""
        for process in lineage:
            total = self._sums.get(process)
            mark = total.marks.pop(file, None) if total else None
            if total is not None and mark is not None:
                total.total -= mark.points

    def total(self, process: str) -> float:
        total = self._sums.get(process)
        return total.total if total else 0.0

    def settle(self, lineage: Sequence[str]) -> None:
        """The first of the lineage was convicted: its points no longer weigh on its ancestors."""
        gone = self._sums.pop(lineage[0], None)
        for who, day in self._days.items():
            self._days[who] = deque(entry for entry in day if lineage[0] not in entry[1])
        if gone is None:
            return
        for process in lineage[1:]:
            total = self._sums.get(process)
            if total is None:
                continue
            for file in gone.marks:
                old = total.marks.pop(file, None)
                total.total -= old.points if old else 0.0
            total.deleted = _Recent()

    def forget(self, process: str) -> None:
        """The process ended long ago."""
        self._sums.pop(process, None)
