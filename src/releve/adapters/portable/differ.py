"""Hints ("something happened at this path") to changes: what stands there now against what was known.

A hint may be late, merged with others or lost (the next sweep finds it); only the comparison
counts, so that nothing depends on the order in which a system reports.
"""

import fcntl
import os
import stat as stat_
import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from releve.adapters.portable.identity import Look, look
from releve.adapters.portable.known import Known, State
from releve.adapters.portable.place import InodePlace
from releve.adapters.store.keeper import Keeper
from releve.model.held import Name
from releve.sense import fanotify
from releve.sense.fanotify import Change

_GRACE_S: Final = 0.03  # a vanished name waits this long for the inode to appear elsewhere
_LOOK_AGAIN_S: Final = 0.05  # a file still open for writing is looked at again after this
_STEADY_S: Final = 0.5  # where nobody tells who writes, a file at rest this long is closed
_WRITTEN: Final = fanotify.MODIFY | fanotify.CLOSE_WRITE


class _Gone(NamedTuple):
    name: Name
    state: State
    path: str
    due: float


class Differ:
    """Compares one volume's protected folders with what is known of them.

    Used by one thread. Answers are changes with pid 0: nobody is named here.
    """

    def __init__(self, keeper: Keeper, place: InodePlace, known: Known) -> None:
        self._keeper, self._place, self._known = keeper, place, known
        self._fsid = place.fsid
        self._store = os.path.realpath(keeper.store)
        self._gone: dict[bytes, _Gone] = {}
        self._written: dict[str, float] = {}
        self._own: dict[str, float] = {}
        self.bytes_changed = 0

    def owns(self, path: str) -> bool:
        """The path lies in a protected folder of this volume, outside the store."""
        if path == self._store or path.startswith(self._store + os.sep):
            return False
        if path in self._keeper.temporary:
            return False  # half of a roll-back of ours
        return any(path.startswith(root + os.sep) for root in self._keeper.folders)

    @property
    def is_waiting(self) -> bool:
        """A name vanished a moment ago: deleted or renamed, it is not told yet."""
        return bool(self._gone)

    def due(self) -> float:
        """When (steady seconds) something must be looked at without a hint; far away if nothing."""
        times = [gone.due for gone in self._gone.values()]
        return min([*times, *self._written.values(), *self._own.values()], default=1e18)

    def changes(self, hints: Iterable[str]) -> list[Change]:
        """What happened at the hinted paths, and at those that were waiting."""
        now = time.monotonic()
        again = [path for path, due in self._written.items() if due <= now]
        for path in [path for path, due in self._own.items() if due <= now]:
            del self._own[path]
            again.append(path)
        found: list[Change] = []
        work = sorted({*hints, *again})
        # What vanished comes first: an inode that appears may be one of them, renamed.
        for path in work:
            self._vanished(path, now, found)
        while work:
            more: list[str] = []
            for path in work:
                self._stands(path, found, more)
            work = more
        self._give_up(time.monotonic(), found)
        return found

    def differing(self, folder: str) -> tuple[list[str], list[str]]:
        """(paths in a folder that are not as known, its folders): one step of a sweep."""
        key = self._place.directory_key(folder) if self.owns(folder + os.sep) else None
        if key is None:
            return [], []
        known = self._known.children(key)
        hints, folders = [], []
        for name in _listed(folder):
            path = os.path.join(folder, name)
            was, now = known.pop(os.fsencode(name), None), _look(path)
            if now is None or not self.owns(path):
                continue
            is_directory = stat_.S_ISDIR(now.mode)
            if is_directory:
                folders.append(path)
            if (
                was is None
                or was.key != now.key
                or (was.ctime_ns != now.ctime_ns and not is_directory)
            ):
                hints.append(path)
        hints += [os.path.join(folder, os.fsdecode(name)) for name in known]
        return hints, folders

    # names that vanished

    def _vanished(self, path: str, now: float, found: list[Change]) -> None:
        name = self._name(path)
        was = self._known.at(name) if name is not None else None
        if name is None or was is None or _look(path) is not None:
            return
        self._written.pop(path, None)
        self._known.tell(name, None)
        if was.key in self._gone:
            self._tell_gone(was.key, found)
        self._gone[was.key] = _Gone(name, was, path, now + _GRACE_S)

    def _give_up(self, now: float, found: list[Change]) -> None:
        for key in [key for key, gone in self._gone.items() if gone.due <= now]:
            self._tell_gone(key, found)

    def _tell_gone(self, key: bytes, found: list[Change]) -> None:
        """It did not appear elsewhere: it was deleted, or moved out of sight."""
        gone = self._gone.pop(key)
        if gone.state.is_directory:
            self._tell_below(gone, found)
        mask = fanotify.DELETE | (fanotify.ONDIR if gone.state.is_directory else 0)
        found.append(self._change(mask, key, gone.name))

    def _tell_below(self, gone: _Gone, found: list[Change]) -> None:
        """A directory that was moved out takes all below it along, without a word for each."""
        for name, state in self._known.children(gone.state.key).items():
            below = Name(gone.state.key, name)
            self._known.tell(below, None)
            path = os.path.join(gone.path, os.fsdecode(name))
            self._gone[state.key] = _Gone(below, state, path, 0.0)
            self._tell_gone(state.key, found)

    # what stands there

    def _stands(self, path: str, found: list[Change], more: list[str]) -> None:
        given = self._keeper.given
        name, now = self._name(path), _look(path)
        if name is None or now is None:
            return
        if now.key in self._keeper.being_given or given != self._keeper.given:
            self._own[path] = (
                time.monotonic() + _GRACE_S
            )  # a roll-back of ours: look when it is done
            return
        is_directory = stat_.S_ISDIR(now.mode)
        state = State(now.key, is_directory, now.size, now.mtime_ns, now.ctime_ns)
        was = self._known.at(name)
        if was is not None and was.key == now.key:
            self._same(path, name, was, now, found)
            return
        self._place.remember(now, path)
        indexed = self._known.indexed(name)
        if indexed is not None and indexed.key == now.key:
            self._known.tell(name, indexed)  # our own roll-back put it there
            self._same(path, name, indexed, _look(path) or now, found)
            return
        self._appeared(path, name, was, now, found)
        self._known.tell(name, state)
        if is_directory:
            more += _inside(path)

    def _appeared(
        self, path: str, name: Name, was: State | None, now: Look, found: list[Change]
    ) -> None:
        """Another inode than before, or the first, stands at this name."""
        ondir = fanotify.ONDIR if stat_.S_ISDIR(now.mode) else 0
        old = self._old_name(now.key, name)
        if was is None:
            self._flush_same_name(name, now.key, found)
        if old is not None:
            if was is not None and was.key == now.key:
                return
            found.append(self._rename(ondir, now.key, old, name))
            if not ondir:
                self._same(path, name, self._state_before(now), now, found)
            return
        if was is not None and not ondir and self._known.node(now.key) is None:
            # A new file renamed over an original; the name it had before was too short-lived.
            found.append(self._rename(0, now.key, Name(name.directory, b""), name))
            if not _is_free(path, now):
                self._wait_closed(path, now, name, found, 0)
            return
        if was is not None:
            found.append(self._change(fanotify.DELETE, was.key, name))
        if ondir or not stat_.S_ISREG(now.mode):
            found.append(self._change(fanotify.CREATE | ondir, now.key, name))
        else:
            self._wait_closed(path, now, name, found, fanotify.CREATE)

    def _old_name(self, key: bytes, new: Name) -> Name | None:
        """The name under which an inode was known and no longer stands, if it was renamed."""
        gone = self._gone.pop(key, None)
        if gone is not None:
            return gone.name
        for name in self._known.names(key):
            if name == new:
                continue
            above = self._place.directory_path(name.directory)
            there = _look(os.path.join(above, os.fsdecode(name.name))) if above else None
            if there is None or there.key != key:
                self._known.tell(name, None)
                return name
        return None

    def _state_before(self, now: Look) -> State:
        node = self._known.node(now.key)
        if node is None:
            return State(now.key, False, -1, 0, 0)
        f = node.facts
        # A rename alone moves the ctime: content and attributes tell by size, mtime and mode.
        ctime = now.ctime_ns if f.mode == stat_.S_IMODE(now.mode) else 0
        return State(now.key, False, f.size, f.mtime_ns, ctime)

    def _flush_same_name(self, name: Name, key: bytes, found: list[Change]) -> None:
        """What vanished from this name before is told before something new is told to stand there."""
        for other in [k for k, gone in self._gone.items() if gone.name == name and k != key]:
            self._tell_gone(other, found)

    # content and attributes

    def _same(self, path: str, name: Name, was: State, now: Look, found: list[Change]) -> None:
        waiting = self._written.get(path)
        if was.ctime_ns == now.ctime_ns and waiting is None:
            return
        state = State(now.key, was.is_directory, now.size, now.mtime_ns, now.ctime_ns)
        if was.is_directory:
            self._directory(name, now, state, found)
            return
        indexed = self._known.indexed(name)
        if indexed == state and waiting is None:
            self._known.tell(name, state)
            return
        self._known.tell(name, state)
        if not stat_.S_ISREG(now.mode) or (
            (was.size, was.mtime_ns) == (now.size, now.mtime_ns) and waiting is None
        ):
            found.append(self._change(fanotify.ATTRIB, now.key, name))
        else:
            self._wait_closed(path, now, name, found, 0)

    def _directory(self, name: Name, now: Look, state: State, found: list[Change]) -> None:
        """Its times move with every entry; only owner and mode are its own."""
        self._known.tell(name, state)
        node = self._known.node(now.key)
        if node is None:
            return
        f = node.facts
        if (f.mode, f.uid, f.gid) != (stat_.S_IMODE(now.mode), now.uid, now.gid):
            found.append(self._change(fanotify.ATTRIB | fanotify.ONDIR, now.key, name))

    def _wait_closed(
        self, path: str, now: Look, name: Name, found: list[Change], mask: int
    ) -> None:
        """Written: closed if nobody has it open for writing, else looked at again."""
        known = self._written.pop(path, None)
        self.bytes_changed += now.size if known is None else 0
        if _is_free(path, now):
            found.append(self._change(mask | _WRITTEN, now.key, name))
            return
        self._written[path] = time.monotonic() + _LOOK_AGAIN_S
        found.append(self._change(mask | fanotify.MODIFY, now.key, name))

    # making changes

    def _name(self, path: str) -> Name | None:
        above = self._place.directory_key(os.path.dirname(path))
        return Name(above, os.fsencode(os.path.basename(path))) if above is not None else None

    def _change(self, mask: int, key: bytes, name: Name) -> Change:
        return Change(mask, 0, self._fsid + key, self._fsid + name.directory, name.name)

    def _rename(self, ondir: int, key: bytes, old: Name, new: Name) -> Change:
        return Change(
            fanotify.RENAME | ondir, 0, self._fsid + key, self._fsid + old.directory, old.name,
            self._fsid + new.directory, new.name,
        )  # fmt: skip


def _look(path: str) -> Look | None:
    try:
        return look(path)
    except OSError:
        return None


def _inside(path: str) -> list[str]:
    """What a new directory holds already: it may have been filled before it was watched."""
    return sorted(os.path.join(path, name) for name in _listed(path))


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _is_free(path: str, now: Look) -> bool:
    """Nobody has it open for writing: a read lease says so; elsewhere the file must be at rest."""
    at_rest = time.time_ns() - now.ctime_ns > _STEADY_S * 1e9
    if not hasattr(fcntl, "F_SETLEASE"):
        return at_rest
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return True  # it cannot be read: the keeper tells why
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return False
    except OSError:
        return at_rest  # not our file, or no leases here
    else:
        return True
    finally:
        os.close(fd)
