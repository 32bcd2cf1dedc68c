"""The list of SHA-256 that a host makes of its files at backup time, and puts into the snapshot.

restic proves that what it gives back is what it took. This list proves that what it took is what
the host had: it is made by another program from the live files, and a drill compares with it.
A file is hashed again only when its size, times or inode changed.
"""

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from releve.flow.backup import Tell
from releve.model.backup import Progress

FOLDER = "releve-empreintes"  # this name finds the list in a snapshot, also on another machine
LIST = "files.jsonl"


class Fingerprint(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file as it was hashed. Size and mtime tell whether the copy is of the same state."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str


_decode = msgspec.json.Decoder(Fingerprint).decode
_encode = msgspec.json.Encoder().encode


class FileFingerprints:
    """Fingerprints of all regular files of folders, renewed before each snapshot."""

    def __init__(self, state_folder: str) -> None:
        self.folder = str(Path(state_folder) / FOLDER)

    def stage(self, folders: Sequence[str], exclude: Sequence[str], tell: Tell) -> int:
        """Renew the list; how many files are on it. What cannot be read is left out: see `unread`."""
        root = Path(self.folder)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = {one.path: one for one in load(root / LIST)}
        new, count, size = root / f"{LIST}.new", 0, 0
        new.touch(mode=0o600)
        with new.open("wb") as file:
            for path in _files(folders, exclude):
                if (one := _fingerprint(path, before.get(path))) is not None:
                    file.write(_encode(one) + b"\n")
                    count, size = count + 1, size + one.size
                    if count % 256 == 0:
                        tell(Progress(phase="fingerprints", files=count, bytes=size))
        new.replace(root / LIST)
        return count


def load(file: Path) -> Iterator[Fingerprint]:
    """The list as far as it reads; a torn one ends where it is torn."""
    if file.is_dir():
        file = file / LIST
    try:
        with file.open("rb") as lines:
            for line in lines:
                yield _decode(line)
    except (OSError, msgspec.DecodeError):
        return


def _files(folders: Sequence[str], exclude: Sequence[str]) -> Iterator[str]:
    walked: set[str] = set()  # a folder may lie in another one
    for folder in folders:
        for parent, below, names in os.walk(folder):
            if parent in walked:
                below.clear()
                continue
            walked.add(parent)
            below[:] = sorted(name for name in below if not _excluded(parent, name, exclude))
            for name in sorted(names):
                if not _excluded(parent, name, exclude):
                    yield f"{parent.rstrip('/')}/{name}"


def _excluded(parent: str, name: str, exclude: Sequence[str]) -> bool:
    path = f"{parent}/{name}"
    return any(fnmatch.fnmatchcase(path if "/" in p else name, p) for p in exclude)


def _fingerprint(path: str, before: Fingerprint | None) -> Fingerprint | None:
    """None: not a regular file, unreadable, changed while it was read, or a name without UTF-8."""
    try:
        path.encode()
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, UnicodeError):
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor)
        st = os.fstat(descriptor)
        if not stat.S_ISREG(st.st_mode):
            return None
        known = (st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino)
        if before and known == (before.size, before.mtime_ns, before.ctime_ns, before.inode):
            return before
        try:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
        after = os.fstat(descriptor)
    if (after.st_size, after.st_mtime_ns) != known[:2]:
        return None
    return Fingerprint(path, *known, digest)
