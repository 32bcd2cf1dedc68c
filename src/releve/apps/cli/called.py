"""How people call the command on this machine, for the lines that tell them what to type."""

import shlex
import shutil
import sys
from pathlib import Path


def called_as() -> str:
    """`releve` where that is found, else the path by which it was called."""
    given = Path(sys.argv[0])
    if given.name != "releve" or shutil.which("releve"):
        return "releve"
    return shlex.quote(str(given.absolute()))


def to_type(said: str) -> str:
    """The sentence with its commands as they can be typed here."""
    return said.replace("`releve ", f"`{called_as()} ")
