"""Paths that a stopped program left -> its indicators. Never what honest programs leave as well."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath

from releve.model.indicator import EXTENSION, MOST, NOTE, indicator_of
from releve.sense.path_token import EXTENSIONS

# Once or twice may be a patient's name; the same on so many files is the program's own constant.
_LEAST = 3
_LONGEST = 100
_RANSOM = frozenset({"encrypted", "lockbit", "locked"})  # kinds that may be told, of no honest tool
_TOOLS = {"asc", "crdownload", "download", "lnk", "old", "orig", "part", "sha256", "sig", "swp"}
_HONEST = (EXTENSIONS - _RANSOM) | _TOOLS
_NOTES = frozenset({"", "txt", "htm", "html", "hta", "rtf", "url"})
_EVERYWHERE = frozenset({
    "changelog", "copying", "license", "licence", "license.txt", "makefile", "readme", "readme.txt", "readme.html",
    "readme.rtf", "index.htm", "index.html", "notes.txt", ".ds_store", ".gitignore", ".gitkeep", ".htaccess",
})  # fmt: skip

Indicator = tuple[str, str]  # (token, clear name), the name stays on the host


def added_extensions(paths: Iterable[str]) -> tuple[Indicator, ...]:
    """What was appended to at least three files that keep their own name and kind before it."""
    stamped = defaultdict(set)
    for path in paths:
        name, folder = PurePath(path).name.casefold(), str(PurePath(path).parent)
        if stamp := _stamp(name):
            stamped[stamp].add((folder, name))
    return _told(EXTENSION, stamped)


def notes(made: Iterable[str]) -> tuple[Indicator, ...]:
    """The name of a text that the program itself made in at least three folders."""
    left = defaultdict(set)
    for path in made:
        name, folder = PurePath(path).name.casefold(), PurePath(path).parent
        is_text = PurePath(name).suffix.lstrip(".") in _NOTES
        if is_text and len(name) <= _LONGEST and name not in _EVERYWHERE:
            left[name].add((str(folder), name))
    return _told(NOTE, left)


def _stamp(name: str) -> str:
    """All that follows the first kind, of report.pdf.id-7.[mail].xyz; empty: nothing was added."""
    parts = name.split(".")
    known = next((n for n, part in enumerate(parts) if n and part in EXTENSIONS), len(parts))
    added = ".".join(parts[known + 1 :])
    return "" if len(added) > _LONGEST or parts[-1] in _HONEST else added


def _told(kind: str, found: dict[str, set[tuple[str, str]]]) -> tuple[Indicator, ...]:
    often = sorted(name for name, places in found.items() if len(places) >= _LEAST)
    return tuple((indicator_of(kind, name), name) for name in often[:MOST])
