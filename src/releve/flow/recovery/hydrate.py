"""Brings data home in care order, by a few threads, while people work in the same folder."""

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from releve.recover.care_order import Group, Item, Plan

_GONE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
)  # renamed, deleted, replaced by people
_LATER = frozenset({errno.ETXTBSY, errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})
_RETRY_S = 0.05
# Who works at what first: databases and today's patients come home side by side.
_FIRST = (
    (Group.DATABASES, Group.TODAY, Group.REST),
    (Group.TODAY, Group.DATABASES, Group.REST),
)


class Ground(Protocol):
    """The folder that comes home."""

    def is_local(self, path: str) -> bool: ...
    def bring(self, path: str) -> None:
        """Raises: OSError as the system says."""

    def missing(self) -> Iterator[str]: ...
    def room(self) -> int: ...


class Tally(msgspec.Struct):
    """How far one wave is."""

    files: int = 0
    bytes: int = 0
    files_home: int = 0
    bytes_home: int = 0


class Hydration:
    """One run over a plan. `arrived(group)` is called once when a wave is home.

    The link to the vault may break and come back: a file that fails is tried again when `pass_` lets
    through. Nothing is skipped but what people renamed or deleted; `sweep` finds the renamed ones.
    """

    def __init__(
        self, ground: Ground, plan: Plan, *, reserve: int, arrived: Callable[[Group], None]
    ) -> None:
        self._ground, self._arrived, self._reserve = ground, arrived, reserve
        self._queues = {group: deque(plan.of(group)) for group in Group}
        self.tally = {
            group: Tally(files=len(plan.of(group)), bytes=sum(i.size for i in plan.of(group)))
            for group in Group
        }
        self._lock = threading.Lock()
        self._left = {group: len(plan.of(group)) for group in Group}
        self._gate = threading.Event()
        self._gate.set()
        self._busy = 0
        self._idle = threading.Condition(self._lock)
        self._stop = threading.Event()
        self.short_of_room = False
        self.links_lost = 0

    def run(self, threads: int) -> bool:
        """Bring everything; False when it was stopped before the end."""
        for group in Group:
            if not self._left[group]:
                self._arrived(group)
        workers = [
            threading.Thread(target=self._work, args=(_FIRST[n % 2],), daemon=True)
            for n in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return not self._stop.is_set() and self._sweep()

    def stop(self) -> None:
        """End soon; what came home stays."""
        self._stop.set()
        self._gate.set()

    def pause(self) -> None:
        """Let nobody begin a file, and wait until nobody is in one: the view may then be changed."""
        self._gate.clear()
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0)

    def go_on(self) -> None:
        """The view is there again."""
        self._gate.set()

    def _work(self, order: tuple[Group, ...]) -> None:
        while not self._stop.is_set() and (taken := self._take(order)) is not None:
            group, item = taken
            if self._bring(item.path, item.size):
                self._home(group, item)

    def _take(self, order: tuple[Group, ...]) -> tuple[Group, Item] | None:
        with self._lock:
            for group in order:
                if self._queues[group]:
                    return group, self._queues[group].popleft()
        return None

    def _home(self, group: Group, item: Item) -> None:
        with self._lock:
            tally = self.tally[group]
            tally.files_home += 1
            tally.bytes_home += item.size
            self._left[group] -= 1
            is_last = not self._left[group]
        if is_last:
            self._arrived(group)

    def _bring(self, path: str, size: int) -> bool:
        """True when the file is home, or no longer there by somebody's will."""
        if self._ground.is_local(path):
            return True
        while not self._stop.is_set():
            self._gate.wait()
            if self._has_room(size):
                with self._inside():
                    if not self._gate.is_set():
                        continue
                    failed = self._try(path)
                if failed is None or failed in _GONE:
                    return True
                if failed in _LATER:
                    return True  # the walk at the end takes it up again
                self.short_of_room = failed == errno.ENOSPC
                self.links_lost += failed in {errno.EIO, errno.ENOTCONN, errno.ESTALE}
            self._stop.wait(_RETRY_S)
        return False

    def _try(self, path: str) -> int | None:
        try:
            self._ground.bring(path)
        except OSError as error:
            return error.errno or errno.EIO
        return None

    def _has_room(self, size: int) -> bool:
        """Room is left for what people write: copying everything must not stop their work."""
        self.short_of_room = self._ground.room() < size + self._reserve
        return not self.short_of_room

    def _inside(self) -> "_Inside":
        return _Inside(self._idle, self._count)

    def _count(self, step: int) -> None:
        self._busy += step

    def _sweep(self) -> bool:
        """Walk until nothing is missing: renamed files, links, empty folders."""
        while not self._stop.is_set():
            self._gate.wait()
            try:
                lacking = self._pass()
            except OSError:  # the link broke while walking, or a folder went away
                self._stop.wait(_RETRY_S)
                continue
            if not lacking:
                return True
            time.sleep(_RETRY_S)
        return False

    def _pass(self) -> int:
        count = 0
        for path in self._ground.missing():
            count += 1
            if not self._bring(path, 0):
                break
        return count


class _Inside:
    """Counts who is in a file."""

    def __init__(self, idle: threading.Condition, count: Callable[[int], None]) -> None:
        self._idle, self._count = idle, count

    def __enter__(self) -> None:
        with self._idle:
            self._count(1)

    def __exit__(self, *_: object) -> None:
        with self._idle:
            self._count(-1)
            self._idle.notify_all()
