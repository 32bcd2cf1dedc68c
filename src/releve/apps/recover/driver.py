"""The driver of one recovery: opens, watches over its processes, brings home, tells how far it is."""

import contextlib
import errno
import itertools
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from releve.adapters.restic.lent import Node, Program
from releve.apps.recover.noting import Noting
from releve.apps.recover.opening import Opening
from releve.apps.recover.sharing import Sharing
from releve.apps.recover.staging import Staging
from releve.apps.recover.state import Phase, Progress, RecoveryHome
from releve.flow.recovery.errors import (
    DiskRoomError,
    MountFailedError,
    NoRecoveryError,
    StillInUseError,
)
from releve.flow.recovery.hydrate import Hydration, Stopped
from releve.model.errors import ReleveError
from releve.recover.care_order import DATABASE_ENDINGS, Group, Item, Plan, plan

_TICK_S = 0.1
_NEAR = 300  # entries
_LOOK_S = 1.0  # between looks at the file server: it means reading all of /proc
_POLITE_S = 3.0  # that programs on this machine get to leave the folder before it is built again
_HEAD = b"SQLite format 3\0"
_ARRIVED = {Group.TODAY: "today_local", Group.DATABASES: "databases_local"}


class Driver:
    """One run of `recover start`; killed at any moment, the next one goes on."""

    def __init__(self, home: RecoveryHome, tell: Callable[[Progress], None]) -> None:
        self._home, self._tell = home, tell
        self._asked = home.asked()
        self._state = home.state()
        self._opening = Opening(home, self._asked)
        self._sharing = Sharing(home, self._asked)
        self._noting = Noting(self._asked)
        self._lock = threading.RLock()
        self._hydration: Hydration | None = None
        self._failed: ReleveError | None = None
        self._stop = threading.Event()
        self._done = threading.Event()
        self._waiting_for: tuple[str, ...] = ()
        self._look_again = 0.0
        self._laid = 0
        self._told = Progress(target="", phase="", running=True, seconds={}, since_order_s=0)

    def stop(self) -> None:
        """End the driver; the folder stays open to people."""
        self._stop.set()
        if self._hydration is not None:
            self._hydration.stop()

    def run(self, *, until_local: bool) -> None:
        """Drive until `stop`, or until all is local.

        Raises: NoRecoveryError, MountFailedError, TargetError, and those of the repository.
        """
        if self._state.phase not in {Phase.OPEN, Phase.LOCAL}:
            raise NoRecoveryError(
                self._asked.target,
                "it is being handed over: `recover finish`",
                "il est en train d'être rendu : `releve recover finish`",
            )
        try:
            self._run(until_local=until_local)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise DiskRoomError(self._asked.reserve, self._opening.view.room()) from error

    def _run(self, *, until_local: bool) -> None:
        self._open()
        worker = threading.Thread(target=self._bring_home, daemon=True)
        worker.start()
        self._probe_database(self._databases_near())
        while not self._stop.is_set():
            self._watch()
            self._report()
            if self._failed is not None:
                raise self._failed
            if until_local and self._done.is_set():
                break
            self._stop.wait(_TICK_S)
        self.stop()
        worker.join(timeout=30)
        self._report(running=False)

    # opening

    def _open(self) -> None:
        state = self._state
        if state.staged:
            if not self._opening.view.is_mounted:
                self._opening.mount_staged()
        elif not self._opening.vault_answers(state.vault, state.vault_point):
            self._rebuild(first=not self._opening.view.is_mounted)
        elif not self._opening.view.is_mounted:
            self._opening.mount_view(state.vault_point)
        if self._asked.course is not None:
            self._laid = len(self._home.layer().files)
            self._reach("laid")
        self._reach("open")
        self._probe_file()
        self._probe_write()
        self._share()

    def _rebuild(self, *, first: bool = False) -> None:
        """Mount the vault anew, then put a new view over the same upper folder.

        The old view stays until the new vault is there: what is local can be used meanwhile.
        """
        old, old_point = self._state.vault, self._state.vault_point
        if self._state.staged:
            program, point = None, ""
        else:
            program, point = self._mounted_vault(patient=not first)
        if self._hydration is not None:
            self._hydration.pause()
        if not first:
            self._sharing.stop()
            self._let_go()
        self._opening.unmount_vault(old_point, old, keep=point)
        self._keep(vault=program, vault_point=point)
        if self._state.staged:
            self._opening.mount_staged()
        else:
            self._opening.mount_view(point)
        if not first:
            self._keep(rebuilt=self._state.rebuilt + 1)
        if self._hydration is not None:
            self._hydration.go_on()

    def _mounted_vault(self, *, patient: bool) -> tuple[Program | None, str]:
        """Mount the vault; `patient`: until it answers again, for people work meanwhile."""
        while True:
            try:
                return self._opening.mount_vault()
            except MountFailedError:
                if not patient or self._stop.wait(1.0):
                    raise

    def _let_go(self) -> None:
        """Unmount the view; from under readers after a while, never from under a writer."""
        until = time.monotonic() + _POLITE_S

        def wait(holders: tuple[str, ...]) -> bool:
            self._waiting_for = holders
            self._report()
            if time.monotonic() > until and self._opening.view.leave_to_readers():
                return True
            return not self._stop.wait(0.2)

        if not self._opening.close_view(wait):
            raise StillInUseError(self._asked.target, self._waiting_for)
        self._waiting_for = ()

    def _share(self) -> None:
        if self._asked.share is not None:
            self._sharing.start()
            self._reach("shared")

    def _watch(self) -> None:
        """Build again what died."""
        state = self._state
        needs_vault = not state.staged or bool(state.vault_point)  # below the view still
        alive = not needs_vault or self._opening.vault_answers(state.vault, state.vault_point)
        if not alive or not self._opening.view.is_mounted:
            self._rebuild()
            self._share()
        elif self._asked.share is not None and time.monotonic() > self._look_again:
            self._look_again = time.monotonic() + _LOOK_S
            self._sharing.start()  # does nothing while it serves
            self._sharing.follow()

    # bringing home

    def _bring_home(self) -> None:
        try:
            if self._state.staged:
                self._done.set()
                return
            wanted = self._plan()
            base = Path(self._asked.target)
            self._probe_database(base / item.path for item in wanted.databases)
            ground = self._opening.view
            bulk = Staging(self._home, self._asked, self._opening)
            reserve = self._asked.reserve
            hydration = Hydration(ground, bulk, wanted, reserve=reserve, arrived=self._arrived)
            with self._lock:
                self._hydration = hydration
            if not self._stop.is_set() and hydration.run(self._asked.threads):
                self._adjust()
                self._keep(phase=Phase.LOCAL, staged=True)
                self._reach("all_local")
                self._done.set()
        except Stopped:
            return
        except ReleveError as error:
            self._failed = error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            self._failed = DiskRoomError(self._asked.reserve, self._opening.view.room())

    def _plan(self) -> Plan:
        files = (Item(path=n.path, size=n.size) for n in self._nodes() if n.type == "file")
        wanted = plan(files, self._home.care())
        self._reach("listed")
        return wanted

    def _nodes(self) -> Iterator[Node]:
        """The catalogue, or the snapshot's list, which becomes it. Raises: Stopped."""
        asked = self._asked

        def look() -> None:
            if self._stop.is_set():
                raise Stopped

        listed = self._opening.repository.nodes(asked.snapshot, asked.folder, look)
        return self._home.catalogue() or self._home.catalogued(listed)

    def _arrived(self, group: Group) -> None:
        if (name := _ARRIVED.get(group)) is not None:
            self._reach(name)

    def _adjust(self) -> None:
        """Consistent copies get the rights that their databases had."""
        for copy in self._opening.copies(self._state.vault_point):
            path = Path(self._asked.target + copy.path[len(self._asked.folder.rstrip("/")) :])
            with contextlib.suppress(FileNotFoundError):
                facts = path.lstat()
                if (facts.st_uid, facts.st_gid) != (copy.uid, copy.gid):
                    os.chown(path, copy.uid, copy.gid)
                if facts.st_mode & 0o7777 != copy.mode:
                    path.chmod(copy.mode)

    # what was reached, measured on the real folder

    def _probe_file(self) -> None:
        """Read the first file that the folder shows."""
        for parent, _, names in os.walk(self._asked.target):
            for name in names:
                with contextlib.suppress(OSError), Path(parent, name).open("rb") as file:
                    file.read(4096)
                    self._reach("first_file")
                    return

    def _probe_write(self) -> None:
        """Write, sync and remove a file: people can do the same now."""
        probe = Path(self._asked.target, f".releve-{os.getpid()}")
        with contextlib.suppress(OSError):
            held = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(held, b"releve")
                os.fsync(held)
            finally:
                os.close(held)
                probe.unlink()
            self._reach("first_write")

    def _probe_database(self, paths: Iterable[Path]) -> None:
        """Ask the first SQLite database something, as it stands at the vault."""
        for path in paths:
            with contextlib.suppress(OSError, sqlite3.Error):
                with path.open("rb") as file:
                    if file.read(16) != _HEAD:
                        continue
                name = f"file:{quote(str(path))}?mode=ro&immutable=1"
                with contextlib.closing(sqlite3.connect(name, uri=True)) as database:
                    database.execute("SELECT count(*) FROM sqlite_master").fetchone()
                self._reach("database_query")
                return

    def _databases_near(self) -> Iterator[Path]:
        """Databases in the first folders, without waiting for the list of the snapshot."""
        todo, seen = deque([Path(self._asked.target)]), 0
        while todo and seen < _NEAR:
            with contextlib.suppress(OSError), os.scandir(todo.popleft()) as entries:
                for entry in itertools.islice(entries, _NEAR):
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))
                    elif Path(entry.name).suffix.lower() in DATABASE_ENDINGS:
                        yield Path(entry.path)

    # telling

    def _since_order(self) -> float:
        return round((time.time_ns() - self._asked.ordered_ns) / 1e9, 3)

    def _reach(self, name: str) -> None:
        with self._lock:
            if name not in self._state.seconds:
                self._keep(seconds=self._state.seconds | {name: self._since_order()})

    def _keep(self, **changes: object) -> None:
        with self._lock:
            self._state = msgspec.structs.replace(self._state, **changes)
            self._home.keep("state.json", self._state)

    def _report(self, *, running: bool = True) -> None:
        told = msgspec.structs.replace(
            self._counts(),
            phase=self._state.phase.value,
            running=running,
            seconds=self._state.seconds,
            rebuilt=self._state.rebuilt,
            shared="shared" in self._state.seconds,
            laid=self._laid,
            waiting_for=self._waiting_for,
        )
        if told != self._told:
            self._told = told
            shown = msgspec.structs.replace(told, since_order_s=self._since_order())
            with contextlib.suppress(OSError):  # a full disk: the next one tells
                self._home.show(shown)
                self._noting.tell(shown)
            self._tell(shown)

    def _counts(self) -> Progress:
        empty = Progress(
            target=self._asked.target,
            incident=self._asked.incident,
            phase="",
            running=True,
            seconds={},
            since_order_s=0,
        )
        hydration = self._hydration
        if hydration is None:
            return empty
        tallies = hydration.tally
        today, bases = tallies[Group.TODAY], tallies[Group.DATABASES]
        return msgspec.structs.replace(
            empty,
            today_files=today.files,
            today_home=today.files_home,
            databases_bytes=bases.bytes,
            databases_home=bases.bytes_home,
            files=sum(t.files for t in tallies.values()),
            files_home=sum(t.files_home for t in tallies.values()),
            bytes=sum(t.bytes for t in tallies.values()),
            bytes_home=sum(t.bytes_home for t in tallies.values()),
            short_of_room=hydration.short_of_room,
            links_lost=hydration.links_lost,
            failures=hydration.failures,
        )
