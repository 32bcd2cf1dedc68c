"""Changes of protected trees from `watchfiles` (inotify, FSEvents, ReadDirectoryChangesW): nobody is named.

Its notifications are hints; the differ compares. A slow sweep through the whole tree finds what no
hint told (a full queue, shared mappings, a directory that filled before it was watched).
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from releve.adapters.portable.differ import Differ
from releve.model.errors import ReleveError
from releve.sense import fanotify
from releve.sense.fanotify import Change

_DEBOUNCE_MS: Final = 25  # hints are grouped for at most this long ...
_STEP_MS: Final = 8  # ... and told as soon as none came for this long
_TIMEOUT_MS: Final = 500
_SLICE_S: Final = 0.004  # the sweep works about this long ...
_EVERY_S: Final = 0.25  # ... at most once in this time ...
_REST: Final = 60  # ... and rests so many times longer than it worked
_AT_ONCE: Final = 64
_MANY: Final = 4000  # so many hints at once: some may have been lost, the sweep hurries


class WatchLimitError(ReleveError):
    """The system does not allow so many folders to be watched."""

    status = 19
    remedy = "Raise fs.inotify.max_user_watches (sysctl), or protect fewer folders."

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(f"{folder} cannot be watched: {why}.")
        self.folder = folder


class WatchfilesWatcher:
    """Watches the folders of one or more volumes.

    Args:
        differs: one per volume.
        stir: told that so many bytes changed, whenever something did.
    """

    sees_all = False

    def __init__(
        self, differs: Sequence[Differ], stir: Callable[[int], None] = lambda _changed: None
    ) -> None:
        self._differs, self._stir = differs, stir
        self._hints: set[str] = set()
        self._came = threading.Condition()
        self._closing = threading.Event()
        self._failed = self._busy = False
        self._threads: list[threading.Thread] = []
        self._folders: list[str] = []
        self._sweep: Iterator[list[str]] | None = None
        self._sweep_at = 0.0
        self._hurry = False

    def mark(self, folder: str) -> None:
        """Watch a tree. Raises: WatchLimitError."""
        notify = _notify(folder)
        self._folders.append(folder)
        thread = threading.Thread(
            target=self._listen, args=(folder, notify), name="watchfiles", daemon=True
        )
        thread.start()
        self._threads.append(thread)

    def _listen(self, folder: str, notify: RustNotify) -> None:
        while not self._closing.is_set():
            try:
                came = notify.watch(_DEBOUNCE_MS, _STEP_MS, _TIMEOUT_MS, self._closing)
            except (WatchfilesRustInternalError, RuntimeError, OSError):
                # A watch broke (a folder went away, the limit was reached): begin again, compare all.
                self._fail()
                if self._closing.wait(1.0):
                    return
                try:
                    notify = _notify(folder)
                except WatchLimitError:
                    continue
                self._fail()
                continue
            if isinstance(came, set):
                with self._came:
                    self._hints.update(path for _, path in came)
                    self._came.notify()

    def _fail(self) -> None:
        with self._came:
            self._failed = True
            self._came.notify()

    def read(self, wait_s: float) -> Sequence[Change]:
        """The changes that came, in order; empty after `wait_s` without any."""
        with self._came:
            if not self._hints and not self._failed:
                due = min((d.due() for d in self._differs), default=1e18) - time.monotonic()
                self._came.wait(max(0.0, min(wait_s, due, self._sweep_at - time.monotonic())))
            # A few at a time: the first files of a storm are judged while the rest is compared.
            hints = (
                set(sorted(self._hints)[:_AT_ONCE]) if len(self._hints) > _AT_ONCE else self._hints
            )
            self._hurry = self._hurry or len(self._hints) > _MANY
            self._hints = self._hints - hints
            failed, self._failed = self._failed, False
        self._busy = bool(hints)
        found = [Change(fanotify.Q_OVERFLOW, 0, None)] if failed else []
        hints = hints | set(self._some_of_all())
        for differ in self._differs:
            mine = [path for path in hints if differ.owns(path)]
            if mine or differ.due() <= time.monotonic():
                before = differ.bytes_changed
                found += differ.changes(mine)
                if found:
                    self._stir(differ.bytes_changed - before)
        return found

    def is_behind(self) -> bool:
        """Hints wait, or a vanished name still waits for its inode to appear elsewhere."""
        return bool(self._hints) or self._busy or any(differ.is_waiting for differ in self._differs)

    # the sweep

    def _some_of_all(self) -> list[str]:
        """What the next step of the sweep finds; between two steps it rests so that it costs little."""
        began = time.monotonic()
        if began < self._sweep_at and not self._hurry:
            return []
        if self._sweep is None:
            self._sweep = self._walk()
        found = []
        for hints in self._sweep:
            found += hints
            if time.monotonic() - began > _SLICE_S:
                break
        else:
            self._sweep, self._hurry = None, False
        ended = time.monotonic()
        self._sweep_at = ended + max(_EVERY_S, _REST * (ended - began))
        return found

    def _walk(self) -> Iterator[list[str]]:
        """Folder by folder: what stands there and was never told, and what is known and stands no more."""
        for folder in self._folders:
            stack = [folder]
            while stack:
                at = stack.pop()
                for differ in self._differs:
                    hints, folders = differ.differing(at)
                    stack += folders
                    yield hints

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(2)


def _notify(folder: str) -> RustNotify:
    try:
        return RustNotify([folder], False, False, 300, True, True)
    except (WatchfilesRustInternalError, OSError) as error:
        raise WatchLimitError(folder, str(error)) from error
