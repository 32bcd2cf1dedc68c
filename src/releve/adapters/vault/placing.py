"""Putting an object that came from elsewhere in its place: checked, all or nothing, durable."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from releve.adapters.durable import sync_folder
from releve.adapters.vault.layout import Layout
from releve.adapters.vault.receiving import file_sha256
from releve.flow.vault.copying import ReplicaError, called
from releve.model.vault import Receipt


def is_as_received(path: Path, receipt: Receipt) -> bool:
    """The file is there, and its content is what the receipt says."""
    try:
        return path.stat().st_size == receipt.size and file_sha256(path) == receipt.sha256
    except OSError:
        return False


def place(path: Path, receipt: Receipt, pieces: Iterable[bytes]) -> None:
    """Write the object beside its place, compare it with its receipt, then give it its name.

    Raises: ReplicaError (nothing was changed), OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The name is one that the start of the gate takes for a torn upload, and removes.
    new = path.with_name(f"{receipt.sha256}.rest-server-temp-{os.getpid()}")
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                if size > receipt.size:
                    raise ReplicaError("another size")
                file.write(piece)
            if size != receipt.size or digest.hexdigest() != receipt.sha256:
                raise ReplicaError("another size" if size != receipt.size else "another content")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)


def put_aside(layout: Layout, path: Path, receipt: Receipt) -> None:
    """Keep a bad object as evidence, out of every repository."""
    layout.strange.mkdir(mode=0o700, exist_ok=True)
    flat = called(receipt).replace("/", ",")
    path.replace(layout.strange / f"{receipt.seq},{flat}")
