"""Finds restic and rest-server and refuses what is too old.

Looked for in this order: the folder RELEVE_TOOLS, `.tools` of the checkout (what `make setup`
fills), PATH. The first that exists counts: a wrong one is refused by name, never silently passed
over. The errors of getting them (scripts/tools.py) are here too, with the others.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

import releve
from releve.model.errors import ReleveError


class ToolKind(msgspec.Struct, frozen=True, kw_only=True):
    """A program that we drive: its names, how it says its version, the oldest one that will do."""

    name: str
    names: tuple[str, ...]
    version_args: tuple[str, ...]
    minimum: tuple[int, int]
    why: str


RESTIC = ToolKind(
    name="restic",
    names=("restic",),
    version_args=("version",),
    minimum=(0, 17),
    why="restore --delete, exit statuses 10 to 12 and the snapshot's summary came with 0.17",
)
REST_SERVER = ToolKind(
    name="rest-server",
    names=("rest-server", "restic-rest-server"),  # the second is Debian's name
    version_args=("--version",),
    minimum=(0, 13),
    why="older ones were not tried against a stolen credential",
)
KINDS = (RESTIC, REST_SERVER)


class ToolMissingError(ReleveError):
    """restic or rest-server is not there."""

    status = 80
    remedy = (
        "Run `make setup`, or install it and put it on PATH (RELEVE_TOOLS names another folder)."
    )

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was not found.")
        self.name = name


class ToolTooOldError(ReleveError):
    """The restic or rest-server that was found is too old to be driven safely."""

    status = 81
    remedy = "Run `make setup`: it puts a recent one into .tools, which comes before the system's."

    def __init__(self, path: str, found: str, minimum: str) -> None:
        super().__init__(f"{path} is version {found}; {minimum} or newer is needed.")
        self.path = path
        self.found = found
        self.minimum = minimum


class ToolBrokenError(ReleveError):
    """A file of that name is there but does not say its version."""

    status = 82
    remedy = "Remove it and run `make setup`."

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} does not run: {why}.")
        self.path = path
        self.why = why


class WrongHashError(ReleveError):
    """A download is not the release that was pinned."""

    status = 83
    remedy = "Do not use it. Try again on another network; if it stays so, report it (SECURITY.md)."

    def __init__(self, url: str, found: str, pinned: str) -> None:
        super().__init__(f"{url} has SHA-256 {found} instead of {pinned}.")


class NoSourceError(ReleveError):
    """Neither the system, nor Debian's mirror, nor upstream had a recent one."""

    status = 84
    remedy = (
        "Install restic 0.17 or newer and rest-server 0.13 or newer by hand and put them on PATH."
    )

    def __init__(self, name: str, reasons: list[str]) -> None:
        super().__init__(f"{name} could not be had: " + "; ".join(reasons) + ".")


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A program that was found and is recent enough."""

    name: str
    path: str
    version: str


def tools_folder() -> Path:
    """`.tools` of the checkout that this code runs from (the install is editable)."""
    return Path(releve.__file__).resolve().parents[2] / ".tools"


def candidates(kind: ToolKind) -> Iterator[Path]:
    """Where `kind` may be, best first; only what exists."""
    folders = [Path(named)] if (named := os.environ.get("RELEVE_TOOLS")) else []
    folders.append(tools_folder())
    for folder in folders:
        for name in kind.names:
            for path in (folder / "bin" / name, folder / name):
                if path.is_file():
                    yield path
    for name in kind.names:
        if found := shutil.which(name):
            yield Path(found)


def find(kind: ToolKind) -> Tool:
    """The first program of that kind.

    Raises: ToolMissingError, ToolTooOldError, ToolBrokenError.
    """
    for path in candidates(kind):
        return inspect(kind, path)
    raise ToolMissingError(kind.name)


def inspect(kind: ToolKind, path: Path) -> Tool:
    """Ask the program its version and judge it.

    Raises: ToolTooOldError, ToolBrokenError.
    """
    try:
        said = subprocess.run(
            [str(path), *kind.version_args],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise ToolBrokenError(str(path), type(error).__name__) from error
    numbers = re.search(r"\b(\d+)\.(\d+)(\.\d+)?", said)
    if not numbers:
        raise ToolBrokenError(str(path), "it says no version")
    if (int(numbers[1]), int(numbers[2])) < kind.minimum:
        raise ToolTooOldError(str(path), numbers[0], ".".join(map(str, kind.minimum)))
    return Tool(name=kind.name, path=str(path), version=numbers[0])
