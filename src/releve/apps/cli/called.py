"""How people call the command on this machine, for the lines that tell them what to type."""

import shlex
import shutil
import sys
from pathlib import Path

import msgspec

from releve.model.errors import ReleveError


def called_as() -> str:
    """`releve` where that is found, else the path by which it was called."""
    given = Path(sys.argv[0])
    if given.name != "releve" or shutil.which("releve"):
        return "releve"
    return shlex.quote(str(given.absolute()))


def to_type(said: str) -> str:
    """The sentence with its commands as they can be typed here."""
    return said.replace("`releve ", f"`{called_as()} ")


def describe(error: ReleveError, *, as_json: bool) -> str:
    """What stderr says of an error for people."""
    if as_json:
        facts = {
            "type": "error",
            "status": error.status,
            "message": str(error),
            "remedy": error.remedy,
        }
        return msgspec.json.encode(facts).decode()
    return f"releve: {error}\n  {to_type(error.remedy)}".rstrip()
