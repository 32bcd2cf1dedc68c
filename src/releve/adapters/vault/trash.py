"""Removing a generation: by one rename into the trash of its disk, then bit by bit.

The order is what makes a kill harmless: the chain says that it leaves, it is renamed, the chain says
that it is dropped, the files go. `resume` takes up each half-way state.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from releve.adapters.durable import sync_folder
from releve.adapters.vault import seal
from releve.adapters.vault.layout import Layout
from releve.flow.vault.book import DROPPED
from releve.flow.vault.retention import LEAVING
from releve.model.vault import Deed, Repository

_SPLIT = ","  # in no name of a structure, host or generation


class Trash:
    """The trash of one vault. `add` puts deeds into the chain, durably."""

    def __init__(self, layout: Layout, add: Callable[[Deed], object]) -> None:
        self._layout, self._add = layout, add
        # Beside the repositories: a rename must not cross a disk. The dot keeps it out of listings.
        self._folder = layout.repos / ".trash"

    def remove(self, where: Repository, request: str) -> None:
        """Take the generation away for good; its name is free when this returns."""
        self._add(_deed(LEAVING, where, request))
        self._move(where)
        self._add(_deed(DROPPED, where, request))
        self._burn(self._place(where))

    def resume(self, leaving: Mapping[Repository, str]) -> list[Repository]:
        """Finish what was killed half-way. `leaving`: said to leave, not yet dropped, by request.

        What the chain said to leave but still stands in its place stays: it is asked for again.
        """
        finished = []
        for place in sorted(self._folder.glob("*")):
            structure, host, generation = place.name.split(_SPLIT)
            where = Repository(structure=structure, host=host, generation=generation)
            if where in leaving:
                self._layout.served_link(where).unlink(missing_ok=True)
                self._add(_deed(DROPPED, where, leaving[where]))
            self._burn(place)
            finished.append(where)
        return finished

    def _move(self, where: Repository) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        origin, place = self._layout.repository(where), self._place(where)
        self._layout.served_link(where).unlink(missing_ok=True)
        if origin.exists():
            seal.unseal(origin)  # decided by two people, and in the chain
            self._burn(place)
            origin.rename(place)
            sync_folder(origin.parent)
        sync_folder(self._folder)

    def _place(self, where: Repository) -> Path:
        return self._folder / _SPLIT.join((where.structure, where.host, where.generation))

    def _burn(self, place: Path) -> None:
        if place.exists():
            seal.unseal(place)
            shutil.rmtree(place)
            sync_folder(self._folder)


def _deed(what: str, where: Repository, request: str) -> Deed:
    return Deed(
        what=what,
        structure=where.structure,
        host=where.host,
        generation=where.generation,
        about={"id": request},
    )
