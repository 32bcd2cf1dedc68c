"""fanotify notifications of whole file systems: nobody is ever blocked, the queue never fills.

FILESYSTEM marks see bind mounts, other mount namespaces and containers; mount marks do not.
"""

import contextlib
import errno
import os
import select
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

from releve.adapters.linux import libc
from releve.model.errors import ReleveError
from releve.sense import fanotify
from releve.sense.fanotify import Change

_CLOEXEC, _NONBLOCK, _UNLIMITED_QUEUE, _UNLIMITED_MARKS = 0x1, 0x2, 0x10, 0x20
_FID, _DIR_FID, _NAME, _TARGET_FID = 0x200, 0x400, 0x800, 0x1000
_ADD, _FILESYSTEM, _IGNORE_SURV, _ONLYDIR = 0x1, 0x100, 0x440, 0x8
_EVENT_ON_CHILD = 0x08000000
_MASK = (
    fanotify.MODIFY
    | fanotify.CLOSE_WRITE
    | fanotify.ATTRIB
    | fanotify.CREATE
    | fanotify.DELETE
    | fanotify.RENAME
    | fanotify.ONDIR
)
_READ = 1 << 16  # about 500 changes: routed in a few ms, so that nobody waits long for a pass


class UnsupportedFileSystemError(ReleveError):
    """The folder lies where the kernel cannot tell who changes what."""

    status = 12
    remedy = (
        "Protect a folder on ext4, xfs or btrfs, run the guard on the file server itself, "
        "or add --portable."
    )

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(f"{folder} cannot be watched: {why}.")
        self.folder = folder


class NoNotificationsError(ReleveError):
    """The kernel gives no notifications of whole file systems here."""

    status = 20
    remedy = (
        "Run it on the host itself with CAP_SYS_ADMIN and Linux 5.17 or newer, or add --portable: "
        "originals are held all the same, without a sure writer."
    )

    def __init__(self, error: OSError) -> None:
        why = {
            errno.EPERM: "this container or user may not ask for them",
            errno.EINVAL: "this kernel is older than 5.17",
            errno.ENOSYS: "this kernel has no fanotify",
            errno.EMFILE: "this user has too many notification groups",
        }.get(error.errno or 0, str(error))
        super().__init__(f"The kernel refuses change notifications: {why}.")


class FanotifyWatcher:
    """One notification group for all file systems. Needs CAP_SYS_ADMIN and Linux 5.17.

    Args:
        unlimited: False keeps the kernel's queue limit (tests of the overflow).
    """

    sees_all = True

    def __init__(self, *, unlimited: bool = True) -> None:
        flags = _CLOEXEC | _NONBLOCK | _FID | _DIR_FID | _NAME | _TARGET_FID | _UNLIMITED_MARKS
        if unlimited:
            flags |= _UNLIMITED_QUEUE
        try:
            self._group = libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NoNotificationsError(error) from error
        self._poll = select.poll()
        self._poll.register(self._group, select.POLLIN)

    def mark(self, folder: str) -> bytes:
        """Watch the whole file system of a folder; answers the id that its notifications carry."""
        try:
            return self._mark(folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise UnsupportedFileSystemError(folder, _why(error)) from error
        try:
            with top_level(folder) as top:
                return self._mark(top)
        except (OSError, subprocess.SubprocessError) as error:
            why = "it lies in a btrfs subvolume whose top level could not be reached"
            raise UnsupportedFileSystemError(folder, why) from error

    def _mark(self, path: str) -> bytes:
        libc.fanotify_mark(self._group, _ADD | _FILESYSTEM, _MASK, path)
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            return libc.statfs_fsid(fd)
        finally:
            os.close(fd)

    def ignore(self, folder: str) -> None:
        """Spare the queue the store's own writes; only an economy, so a refusal is fine."""
        mask = fanotify.MODIFY | fanotify.CLOSE_WRITE | fanotify.ATTRIB | fanotify.CREATE
        mask |= fanotify.DELETE | _EVENT_ON_CHILD
        try:
            libc.fanotify_mark(self._group, _ADD | _IGNORE_SURV | _ONLYDIR, mask, folder)
        except OSError:
            return

    def read(self, wait_s: float) -> Sequence[Change]:
        try:
            buffer = os.read(self._group, _READ)
        except BlockingIOError:
            if not self._poll.poll(wait_s * 1000):
                return ()
            try:
                buffer = os.read(self._group, _READ)
            except BlockingIOError:
                return ()
        return list(fanotify.parse(buffer))

    def is_behind(self) -> bool:
        return False  # the reader takes all that is queued before it waits

    def close(self) -> None:
        os.close(self._group)


@contextlib.contextmanager
def top_level(folder: str) -> Iterator[str]:
    """The top level of a btrfs (subvolid=5), mounted for a moment.

    Only there a whole file system can be marked; the mark stays with it when the mount goes.
    """
    device = _device(folder)
    with tempfile.TemporaryDirectory(prefix="releve-top-", dir="/run") as place:
        subprocess.run(
            ["mount", "-t", "btrfs", "-o", "subvolid=5", device, place],
            check=True,
            capture_output=True,
        )
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True, capture_output=True)


def lives_in_memory(folder: str) -> bool:
    """It lies on tmpfs or ramfs: nothing there outlives the power."""
    return _mount(folder)[1] in ("tmpfs", "ramfs", "devtmpfs")


def _device(folder: str) -> str:
    return _mount(folder)[2]


def _mount(folder: str) -> tuple[str, str, str]:
    """(mount point, type, source) where the folder lies: the longest mount point above it (proc(5))."""
    found = ("", "", "")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            fields = line.split()
            point = fields[4].encode().decode("unicode_escape")
            inside = folder == point or folder.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(found[0]):
                dash = fields.index("-")
                found = (point, fields[dash + 1], fields[dash + 2])
    return found


def _why(error: OSError) -> str:
    if error.errno in (errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL):
        return "its file system gives no file handles"
    return error.strerror or str(error)
