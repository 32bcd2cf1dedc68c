"""The folders against the index: the first baseline, and what changed while nobody watched."""

import os
import stat as stat_
from collections.abc import Callable, Iterator

import msgspec

from releve.adapters.store.holding import Hold
from releve.adapters.store.names import Names
from releve.adapters.store.room import Room
from releve.adapters.store.stock import Stock
from releve.adapters.store.walk import Entry, Walk
from releve.model.held import HoldResult, Kind, Name, Node


class _Seen:
    """Node numbers met on a walk: a bit each, so that a million files cost 128 kB."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self.taken: list[tuple[int, Name]] = []  # names that other inodes have now

    def add(self, node: int) -> None:
        at = node >> 3
        if at >= len(self._bits):
            self._bits.extend(bytes(at + 4096 - len(self._bits)))
        self._bits[at] |= 1 << (node & 7)

    def __contains__(self, node: int) -> bool:
        at = node >> 3
        return at < len(self._bits) and bool(self._bits[at] & (1 << (node & 7)))


class Compare:
    """Walks, holds what is not held as it is, and yields what changed."""

    def __init__(self, stock: Stock, walk: Walk, names: Names, hold: Hold, room: Room) -> None:
        self._stock, self._walk, self._names = stock, walk, names
        self._hold, self._commit = hold.hold, room.commit
        self._lock, self._index, self._folders = stock.lock, stock.index, stock.folders
        self._place, self._clock = stock.place, stock.clock

    def baseline(
        self, folder: int, writer: str, progress: Callable[[int, int], None]
    ) -> Iterator[HoldResult]:
        """Hold everything below a folder that is not held as it is now; yields what changed.

        `writer` is "" for the first baseline (all is taken for sound) and names the unknown writer
        when a tree is compared after a pause. Resumable: what is held and unchanged (ctime, size)
        is skipped. Nodes that were not met are yielded last, as gone.
        `progress(files, bytes)` is called now and then.
        """
        seen, started = _Seen(), self._clock.now_ns()
        files = size = 0
        for entry in self._walk.below(self._folders[folder]):
            result = self._meet(folder, entry, seen, writer)
            if stat_.S_ISREG(entry.st.st_mode):
                files += 1
                size += entry.st.st_size
                if files % 200 == 0:
                    self._commit()
                    progress(files, size)
            if result is not None:
                yield result
        self._commit()
        progress(files, size)
        yield from self._missing(folder, seen, started)
        yield from self._taken_names(seen)
        yield from self._stale_names(folder)
        self._name_root(self._folders[folder])
        self._commit()

    def _name_root(self, path: str) -> None:
        """The folder itself has a name, too: whoever may write above may take the whole away.

        Not where another file system begins with it: nobody can take a mount point away.
        """
        above, name = os.path.split(path)
        if not name or os.stat(above).st_dev != os.stat(path).st_dev:
            return
        with self._lock:
            node = self._index.node(self._place.key_of(path))
            if node is not None:
                self._names.own(node.id, Name(self._place.key_of(above), os.fsencode(name)))

    def tree(self, key: bytes, folder: int, writer: str) -> Iterator[HoldResult]:
        """Hold what lies below a directory that came in from outside; yields what was not known."""
        path = self._place.directory_path(key)
        if path is None:
            return
        seen = _Seen()
        for entry in self._walk.below(path):
            if entry.name:
                result = self._meet(folder, entry, seen, writer)
                if result is not None:
                    yield result

    def is_empty(self, folder: int) -> bool:
        """Nothing was ever held for it: its first baseline is to be made."""
        with self._lock:
            return self._index.setting("baseline " + self._folders[folder]) is None

    def complete(self, folder: int) -> None:
        """The first baseline of the folder is whole."""
        with self._lock:
            now = b"%d" % self._clock.now_ns()
            self._index.set_setting("baseline " + self._folders[folder], now)

    def _meet(self, folder: int, entry: Entry, seen: _Seen, writer: str) -> HoldResult | None:
        try:
            key = (
                self._place.key_at(entry.directory, entry.name)
                if entry.name
                else self._place.key_of(entry.path)
            )
        except OSError:
            return None
        name = Name(entry.key, os.fsencode(entry.name)) if entry.name else None
        with self._lock:
            node = self._index.node(key)
            if node is not None and node.folder < 0:
                self._index.take_in(node.id, folder)
            is_known = node is None or name is None or name in self._index.names(node.id)
            lost = self._met_name(node, name, entry.st, seen) if node and name else ()
            new = () if is_known or name is None else (name,)
            same = (
                node is not None
                and not node.gone_ns
                and node.facts.ctime_ns == entry.st.st_ctime_ns
                and (node.facts.kind != Kind.FILE or self._is_held(node))
            )
        if same and node is not None:
            seen.add(node.id)
            if not lost and not new:
                return None
            return HoldResult(
                key=key, node=node.id, facts=node.facts, generation=None, lost_names=lost, new_names=new
            )  # fmt: skip
        result = self._hold(key, writer, folder=folder)
        if result.facts is None:
            self._stock.unreadable += result.refused != "gone"
            return None
        seen.add(result.node)
        if name is not None:
            with self._lock:
                self._take_name(result.node, name, seen)
        return msgspec.structs.replace(result, key=key, lost_names=lost, new_names=new)

    def _met_name(
        self, node: Node, name: Name, st: os.stat_result, seen: _Seen
    ) -> tuple[Name, ...]:
        """Take note of a name; answers those that the node no longer has."""
        before = self._index.names(node.id)
        if name in before:
            return ()
        self._take_name(node.id, name, seen)
        if st.st_nlink > 1 and not stat_.S_ISDIR(st.st_mode):
            return ()
        for old in before:
            self._index.drop_name(node.id, old, self._clock.now_ns())
        return tuple(before)

    def _take_name(self, node: int, name: Name, seen: _Seen) -> None:
        owner = self._index.at_name(name)
        if owner not in (None, node):
            seen.taken.append((owner, name))
        self._names.own(node, name)

    def _is_held(self, node: Node) -> bool:
        last = self._index.last_generation(node.id)
        return last is not None and last.facts.ctime_ns == node.facts.ctime_ns

    def _missing(self, folder: int, seen: _Seen, started_ns: int) -> Iterator[HoldResult]:
        with self._lock:
            missing = [row for row in self._index.living(folder) if row[0] not in seen]
        for node, key, _, _, _ in missing:
            if not self._still_there(key, folder):
                with self._lock:
                    taken = (n for n, until in self._index.past_names(node) if until >= started_ns)
                    names = (*self._index.names(node), *taken)  # taken: by another, on this walk
                    self._names.forget(node, self._clock.now_ns())
                yield HoldResult(
                    key=key,
                    node=node,
                    facts=None,
                    generation=None,
                    refused="gone",
                    lost_names=names,
                )

    def _still_there(self, key: bytes, folder: int) -> bool:
        """A file that moved during the walk, or lives outside under another name."""
        try:
            fd = self._place.open(key, os.O_PATH)
        except OSError:
            return False
        try:
            if os.fstat(fd).st_nlink == 0:
                return False
            where = os.readlink(f"/proc/self/fd/{fd}") if os.path.isdir("/proc/self/fd") else ""
            return where.startswith(self._folders[folder] + "/") or where == self._folders[folder]
        except OSError:
            return False
        finally:
            os.close(fd)

    def _taken_names(self, seen: _Seen) -> Iterator[HoldResult]:
        """Files that live on under other names, of which one belongs to another by now."""
        for number, name in seen.taken:
            with self._lock:
                node = self._index.node_by_id(number)
            if node is not None and not node.gone_ns:
                yield HoldResult(
                    key=node.key, node=number, facts=node.facts, generation=None, lost_names=(name,)
                )

    def _stale_names(self, folder: int) -> Iterator[HoldResult]:
        """Files with several names of which one went or moved: the walk met the others."""
        with self._lock:
            several = self._index.with_several_names(folder)
        for number in several:
            with self._lock:
                node = self._index.node_by_id(number)
                names = self._index.names(number)
            if node is None:
                continue
            lost = tuple(n for n in names if not self._is_named(node, n))
            if lost and len(lost) < len(names):
                with self._lock:
                    for name in lost:
                        self._index.drop_name(number, name, self._clock.now_ns())
                yield HoldResult(
                    key=node.key, node=number, facts=node.facts, generation=None, lost_names=lost
                )

    def _is_named(self, node: Node, name: Name) -> bool:
        try:
            return self._place.key_of(self._names.path(name)) == node.key
        except OSError:
            return False
