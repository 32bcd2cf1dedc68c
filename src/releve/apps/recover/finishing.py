"""Ends a recovery: an ordinary folder, every file that nobody wrote verified, changes reported.

Each step can be killed and repeated: the phase on disk says which one counts as begun. It is not
shown as done before it is verified.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from releve.adapters.restic.lent import Node, same
from releve.apps.recover.intent import forget_secrets
from releve.apps.recover.noting import Noting
from releve.apps.recover.opening import Opening
from releve.apps.recover.sharing import Sharing
from releve.apps.recover.state import Phase, RecoveryHome
from releve.flow.recovery.errors import (
    DoubtfulFilesError,
    NoRecoveryError,
    NotAllLocalError,
    StillInUseError,
)
from releve.model.backup import DatabaseCopy
from releve.model.vault import Right
from releve.recover.handover import Fate, Found, Wanted, judge

_PATIENCE_S = 10.0


class Report(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="recovered"):
    """What the recovered folder is made of. Names are patient data: it stays on this host."""

    target: str
    snapshot: str
    files: int
    verified: int  # equal to the snapshot, chunk by chunk
    databases: int  # equal to the consistent copy's SHA-256
    laid: int = 0  # equal to the version of another snapshot that the plan named
    withheld: tuple[str, ...] = ()  # in the snapshot, and not given back
    left: tuple[tuple[str, str], ...] = ()  # newer versions that were not laid, and why
    changed: tuple[str, ...]  # written by people since the order
    new: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]  # (before, now), the content verified
    deleted: tuple[str, ...]
    doubtful: tuple[str, ...]  # differ although nobody seems to have written them
    second_names: int  # hard links of the snapshot, which are files of their own now
    seconds: dict[str, float]
    right: Right | None = None  # how the right to restore came about, with its seconds


class _Twin(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is to be equal to."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


class Finishing:
    """The last step of one recovery."""

    def __init__(self, home: RecoveryHome, tell: Callable[[str], None]) -> None:
        self._home, self._tell = home, tell
        self._asked, self._state = home.asked(), home.state()
        self._opening = Opening(home, self._asked)
        self._sharing = Sharing(home, self._asked)
        self._noting = Noting(self._asked)
        self._layer = home.layer()

    def run(self, *, replace_doubtful: bool) -> Report:
        """Close, clean, hand over, verify; open the share again.

        Raises: NotAllLocalError, StillInUseError, DoubtfulFilesError, NoRecoveryError.
        """
        if self._state.phase is Phase.DONE:
            raise NoRecoveryError(
                self._asked.target, "it is finished already", "la reprise est déjà finie"
            )
        if self._state.phase in {Phase.OPEN, Phase.LOCAL}:
            self._close()
        if self._state.phase is Phase.CLOSING:
            self._make_ordinary()
        if self._asked.share is not None:
            self._sharing.start()  # people go on in the ordinary folder while it is verified
        report = self._verified(replace_doubtful=replace_doubtful)
        self._home.keep("report.json", report)
        if report.doubtful:
            raise DoubtfulFilesError(len(report.doubtful))
        self._opening.unmount_vault(self._state.vault_point, self._state.vault)
        self._keep(phase=Phase.DONE, vault=None, vault_point="")
        forget_secrets(self._home)
        return report

    def _close(self) -> None:
        """Unmount for good, once nothing is missing."""
        if not self._state.staged:
            progress = self._home.progress()
            raise NotAllLocalError(progress.files - progress.files_home if progress else 0)
        self._tell("closing")
        self._sharing.stop()
        until = time.monotonic() + _PATIENCE_S

        def wait(_: tuple[str, ...]) -> bool:
            time.sleep(0.2)
            return time.monotonic() < until

        if not self._opening.close_view(wait):
            if self._asked.share is not None:
                self._sharing.start()
            self._opening.view.unmount()  # says who
        self._keep(phase=Phase.CLOSING)

    def _make_ordinary(self) -> None:
        self._tell("cleaning")
        view = self._opening.view
        if view.is_mounted:  # a kill between unmounting and its note cannot lead here
            raise StillInUseError(self._asked.target, ())
        if Path(view.upper).is_dir():
            if not self._state.joined:
                view.join()
                self._keep(joined=True)
            deleted = view.clean()
            view.hand_over()
            self._keep(deleted=self._state.deleted + deleted)
        shutil.rmtree(view.stage, ignore_errors=True)  # what people deleted or replaced
        self._keep(phase=Phase.VERIFYING)
        for work in self._home.path.glob("work-*"):
            shutil.rmtree(work, ignore_errors=True)

    # verifying

    def _verified(self, *, replace_doubtful: bool) -> Report:
        self._tell("verifying")
        asked, repository = self._asked, self._opening.repository
        nodes = self._home.catalogue() or repository.nodes(asked.snapshot, asked.folder)
        self._vault()
        actions: dict[str, str] = {}
        repository.compare(asked.snapshot, asked.folder, asked.target, actions.__setitem__)
        wanted = {n.path: _wanted(n) for n in nodes if n.type == "file"}
        judged = judge(wanted, self._present(), actions)
        judged = self._laid(self._databases(judged))
        judged = self._looked_at(judged)
        if replace_doubtful:
            judged = self._replaced(judged)
        return self._reported(judged)

    def _vault(self) -> None:
        """Renamed files are compared through the vault's mount: there it must be."""
        state = self._state
        if not self._opening.vault_answers(state.vault, state.vault_point):
            program, point = self._opening.mount_vault()
            self._opening.unmount_vault(state.vault_point, state.vault, keep=point)
            self._keep(vault=program, vault_point=point)

    def _present(self) -> dict[str, Found]:
        found = {}
        start = len(self._asked.target) + 1
        for parent, _, names in os.walk(self._asked.target):
            for name in names:
                path = f"{parent}/{name}"
                with contextlib.suppress(FileNotFoundError):
                    facts = os.lstat(path)
                    if stat.S_ISREG(facts.st_mode):
                        found[path[start:]] = Found(size=facts.st_size, mtime_ns=facts.st_mtime_ns)
        return found

    def _databases(self, judged: Fate) -> Fate:
        """A database is compared with its consistent copy, not with the file as it was read."""
        copies = [
            _Twin(path=self._inside(c), size=c.size, mtime_ns=c.mtime_ns, sha256=c.sha256)
            for c in self._opening.copies(self._state.vault_point)
        ]
        equal, moved = self._found(copies, judged)
        times = {copy.path: copy.mtime_ns for copy in copies}
        return judged.with_databases(times, equal, moved)

    def _laid(self, judged: Fate) -> Fate:
        """What came from other snapshots is compared with what was judged there."""
        laid = [
            _Twin(path=one.path, size=one.size, mtime_ns=one.mtime_ns, sha256=one.sha256)
            for one in self._layer.files
        ]
        equal, moved = self._found(laid, judged)
        times = {one.path: one.mtime_ns for one in laid}
        return judged.with_laid(times, equal, moved, frozenset(self._layer.hidden))

    def _found(
        self, twins: Sequence["_Twin"], judged: Fate
    ) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
        """Those that stand as they were, and (before, now) of those that people renamed."""
        equal = {twin.path for twin in twins if self._is(twin.path, twin)}
        moved = set()
        for now in judged.new:
            facts = judged.found[now]
            for twin in twins:
                fits = (facts.size, facts.mtime_ns // 1000) == (twin.size, twin.mtime_ns // 1000)
                if fits and now != twin.path and twin.path not in equal and self._is(now, twin):
                    moved.add((twin.path, now))
                    break
        return frozenset(equal), frozenset(moved)

    def _is(self, path: str, twin: "_Twin") -> bool:
        with contextlib.suppress(OSError), Path(self._asked.target, path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == twin.sha256
        return False

    def _inside(self, copy: DatabaseCopy) -> str:
        return copy.path[len(self._asked.folder.rstrip("/")) + 1 :]

    def _looked_at(self, judged: Fate) -> Fate:
        """Read what only a comparison byte by byte can settle: renamed files and second names."""
        below = self._opening.below(self._state.vault_point)
        pairs = judged.to_compare
        equal = {pair for pair in pairs if self._same(f"{below}/{pair[0]}", pair[1])}
        return judged.compared(frozenset(equal))

    def _same(self, original: str, path: str) -> bool:
        try:
            return same(original, f"{self._asked.target}/{path}")
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR}:
                return False
            raise

    def _replaced(self, judged: Fate) -> Fate:
        """Bring the vault's version of each doubtful file; what stood there stays beside it."""
        origins = {one.path: (one.snapshot, one.source) for one in self._layer.files}
        for path in judged.doubtful:
            place = Path(self._asked.target, path)
            scratch = self._home.path / "again"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(mode=0o700)
            snapshot, full = origins.get(path) or (
                self._asked.snapshot,
                f"{self._asked.folder.rstrip('/')}/{path}",
            )
            self._opening.repository_of(snapshot).restore(snapshot, full, str(scratch))
            place.rename(place.with_name(f"{place.name}.douteux"))
            (scratch / Path(full).name).rename(place)
            scratch.rmdir()
        return judged.replaced()

    def _reported(self, judged: Fate) -> Report:
        self._reach("verified")
        return Report(
            target=self._asked.target,
            snapshot=self._asked.snapshot,
            files=judged.count,
            verified=len(judged.verified),
            databases=len(judged.databases),
            laid=len(judged.laid),
            withheld=tuple(sorted(judged.withheld)),
            left=self._layer.left,
            right=self._asked.right,
            changed=tuple(sorted(judged.changed)),
            new=tuple(sorted(judged.new)),
            renamed=tuple(sorted(judged.renamed)),
            deleted=tuple(sorted(judged.deleted)),
            doubtful=tuple(sorted(judged.doubtful)),
            second_names=judged.second_names,
            seconds=self._state.seconds,
        )

    def _reach(self, name: str) -> None:
        if name not in self._state.seconds:
            since = round((time.time_ns() - self._asked.ordered_ns) / 1e9, 3)
            self._keep(seconds=self._state.seconds | {name: since})

    def _keep(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._home.keep("state.json", self._state)
        if progress := self._home.progress():
            phase, seconds = self._state.phase, self._state.seconds
            running = phase is not Phase.DONE
            self._noting.tell(
                msgspec.structs.replace(progress, phase=phase, running=running, seconds=seconds)
            )


def _wanted(node: Node) -> Wanted:
    return Wanted(size=node.size, mtime_us=microseconds(node.mtime), inode=node.inode)


def microseconds(text: str) -> int:
    """Restic's time of change, cut to microseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + moment.microsecond
