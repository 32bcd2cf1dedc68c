"""Finds files of the recovered folder by words: in the snapshot's list, and among what is new here.

Walking the view would ask the vault for every folder; the list is here already.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from releve.adapters.tree import AwayError, Entry, Tree
from releve.apps.recover.state import RecoveryHome
from releve.recover.wanted import Wanted, score

_MOST = 200
_OURS = ".releve-"


class Seeking:
    """The search of one recovery."""

    def __init__(self, home: RecoveryHome, tree: Tree) -> None:
        self._home, self._tree = home, tree

    def find(self, wanted: Wanted) -> tuple[list[Entry], bool]:
        """What is meant and is there now, best first; whether there is more. Raises: AwayError."""
        if not wanted.is_enough:
            return [], False
        fitting = {path for path in self._paths() if wanted.fits(path)}
        found: list[Entry] = []
        for path in sorted(fitting, key=lambda path: score(wanted, path)):
            if len(found) >= _MOST:
                return found, True
            try:
                found.append(self._tree.look(path))
            except AwayError:
                raise
            except OSError:
                continue  # renamed or deleted by people
        return found, False

    def leftovers(self) -> Iterator[str]:
        """What of ours stands in the local part of the folder."""
        yield from _below(self._home.path / "upper", with_ours=True)

    def _paths(self) -> Iterator[str]:
        known = self._home.catalogue()
        if known is None:  # finished, or not listed yet
            yield from _below(Path(self._tree.top))
            return
        yield from (node.path for node in known if node.type in {"file", "dir"})
        upper = self._home.path / "upper"
        yield from _below(upper if upper.is_dir() else Path(self._tree.top))


def _below(top: Path, *, with_ours: bool = False) -> Iterator[str]:
    """Files and folders below a place, relative to it; no link is followed."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(top / folder) as entries:
            for entry in entries:
                if entry.name.startswith(_OURS) and not with_ours:
                    continue
                path = f"{folder}/{entry.name}".lstrip("/")
                yield path
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
