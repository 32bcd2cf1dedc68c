"""Fair queues: one per writer, round robin, so that a writer who floods delays only himself."""

import contextlib
import heapq
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


_MOST = 4096  # that came and was not looked at: then who puts more helps to sort it


class Desk(Generic[Item]):
    """A queue of work with one lane per writer, for one who takes it.

    Work on the same thing waiting in the same lane is merged, so a lane is never longer than the
    number of different things its writer touched. Who puts work waits for nobody, so that one who
    takes work and lost the processor in the middle of it does not keep the reader waiting.

    Args:
        merge: (waiting, new) -> what waits from now on.
        steady: seconds that never go back.
    """

    def __init__(self, merge: Callable[[Item, Item], Item], steady: Callable[[], float]) -> None:
        self._merge, self._steady = merge, steady
        # What came, when it is due (None: now), in turn: nobody locks to add to it.
        self._came: deque[tuple[float | None, Hashable, Hashable, Item]] = deque()
        self._bell = threading.Lock()  # locked: nothing came since it was last looked at
        self._bell.acquire()
        # Who takes work waits until then, and need not be rung for what is due later. While he does
        # not wait, for no such work: he looks at all that came before he waits again.
        self._until = -math.inf
        self._lanes: OrderedDict[Hashable, OrderedDict[Hashable, Item]] = OrderedDict()
        self._later: list[tuple[float, int, Hashable, Hashable, Item]] = []
        self._number = 0
        self._busy = 0
        self._last: Hashable = None  # whose work was taken last
        self._closed = False
        self._lock = threading.RLock()

    def put(self, writer: Hashable, thing: Hashable, item: Item) -> None:
        """Queue work; merged with what waits for the same writer and thing."""
        self._put(None, writer, thing, item)

    def put_later(self, delay_s: float, writer: Hashable, thing: Hashable, item: Item) -> None:
        """Queue work that is not to be done before `delay_s` from now."""
        self._put(self._steady() + delay_s, writer, thing, item)

    def _put(self, due: float | None, writer: Hashable, thing: Hashable, item: Item) -> None:
        self._came.append((due, writer, thing, item))
        if due is None or due < self._until:
            self._ring()
        if len(self._came) > _MOST:
            with self._lock:
                self._sort()

    def _ring(self) -> None:
        if self._bell.locked():
            with contextlib.suppress(RuntimeError):  # somebody else rang it just now
                self._bell.release()

    def _sort(self) -> None:
        """Put all that came in its place; with the lock, as whoever looks at what waits."""
        while self._came:
            due, writer, thing, item = self._came.popleft()
            if due is None:
                self._enter(writer, thing, item)
            else:
                self._number += 1
                heapq.heappush(self._later, (due, self._number, writer, thing, item))

    def hasten(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """What is wanted of the work that was not to be done yet is due now, before the rest of its lane.

        Answers it, what was to be done first first.
        """
        with self._lock:
            self._sort()
            due = [entry for entry in self._later if wanted(entry[4])]
            if not due:
                return []
            self._later = [entry for entry in self._later if not wanted(entry[4])]
            heapq.heapify(self._later)
            due.sort(key=lambda entry: entry[:2])
            for _, _, writer, thing, item in due:
                self._enter(writer, thing, item)
                self._lanes[writer].move_to_end(thing, last=False)
        self._ring()
        return [entry[4] for entry in due]

    def _enter(self, writer: Hashable, thing: Hashable, item: Item) -> None:
        lane = self._lanes.get(writer)
        if lane is None:
            lane = self._lanes[writer] = OrderedDict()
        waiting = lane.get(thing)
        lane[thing] = item if waiting is None else self._merge(waiting, item)

    def get(self, wait_s: float) -> Item | None:
        """The next piece of work, one per writer in turn; None after `wait_s` or when closed."""
        end = self._steady() + wait_s
        while True:
            with self._lock:
                self._until = -math.inf
                self._sort()
                now = self._steady()
                while self._later and self._later[0][0] <= now:
                    _, _, writer, thing, item = heapq.heappop(self._later)
                    self._enter(writer, thing, item)
                if self._lanes:
                    return self._take()
                until = min(end, self._later[0][0]) if self._later else end
                if self._closed or now >= end:
                    return None
                self._until = until
            if self._came:  # by somebody who did not know yet until when we wait
                continue
            self._bell.acquire(timeout=max(0.0, until - now))

    def _take(self) -> Item:
        writer, lane = self._lanes.popitem(last=False)
        _, item = lane.popitem(last=False)
        if lane:
            self._lanes[writer] = lane
        self._busy += 1
        self._last = writer
        return item

    def done(self) -> None:
        """The last piece of work taken by `get` is finished."""
        with self._lock:
            self._busy -= 1

    def is_idle(self) -> bool:
        """Nothing waits and nothing is worked on (what is due later does not count)."""
        with self._lock:
            self._sort()
            return not self._lanes and not self._busy

    def __len__(self) -> int:
        with self._lock:
            self._sort()
            return sum(map(len, self._lanes.values())) + len(self._later)

    def has_lane(self, wanted: Callable[[Hashable], bool]) -> bool:
        """Whether somebody of those waits."""
        with self._lock:
            self._sort()
            return any(wanted(writer) for writer in self._lanes)

    def has_later(self, wanted: Callable[[Item], bool]) -> bool:
        """Whether such work is to be done later."""
        with self._lock:
            self._sort()
            return any(wanted(entry[4]) for entry in self._later)

    def is_at(self, wanted: Callable[[Hashable], bool]) -> bool:
        """Whether somebody of those waits or is being worked for."""
        with self._lock:
            self._sort()
            at = self._busy > 0 and wanted(self._last)
            return at or self.has_lane(wanted)

    def close(self) -> None:
        self._closed = True
        self._ring()
