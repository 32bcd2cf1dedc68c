"""The keeper of originals: holds, looks up, and gives back; one per file system.

`place` says what a key is and opens it (handles on Linux, inode numbers elsewhere); everything
else is the same on every system, and one contract suite judges both.
"""

import contextlib
import errno
import fcntl
import os
import stat as stat_
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from releve.adapters.below import open_folder, relative
from releve.adapters.store.facts import facts_of
from releve.adapters.store.index import Index
from releve.adapters.store.marks import Marks
from releve.adapters.store.objects import HeldBytes, Objects, can_clone
from releve.flow.ports import Clock, Place
from releve.model.held import Facts, Generation, HoldResult, Judged, Kind, Name, Node, is_same
from releve.recover.retention import advance


class _Entry(NamedTuple):
    """One directory entry on a walk; `key` is its directory's."""

    directory: int
    name: str
    st: os.stat_result
    key: bytes
    path: str


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


_RETIRED_NS = 3_600_000_000_000  # how far the end of the retention moves before that is written
_MOMENT_NS = 5_000_000_000
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_GONE = frozenset({errno.ESTALE, errno.ENOENT, errno.ENXIO, errno.ELOOP})


class Keeper:
    """Holds the originals of the protected folders of one file system.

    Args:
        store: root-only folder for index and held bytes, made if absent.
        place: how files are named and opened.
        clock: wall clock in ns.
        full_share: the store stops at this share of bytes or inodes of its file system.
        copy: True forces copies even where clones work (to measure, or another disk).
    """

    def __init__(
        self, store: str, place: Place, clock: Clock, *, full_share: float = 0.8, copy: bool = False
    ) -> None:
        os.makedirs(store, mode=0o700, exist_ok=True)
        os.chmod(store, 0o700)
        self.store, self.place, self.clock = store, place, clock
        self.lock = threading.RLock()
        self.unreadable = 0  # files that a walk met and could not open: they are not held
        self.temporary: set[str] = set()  # files of a roll-back that have no name of their own yet
        self.being_given: set[bytes] = set()  # keys that are being given back now
        self.given = 0  # how many were, so far
        self.index = Index(os.path.join(store, "index.sqlite"))
        self.marks = Marks(os.path.join(store, "still"))
        self.objects = Objects(store)
        self._full_share, self._force_copy = full_share, copy
        self.folders: list[str] = []
        self.clones: list[bool] = []
        row = self.index.db.execute("SELECT max(id) FROM generation").fetchone()
        self._next = int(row[0] or 0) + 1
        sequence = self.index.db.execute(
            "SELECT seq FROM sqlite_sequence WHERE name='generation'"
        ).fetchone()
        if sequence:
            self._next = max(self._next, int(sequence[0]) + 1)
        self._dropped: list[Generation] = []
        self._ended_well = self.index.setting("ended well") is not None
        self.index.set_setting("ended well", None)
        self._room_checked = 0
        self._retired = 0
        self._room = 1
        self.held_bytes = self.index.held_bytes()

    @contextlib.contextmanager
    def giving(self, key: bytes) -> Iterator[None]:
        """What happens to `key` meanwhile is the guard's own work: watchers without pids ask."""
        self.being_given.add(key)
        try:
            yield
        finally:
            self.being_given.discard(key)
            self.given += 1

    # folders

    def add_folder(self, path: str) -> int:
        """Protect a folder; answers its number. A trial decides between clones and copies."""
        number = len(self.folders)
        self.folders.append(path)
        self.clones.append(
            not self._force_copy and can_clone(self.store, _trial_place(self.store, path))
        )
        return number

    def mode(self, folder: int) -> str:
        return "reflink" if self.clones[folder] else "copy"

    def baseline(
        self, folder: int, writer: str, progress: Callable[[int, int], None]
    ) -> Iterator[HoldResult]:
        """Hold everything below a folder that is not held as it is now; yields what changed.

        `writer` is "" for the first baseline (all is taken for sound) and names the unknown writer
        when a tree is compared after a pause. Resumable: what is held and unchanged (ctime, size)
        is skipped. Nodes that were not met are yielded last, as gone.
        `progress(files, bytes)` is called now and then.
        """
        seen, started = _Seen(), self.clock.now_ns()
        files = size = 0
        for entry in self._walk(self.folders[folder]):
            result = self._meet(folder, entry, seen, writer)
            if stat_.S_ISREG(entry.st.st_mode):
                files += 1
                size += entry.st.st_size
                if files % 200 == 0:
                    self.commit()
                    progress(files, size)
            if result is not None:
                yield result
        self.commit()
        progress(files, size)
        yield from self._missing(folder, seen, started)
        yield from self._taken_names(seen)
        yield from self._stale_names(folder)
        self.commit()

    def tree(self, key: bytes, folder: int, writer: str) -> Iterator[HoldResult]:
        """Hold what lies below a directory that came in from outside; yields what was not known."""
        path = self.place.directory_path(key)
        if path is None:
            return
        seen = _Seen()
        for entry in self._walk(path):
            if entry.name:
                result = self._meet(folder, entry, seen, writer)
                if result is not None:
                    yield result

    def _taken_names(self, seen: _Seen) -> Iterator[HoldResult]:
        """Files that live on under other names, of which one belongs to another by now."""
        for number, name in seen.taken:
            with self.lock:
                node = self.index.node_by_id(number)
            if node is not None and not node.gone_ns:
                yield HoldResult(
                    key=node.key, node=number, facts=node.facts, generation=None, lost_names=(name,)
                )

    def _stale_names(self, folder: int) -> Iterator[HoldResult]:
        """Files with several names of which one went or moved: the walk met the others."""
        with self.lock:
            several = self.index.with_several_names(folder)
        for number in several:
            with self.lock:
                node = self.index.node_by_id(number)
                names = self.index.names(number)
            if node is None:
                continue
            lost = tuple(n for n in names if not self._is_named(node, n))
            if lost and len(lost) < len(names):
                with self.lock:
                    for name in lost:
                        self.index.drop_name(number, name, self.clock.now_ns())
                yield HoldResult(
                    key=node.key, node=number, facts=node.facts, generation=None, lost_names=lost
                )

    def _is_named(self, node: Node, name: Name) -> bool:
        try:
            return self.place.key_of(self.path(name)) == node.key
        except OSError:
            return False

    def _missing(self, folder: int, seen: "_Seen", started_ns: int) -> Iterator[HoldResult]:
        with self.lock:
            missing = [row for row in self.index.living(folder) if row[0] not in seen]
        for node, key, _, _, _ in missing:
            if not self._still_there(key, folder):
                with self.lock:
                    taken = (n for n, until in self.index.past_names(node) if until >= started_ns)
                    names = (*self.index.names(node), *taken)  # taken: by another, on this walk
                    self._forget_names(node, self.clock.now_ns())
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
            fd = self.place.open(key, os.O_PATH)
        except OSError:
            return False
        try:
            if os.fstat(fd).st_nlink == 0:
                return False
            where = os.readlink(f"/proc/self/fd/{fd}") if os.path.isdir("/proc/self/fd") else ""
            return where.startswith(self.folders[folder] + "/") or where == self.folders[folder]
        except OSError:
            return False
        finally:
            os.close(fd)

    def _walk(self, root: str) -> Iterator["_Entry"]:
        """Every entry below `root`, parents before children; the first is `root` itself (name "")."""
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield _Entry(top, "", os.fstat(top), b"", root)
            yield from self._walk_below(top, root)
        finally:
            os.close(top)

    def _walk_below(self, top: int, root: str) -> Iterator["_Entry"]:
        """No link is followed on the way down: what a user puts there leads nobody elsewhere."""
        device = os.fstat(top).st_dev
        stack: list[str] = [root]
        store = os.path.realpath(self.store)
        while stack:
            path = stack.pop()
            if path == store:
                continue
            try:
                fd = open_folder(top, relative(root, path))
            except OSError as error:
                self.unreadable += error.errno == errno.ENAMETOOLONG  # all below is not held
                continue  # else it went away, or became something else: the events tell
            try:
                key = self.place.key_of_folder(fd, path)
                yield from self._entries(fd, path, key, device, stack)
            except OSError:
                continue
            finally:
                os.close(fd)

    def _entries(
        self, fd: int, path: str, key: bytes, device: int, stack: list[str]
    ) -> Iterator["_Entry"]:
        with os.scandir(fd) as entries:
            for entry in entries:
                try:
                    st = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                full = os.path.join(path, entry.name)
                if stat_.S_ISDIR(st.st_mode):
                    if full == self.store or (st.st_dev != device and _is_mount(full)):
                        continue  # another file system is another promise; a subvolume is not one
                    stack.append(full)
                yield _Entry(fd, entry.name, st, key, full)

    def _meet(self, folder: int, entry: "_Entry", seen: "_Seen", writer: str) -> HoldResult | None:
        try:
            key = (
                self.place.key_at(entry.directory, entry.name)
                if entry.name
                else self.place.key_of(entry.path)
            )
        except OSError:
            return None
        name = Name(entry.key, os.fsencode(entry.name)) if entry.name else None
        with self.lock:
            node = self.index.node(key)
            is_known = node is None or name is None or name in self.index.names(node.id)
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
        result = self.hold(key, writer, folder=folder)
        if result.facts is None:
            self.unreadable += result.refused != "gone"
            return None
        seen.add(result.node)
        if name is not None:
            with self.lock:
                self._take_name(result.node, name, seen)
        return msgspec.structs.replace(result, key=key, lost_names=lost, new_names=new)

    def _met_name(
        self, node: Node, name: Name, st: os.stat_result, seen: _Seen
    ) -> tuple[Name, ...]:
        """Take note of a name; answers those that the node no longer has."""
        before = self.index.names(node.id)
        if name in before:
            return ()
        self._take_name(node.id, name, seen)
        if st.st_nlink > 1 and not stat_.S_ISDIR(st.st_mode):
            return ()
        for old in before:
            self.index.drop_name(node.id, old, self.clock.now_ns())
        return tuple(before)

    def _take_name(self, node: int, name: Name, seen: _Seen) -> None:
        owner = self.index.at_name(name)
        if owner not in (None, node):
            seen.taken.append((owner, name))
        self._own_name(node, name)

    def _own_name(self, node: int, name: Name) -> None:
        owner = self.index.at_name(name)
        if owner == node:
            return
        if owner is not None:
            self.index.drop_name(owner, name, self.clock.now_ns())
        self.index.add_name(node, name, self.clock.now_ns())

    def _is_held(self, node: Node) -> bool:
        last = self.index.last_generation(node.id)
        return last is not None and last.facts.ctime_ns == node.facts.ctime_ns

    # holding

    def hold(
        self, key: bytes, writer: str, *, folder: int, judged: Judged | None = None
    ) -> HoldResult:
        """Hold what `key` names now as a new generation, unless it is held as it is.

        A copy is settled when size and ctime did not move and nobody has the file open for
        writing. `refused` says why nothing was held ("gone", "full", or the error).
        """
        try:
            fd = self.place.open(key, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return self._hold_link(key, folder)
            why = "gone" if error.errno in _GONE else str(error)
            return HoldResult(key=key, node=0, facts=None, generation=None, refused=why)
        try:
            return self._hold_open(fd, key, writer, folder, judged)
        finally:
            os.close(fd)

    def _hold_open(
        self, fd: int, key: bytes, writer: str, folder: int, judged: Judged | None
    ) -> HoldResult:
        st = os.fstat(fd)
        now = self.clock.now_ns()
        facts = facts_of(fd, st)
        if facts.nlink == 0:
            return HoldResult(key=key, node=0, facts=None, generation=None, refused="gone")
        with self.lock:
            node = self.index.node(key)
            number = node.id if node else self.index.add_node(key, folder, facts, now)
            if facts.kind != Kind.FILE:
                self.index.set_facts(number, facts)
                return HoldResult(
                    key=key, node=number, facts=facts, generation=None, is_new=node is None
                )
            last = self.index.last_generation(number) if node else None
            ahead = now - self.clock.wall_ns()
            same = last is not None and is_same(last, facts.ctime_ns, ahead)
            if last is not None and same and not last.settled:
                if _nobody_writes(fd) and os.fstat(fd).st_ctime_ns == facts.ctime_ns:
                    self.index.settle(last.id)
                    last = msgspec.structs.replace(last, settled=True)
                self.index.set_facts(number, facts)
                return HoldResult(key=key, node=number, facts=facts, generation=last)
            if last is not None and same:
                self.index.set_facts(number, facts)
                return HoldResult(key=key, node=number, facts=facts, generation=last)
            if not self.has_room(facts.size, folder):
                self.index.set_facts(number, facts)
                return HoldResult(
                    key=key,
                    node=number,
                    facts=facts,
                    generation=None,
                    refused="full",
                    is_new=node is None,
                )
            generation = self._next
            self._next += 1
        return self._take(fd, generation, number, facts, writer, folder, judged, node is None)

    def _take(
        self,
        fd: int,
        generation: int,
        node: int,
        facts: Facts,
        writer: str,
        folder: int,
        judged: Judged | None,
        is_new: bool,
    ) -> HoldResult:
        pack = offset = 0
        try:
            if self.clones[folder]:
                self.objects.clone(fd, generation)
            else:
                with self.lock if facts.size <= 1 << 20 else contextlib.nullcontext():
                    pack, offset = self.objects.copy(fd, facts.size, generation)
        except OSError as error:
            why = (
                "full"
                if error.errno in _FULL
                else "torn"
                if error.errno == errno.ESTALE
                else str(error)
            )
            return HoldResult(
                key=b"", node=node, facts=facts, generation=None, refused=why, is_new=is_new
            )
        free = _nobody_writes(fd)
        after = os.fstat(fd)
        settled = free and (after.st_size, after.st_ctime_ns) == (facts.size, facts.ctime_ns)
        held = Generation(
            id=generation,
            node=node,
            facts=facts,
            pack=pack,
            offset=offset,
            taken_ns=self.clock.now_ns(),
            writer=writer,
            settled=settled,
            judged=judged if judged is not None else Judged.CLEAN if not writer else Judged.NOT_YET,
        )
        with self.lock:
            if not is_new:
                self.index.set_facts(node, facts)
            held_id = self.index.add_generation(held)
            if held_id != generation:  # keep row and object together, whatever SQLite numbered
                self.index.db.execute(
                    "UPDATE generation SET id=? WHERE id=?", (generation, held_id)
                )
            self.held_bytes += facts.size
        return HoldResult(key=b"", node=node, facts=facts, generation=held, is_new=is_new)

    def _hold_link(self, key: bytes, folder: int) -> HoldResult:
        try:
            fd = self.place.open(key, os.O_PATH | os.O_NOFOLLOW)
        except OSError:
            return HoldResult(key=key, node=0, facts=None, generation=None, refused="gone")
        try:
            target = os.readlink("", dir_fd=fd)
            facts = facts_of(fd, os.fstat(fd), target=os.fsencode(target))
        except OSError as error:
            return HoldResult(key=key, node=0, facts=None, generation=None, refused=str(error))
        finally:
            os.close(fd)
        with self.lock:
            number = self.index.add_node(key, folder, facts, self.clock.now_ns())
            self.index.set_facts(number, facts)
        return HoldResult(key=key, node=number, facts=facts, generation=None)

    def count_entries(self, folder: int) -> int:
        """Files below a folder by a quick walk that looks into none: what progress is measured by."""
        total, stack = 0, [self.folders[folder]]
        while stack:
            try:
                with os.scandir(stack.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            if entry.path != self.store:
                                stack.append(entry.path)
                        else:
                            total += 1
            except OSError:
                continue
        return total

    def counts(self, folder: int) -> tuple[int, int]:
        """Living files and their bytes."""
        with self.lock:
            return self.index.counts(folder)

    def is_empty(self, folder: int) -> bool:
        """Nothing was ever held for it: its first baseline is to be made."""
        with self.lock:
            return self.index.setting("baseline " + self.folders[folder]) is None

    def complete(self, folder: int) -> None:
        """The first baseline of the folder is whole."""
        with self.lock:
            now = b"%d" % self.clock.now_ns()
            self.index.set_setting("baseline " + self.folders[folder], now)

    # after a pause

    def recent(self, folder: int, back_ns: int) -> list[HoldResult]:
        """What was noted in the last `back_ns` before a guard was killed, and is not known to be sound.

        Its judgement and its memory of who did it went with it. Empty after a proper end.
        """
        if self._ended_well:
            return []
        with self.lock:
            whole = int(self.index.setting("baseline " + self.folders[folder]) or 0)
            since = max(self.index.last_ns() - back_ns, whole)
            doubted = self.index.writers_in_doubt(since)
            found = [self._noted(n, since, doubted) for n in self.index.noted_since(folder, since)]
        return [result for result in found if result is not None]

    def _noted(self, number: int, since_ns: int, doubted: set[str]) -> HoldResult | None:
        node = self.index.node_by_id(number)
        if node is None:
            return None
        held = self.index.generations(number)
        is_new = node.born_ns >= since_ns and not _is_original(node, held)
        lost, new = self._renamed(number, held, since_ns, doubted)
        if node.gone_ns:  # or in the middle of a rename: then the walk meets it
            return HoldResult(
                key=node.key, node=number, facts=None, generation=None, refused="gone", is_new=is_new,
                lost_names=lost, new_names=new,
            )  # fmt: skip
        now = [g for g in held if g.facts.ctime_ns == node.facts.ctime_ns and g.writer]
        doubtful = now[-1] if now and now[-1].judged is not Judged.CLEAN else None
        if doubtful is not None:
            doubtful = msgspec.structs.replace(doubtful, judged=Judged.NOT_YET)
        if doubtful is None and not lost and not new and not is_new:
            return None
        return HoldResult(
            key=node.key, node=number, facts=node.facts, generation=doubtful, is_new=is_new,
            lost_names=lost, new_names=new,
        )  # fmt: skip

    def _renamed(
        self, node: int, held: list[Generation], since_ns: int, doubted: set[str]
    ) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
        """Names that it lost and got since it was last known to be sound.

        Where all that its renamer did was sound, the new name is the right one; a name that only
        grew (`lettre.docx.locked`) is never taken for that, and a second name that went comes back.
        """
        lost, new = self.index.names_since(node, max(since_ns, _last_sound_save(held)))
        grown = any(n.name.startswith(old.name + b".") for n in new for old in lost)
        if not grown and len(new) >= len(lost):
            sound = _last_sound_save(held, lambda g: g.writer not in doubted)
            lost, new = self.index.names_since(node, max(since_ns, sound))
        return tuple(lost), tuple(new)

    def close_clean(self) -> None:
        """The guard ends as it was asked to: nothing of its last work is in doubt."""
        with self.lock:
            self.index.set_setting("ended well", b"1")

    # names

    def named(self, key: bytes, name: Name) -> None:
        """`key` appeared under `name` (created, linked or renamed there)."""
        with self.lock:
            node = self.index.node(key)
            if node is not None:
                self._own_name(node.id, name)
            else:
                owner = self.index.at_name(name)
                if owner is not None:
                    self.index.drop_name(owner, name, self.clock.now_ns())

    def unnamed(self, key: bytes | None, name: Name) -> int | None:
        """`name` went away; answers the node that had it."""
        with self.lock:
            owner = self.index.at_name(name)
            if owner is None:
                return None
            gone = self.index.node(key) if key is not None else None
            if key is not None and (gone is None or gone.id != owner):
                return None  # told late: the name belongs to another by now
            now = self.clock.now_ns()
            self.index.drop_name(owner, name, now)
            if not self.index.names(owner):
                self.index.set_gone(owner, now)
            return owner

    def _forget_names(self, node: int, now_ns: int) -> None:
        for name in self.index.names(node):
            self.index.drop_name(node, name, now_ns)
        self.index.set_gone(node, now_ns)

    def path(self, name: Name) -> str:
        """The path of a name, for people and for roll-back; through the held tree if it is gone."""
        directory = self.place.directory_path(name.directory)
        if directory is None:
            with self.lock:
                node = self.index.node(name.directory)
                upper = self.last_name(node.id) if node else None
            directory = self.path(upper) if upper else "?"
        return os.path.join(directory, os.fsdecode(name.name))

    def last_name(self, node: int) -> Name | None:
        """Its name, or the last one it had."""
        with self.lock:
            names = self.index.names(node)
            if names:
                return names[0]
            past = self.index.past_names(node)
            return past[0][0] if past else None

    # reading

    def node(self, key: bytes) -> Node | None:
        with self.lock:
            return self.index.node(key)

    def node_by_id(self, node: int) -> Node | None:
        with self.lock:
            return self.index.node_by_id(node)

    def names(self, node: int) -> list[Name]:
        with self.lock:
            return self.index.names(node)

    def changed_ns(self, key: bytes) -> int:
        """Ctime of the living file, 0 when it is gone."""
        try:
            fd = self.place.open(key, os.O_PATH)
        except OSError:
            return 0
        try:
            st = os.fstat(fd)
            return st.st_ctime_ns if st.st_nlink else 0
        finally:
            os.close(fd)

    def put_conviction(self, family: str, at_ns: int, state: str, body: bytes) -> None:
        with self.lock:
            self.index.put_conviction(family, at_ns, state, body)

    def drop_conviction(self, family: str) -> None:
        with self.lock:
            self.index.drop_conviction(family)

    def open_convictions(self) -> list[tuple[str, int, str, bytes]]:
        with self.lock:
            return self.index.open_convictions()

    def generations(self, node: int) -> list[Generation]:
        with self.lock:
            return self.index.generations(node)

    def read(self, generation: Generation) -> HeldBytes:
        """Raises FileNotFoundError when the store is damaged."""
        return self.objects.open(
            generation.id, generation.facts.size, generation.pack, generation.offset
        )

    def read_now(self, key: bytes) -> HeldBytes:
        """The living file. Raises OSError(ESTALE) when it is gone."""
        fd = self.place.open(key, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        return HeldBytes(fd, os.fstat(fd).st_size)

    def is_being_written(self, key: bytes) -> bool:
        """Whether somebody has it open for writing; False where nobody can tell, or it is gone."""
        try:
            fd = self.place.open(key, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            return not _nobody_writes(fd)
        finally:
            os.close(fd)

    def judge(self, generation: int, judged: Judged) -> None:
        with self.lock:
            self.index.judge(generation, judged)

    # room

    def room_bytes(self) -> int:
        """What the store may still take before it stops at its share."""
        v = os.statvfs(self.store)
        total, free = v.f_blocks * v.f_frsize, v.f_bavail * v.f_frsize
        return max(0, int(free - (1 - self._full_share) * total))

    def has_room(self, size: int, folder: int) -> bool:
        """Bytes and inodes below the share; looked up at most every 100 ms (a clone costs one inode)."""
        now = self.clock.now_ns()
        if now - self._room_checked > 100_000_000 or now < self._room_checked:
            v = os.statvfs(self.store)
            keep = 1 - self._full_share
            inodes = v.f_files == 0 or v.f_ffree > keep * v.f_files
            self._room = self.room_bytes() if inodes else 0
            self._room_checked = now
        if self.clones[folder]:
            return self._room > 0
        self._room -= size
        return self._room > 0

    def prune(self, node: int, keep: Callable[[list[Generation]], set[int]]) -> int:
        """Drop the generations of a node that `keep` does not name; answers how many went."""
        with self.lock:
            held = self.index.generations(node)
            wanted = keep(held)
            dropped = [g for g in held if g.id not in wanted]
            for g in dropped:
                self.index.drop_generation(g.id)
                self.held_bytes -= g.facts.size
            self._dropped += dropped  # their bytes go once their rows are gone for good
        return len(dropped)

    def gone_count(self) -> tuple[int, int]:
        """Deleted files that are still held, and the bytes of their versions."""
        with self.lock:
            return self.index.gone_count()

    def prune_gone(self, limit_ns: int, most: int = 500) -> int:
        """Drop files that are gone since before `limit_ns` with all their versions, a few at a time."""
        with self.lock:
            gone = self.index.gone_before(limit_ns)[:most]
        for node in gone:
            self.prune(node, lambda _held: set())
            with self.lock:
                self.index.drop_node(node)
        return len(gone)

    def retire(self, keep_ns: int, ran_ns: int) -> int:
        """Drop files that are gone for longer than `keep_ns`, however the clock was set.

        `ran_ns`: how long the guard ran since the last call; see `recover.retention`.
        """
        with self.lock:
            row = self.index.db.execute("SELECT min(gone) FROM node WHERE gone>0").fetchone()
            oldest = int(row[0] or 0)
            if not oldest:
                return 0
            noted = int(self.index.setting("retired") or 0)
            limit = advance(
                max(noted, self._retired), now_ns=self.clock.now_ns(), keep_ns=keep_ns, oldest_ns=oldest, ran_ns=ran_ns
            )  # fmt: skip
            self._retired = limit
            if limit - noted > _RETIRED_NS or limit > oldest:
                self.index.set_setting("retired", b"%d" % limit)
        return self.prune_gone(limit)

    def commit(self) -> None:
        """Make what was noted survive kill -9, and give back the room of what was dropped."""
        with self.lock:
            self.index.commit()
            dropped, self._dropped = self._dropped, []
        for g in dropped:
            self.objects.drop(g.id, g.facts.size, g.pack, g.offset)

    def close(self) -> None:
        self.commit()
        with self.lock:
            self.index.close()
            self.objects.close()
            self.place.close()


def _nobody_writes(fd: int) -> bool:
    """A read lease is only granted while no descriptor is open for writing (fcntl(2), F_SETLEASE).

    It is given back at once; a writer that opens in these microseconds waits for no longer.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno != errno.EAGAIN  # EACCES: another user's file, of which nothing is told
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def _is_original(node: Node, held: list[Generation]) -> bool:
    """Of the baseline, or saved and found sound since; what lived for a moment is somebody's temporary file."""
    lived = not node.gone_ns or node.gone_ns - node.born_ns > _MOMENT_NS
    return bool(held) and (not held[0].writer or (lived and _last_sound_save(held) > 0))


def _last_sound_save(
    held: list[Generation], is_trusted: Callable[[Generation], bool] = lambda _held: False
) -> int:
    """When it was last known to be sound with new content: a file may be younger than what is in doubt."""
    found = 0
    for before, g in zip([None, *held], held, strict=False):
        moved = before is not None and (before.facts.size, before.facts.mtime_ns) == (
            g.facts.size, g.facts.mtime_ns,
        )  # fmt: skip
        # A rename alone is no proof of honesty.
        if g.judged is Judged.CLEAN and (not moved or is_trusted(g)):
            found = g.taken_ns
    return found


def _is_mount(path: str) -> bool:
    """Something is mounted there; a btrfs subvolume has a device number of its own and is none."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            points = {line.split()[4].encode().decode("unicode_escape") for line in mounts}
    except OSError:
        return os.path.ismount(path)  # not Linux
    return path in points


def _trial_place(store: str, folder: str) -> str:
    """Where a trial clone may be made without touching the users' folder."""
    same = os.stat(store).st_dev == os.stat(folder).st_dev
    return store if same else folder
