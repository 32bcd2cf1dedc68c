"""Lays what comes from other snapshots over the clean one, before people come in.

Each file is copied out of the mounted repository into the upper folder: it is local from the first
moment, people may write it at once, and it is never swapped under them. It counts only if its
content is what was judged (SHA-256). Killed at any moment, everything is laid again.
"""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from releve.adapters.linux import overlay
from releve.adapters.linux.readahead import ReadAhead
from releve.adapters.restic.databases import SIDE_FILES
from releve.apps.recover.state import Laid, Layer
from releve.flow.recovery.errors import DiskRoomError
from releve.model.backup import DatabaseCopy
from releve.recover.course import Cause, Course, Piece

_PIECE = 1 << 20
_BIG = 16 << 20  # bytes: of smaller ones the copy is done before readers have begun


class Laying:
    """One folder.

    `ids(snapshot)`: where the snapshots of its repository are mounted; `below`: the folder in the clean one.
    """

    def __init__(
        self,
        course: Course,
        *,
        ids: Callable[[str], str],
        below: str,
        upper: str,
        copies: Callable[[str], Sequence[DatabaseCopy]],
    ) -> None:
        self._course, self._ids, self._below, self._upper = course, ids, below, upper
        self._copies = copies
        self._made: set[str] = set()  # folders of ours in the upper one

    def check_room(self, free: int, reserve: int) -> None:
        """Raises: DiskRoomError before anything is begun."""
        needs = sum(piece.size for piece in self._course.pieces) + reserve
        if free < needs:
            raise DiskRoomError(needs, free)

    def lay(self, threads: int) -> Layer:
        """Everything; what could not be laid is named with its reason, and the snapshot's own shows.

        Raises: OSError when the vault's link breaks.
        """
        known = {
            (snapshot, copy.path): copy
            for snapshot in {p.snapshot for p in self._course.pieces if p.cause is Cause.DATABASE}
            for copy in self._copies(snapshot)
        }
        for piece in self._course.pieces:
            self._folders(piece.path)
        with ThreadPoolExecutor(max(1, threads)) as pool:
            done = list(
                pool.map(
                    lambda piece: self._one(piece, known.get((piece.snapshot, piece.source))),
                    self._course.pieces,
                )
            )
        laid = [one for one in done if isinstance(one, Laid)]
        hidden = [one.path for one in self._course.hidden]
        left = [one for one in done if not isinstance(one, Laid)]
        # A version that may not come back stays away, also when its earlier one cannot be had.
        failed = {path for path, _ in left}
        hidden += [
            piece.path
            for piece in self._course.pieces
            if piece.path in failed and piece.cause is not Cause.NEWER
        ]
        self._hide(hidden, laid)
        self._times()
        left += [(piece.path, "too_much") for piece in self._course.left]
        return Layer(files=tuple(laid), hidden=tuple(hidden), left=tuple(left))

    def _one(self, piece: Piece, copy: DatabaseCopy | None) -> Laid | tuple[str, str]:
        if piece.cause is Cause.DATABASE and copy is None:
            return piece.path, "missing"
        origin = self._at(piece.snapshot, copy.copy if copy else piece.source)
        try:
            is_file = stat.S_ISREG(Path(origin).lstat().st_mode)
        except FileNotFoundError:
            return piece.path, "missing"
        if not is_file:
            return piece.path, "no_file"
        target = Path(self._upper, piece.path)
        new = target.with_name(f".releve-{hashlib.sha256(target.name.encode()).hexdigest()[:16]}")
        wanted = copy.sha256 if copy else piece.sha256
        if _copied(origin, new) != wanted:
            new.unlink()
            return piece.path, "content"
        _like(origin, new, copy)
        new.replace(target)
        facts = target.lstat()
        return Laid(
            path=piece.path,
            source=copy.copy if copy else piece.source,
            snapshot=piece.snapshot,
            cause=piece.cause,
            sha256=wanted,
            size=facts.st_size,
            mtime_ns=facts.st_mtime_ns,
        )

    def _at(self, snapshot: str, path: str) -> str:
        return f"{self._ids(snapshot)}/{snapshot}{path}"

    def _folders(self, path: str) -> None:
        """The folders of a file in the upper one; their rights come at the end."""
        for parent in reversed([p for p in Path(path).parents if p.name]):
            with contextlib.suppress(FileExistsError):
                Path(self._upper, parent).mkdir(0o700)
            self._made.add(str(parent))

    def _hide(self, hidden: Sequence[str], laid: Sequence[Laid]) -> None:
        """What is not shown; and logs beside a database of another moment, which would tear it."""
        brought = {one.path: one.snapshot for one in laid}
        torn = [
            side
            for path in (*hidden, *brought)
            for side in (f"{path}{end}" for end in SIDE_FILES)
            if self._is_there(side, brought) and brought.get(side) != brought.get(path, "")
        ]
        for path in (*hidden, *torn):
            self._folders(path)
            target = Path(self._upper, path)
            target.unlink(missing_ok=True)
            overlay.hide(str(target))

    def _is_there(self, path: str, brought: dict[str, str]) -> bool:
        return path in brought or os.path.lexists(f"{self._below}/{path}")

    def _times(self) -> None:
        """The folders' own rights and times again: laying files changed them."""
        for parent in sorted(self._made, key=len, reverse=True):
            for like in (f"{self._below}/{parent}", *self._twins(parent)):
                with contextlib.suppress(OSError):
                    overlay.like(like, f"{self._upper}/{parent}")
                    break
        overlay.like(self._below, self._upper)

    def _twins(self, parent: str) -> list[str]:
        """That folder in the other snapshots, for one that the clean snapshot does not have."""
        own = str(Path(self._course.folder, parent))
        return [self._at(snapshot, own) for snapshot in self._course.snapshots]


def _copied(origin: str, new: Path) -> str:
    """Copy, durably; the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(os.fdopen(handle, "wb"))
        source = stack.enter_context(open(origin, "rb"))  # noqa: PTH123
        if os.fstat(source.fileno()).st_size >= _BIG:
            stack.enter_context(ReadAhead(origin))
        while block := source.read(_PIECE):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _like(origin: str, new: Path, copy: DatabaseCopy | None) -> None:
    """The rights, owner, times and attributes of the original; of a database, as its manifest says."""
    facts = os.stat(origin)  # noqa: PTH116
    if copy is None:
        os.chown(new, facts.st_uid, facts.st_gid)
        shutil.copystat(origin, new)
        overlay.strip(str(new))
        return
    os.chown(new, copy.uid, copy.gid)
    new.chmod(copy.mode)
    os.utime(new, ns=(copy.mtime_ns, copy.mtime_ns))
