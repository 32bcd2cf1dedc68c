"""Who wrote, made and saved each file last; flat, because there are many."""

import heapq
from array import array

from releve.flow.guard.rows import Rows
from releve.model.process import Process

_FILES = 50_000
_OLDER_SAVES = 3


class Authors:
    """A table with a row for each file heard of lately: the oldest go when it is full.

    Times are the guard's, in ns; 0: never.
    """

    def __init__(self) -> None:
        self._rows = Rows(_FILES)
        self._wrote, self._made, self._saved = array("q"), array("q"), array("q")
        self._writers: list[Process | None] = []
        self._makers: list[Process | None] = []
        self._savers: list[Process | None] = []
        self._older: dict[int, tuple[tuple[Process, int], ...]] = {}  # saves of others before

    def wrote(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` is the last who changed its content."""
        row = self._row(file)
        self._writers[row], self._wrote[row] = process, now_ns

    def saved(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` closed it after writing."""
        row = self._row(file)
        before = self._savers[row]
        if before is not None and before is not process:
            older = (*self._older.get(row, ()), (before, self._saved[row]))
            self._older[row] = older[-_OLDER_SAVES:]
        self._savers[row], self._saved[row] = process, now_ns

    def made(self, process: Process, file: bytes, now_ns: int) -> None:
        """`process` made it."""
        row = self._row(file)
        self._makers[row], self._made[row] = process, now_ns

    def wrote_ns(self, file: bytes) -> int:
        """When its content was last changed."""
        row = self._rows.get(file)
        return 0 if row < 0 else self._wrote[row]

    def writer(self, file: bytes) -> Process | None:
        """Who changed its content last."""
        row = self._rows.get(file)
        return None if row < 0 else self._writers[row]

    def maker(self, file: bytes) -> tuple[Process, int] | None:
        """Who made it, and when."""
        row = self._rows.get(file)
        process = None if row < 0 else self._makers[row]
        return None if process is None else (process, self._made[row])

    def saves(self, file: bytes) -> tuple[tuple[Process, int], ...]:
        """Who saved it and when, oldest first; a few are remembered."""
        row = self._rows.get(file)
        saver = None if row < 0 else self._savers[row]
        if saver is None:
            return ()
        return (*self._older.get(row, ()), (saver, self._saved[row]))

    def _row(self, file: bytes) -> int:
        row = self._rows.get(file)
        if row >= 0:
            return row
        if len(self._rows) >= _FILES:  # many at once: finding the oldest takes a while
            for oldest in heapq.nsmallest(_FILES // 8, self._rows, key=self._last_ns):
                self._forget(oldest)
        row = self._rows.add(file)
        if row == len(self._writers):
            self._grow()
        return row

    def _grow(self) -> None:
        for times in (self._wrote, self._made, self._saved):
            times.append(0)
        for people in (self._writers, self._makers, self._savers):
            people.append(None)

    def _forget(self, row: int) -> None:
        self._rows.remove(row)
        self._older.pop(row, None)
        self._wrote[row] = self._made[row] = self._saved[row] = 0
        self._writers[row] = self._makers[row] = self._savers[row] = None

    def _last_ns(self, row: int) -> int:
        return max(self._wrote[row], self._made[row], self._saved[row])
