"""The recovered folder while it comes home: a snapshot below, what is local above, one view.

    HOME/vault      the repository as restic shows it (FUSE, root's alone)
    HOME/lower/N    links to the folder in the snapshot: no `:` or `,` reaches overlayfs
    HOME/upper      what is local: brought home by copy-up, or written by people
    HOME/stage      the bulk, restored beside; no layer of a view before it is complete
    HOME/work-N     overlayfs' own; a fresh one for each mount, so that no old mount meddles
    TARGET          the view

Never `volatile`: each copy-up is on disk before it counts. While mounted, lower and upper are only
looked at; all changes go through the view.
"""

import errno
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from releve.adapters.linux import mounts
from releve.adapters.linux.readahead import ReadAhead
from releve.flow.recovery.errors import MountFailedError, StillInUseError, TargetError

# Renamed folders: without redirect_dir a rename of a folder would be refused to people (EXDEV).
# No metacopy: a file is local with all its bytes or not at all.
_OPTIONS = "redirect_dir=on,metacopy=off,index=off,xino=off"
_SPECIAL = frozenset(":,\\")
_XATTR = "trusted.overlay."
_BIG = 16 << 20  # bytes: smaller files are copied before readers have begun


class Overlay:
    """The view of one recovery; `home` and `target` lie on the same file system."""

    def __init__(self, home: str, target: str) -> None:
        self.home, self.target = home, target
        self.upper, self.lower = f"{home}/upper", f"{home}/lower"
        self.stage = f"{home}/stage"

    def check(self) -> None:
        """Raises: TargetError."""
        parent = os.path.dirname(self.target)
        if _SPECIAL & set(self.home):
            raise TargetError(
                self.home, "its name holds one of : , \\", "son nom contient : ou , ou \\"
            )
        if not os.path.isdir(parent):
            raise TargetError(self.target, f"{parent} is not there", f"{parent} n'existe pas")
        if os.path.lexists(self.target) and not mounts.mounted(self.target):
            if os.path.islink(self.target) or not os.path.isdir(self.target):
                raise TargetError(self.target, "it is not a folder", "ce n'est pas un dossier")
            if os.listdir(self.target):
                raise TargetError(self.target, "it is not empty", "il n'est pas vide")
            if os.stat(self.target).st_dev != os.stat(self.home).st_dev:
                raise TargetError(
                    self.target,
                    "it is on another file system than its parent",
                    "il est sur un autre système de fichiers que son dossier parent",
                )

    @property
    def is_mounted(self) -> bool:
        """Whether the view is there."""
        found = mounts.mounted(self.target)
        return found is not None and found.kind == "overlay"

    def lay(self, layers: Sequence[str]) -> None:
        """Choose what lies below: folders, the one that counts first.

        Raises: OSError.
        """
        os.makedirs(self.lower, mode=0o700, exist_ok=True)
        for name in os.listdir(self.lower):
            os.unlink(f"{self.lower}/{name}")
        for number, folder in enumerate(layers):
            os.symlink(folder, f"{self.lower}/{number}")

    def begin(self, folder: str) -> None:
        """Make the upper folder with the facts of the snapshot's; before the first mount only."""
        if not os.path.isdir(self.upper):
            new = f"{self.upper}.new"
            shutil.rmtree(new, ignore_errors=True)
            os.mkdir(new, 0o700)
            like(folder, new)
            os.rename(new, self.upper)

    def mount(self) -> None:
        """Show the view. Raises: MountFailedError."""
        names = sorted(os.listdir(self.lower), key=int)
        below = ":".join(f"{self.lower}/{name}" for name in names)
        work = self._fresh_work()
        os.makedirs(self.target, mode=0o755, exist_ok=True)
        # While no view is there nobody may write into the bare folder: it would be hidden later.
        mounts.seal(self.target)
        options = f"lowerdir={below},upperdir={self.upper},workdir={work},{_OPTIONS}"
        try:
            mounts.mount("releve-reprise", self.target, "overlay", options)
        except OSError as error:
            raise MountFailedError(self.target, str(error)) from error

    def unmount(self) -> None:
        """Take the view away, when nobody uses it.

        Raises: StillInUseError.
        """
        while (found := mounts.mounted(self.target)) is not None:
            try:
                mounts.unmount(self.target)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                raise StillInUseError(self.target, mounts.holders(self.target)) from error
            if found.kind == "overlay" and (still := mounts.elsewhere(found.device)):
                raise StillInUseError(self.target, still)

    def leave_to_readers(self) -> bool:
        """Take the view away from under programs that only stand in it or read; False if one writes.

        Two living views over one upper folder could lose a write: so nobody may change anything
        through the old one any more.
        """
        try:
            mounts.make_read_only(self.target)
            mounts.unmount(self.target, lazily=True)
        except OSError:
            return False
        return True

    # what is local

    def is_local(self, path: str) -> bool:
        """Whether the entry of that name is here with all its bytes (or deleted by somebody)."""
        return os.path.lexists(f"{self.upper}/{path}")

    def is_in_place(self, path: str) -> bool:
        """Whether the snapshot's file of that name is local, its folders being the snapshot's own.

        People may have renamed a folder and made another one of its name: that one is opaque.
        """
        if not stat.S_ISREG(_mode(f"{self.upper}/{path}")):
            return False
        folder = path.rpartition("/")[0]
        while folder:
            names = os.listxattr(f"{self.upper}/{folder}")
            if f"{_XATTR}opaque" in names or f"{_XATTR}redirect" in names:
                return False
            folder = folder.rpartition("/")[0]
        return True

    def bring(self, path: str) -> None:
        """Have the kernel copy the entry up; harmless when it is here already.

        Raises: OSError: ENOENT (renamed or deleted by people), EIO or ENOTCONN (the vault's link),
        ENOSPC.
        """
        full = f"{self.target}/{path}"
        facts = os.lstat(full)
        if stat.S_ISREG(facts.st_mode):
            with self._read_ahead(path, facts.st_size):
                os.close(os.open(full, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
        else:  # the owner it has already: a change that changes nothing but copies it up
            os.chown(full, facts.st_uid, facts.st_gid, follow_symlinks=False)

    def _read_ahead(self, path: str, size: int) -> AbstractContextManager[object]:
        """Read a big file side by side while the kernel copies it."""
        if size >= _BIG:
            for name in sorted(os.listdir(self.lower), key=int):
                if os.path.lexists(below := f"{self.lower}/{name}/{path}"):
                    return ReadAhead(below)
        return nullcontext()

    def room(self) -> int:
        """Bytes that are free below the upper folder."""
        facts = os.statvfs(self.home)
        return facts.f_bavail * facts.f_frsize

    # the end

    def join(self) -> None:
        """Move what is only in the stage into the upper folder, as the view showed both.

        Only when it is not mounted. Cut short and repeated, it goes on: what was moved is above by
        then. Marks are kept until it is complete, for they say what goes where.
        """
        if os.path.isdir(self.stage):
            _join(self.upper, self.stage, "")
            sync_all(self.home)

    def clean(self) -> int:
        """Make an ordinary folder of the upper one: marks of deletions and overlay's notes go.

        Only when it is not mounted, and never to be mounted again: deleted files would come back.
        Repeating it is harmless. Answers how many deletions there were.
        """
        deleted = 0
        for parent, folders, names in os.walk(self.upper):
            strip(parent)
            for name in (*folders, *names):
                path = f"{parent}/{name}"
                facts = os.lstat(path)
                if stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0:
                    os.unlink(path)
                    deleted += 1
                else:
                    strip(path)
        return deleted

    def hand_over(self) -> None:
        """Put the upper folder where the view was. Raises: TargetError."""
        if os.path.isdir(self.upper):
            mounts.unseal(self.target)
            if os.listdir(self.target):  # a file system that cannot seal
                raise TargetError(
                    self.target,
                    "somebody wrote into it while it was closed",
                    "quelqu'un y a écrit pendant qu'il était fermé",
                )
            os.rename(self.upper, self.target)
        sync(os.path.dirname(self.target))

    def _fresh_work(self) -> str:
        number = 1
        for name in os.listdir(self.home):
            if name.startswith("work-"):
                number = max(number, int(name[5:]) + 1)
                shutil.rmtree(f"{self.home}/{name}", ignore_errors=True)
        work = f"{self.home}/work-{number}"
        os.mkdir(work, 0o700)
        return work


def _join(upper: str, stage: str, below: str) -> None:
    """One folder: `below` is where its lower half lies in the stage."""
    source = f"{stage}/{below}" if below else stage
    times = os.stat(upper)
    above = {entry.name: entry for entry in os.scandir(upper)}
    for name, entry in above.items():
        if entry.is_dir(follow_symlinks=False):
            where = _half(entry.path, below, name)
            if where is not None and _is_folder(f"{stage}/{where}"):
                _join(entry.path, stage, where)
    for name in os.listdir(source):
        if name not in above:
            os.rename(f"{source}/{name}", f"{upper}/{name}")
    os.utime(upper, ns=(times.st_atime_ns, times.st_mtime_ns))


def _half(path: str, below: str, name: str) -> str | None:
    """Where the lower half of an upper folder lies, None when it has none (made anew)."""
    names = os.listxattr(path)
    if f"{_XATTR}opaque" in names:
        return None
    if f"{_XATTR}redirect" in names:
        said = os.fsdecode(os.getxattr(path, f"{_XATTR}redirect"))
        if said.startswith("/"):
            return said.strip("/")
        name = said
    return f"{below}/{name}" if below else name


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def sync_all(folder: str) -> None:
    """Have everything of that file system on disk."""
    mounts.sync_file_system(folder)


def like(source: str, target: str) -> None:
    """Give a folder the rights, owner and times of another."""
    facts = os.stat(source)
    os.chown(target, facts.st_uid, facts.st_gid)
    os.chmod(target, stat.S_IMODE(facts.st_mode))
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def hide(path: str) -> None:
    """Mark an entry as deleted in a folder that is not mounted yet."""
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def strip(path: str) -> None:
    """Remove overlayfs' notes of one entry."""
    for name in os.listxattr(path, follow_symlinks=False):
        if name.startswith(_XATTR):
            os.removexattr(path, name, follow_symlinks=False)


def sync(folder: str) -> None:
    """Have a folder's entries on disk."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
