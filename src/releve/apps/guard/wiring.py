"""The whole guard on one page: which adapters, for which folders, with which store."""

import datetime as dt
import fcntl
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from releve.adapters.clock import SystemClock
from releve.adapters.linux import procfs
from releve.adapters.linux.hands import LinuxHands
from releve.adapters.linux.lineage import Lineage
from releve.adapters.linux.openers import MapsOpeners
from releve.adapters.linux.place import HandlePlace
from releve.adapters.linux.urgency import Urgency
from releve.adapters.linux.watcher import (
    FanotifyWatcher,
    UnsupportedFileSystemError,
    lives_in_memory,
)
from releve.adapters.private import is_ours, private_store
from releve.adapters.store.approvals import ApprovalFile
from releve.adapters.store.keeper import Keeper
from releve.adapters.store.putback import GiveBack
from releve.apps.box.guarding import BoxGuarding
from releve.apps.guard.config import GuardConfig, hash_name, report_bug, say_read_only
from releve.flow.guard.guard import Guard, Parts
from releve.flow.guard.work import Volume
from releve.model.errors import NotRootError, ReleveError
from releve.model.lines import Alert, Folder


class FolderError(ReleveError):
    """The folder cannot be protected."""

    status = 13
    remedy = "Name an existing folder by its full path."


def not_utf8(path: str) -> FolderError:
    """A guard's lines and its orders name folders as UTF-8: one named otherwise is refused at once."""
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    error = FolderError(f"The name {shown} is not UTF-8.")
    error.remedy = (
        "Rename the folder, or protect the one above it: what lies below may have any name."
    )
    return error


class ScopeError(ReleveError):
    """The process named by --scope shows no namespace."""

    status = 78
    remedy = (
        "Name a living process of the namespace to stay in, by its pid here, or leave --scope out to"
        " act on the whole machine."
    )

    def __init__(self, pid: int, *, lives: bool) -> None:
        why = "may not be read from here" if lives else "is not there: no such process lives"
        super().__init__(f"The namespace of process {pid} {why}.")


class AlreadyGuardedError(ReleveError):
    """Another guard holds this folder."""

    status = 14
    remedy = (
        "Stop the other guard first, or protect another folder: `releve guard status` shows it."
    )

    def __init__(self, folder: str) -> None:
        super().__init__(f"{folder} is already guarded.")
        self.folder = folder


