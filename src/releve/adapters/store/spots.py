"""Places in open folders: one entry of a folder that is held by its descriptor, never a path."""

import errno
import os
import shutil
import stat as stat_
from typing import Final, NamedTuple

FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW


class Spot(NamedTuple):
    """One entry of an open folder; `shown` is its path, for people only."""

    folder: int
    name: str
    shown: str


def link(fd: int, known: Spot | None, spot: Spot) -> None:
    """Another name for the open file; by a name it has where descriptors have no path (no /proc)."""
    try:
        # Python follows the link only if it is given a directory, which an absolute path ignores
        os.link(
            f"/proc/self/fd/{fd}", spot.name,
            src_dir_fd=fd, dst_dir_fd=spot.folder, follow_symlinks=True,
        )  # fmt: skip
    except (FileNotFoundError, PermissionError):
        if known is None:
            raise
        os.link(
            known.name, spot.name,
            src_dir_fd=known.folder, dst_dir_fd=spot.folder, follow_symlinks=False,
        )  # fmt: skip


def copy_out(spot: Spot, target: str) -> None:
    """A file goes as bytes, a link as a link; a pipe or device has nothing to keep."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(spot.name, flags, dir_fd=spot.folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            os.symlink(os.readlink(spot.name, dir_fd=spot.folder), target)
        return
    with os.fdopen(fd, "rb") as file:
        if stat_.S_ISREG(os.fstat(fd).st_mode):
            with open(target, "xb") as out:
                shutil.copyfileobj(file, out)


def is_there(spot: Spot, st: os.stat_result) -> bool:
    """That very inode stands there."""
    try:
        here = os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (st.st_dev, st.st_ino)


def exists(spot: Spot) -> bool:
    """Anything stands there, a broken link included."""
    try:
        os.stat(spot.name, dir_fd=spot.folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def free_name(spot: Spot, stamp: str) -> Spot:
    """`lettre (autre version 2026-11-22 14h05).docx`, numbered if that exists."""
    stem, suffix = os.path.splitext(spot.name)
    folder, number = os.path.dirname(spot.shown), 1
    while True:
        more = f", {number}" if number > 1 else ""
        name = f"{stem} (autre version {stamp}{more}){suffix}"
        free = Spot(spot.folder, name, os.path.join(folder, name))
        if not exists(free):
            return free
        number += 1


def closed_folder(parent: int, name: str) -> int:
    """Make a folder and open it. Raises: OSError when another was put in its place."""
    os.mkdir(name, 0o700, dir_fd=parent)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    st = os.fstat(fd)
    # Whoever may write there can swap it, but only for a folder that is not ours or not new.
    if st.st_uid != os.geteuid() or st.st_mode & 0o077 or os.listdir(fd):
        os.close(fd)
        raise OSError(errno.ESTALE, "a new folder was replaced at once", name)
    return fd
