"""Files of their owner alone, replaced whole: a crash or a power cut leaves the old or the new."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def write(path: Path, content: bytes) -> None:
    """Replace the file, 0600; it is on disk when this returns."""
    with replacing(path) as file:
        file.write(content)


def write_new(path: Path, content: bytes) -> None:
    """A file that was not there, 0600 from its first moment; it is on disk when this returns.

    Raises: FileExistsError for whatever stands there, a link too; OSError.
    """
    with os.fdopen(_made(path), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """The same for what is written piece by piece: it counts once the block is left without an error."""
    own = f"{os.getpid()}-{threading.get_native_id()}"  # two threads may write the same one
    new = path.with_name(f".{path.name}.{own}.new")
    # What a kill left, or what somebody put there to be written through or to be read by him.
    new.unlink(missing_ok=True)
    descriptor = _made(new)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    new.replace(path)
    sync_folder(path.parent)


def half_written(path: Path) -> list[Path]:
    """What writers of this file left that ended in the midst of it: for files whose content must go."""
    return list(path.parent.glob(f".{path.name}.*.new"))


def _made(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """What was made or renamed in the folder stays so after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