class Locks:
    """One guard per folder and per store: flock on the folders themselves, held until exit."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._fds: list[int] = []
        for folder in folders:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(fd)
                self.release()
                raise AlreadyGuardedError(folder) from error
            self._fds.append(fd)
            self._upwards(folder)

    def _upwards(self, folder: str) -> None:
        """A guard on a parent folder holds this one too."""
        parent = os.path.dirname(folder)
        while parent != os.path.dirname(parent):
            try:
                fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError:
                return
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(fd)
                self.release()
                raise AlreadyGuardedError(folder) from error
            self._fds.append(fd)
            parent = os.path.dirname(parent)

    def release(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()


def build(
    config: GuardConfig, say: Callable[[object], None]
) -> tuple[Guard, Callable[[], tuple[Folder, ...]], str]:
    """Wire a guard; answers it, what describes its folders, and the store."""
    folders = [_folder(path) for path in (*config.protect, *_box_folders(config))]
    if not folders:
        raise FolderError("There is no folder to protect.")
    if config.portable:
        from releve.apps.guard.portable import build_portable

        Locks(folders)  # kept open by the descriptors until this process ends
        return build_portable(config, folders, _scope(config.scope), say)
    if os.geteuid() != 0:
        raise NotRootError("The exact mode (fanotify)")
    Locks(folders)  # kept open by the descriptors until this process ends
    say_read_only(folders, say)
    scope = _scope(config.scope)
    clock = SystemClock()
    watcher = FanotifyWatcher()
    own = frozenset((os.getpid(),))
    volumes = _volumes(folders, config, clock, watcher)
    home = Path(config.box) if config.box else None
    box = BoxGuarding(home, say, servers=config.never_block)
    box.start()  # before the lineage: listeners must be known
    lineage = Lineage(
        scope=scope,
        is_listener=box.clients.is_listener,
        on_fork=box.clients.on_fork,
        on_loss=lambda: say(_lineage_lost()),
    )
    urgency = Urgency()
    parts = Parts(
        volumes=volumes,
        watcher=watcher,
        processes=lineage,
        hands=LinuxHands(lineage, scope=scope),
        contain=box.contain,
        openers=MapsOpeners(own),
        clock=clock,
        own=own,
        report_bug=report_bug,
        share=urgency,
        comes_first=urgency.comes_first,
        settle=urgency.settle,
        at_terminal=procfs.is_foreground,
    )
    approvals = ApprovalFile(volumes[0].keeper.store)
    guard = Guard(
        parts,
        config.limits,
        say,
        enforce=config.enforce,
        spare=lambda head: head.exe in config.care_programs,
        approved=lambda head, paths, authors: approvals.covers(head, authors, paths, _now(clock)),
    )
    lineage.merged = guard.inherit
    return guard, lambda: _describe(volumes, guard), volumes[0].keeper.store


def _box_folders(config: GuardConfig) -> tuple[str, ...]:
    """What `releve share add` put under guard."""
    if not config.box:
        return ()
    from releve.apps.box.home import protected

    return tuple(entry.path for entry in protected(Path(config.box)))


def _now(clock: SystemClock) -> dt.datetime:
    return dt.datetime.fromtimestamp(clock.wall_ns() / 1e9, dt.UTC)


def _lineage_lost() -> Alert:
    return Alert(
        kind="lineage_lost",
        why="Des naissances de programmes ont échappé au gardien ; la parenté est relue, moins sûre "
        "pendant une minute.",
        why_en="Some forks were not seen; lineage was read again and is less sure for a minute.",
    )


def _volumes(
    folders: Sequence[str], config: GuardConfig, clock: SystemClock, watcher: FanotifyWatcher
) -> tuple[Volume, ...]:
    by_system: dict[bytes, list[str]] = {}
    for folder in folders:
        by_system.setdefault(watcher.mark(folder), []).append(folder)
    found = []
    for number, (fsid, group) in enumerate(by_system.items()):
        if lives_in_memory(group[0]):
            raise UnsupportedFileSystemError(
                group[0], "it lives in memory: files and held originals would go with the power"
            )
        try:
            place = HandlePlace(group[0])
            place.key_of(group[0])
        except OSError as error:
            raise UnsupportedFileSystemError(group[0], error.strerror or str(error)) from error
        store = (config.store and os.path.abspath(config.store)) or default_store(group[0])
        if config.store and number:
            store = f"{store}-{number}"
        store = private_store(store)
        keeper = Keeper(store, place, clock, full_share=config.limits.full_share, copy=config.copy)
        for folder in group:
            keeper.add_folder(folder)
        keeper.settle_folders()
        clock.not_before(keeper.index.last_ns())
        found.append(Volume(fsid=fsid, keeper=keeper, give_back=GiveBack(keeper)))
    return tuple(found)


def default_store(folder: str) -> str:
    """A root-only folder on the same file system, outside the protected one if possible.

    In /var/lib/releve where users could move it away: a disk whose top folder they write to.
    Raises: FolderError.
    """
    folder = _folder(folder)
    device = os.stat(folder).st_dev
    top = folder
    while os.path.dirname(top) != top and os.stat(os.path.dirname(top)).st_dev == device:
        top = os.path.dirname(top)
    token = format(abs(hash_name(folder)), "x")
    elsewhere = f"/var/lib/releve/store-{token}"
    if top != "/" and (os.path.isdir(elsewhere) or not is_ours(top)):
        return elsewhere
    if top == "/":
        return elsewhere if os.stat("/var/lib").st_dev == device else f"/.releve-{token}"
    return os.path.join(top, f".releve-{token}")


def _folder(path: str) -> str:
    full = os.path.realpath(path)
    if os.fsencode(full).decode("utf-8", "replace") != full:
        raise not_utf8(full)
    if not os.path.isdir(full):
        raise FolderError(f"{path} is not a folder.")
    return full


def _scope(pid: int) -> int:
    """PID namespace of `pid`; of the children of `pid` where it is an `unshare` that still lives outside."""
    if not pid:
        return 0
    own = procfs.pid_namespace(os.getpid())
    namespace = procfs.pid_namespace(pid)
    if not namespace:
        raise ScopeError(pid, lives=os.path.exists(f"/proc/{pid}"))
    if namespace == own:
        children = procfs.pid_namespace(pid, for_children=True)
        if children:
            return children
    return namespace


def _describe(volumes: Sequence[Volume], guard: Guard) -> tuple[Folder, ...]:
    found = []
    for volume in volumes:
        for number, path in enumerate(volume.keeper.folders):
            files, size = volume.keeper.counts(number)
            mode = volume.keeper.mode(number)
            found.append(
                Folder(
                    path=path,
                    mode=mode,
                    attribution="exact",
                    room_bytes=volume.keeper.room_bytes(),
                    files=files,
                    held_bytes=size,
                    baseline_ms=guard.baseline_ms.get(path, 0.0),
                    can=(
                        "garde chaque original"
                        + (" par clone instantané" if mode == "reflink" else " par copie"),
                        "nomme l'auteur de chaque changement (noyau) et l'arrête",
                        "remet contenu, noms, droits et dates",
                    ),
                    cannot=("se défendre contre root : pour cela, le coffre",),
                    can_en=(
                        "holds every original "
                        + ("by an instant clone" if mode == "reflink" else "by a copy"),
                        "names the author of every change (kernel) and stops it",
                        "brings content, names, rights and dates back",
                    ),
                    cannot_en=("defend itself against root: the vault is for that",),
                )
            )
    return tuple(found)


def line_printer() -> Callable[[object], None]:
    """One JSON object a line on stdout, whole lines only, from any thread."""
    import threading

    lock = threading.Lock()
    encode = msgspec.json.Encoder().encode
    stream = sys.stdout.buffer

    def say(line: object) -> None:
        data = encode(line) + b"\n"
        with lock:
            try:
                stream.write(data)
                stream.flush()
            except (BrokenPipeError, ValueError):
                return  # whoever read the lines is gone: the guard goes on

    return say
