"""Stage one, read: notifications to names, touches and jobs. Never looks into a file, never waits."""

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence

from releve.flow.guard.desk import Desk
from releve.flow.guard.ground import Desks, Ground
from releve.flow.guard.read.brake import Brake
from releve.flow.guard.work import Job, Volume, What, lane
from releve.flow.ports import Processes
from releve.model.held import Judged, Kind, Name, Node
from releve.model.process import Process
from releve.recover.rollback import Touch
from releve.sense import fanotify
from releve.sense.fanotify import Change

_CONTENT = fanotify.MODIFY | fanotify.CLOSE_WRITE
_MEMORY = 200_000
_MANY = 16  # changes of one read: fewer are routed within a millisecond or two
_YOUNG_NS = 1_000_000_000
_NEW_S = 0.25  # a file that was just made gets its content next; only links have none to wait for


class Reader:
    """Routes the changes of all volumes.

    Args:
        own: pids of the guard itself.
        on_overflow: notifications were lost: everything must be compared again.
        on_tree: a directory tree came in from outside: it must be walked.
        sees_all: every change in a new directory is notified, so that it need not be walked.
        on_late: a convicted family moved again.
        brake: told of each original that somebody begins to change.
        awaits: an original is missing, for which a new file may stand.
    """

    def __init__(
        self,
        ground: Ground,
        desks: Desks,
        processes: Processes,
        *,
        own: frozenset[int],
        on_overflow: Callable[[], None],
        on_tree: Callable[[Volume, int, bytes], None],
        sees_all: bool,
        on_late: Callable[[Process], None],
        brake: Brake,
        awaits: Callable[[], bool],
    ) -> None:
        self._volumes, self._processes, self._book = ground.volumes, processes, ground.book
        self._hold, self._judge, self._clock = desks.hold, desks.judge, ground.clock
        self._own, self._on_overflow, self._on_tree = own, on_overflow, on_tree
        self._sees_all, self._awaits = sees_all, awaits
        self._brake, self._brake_files = brake, ground.limits.brake_files
        self._on_late, self._young_s = on_late, ground.limits.young_s
        self._folders: OrderedDict[bytes, int] = OrderedDict()  # directory -> folder, -1: not ours
        self._wanderers: dict[bytes, int] = {}  # files of ours with a name outside
        self.late: set[Process] = set()  # heads of convicted families
        self.events = 0
        self._since_ns = ground.clock.now_ns()  # marked before, walked and read afterwards

    def route(self, changes: Sequence[Change]) -> None:
        """Take in the changes of one read."""
        now = self._clock.now_ns()
        if len(changes) >= _MANY:
            self._look_ahead(changes)
        for change in changes:
            self.events += 1
            if change.pid in self._own:
                continue
            if change.mask & fanotify.Q_OVERFLOW:
                self._on_overflow()
                continue
            where = change.file or change.directory
            volume = self._volumes.get(where[:8]) if where else None
            if volume is not None:
                self._one(volume, change, now)

    def _look_ahead(self, changes: Sequence[Change]) -> None:
        """Who changes several originals in one read is halted before the rest of it is routed.

        Under a storm a read takes up to 20 ms to route, in which an encryptor destroys a hundred.
        """
        written: dict[int, dict[bytes, Change]] = {}
        made = set[tuple[int, bytes | None]]()
        for change in changes:
            if change.mask & fanotify.CREATE:
                made.add((change.pid, change.file))
            # Often one with its birth: both kinds in one mask.
            if change.mask & fanotify.MODIFY and change.file is not None:
                written.setdefault(change.pid, {}).setdefault(change.file, change)
        for pid, files in written.items():
            if len(files) < self._brake_files or pid in self._own:
                continue
            process = self._processes.get(pid)
            begun = sum(
                self._begins(process, change, has_new_name=(pid, file) in made)
                for file, change in files.items()
            )
            if begun >= self._brake_files:
                self._brake.ahead(process, begun)

    def _begins(self, process: Process, change: Change, *, has_new_name: bool) -> bool:
        """It changes an original of ours for the first time, by whichever name.

        A new name is a birth, or a link: who links each original first is no less quick.
        """
        if change.file is None or change.file[:8] not in self._volumes:
            return False
        touch = self._book.find(process, change.file)
        if touch is not None and (touch.wrote_ns or touch.created):
            return False
        volume = self._volumes[change.file[:8]]
        if has_new_name:
            node = volume.keeper.node(change.file[8:])
            return (
                node is not None and not node.gone_ns and not self._was_met_first(node, change.file)
            )
        if change.file in self._wanderers:
            return True
        return change.directory is not None and self._folder(volume, change.directory) >= 0

    def adopt(self, volume: Volume, key: bytes, folder: int, *, outside: bool = False) -> None:
        """Tell the reader of a directory of ours, or of a file of ours with a name outside."""
        if outside:
            self._wanderers[volume.fsid + key] = folder
        else:
            self._folders[volume.fsid + key] = folder

    def _one(self, volume: Volume, change: Change, now: int) -> None:
        folder = self._folder(volume, change.directory)
        if change.mask & fanotify.RENAME:
            to = self._folder(volume, change.new_directory)
            if folder >= 0 or to >= 0 or (change.file and change.file in self._wanderers):
                self._renamed(volume, change, to, now)
            return
        if folder < 0:
            folder = self._stray(volume, change)
            if folder < 0:
                return
        process = self._processes.get(change.pid)
        if change.mask & fanotify.CREATE:
            self._created(volume, change, folder, process, now)
        if change.file is not None and change.mask & (_CONTENT | fanotify.ATTRIB):
            self._changed(volume, change, folder, process, now)
        if change.mask & fanotify.DELETE:
            self._deleted(volume, change, folder, process, now)

    def _folder(self, volume: Volume, directory: bytes | None) -> int:
        """Number of the protected folder that a directory belongs to, -1 for none."""
        if directory is None:
            return -1
        known = self._folders.get(directory)
        if known is not None:
            return known
        path = volume.keeper.place.nearest_path(directory[8:])
        if path is None:
            node = volume.keeper.node(directory[8:])
            return node.folder if node else -1
        folder = -1
        for number, root in enumerate(volume.keeper.folders):
            if path == root or path.startswith(root + "/"):
                folder = number
        store: str = volume.keeper.store
        if path == store or path.startswith(store + "/"):
            folder = -1
        elif folder < 0:  # moved out as a whole: what is held of it stays protected
            node = volume.keeper.node(directory[8:])
            folder = node.folder if node is not None and not node.gone_ns else -1
        self._folders[directory] = folder
        if len(self._folders) > _MEMORY:
            self._folders.popitem(last=False)
        return folder

    def _stray(self, volume: Volume, change: Change) -> int:
        """A file of ours under a name outside (hard link, moved out)? Its folder, else -1."""
        if change.file is None:
            return -1
        folder = self._wanderers.get(change.file)
        if folder is not None:
            return folder
        if change.mask & fanotify.CREATE and not change.mask & fanotify.ONDIR:
            node = volume.keeper.node(change.file[8:])
            if node is not None and not node.gone_ns:
                self._wanderers[change.file] = node.folder
                return node.folder
        if change.directory is None:  # attributes of an inode without a name in the record
            node = volume.keeper.node(change.file[8:])
            if node is not None and not node.gone_ns:
                return node.folder
        return -1

    def _created(
        self, volume: Volume, change: Change, folder: int, process: Process, now: int
    ) -> None:
        if change.file is None or change.directory is None:
            return
        name = Name(_key(change.directory), change.name)
        node = volume.keeper.node(change.file[8:])
        touch = self._touch(process, change.file, folder, now)
        if node is None or node.gone_ns or self._was_met_first(node, change.file):
            touch.created = True
            self._book.made(process, change.file, now)
            self._brake.made(process)
        touch.became += (name,)
        if change.mask & fanotify.ONDIR:
            volume.keeper.hold(change.file[8:], process.id, folder=folder)
            volume.keeper.named(change.file[8:], name)
            self._folders[change.file] = folder
            self._book.wrote(process, change.file, now)
            if not self._sees_all:
                self._on_tree(volume, folder, change.file)
            return
        volume.keeper.named(change.file[8:], name)
        if not change.mask & _CONTENT:  # linked in, a symbolic link, or its content will follow
            self._put(
                self._hold, What.CLOSED, volume, change, folder, process, now, name, later_s=_NEW_S
            )

    def _was_met_first(self, node: Node, file: bytes) -> bool:
        """The walk at the start came upon it before its birth was read; a link is no birth."""
        is_young = node.born_ns >= self._since_ns and node.facts.nlink == 1
        return is_young and self._book.maker(file) is None  # whose birth was read is linked now

    def _changed(
        self, volume: Volume, change: Change, folder: int, process: Process, now: int
    ) -> None:
        if change.file is None:
            return
        if change.mask & fanotify.ONDIR:
            if change.mask & fanotify.ATTRIB:
                self._touch(process, change.file, folder, now)
            return
        touch = self._touch(process, change.file, folder, now)
        is_young = touch.created and touch.first_ns > now - _YOUNG_NS
        name = Name(_key(change.directory), change.name) if change.directory else None
        if change.mask & _CONTENT:
            touch.wrote = True
        if change.mask & fanotify.MODIFY:  # who only opens and closes it wrote nothing
            is_first = not touch.wrote_ns and not touch.created
            touch.wrote_ns = now  # before a halt, which may take longer than a touch is lent
            if is_first:
                self._brake.note(process)
            self._book.wrote(process, change.file, now)
        if change.mask & fanotify.CLOSE_WRITE:
            self._book.saved(process, change.file, now)
        if change.mask & fanotify.CLOSE_WRITE or not touch.created:
            job = Job(  # every write passes here: not by way of `_put`
                what=What.OPEN,
                process=process,
                volume=volume,
                file=change.file,
                folder=folder,
                seen_ns=now,
                mask=change.mask,
                name=name,
            )
            self._have_judged(job, lane(process, is_new=touch.created), is_young=is_young)
        if change.mask & fanotify.CLOSE_WRITE or not change.mask & fanotify.MODIFY:
            later_s = self._young_s if is_young else 0.0
            self._put(
                self._hold, What.CLOSED, volume, change, folder, process, now, name, later_s=later_s
            )

    def _have_judged(self, job: Job, turn: int, *, is_young: bool) -> None:
        """Most new files of a save are gone in a moment; none waits while an original is missing."""
        if is_young and not self._awaits():
            job.is_due = True
            self._judge.put_later(self._young_s, job.process.pid, job.file, job)
        else:
            self._judge.put(turn, job.file, job)

    def _put(
        self,
        desk: Desk[Job],
        what: What,
        volume: Volume,
        change: Change,
        folder: int,
        process: Process,
        now: int,
        name: Name | None,
        *,
        later_s: float = 0.0,
        beside: str = "",
        old: int = 0,
    ) -> None:
        """Put work on the file of a change; jobs of one kind merge, those named `beside` apart."""
        file = change.file
        if file is None:
            return
        job = Job(
            what=what,
            process=process,
            volume=volume,
            file=file,
            folder=folder,
            seen_ns=now,
            mask=change.mask,
            name=name,
            old=old,
        )
        place = (file, beside) if beside else file
        # The process itself has the turn, so that decoys below the same shell cannot hide another.
        if later_s:
            desk.put_later(later_s, process.pid, place, job)
        else:
            desk.put(process.pid, place, job)

    def _deleted(
        self, volume: Volume, change: Change, folder: int, process: Process, now: int
    ) -> None:
        if change.directory is None:
            return
        name = Name(_key(change.directory), change.name)
        key = change.file[8:] if change.file else None
        node = volume.keeper.node(key) if key else None
        owner = volume.keeper.unnamed(key, name)
        if owner is None or node is None or change.file is None:
            return
        touch = self._touch(process, change.file, folder, now)
        _lost(touch, name)
        if node.facts.kind is Kind.FILE:
            if not touch.created:
                self._brake.deleted(process)
            self._put(
                self._judge, What.GONE, volume, change, folder, process, now, name,
                beside="gone", old=node.id,
            )  # fmt: skip

    def _renamed(self, volume: Volume, change: Change, to: int, now: int) -> None:
        if change.file is None or change.directory is None or change.new_directory is None:
            return
        process = self._processes.get(change.pid)
        old = Name(_key(change.directory), change.name)
        new = Name(_key(change.new_directory), change.new_name)
        keeper, key = volume.keeper, change.file[8:]
        if change.mask & fanotify.ONDIR:
            self._forget_outside()
        node = keeper.node(key)
        if to >= 0:
            self._overwritten(volume, new, change, to, process, now)
        if node is None:
            if to >= 0:
                touch = self._touch(process, change.file, to, now)
                touch.created = True
                touch.became += (new,)
                if change.mask & fanotify.ONDIR:
                    keeper.hold(key, process.id, folder=to)
                    self._folders[change.file] = to
                    self._book.wrote(process, change.file, now)
                    self._on_tree(volume, to, change.file)
                else:
                    self._put(self._hold, What.CLOSED, volume, change, to, process, now, new)
                keeper.named(key, new)
            return
        touch = self._touch(process, change.file, node.folder, now)
        _lost_name(touch, old)
        touch.became += (new,)
        keeper.unnamed(key, old)
        keeper.named(key, new)
        if to < 0:
            self._wanderers[change.file] = node.folder
        elif not change.mask & fanotify.ONDIR:
            self._put(self._hold, What.CLOSED, volume, change, node.folder, process, now, new)

    def _overwritten(
        self, volume: Volume, name: Name, change: Change, folder: int, process: Process, now: int
    ) -> None:
        """The name may have belonged to an original, which is gone by this rename."""
        if change.file is None:
            return
        owner = volume.keeper.unnamed(None, name)
        if owner is None:
            return
        node = volume.keeper.node_by_id(owner)
        if node is None or node.key == change.file[8:]:
            volume.keeper.named(change.file[8:], name)
            return
        file = volume.fsid + node.key
        self._brake.note(process)
        touch = self._touch(process, file, folder, now)
        _lost(touch, name)
        self._put(
            self._judge, What.REPLACED, volume, change, folder, process, now, name,
            beside="replaced", old=node.id,
        )  # fmt: skip

    def _touch(self, process: Process, file: bytes, folder: int, now: int) -> Touch:
        if self.late:
            self._look_late(process)
        return self._book.touch(process, file, folder, now)

    def _look_late(self, process: Process) -> None:
        for ancestor in process.chain():
            if ancestor in self.late:
                self._on_late(ancestor)
                return

    def _forget_outside(self) -> None:
        """A directory moved: what was known to lie outside may lie inside now."""
        for directory in [d for d, folder in self._folders.items() if folder < 0]:
            del self._folders[directory]


@functools.lru_cache(maxsize=256)
def _key(directory: bytes) -> bytes:
    """Many names share a directory: they share its key, too."""
    return directory[8:]


def _lost(touch: Touch, name: Name) -> None:
    """The file is gone by this touch, with the name it had."""
    touch.deleted = True
    touch.judged = Judged.BAD if touch.judged is Judged.BAD else Judged.NOT_YET
    _lost_name(touch, name)


def _lost_name(touch: Touch, name: Name) -> None:
    """Names that the family itself gave are none to put back."""
    if name in touch.became:
        at = touch.became.index(name)
        touch.became = touch.became[:at] + touch.became[at + 1 :]
    elif name not in touch.was:
        touch.was += (name,)
