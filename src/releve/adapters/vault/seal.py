"""Seals a generation on the disk: no name in it can come, go or change, for root neither.

Folders are marked, not files: a view is made of hard links, which the kernel refuses of marked files.
`locks` stays open, so that the generation can still be read with locks. What root overwrites in
place the scrub finds; what root unmarks first, `state` tells.
"""

import contextlib
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from releve.adapters.linux import immutable
from releve.model.vault import ObjectKind


class State(StrEnum):
    """How the folders of a generation stand."""

    SEALED = "sealed"
    OPEN = "open"
    PART = "part"  # some are marked: a seal cut short, or one that somebody broke
    IMPOSSIBLE = "impossible"  # a file system without such marks


def state(folder: Path) -> State:
    """Looks at every folder."""
    marks = [immutable.is_marked(str(one)) for one in _folders(folder)]
    if not marks or marks[0] is None:
        return State.IMPOSSIBLE
    if all(marks):
        return State.SEALED
    return State.PART if any(marks) else State.OPEN


def seal(folder: Path) -> bool:
    """Mark all, the outermost last: half a seal shows as none. False: not possible here."""
    return all(immutable.mark(str(one), on=True) for one in reversed(list(_folders(folder))))


def unseal(folder: Path) -> None:
    """Undo `seal`; harmless where there is none, and for a folder that is not there."""
    for one in _folders(folder):
        with contextlib.suppress(FileNotFoundError):
            immutable.mark(str(one), on=False)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[None]:
    """Let one folder be changed for a moment, as healing an object does; sealed again after."""
    was = immutable.is_marked(str(folder))
    if was:
        immutable.mark(str(folder), on=False)
    try:
        yield
    finally:
        if was:
            immutable.mark(str(folder), on=True)


def _folders(folder: Path) -> Iterator[Path]:
    """The generation's own folder first."""
    if not folder.is_dir():
        return
    for parent, below, _ in os.walk(folder):
        if Path(parent) == folder:
            below[:] = [name for name in below if name != ObjectKind.LOCKS]
        yield Path(parent)
