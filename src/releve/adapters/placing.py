"""Puts fetched files where they belong, one rename each, never through a link.

It runs as root in folders that users own: a user could turn a folder into a link while we work, so
every folder, from the root of the machine down, is opened without following links (but those of root
or ourselves) and named by its descriptor from then on.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import msgspec

from releve.adapters import private

_ELSEWHERE = Path("/var/tmp")  # noqa: S108 (a folder of mode 0700 in it: it is sticky, nobody can swap it)
SIDE_FILES = ("-wal", "-shm", "-journal")  # of SQLite: they belong to the file that was replaced
_ASIDE = ".avant-reprise"
_CHUNK = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Placed(msgspec.Struct, kw_only=True):
    """What was done; grows while it is done."""

    made: int = 0
    replaced: int = 0
    unchanged: int = 0  # content and metadata were as wanted already
    kept: int = 0  # differs, and only what is missing was asked for
    set_aside: list[str] = []  # logs of a database that was replaced: they do not fit it
    failed: list[str] = []  # could not be placed, with the reason
    only_missing: bool = False


@contextlib.contextmanager
def scratch(destination: str) -> Iterator[str]:
    """A private folder, on the file system of the destination where that can be; gone afterwards.

    As far up as it takes for nobody else to be able to put another in its place meanwhile. Where
    users own the disk up to its top it is on another disk, and what it holds is copied from there.
    """
    above = Path(destination).absolute().parent
    while not above.is_dir():
        above = above.parent
    above = above.resolve()
    device = above.stat().st_dev
    beside = (a for a in (above, *above.parents) if a.stat().st_dev == device)
    ancestor = next(filter(private.is_ours, beside), _ELSEWHERE)
    folder = tempfile.mkdtemp(prefix=".releve-reprise-", dir=ancestor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place(fetched: str, destination: str, *, only_missing: bool = False) -> Placed:
    """Move a fetched file or tree to its destination; what is there is replaced, nothing deleted.

    A tree is merged into a folder that is there: files that only the destination has stay.
    With `only_missing` nothing that is there is touched.
    """
    placed = Placed(only_missing=only_missing)
    where = Path(destination)
    try:
        target = _folder(where.parent)
    except OSError as error:
        placed.failed.append(f"{where.parent}: {error.strerror}")
        return placed
    source = os.open(Path(fetched).parent, _FOLDER)
    try:
        _entry(source, Path(fetched).name, target, where.name, str(where), placed)
    finally:
        os.close(source)
        os.close(target)
    return placed


def is_content(path: str, digest: str) -> bool:
    """Whether a regular file stands there with this SHA-256; no link is followed on the way."""
    where = Path(path)
    try:
        folder = _folder(where.parent)
    except OSError:
        return False
    try:
        facts = os.stat(where.name, dir_fd=folder, follow_symlinks=False)
        return stat.S_ISREG(facts.st_mode) and _digest(folder, where.name).hex() == digest
    except OSError:
        return False
    finally:
        os.close(folder)


def keep_as(path: str, name: str, *, move: bool) -> None:
    """Give what stands there another name beside it: instead of its own (`move`), or besides.

    Moved, whatever stands there at that very moment is kept; for a moment nothing has the name.

    Raises: OSError, FileExistsError among them.
    """
    where = Path(path)
    folder = _folder(where.parent)
    try:
        if _stat(folder, name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        do = os.rename if move else partial(os.link, follow_symlinks=False)
        do(where.name, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def sha256(path: str) -> str:
    """The SHA-256 of a file. Raises: OSError, at a link too (ELOOP): it may lead anywhere."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(path: Path, links: int = 40) -> int:
    """Open a folder, made if absent. Raises: OSError (ELOOP) at a link that a user put there."""
    fd = os.open(path.anchor or ".", _FOLDER)
    for done, part in enumerate(
        path.parts[1:] if path.anchor else path.parts, 2 if path.anchor else 1
    ):
        try:
            below = _step(fd, part)
        except OSError as error:
            link = _trusted_link(fd, part) if error.errno in (errno.ELOOP, errno.ENOTDIR) else ""
            if not link or not links:
                raise
            rest = Path(*path.parts[: done - 1], link, *path.parts[done:])
            return _folder(rest, links - 1)
        finally:
            os.close(fd)
        fd = below
    return fd


def _step(folder: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        os.mkdir(name, dir_fd=folder)
        return os.open(name, _FOLDER, dir_fd=folder)


def _trusted_link(folder: int, name: str) -> str:
    """Where a link of root or ourselves leads; "" for others': they do not choose where we write."""
    st = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(st.st_mode) or st.st_uid not in (0, os.geteuid()):
        return ""
    return os.readlink(name, dir_fd=folder)


def _entry(source: int, name: str, target: int, as_name: str, shown: str, placed: Placed) -> None:
    """Place one entry; errors are values: one file that resists does not stop the others."""
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=source, follow_symlinks=False).st_mode):
            _tree(source, name, target, as_name, shown, placed)
        else:
            _file(source, name, target, as_name, shown, placed)
    except OSError as error:
        placed.failed.append(f"{shown}: {error.strerror}")


