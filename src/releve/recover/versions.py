"""Chooses the version of a file as of a time, and names the place beside the original."""

import datetime as dt
from collections.abc import Iterable
from pathlib import PurePath

from releve.model.backup import Version


def choose(versions: Iterable[Version], at: dt.datetime | None) -> Version | None:
    """The newest version not younger than `at` (None: the newest); None if there is none.

    Of two versions of the same instant the first in the given order wins: sources come best first.
    """
    fitting = [version for version in versions if at is None or version.at <= at]
    return max(fitting, key=lambda version: version.at, default=None)


def beside(path: str, at: dt.datetime) -> str:
    """A name in the same folder that tells what it is; the extension stays, for a double click."""
    pure = PurePath(path)
    return str(pure.with_name(f"{pure.stem} (repris du {at:%Y-%m-%d %Hh%Mm%S}){pure.suffix}"))
