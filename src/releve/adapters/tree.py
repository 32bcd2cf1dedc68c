"""A folder that people read and write from afar, without any way out of it.

Every path is opened below the top's descriptor with no link followed on the way; only regular files
and folders are shown. A descriptor of the top is held for one question only, so that the view
may be taken away and built again in between.
"""

import contextlib
import ctypes
import datetime as dt
import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

import msgspec

from releve.adapters.below import open_folder

OURS = ".releve-"  # what we put there for a moment, and the guard's: never shown
_SENT = f"{OURS}envoi-"
_MOST_NAME = 255
_EXCHANGE, _NO_REPLACE = 2, 1  # of renameat2(2)
_MOST_TRIES = 50
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class AwayError(OSError):
    """The folder is not there at the moment: it is being opened again."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder as it stands; `mark` changes with its content."""

    path: str  # from the top, without a leading slash
    is_folder: bool
    size: int
    changed_at: dt.datetime
    mark: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """Where something that was sent came to lie."""

    path: str
    is_beside: bool  # somebody else's newer version has the name: both stay


class Tree:
    """One folder.

    Args:
        top: its path.
        is_there: whether what the path shows now is the folder that is meant, by its descriptor.
        is_written: whether a program holds the file of that path open for writing.
    """

    def __init__(
        self,
        top: str,
        is_there: Callable[[int], bool] = lambda _: True,
        is_written: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.top, self._is_there, self._is_written = top, is_there, is_written

    def list(self, path: str) -> list[Entry]:
        """What is in a folder, folders first. Raises: OSError, AwayError."""
        found = []
        with self._folder(parts_of(path)) as folder:
            for name in os.listdir(folder):  # noqa: PTH208 (a descriptor has no path)
                if name.startswith(OURS):
                    continue
                with contextlib.suppress(OSError):
                    entry = _entry(folder, name, "/".join((*parts_of(path), name)))
                    found += [entry] if entry is not None else []
        return sorted(found, key=lambda e: (not e.is_folder, e.name.casefold()))

    def look(self, path: str) -> Entry:
        """Raises: OSError, AwayError; FileNotFoundError for what is neither file nor folder, too."""
        above, name = _split(path)
        with self._folder(above) as folder:
            entry = _entry(folder, name, "/".join((*above, name)))
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return entry

    def open(self, path: str) -> tuple[BinaryIO, Entry]:
        """A regular file to read, and how it stands. Raises: OSError, AwayError."""
        above, name = _split(path)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._folder(above) as folder:
            before = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(before.st_mode):  # opening a device or a pipe could do something
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            file = os.fdopen(os.open(name, flags, dir_fd=folder), "rb")
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            file.close()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return file, _told(facts, "/".join((*above, name)))

    def put(
        self, path: str, content: BinaryIO, *, base: str, beside: Callable[[int], str]
    ) -> Stored:
        """Store what was sent whole; never over a version that the sender has not seen.

        Args:
            path: where it belongs.
            content: all of it, on a disk of ours.
            base: the mark of the version that the sender had; "": a new file.
            beside: the name that it gets if another version has its own, by number of the try.

        Raises: OSError, AwayError.
        """
        above, name = _split(path)
        with self._folder(above) as folder:
            temporary = f"{_SENT}{secrets.token_hex(8)}"
            try:
                _fill(folder, temporary, content, like=name)
                stored = self._place(folder, temporary, name, "/".join((*above, name)), base)
                if not stored:
                    name = _beside(folder, temporary, beside)
                os.fsync(folder)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)
        return Stored(path="/".join((*above, name)), is_beside=not stored)

    def sweep(self, paths: Iterable[str]) -> None:
        """Remove what a kill left of something that was being stored; nobody was told of it."""
        for path in paths:
            above, _, name = path.rpartition("/")
            if name.startswith(_SENT):
                with contextlib.suppress(OSError), self._folder(parts_of(above)) as folder:
                    os.unlink(name, dir_fd=folder)

    def _place(self, folder: int, temporary: str, name: str, path: str, base: str) -> bool:
        """Whether it took the name; False: somebody else's version has it and keeps it."""
        if not base:
            return _renamed(folder, temporary, name, _NO_REPLACE)
        if self._is_written(path):  # it would save into what we had put away
            return False
        try:
            _rename(folder, temporary, name, _EXCHANGE)
        except FileNotFoundError:  # deleted meanwhile
            return _renamed(folder, temporary, name, _NO_REPLACE)
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.ENOSYS}:
                raise
            return False  # a file system that cannot: beside is always right
        # Looked at after it was taken away: whatever was saved until then is seen.
        if _mark(os.stat(temporary, dir_fd=folder, follow_symlinks=False)) == base:
            return True
        _rename(folder, temporary, name, _EXCHANGE)
        return False

    @contextlib.contextmanager
    def _folder(self, parts: tuple[str, ...]) -> Iterator[int]:
        try:
            top = os.open(self.top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise AwayError(errno.EAGAIN, "it is not there") from error
        try:
            if not self._is_there(top):
                raise AwayError(errno.EAGAIN, "it is not there")
            folder = open_folder(top, "/".join(parts))
        finally:
            os.close(top)
        try:
            yield folder
        finally:
            os.close(folder)


def parts_of(path: str) -> tuple[str, ...]:
    """The parts of a path from the top. Raises: FileNotFoundError for what no folder can hold."""
    parts = tuple(part for part in path.split("/") if part)
    for part in parts:
        size = len(os.fsencode(part))
        if part in {".", ".."} or "\0" in part or size > _MOST_NAME or part.startswith(OURS):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return parts


def _split(path: str) -> tuple[tuple[str, ...], str]:
    """The folder's parts and the last one. Raises: FileNotFoundError."""
    parts = parts_of(path)
    if not parts:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return parts[:-1], parts[-1]


def _entry(folder: int, name: str, path: str) -> Entry | None:
    facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(facts.st_mode) and not stat.S_ISDIR(facts.st_mode):
        return None
    return _told(facts, path)


def _told(facts: os.stat_result, path: str) -> Entry:
    return Entry(
        path=path,
        is_folder=stat.S_ISDIR(facts.st_mode),
        size=facts.st_size,
        changed_at=dt.datetime.fromtimestamp(facts.st_mtime, dt.UTC),
        mark=_mark(facts),
    )


def _mark(facts: os.stat_result) -> str:
    # Not the inode: it changes when a file is brought home.
    return f"{facts.st_mtime_ns:x}-{facts.st_size:x}"


def _fill(folder: int, name: str, content: BinaryIO, *, like: str) -> None:
    """A file of the content, with the owner and mode of the one it belongs to, else of the folder."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        facts = os.stat(like, dir_fd=folder, follow_symlinks=False)
        mode = stat.S_IMODE(facts.st_mode) & 0o777
    except FileNotFoundError:
        facts = os.fstat(folder)
        mode = stat.S_IMODE(facts.st_mode) & 0o666
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
        file.flush()
        with contextlib.suppress(PermissionError):  # not root: it is ours
            os.fchown(file.fileno(), facts.st_uid, facts.st_gid)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _beside(folder: int, temporary: str, named: Callable[[int], str]) -> str:
    for number in range(1, _MOST_TRIES):
        name = named(number)
        if _renamed(folder, temporary, name, _NO_REPLACE):
            return name
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _renamed(folder: int, name: str, to: str, flags: int) -> bool:
    try:
        _rename(folder, name, to, flags)
    except FileExistsError:
        return False
    return True


def _rename(folder: int, name: str, to: str, flags: int) -> None:
    if _libc is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if _libc.renameat2(folder, os.fsencode(name), folder, os.fsencode(to), ctypes.c_uint(flags)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def held_for_writing(path: str) -> bool:
    """Whether a program on this machine has the file open for writing. Needs root."""
    for pid in os.listdir("/proc"):  # noqa: PTH208
        if not pid.isdecimal():
            continue
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{number}") == path and _writes(pid, number):  # noqa: PTH115
                        return True
    return False


def _writes(pid: str, number: str) -> bool:
    with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:  # noqa: PTH123
        said = next((line for line in file if line.startswith("flags:")), "flags: 0")
    return int(said.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
