"""Whether a folder or a file can be moved, replaced or laid there by anybody but root and ourselves."""

import errno
import os
import stat
from pathlib import Path

from releve.model.errors import ReleveError, UsageError


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


def need_own_folder(folder: Path) -> None:
    """Made 0700 if absent. Secrets go into none that another user made before us, or that all write to.

    A sticky folder of root (/tmp) counts: what lies there is looked at by `read_own`.

    Raises: UsageError, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    st = folder.stat()
    is_open = bool(st.st_mode & stat.S_IWOTH) and not st.st_mode & stat.S_ISVTX
    if is_open or {st.st_uid, folder.lstat().st_uid} - {0, os.geteuid()}:
        raise _not_ours(folder)


def read_own(file: Path) -> bytes | None:
    """What an earlier run left there; None: nothing. Else somebody lays a secret that he knows.

    Raises: UsageError: it is a link, another user's, or others may write to it; OSError.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _not_ours(file) from error
        raise
    with os.fdopen(descriptor, "rb") as opened:
        st = os.fstat(opened.fileno())
        if not stat.S_ISREG(st.st_mode) or st.st_uid != os.geteuid() or st.st_mode & 0o022:
            raise _not_ours(file)
        return opened.read()


def _not_ours(path: Path) -> UsageError:
    error = UsageError(f"{path} is another user's, or others can write to it.")
    error.remedy = (
        "Somebody may have laid it there to know or to change what is written: look at it, then use"
        " a folder that only you write to."
    )
    return error


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
