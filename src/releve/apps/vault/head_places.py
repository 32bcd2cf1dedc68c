"""Folders that get the vault's signed heads: there when they are named, or refused."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from releve.model.errors import ReleveError

_ABSENT, _DENIED = "the folder is not there", "it may not be written"
_IN_FRENCH = {_ABSENT: "le dossier n'est pas là", _DENIED: "il ne se laisse pas écrire"}


class HeadPlaceError(ReleveError):
    """A folder that shall get the signed heads is not there, or cannot be written."""

    status = 102
    remedy = (
        "Mount its disk, or make the folder on it (mkdir), then run the same again. Relève never makes"
        " it: on a disk that is not mounted the heads would lie beside what they prove."
    )

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place} cannot get the signed heads: {why}.")


def need_places(places: Sequence[str], before: Sequence[str]) -> None:
    """Whether each folder can take heads now. One that was named before may be away: it is said.

    Raises: HeadPlaceError.
    """
    for place in places:
        why = "" if "://" in place else _why_not(Path(place))
        if why and place not in before:
            raise HeadPlaceError(place, why)
        if why:
            said = f"Attention : {place} ne reçoit pas de tête maintenant : {_IN_FRENCH[why]}."
            click.echo(said, err=True)


def _why_not(folder: Path) -> str:
    if not folder.is_dir():
        return _ABSENT
    return "" if os.access(folder, os.W_OK | os.X_OK) else _DENIED
