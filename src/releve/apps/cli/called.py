"""How people call the command on this machine, for the lines that tell them what to type."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Literal

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


def spoken() -> Literal["fr", "en"]:
    """Whom a command talks to: French, unless the terminal is set to English."""
    wish = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if wish.lower().startswith("en") else "fr"


def describe(error: ReleveError, *, as_json: bool) -> str:
    """What stderr says of an error for people; to programs always in English."""
    if as_json:
        facts = {
            "type": "error",
            "status": error.status,
            "message": str(error),
            "remedy": error.remedy,
        }
        return msgspec.json.encode(facts).decode()
    from releve.apps.web.terminal import plain

    said, remedy, detail = str(error), error.remedy, ""
    if spoken() == "fr":
        said, remedy, detail = in_french(error)
    lines = [f"releve: {said}", f"  {to_type(remedy)}" if remedy else ""]
    lines.append(f"  Détail technique : {detail}" if detail else "")
    return "\n".join(plain(part) for line in lines if line for part in line.split("\n"))


def in_french(error: ReleveError) -> tuple[str, str, str]:
    """What is the matter, what to do, and the error's own words where these do not hold its facts."""
    from releve.apps.cli.french import FRENCH

    named = (FRENCH[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in FRENCH)
    general, remedy = next(named, ("", ""))
    if error.fr:
        return error.fr, error.remedy_fr or remedy or error.remedy, ""
    if not general:
        return str(error), error.remedy, ""
    return f"{general}.", error.remedy_fr or remedy or error.remedy, str(error)
