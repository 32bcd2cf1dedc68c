"""Whether a folder can be moved or replaced by anybody but root and ourselves."""

import errno
import os
import stat
from pathlib import Path

from releve.model.errors import ReleveError


class StoreNotPrivateError(ReleveError):
    """The guard's store lies where others could put another in its place."""

    status = 21
    remedy = "Name a folder that only root can write to, and all above it too, with --store."

    def __init__(self, store: str) -> None:
        super().__init__(f"{store} is not, or does not stay, in the hands of root alone.")
        self.store = store


class StoreReadOnlyError(ReleveError):
    """The guard's store lies on a disk that cannot be written to."""

    status = 23
    remedy = (
        "Check the disk, make it writable (`mount -o remount,rw`), or name a folder on another disk with --store."
        " What is held stays held."
    )

    def __init__(self, store: str) -> None:
        super().__init__(f"{store} is on a disk that is read-only now.")
        self.store = store


def private_store(store: str) -> str:
    """Make the store if absent; its real path. Root writes below it by path, so it must stay ours.

    Others' must be their own: who made it before them, under the name that it gets, could empty it.

    Raises: StoreNotPrivateError, StoreReadOnlyError.
    """
    try:
        Path(store).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno == errno.EROFS:
            raise StoreReadOnlyError(store) from error
        raise
    real = os.path.realpath(store)
    if is_read_only(real):
        raise StoreReadOnlyError(store)
    if not (is_ours(real) if os.geteuid() == 0 else _is_own(real)):
        raise StoreNotPrivateError(store)
    return real


def _is_own(folder: str) -> bool:
    """Ours, and nobody else writes to it: a group that the usual umask let in is put out."""
    st = Path(folder).stat()
    if st.st_uid != os.geteuid() or st.st_mode & 0o002:
        return False
    if st.st_mode & 0o020:
        Path(folder).chmod(stat.S_IMODE(st.st_mode) & ~0o020)
    return True


def is_read_only(folder: str) -> bool:
    """Its disk, as it is mounted there, takes no writes."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False


def is_ours(path: str | Path) -> bool:
    """The folder and all above it belong to root or us, and others may not rename what is in them.

    A sticky folder (/tmp) counts: there, others cannot move what is ours. Links are not followed.
    """
    whole = Path(path).absolute()
    for folder in (whole, *whole.parents):
        try:
            st = folder.lstat()
        except OSError:
            return False
        if not stat.S_ISDIR(st.st_mode) or st.st_uid not in (0, os.geteuid()):
            return False
        if st.st_mode & 0o022 and not st.st_mode & stat.S_ISVTX:
            return False
    return True
