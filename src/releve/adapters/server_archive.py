"""The state of a server as one file: a tar whose first member lists the others with their SHA-256."""

import datetime as dt
import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from releve.adapters.durable import replacing, sync_folder
from releve.model.errors import ReleveError

_MANIFEST = "manifest.json"
_FORMAT = "releve-server-1"
_MOST_MANIFEST_BYTES = 1 << 20
_CHUNK = 1 << 20
_FAST = 1  # of gzip: the server is not to be slowed by its backup


class StateFileError(ReleveError):
    """The file is no backup of a server, or it is damaged."""

    status = 105
    remedy = "Take another backup of the server; nothing was restored from this one."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}.")


class StateFile(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str
    size: int


class StateManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: files by their name in the home, rows of the database by table."""

    format: str = _FORMAT
    version: str
    made_at: dt.datetime
    files: dict[str, StateFile]
    rows: dict[str, int]


def pack(
    files: Mapping[str, Path], target: Path, *, version: str, at: dt.datetime, rows: dict[str, int]
) -> StateManifest:
    """Write the archive, 0600 and whole; on disk when this returns. `files`: by name, where they are."""
    manifest = StateManifest(
        version=version,
        made_at=at,
        files={name: _facts(path) for name, path in sorted(files.items())},
        rows=rows,
    )
    with (
        replacing(target) as file,
        gzip.GzipFile("", "wb", _FAST, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        _add(archive, _MANIFEST, io.BytesIO(body := msgspec.json.encode(manifest)), len(body))
        for name, facts in manifest.files.items():
            with files[name].open("rb") as content:
                _add(archive, name, content, facts.size)
    return manifest


def unpack(path: Path, into: Path) -> StateManifest:
    """Every file of the manifest into the folder, 0600, as it was; nothing else.

    Raises: StateFileError.
    """
    try:
        with gzip.open(path) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
            manifest = _read_manifest(archive)
            left = dict(manifest.files)
            while (member := archive.next()) is not None:
                facts = left.pop(member.name, None)
                content = archive.extractfile(member)
                if facts is None or content is None:
                    raise StateFileError(path, f"{member.name} is not in its list")
                if member.size != facts.size:
                    raise StateFileError(path, f"{member.name} is not as long as its list says")
                if _written(content, into / member.name) != facts:
                    raise StateFileError(path, f"{member.name} is not what was backed up")
            while packed.read(_CHUNK):
                pass  # to the end: the checksum of the whole, the list included, stands there
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
        tarfile.TarError,
        msgspec.DecodeError,
    ) as error:
        raise StateFileError(path, str(error) or type(error).__name__) from error
    if left:
        raise StateFileError(path, f"{min(left)} is missing")
    return manifest


def _read_manifest(archive: tarfile.TarFile) -> StateManifest:
    """Raises: tarfile.TarError, msgspec.DecodeError."""
    first = archive.next()
    content = archive.extractfile(first) if first and first.name == _MANIFEST else None
    if content is None:
        raise tarfile.ReadError("it does not begin with a list")
    manifest = msgspec.json.decode(content.read(_MOST_MANIFEST_BYTES), type=StateManifest)
    if manifest.format != _FORMAT:
        raise tarfile.ReadError(f"it is of the form {manifest.format}")
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute():
            raise tarfile.ReadError(f"{name} does not lie in a home")
    return manifest


def _written(content: IO[bytes], target: Path) -> StateFile:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(target.parent)
    return StateFile(sha256=digest.hexdigest(), size=size)


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, content)


def _facts(path: Path) -> StateFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StateFile(sha256=digest, size=path.stat().st_size)
