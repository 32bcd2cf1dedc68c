"""Fair queues: one per writer, round robin, so that a writer who floods delays only himself."""

import heapq
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Desk(Generic[Item]):
    """A queue of work with one lane per writer.

    Work on the same thing waiting in the same lane is merged, so a lane is never longer than the
    number of different things its writer touched.

    Args:
        merge: (waiting, new) -> what waits from now on.
        steady: seconds that never go back.
    """

    def __init__(self, merge: Callable[[Item, Item], Item], steady: Callable[[], float]) -> None:
        self._merge, self._steady = merge, steady
        self._lanes: OrderedDict[Hashable, OrderedDict[Hashable, Item]] = OrderedDict()
        self._later: list[tuple[float, int, Hashable, Hashable, Item]] = []
        self._number = 0
        self._busy = 0
        self._last: Hashable = None  # whose work was taken last
        self._closed = False
        self._ready = threading.Condition()

    def put(self, writer: Hashable, thing: Hashable, item: Item) -> None:
        """Queue work; merged with what waits for the same writer and thing."""
        with self._ready:
            self._enter(writer, thing, item)
            self._ready.notify()

    def put_later(self, delay_s: float, writer: Hashable, thing: Hashable, item: Item) -> None:
        """Queue work that is not to be done before `delay_s` from now."""
        with self._ready:
            self._number += 1
            due = self._steady() + delay_s
            heapq.heappush(self._later, (due, self._number, writer, thing, item))
            self._ready.notify()

    def hasten(self, wanted: Callable[[Item], bool]) -> None:
        """What is wanted of the work that was not to be done yet is due now, before the rest of its lane."""
        with self._ready:
            due = [entry for entry in self._later if wanted(entry[4])]
            if not due:
                return
            self._later = [entry for entry in self._later if not wanted(entry[4])]
            heapq.heapify(self._later)
            for _, _, writer, thing, item in sorted(due, key=lambda entry: entry[:2]):
                self._enter(writer, thing, item)
                self._lanes[writer].move_to_end(thing, last=False)
            self._ready.notify()

    def _enter(self, writer: Hashable, thing: Hashable, item: Item) -> None:
        lane = self._lanes.get(writer)
        if lane is None:
            lane = self._lanes[writer] = OrderedDict()
        waiting = lane.get(thing)
        lane[thing] = item if waiting is None else self._merge(waiting, item)

    def get(self, wait_s: float) -> Item | None:
        """The next piece of work, one per writer in turn; None after `wait_s` or when closed."""
        with self._ready:
            end = self._steady() + wait_s
            while True:
                now = self._steady()
                while self._later and self._later[0][0] <= now:
                    _, _, writer, thing, item = heapq.heappop(self._later)
                    self._enter(writer, thing, item)
                if self._lanes:
                    break
                until = min(end, self._later[0][0]) if self._later else end
                if self._closed or now >= end:
                    return None
                self._ready.wait(max(0.0, until - now))
            writer, lane = self._lanes.popitem(last=False)
            _, item = lane.popitem(last=False)
            if lane:
                self._lanes[writer] = lane
            self._busy += 1
            self._last = writer
            return item

    def done(self) -> None:
        """The last piece of work taken by `get` is finished."""
        with self._ready:
            self._busy -= 1
            self._ready.notify_all()

    def is_idle(self) -> bool:
        """Nothing waits and nothing is worked on (what is due later does not count)."""
        with self._ready:
            return not self._lanes and not self._busy

    def __len__(self) -> int:
        with self._ready:
            return sum(map(len, self._lanes.values())) + len(self._later)

    def has_lane(self, wanted: Callable[[Hashable], bool]) -> bool:
        """Whether somebody of those waits."""
        with self._ready:
            return any(wanted(writer) for writer in self._lanes)

    def has_later(self, wanted: Callable[[Item], bool]) -> bool:
        """Whether such work is to be done later."""
        with self._ready:
            return any(wanted(entry[4]) for entry in self._later)

    def is_at(self, wanted: Callable[[Hashable], bool]) -> bool:
        """Whether somebody of those waits or is being worked for."""
        with self._ready:
            at = self._busy > 0 and wanted(self._last)
            return at or self.has_lane(wanted)

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify_all()