def _tree(source: int, name: str, target: int, as_name: str, shown: str, placed: Placed) -> None:
    try:
        os.mkdir(as_name, 0o700, dir_fd=target)
        is_new = True
    except FileExistsError:
        is_new = False
    from_, to = os.open(name, _FOLDER, dir_fd=source), -1
    try:
        to = os.open(as_name, _FOLDER, dir_fd=target)
        for below in sorted(os.listdir(from_)):  # noqa: PTH208 (a descriptor has no path)
            _entry(from_, below, to, below, f"{shown}/{below}", placed)
        if is_new:
            _same_metadata(from_, to)
    finally:
        os.close(from_)
        if to >= 0:
            os.close(to)


def _file(source: int, name: str, target: int, as_name: str, shown: str, placed: Placed) -> None:
    there = _stat(target, as_name)
    if there is not None and _is_same(source, name, target, as_name):
        placed.unchanged += 1
        return
    if there is not None and placed.only_missing:
        placed.kept += 1
        return
    if there is not None and _is_database(source, name):
        for side in SIDE_FILES:
            if _stat(target, as_name + side) and not _stat(source, name + side):
                aside = _free(target, side + _ASIDE, as_name)
                os.rename(as_name + side, as_name + aside, src_dir_fd=target, dst_dir_fd=target)
                placed.set_aside.append(shown + aside)
    _move(source, name, target, as_name)
    if there is None:
        placed.made += 1
    else:
        placed.replaced += 1


def _free(folder: int, ending: str, name: str) -> str:
    """The ending, numbered if that name is taken: what was set aside before stays."""
    taken = count(2)
    free = ending
    while _stat(folder, name + free) is not None:
        free = f"{ending}-{next(taken)}"
    return free


def _move(source: int, name: str, target: int, as_name: str) -> None:
    """One rename; from another disk, of a copy that was made beside it before."""
    try:
        os.rename(name, as_name, src_dir_fd=source, dst_dir_fd=target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    new = f".releve-{secrets.token_hex(8)}"
    try:
        _copy(source, name, target, new)
        os.rename(new, as_name, src_dir_fd=target, dst_dir_fd=target)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=target)
        raise
    os.unlink(name, dir_fd=source)


def _copy(source: int, name: str, target: int, new: str) -> None:
    facts = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISLNK(facts.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), new, dir_fd=target)
        with contextlib.suppress(PermissionError):  # not root: it is ours
            os.chown(new, facts.st_uid, facts.st_gid, dir_fd=target, follow_symlinks=False)
        return
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    made = os.open(new, _NEW, 0o600, dir_fd=target)
    with os.fdopen(_open(source, name), "rb") as from_, os.fdopen(made, "wb") as to:
        shutil.copyfileobj(from_, to, _CHUNK)
        to.flush()
        _same_metadata(from_.fileno(), to.fileno())
        os.fsync(to.fileno())


def _stat(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_same(source: int, name: str, target: int, as_name: str) -> bool:
    ours = os.stat(name, dir_fd=source, follow_symlinks=False)
    theirs = os.stat(as_name, dir_fd=target, follow_symlinks=False)

    def facts(of: os.stat_result) -> tuple[int, ...]:
        return of.st_mode, of.st_uid, of.st_gid, of.st_size, of.st_mtime_ns

    if stat.S_ISLNK(ours.st_mode) and stat.S_ISLNK(theirs.st_mode):
        return os.readlink(name, dir_fd=source) == os.readlink(as_name, dir_fd=target)
    if facts(ours) != facts(theirs) or not stat.S_ISREG(ours.st_mode):
        return False
    return _digest(source, name) == _digest(target, as_name)


def _open(folder: int, name: str) -> int:
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)


def _digest(folder: int, name: str) -> bytes:
    with open(_open(folder, name), "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _is_database(folder: int, name: str) -> bool:
    descriptor = _open(folder, name)
    try:
        return os.read(descriptor, 16) == b"SQLite format 3\0"
    finally:
        os.close(descriptor)


def _same_metadata(source: int, target: int) -> None:
    facts = os.fstat(source)
    with contextlib.suppress(PermissionError):  # not root: it is ours
        os.fchown(target, facts.st_uid, facts.st_gid)
    os.fchmod(target, stat.S_IMODE(facts.st_mode))
    for name in os.listxattr(source):
        with contextlib.suppress(OSError):  # a file system without that kind of attribute
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
