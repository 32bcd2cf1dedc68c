"""Who writes to a SQLite database next: one after the other, in the order in which they came.

SQLite itself has no order: who waits looks again ten times a second, and who has just written takes the
lock again at once. Twelve writers of 0.3 s each kept some waiting until they gave up after 20 s.
"""

import threading
from collections import deque

PATIENCE_S = 60.0  # as many of the longest writings there are before us


class Turns:
    """Of one database in this process. Whoever takes a turn gives it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False

    def take(self, seconds: float = PATIENCE_S) -> bool:
        """False: it did not come in time, and there is nothing to give back."""
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(seconds):
            return True
        with self._lock:
            if mine.is_set():  # in the last moment
                return True
            self._waiting.remove(mine)
            return False

    def give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()  # handed over: nobody comes between
            else:
                self._is_taken = False


_known: dict[str, Turns] = {}
_all = threading.Lock()


def turns_of(database: str) -> Turns:
    """The same for every engine of this process on that file."""
    with _all:
        return _known.setdefault(database, Turns())
