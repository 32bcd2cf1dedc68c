"""Brings data home in care order while people work in the same folder.

Today's patients and the databases come file by file, by the kernel's own copy-up: people can write
them at once. The bulk is restored beside, whole packs at a time (measured: up to three times as fast
as file by file, and on a slow link five times), and joined with what people wrote at the hand-over.
"""

import errno
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from releve.flow.recovery.errors import DiskRoomError
from releve.model.errors import ReleveError
from releve.recover.care_order import Group, Item, Plan

_GONE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
)  # renamed, deleted, replaced by people
_RETRY_S = 0.05
_PATIENCE_S = 2.0  # before the bulk is tried again after a failure
# Who works at what first: databases and today's patients come home side by side.
_FIRST = ((Group.DATABASES, Group.TODAY), (Group.TODAY, Group.DATABASES))


class Stopped(Exception):  # noqa: N818 (no error: somebody asked for it)
    """The recovery is to end now; what is here stays."""


class Bulk(Protocol):
    """Restores everything beside the view."""

    def restore(self, plan: Plan, heard: Callable[[int, int], None]) -> None:
        """Return when all is on disk; begun again, it goes on. `heard(files, bytes)` may raise Stopped.

        Raises: ReleveError when the link broke or the disk is full: it may be tried again.
        """


class Ground(Protocol):
    """The folder that comes home."""

    def is_local(self, path: str) -> bool: ...
    def bring(self, path: str) -> None:
        """Raises: OSError as the system says."""

    def room(self) -> int: ...


class Tally(msgspec.Struct):
    """How far one wave is."""

    files: int = 0
    bytes: int = 0
    files_home: int = 0
    bytes_home: int = 0


class Hydration:
    """One run over a plan. `arrived(group)` is called once when a wave is home.

    The link to the vault may break and come back: what fails is tried again. Nothing is skipped but
    what people renamed (which brought it here) or deleted.
    """

    def __init__(
        self,
        ground: Ground,
        bulk: Bulk,
        plan: Plan,
        *,
        reserve: int,
        arrived: Callable[[Group], None],
    ) -> None:
        self._ground, self._bulk, self._plan = ground, bulk, plan
        self._arrived, self._reserve = arrived, reserve
        self._queues = {Group.TODAY: deque(plan.today), Group.DATABASES: deque(plan.databases)}
        self.tally = {
            Group.TODAY: _tally(plan.today),
            Group.DATABASES: _tally(plan.databases),
            Group.REST: Tally(files=plan.rest.files, bytes=plan.rest.bytes),
        }
        self._lock = threading.Lock()
        self._left = {group: len(queue) for group, queue in self._queues.items()}
        self._gate = threading.Event()
        self._gate.set()
        self._busy = 0
        self._idle = threading.Condition(self._lock)
        self._stop = threading.Event()
        self._databases_home = threading.Event()
        self._files_short = self._bulk_short = False
        self.links_lost = 0
        self.failures = 0  # of the bulk: the link, the room

    @property
    def short_of_room(self) -> bool:
        """Whether something waits for room: a small file that still fits takes nothing of that back."""
        return self._files_short or self._bulk_short

    def run(self, threads: int) -> bool:
        """Bring everything; False when it was stopped before the end."""
        for group in _FIRST[0]:
            if not self._left[group]:
                self._is_home(group)
        workers = [
            threading.Thread(target=self._work, args=(_FIRST[n % 2],), daemon=True)
            for n in range(threads)
        ]
        for worker in workers:
            worker.start()
        self._databases_home.wait()
        is_home = self._restore()  # beside the documents of today, which wait for the disk mostly
        for worker in workers:
            worker.join()
        return is_home and not self._stop.is_set()

    def stop(self) -> None:
        """End soon; what came home stays."""
        self._stop.set()
        self._databases_home.set()
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
            self._is_home(group)

    def _is_home(self, group: Group) -> None:
        if group is Group.DATABASES:
            self._databases_home.set()
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
                self._files_short = failed == errno.ENOSPC
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
        self._files_short = self._ground.room() < size + self._reserve
        return not self._files_short

    def _inside(self) -> "_Inside":
        return _Inside(self._idle, self._count)

    def _count(self, step: int) -> None:
        self._busy += step

    def _restore(self) -> bool:
        """Bring the bulk; False when it was stopped."""
        while not self._stop.is_set():
            try:
                self._bulk.restore(self._plan, self._heard)
            except Stopped:
                return False
            except ReleveError as error:
                full = isinstance(error, DiskRoomError) or self._ground.room() < self._reserve
                self._bulk_short = full
                self.failures += not full
                self._stop.wait(_PATIENCE_S)
            else:
                tally = self.tally[Group.REST]
                tally.files_home, tally.bytes_home = tally.files, tally.bytes
                self._bulk_short = False
                self._arrived(Group.REST)
                return True
        return False

    def _heard(self, files: int, size: int) -> None:
        if self._stop.is_set():
            raise Stopped
        if self._ground.room() < self._reserve:
            needs = self.tally[Group.REST].bytes - self.tally[Group.REST].bytes_home
            raise DiskRoomError(needs, self._ground.room())
        tally = self.tally[Group.REST]
        tally.files_home = max(tally.files_home, min(files, tally.files))
        tally.bytes_home = max(tally.bytes_home, min(size, tally.bytes))


def _tally(items: Sequence[Item]) -> Tally:
    return Tally(files=len(items), bytes=sum(item.size for item in items))


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
