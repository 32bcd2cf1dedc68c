"""Reads the dated content (promises, glossary) that ships with the program."""

from pathlib import Path

import msgspec

from releve.model.dossier import Form
from releve.model.errors import ReleveError
from releve.model.law import Law
from releve.report.certificate import Care
from releve.report.promises import Promises
from releve.report.simulation import Glossary

PACKAGE = Path(__file__).parent.parent
# In an installed wheel the content lies inside the package, in a work tree beside `src`.
PLACES = (PACKAGE / "content", PACKAGE.parent.parent / "content")


class ContentError(ReleveError):
    """A file of the content is missing or does not read."""

    status = 99
    remedy = "Install Relève again, or restore the folder content/ from its source."

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The content file {name} cannot be used: {why}.")
        self.name = name
        self.why = why


def promises() -> Promises:
    return msgspec.convert(_table("promises.toml"), Promises)


def glossary() -> Glossary:
    return msgspec.convert(_table("glossary.toml"), Glossary)


def care_d2() -> Care:
    return msgspec.convert(_table("care_d2.toml"), Care)


def law() -> Law:
    return msgspec.convert(_table("obligations.toml"), Law)


def forms() -> tuple[Form, ...]:
    """Every dossier that can be made, by name of its file."""
    folder = next((place / "dossiers" for place in PLACES if (place / "dossiers").is_dir()), None)
    if folder is None:
        raise ContentError("dossiers", "it is not there")
    names = sorted(path.name for path in folder.glob("*.toml"))
    return tuple(msgspec.convert(_table(f"dossiers/{name}"), Form) for name in names)


def _table(name: str) -> object:
    for place in PLACES:
        path = place / name
        if path.is_file():
            try:
                return msgspec.toml.decode(path.read_bytes())
            except msgspec.DecodeError as bad:
                raise ContentError(name, str(bad)) from bad
    raise ContentError(name, "it is not there")
