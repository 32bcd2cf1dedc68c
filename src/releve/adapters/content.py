"""Reads the dated content (promises, glossary) that ships with the program.

What is asked for at every turn is read once: it changes with the program.
"""

from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from releve.model.dossier import Form
from releve.model.errors import ReleveError
from releve.model.identity import Preset
from releve.model.law import Law
from releve.model.playbook import AfterTask, Playbook, Playbooks, Proposed, Ransom
from releve.model.privacy import KeptPolicy, PrivacyPaper
from releve.report.certificate import Care
from releve.report.promises import Promises
from releve.report.simulation import Glossary

T = TypeVar("T")

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


@cache
def law() -> Law:
    """Raises: ContentError."""
    return _as(Law, _table("obligations.toml"), "obligations.toml")


@cache
def forms() -> tuple[Form, ...]:
    """Every dossier that can be made, by name of its file. Raises: ContentError."""
    names = [f"dossiers/{name}" for name in sorted(_names("dossiers"))]
    return tuple(_as(Form, _table(name), name) for name in names)


@cache
def playbooks() -> Playbooks:
    """What incidents are handled with; the playbooks by their names. Raises: ContentError."""
    found = []
    for name in sorted(_names("playbooks")):
        rows = _table(f"playbooks/{name}")
        if isinstance(rows, dict):
            named = {**rows, "id": name.removesuffix(".toml")}
            found.append(_as(Playbook, named, name))
    return Playbooks(
        playbooks=tuple(found),
        after=_as(_After, _table("after.toml"), "after.toml").tasks,
        ransom=_as(Ransom, _table("ransom.toml"), "ransom.toml"),
        proposed=_as(_Proposed, _table("proposed.toml"), "proposed.toml").rows,
    )


def identity_presets() -> tuple[Preset, ...]:
    """Known identity providers. Raises: ContentError."""
    return _as(_Identity, _table("identity.toml"), "identity.toml").provider


class _Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    provider: tuple[Preset, ...]


def kept_policy(lang: str = "fr") -> KeptPolicy:
    """What is kept how long. Raises: ContentError."""
    name = "retention.toml" if lang == "fr" else f"retention.{lang}.toml"
    return _as(KeptPolicy, _table(name), name)


def privacy_papers(lang: str = "fr") -> tuple[PrivacyPaper, ...]:
    """Relève's own papers under the GDPR, by name of their file. Raises: ContentError."""
    folder = "papers" if lang == "fr" else f"papers/{lang}"
    names = {name.removesuffix(".toml"): f"{folder}/{name}" for name in sorted(_names(folder))}
    found = ((id_, _as(PrivacyPaper, _table(name), name)) for id_, name in names.items())
    return tuple(msgspec.structs.replace(paper, id=id_) for id_, paper in found)


class _Proposed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dated: str
    source: str
    rows: tuple[Proposed, ...]


class _After(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dated: str
    source: str
    tasks: tuple[AfterTask, ...]


def _as(kind: type[T], table: object, name: str) -> T:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as bad:
        raise ContentError(name, str(bad)) from bad


def _names(folder: str) -> list[str]:
    for place in PLACES:
        if (place / folder).is_dir():
            return [path.name for path in (place / folder).glob("*.toml")]
    raise ContentError(folder, "it is not there")


def _table(name: str) -> object:
    for place in PLACES:
        path = place / name
        if path.is_file():
            try:
                return msgspec.toml.decode(path.read_bytes())
            except msgspec.DecodeError as bad:
                raise ContentError(name, str(bad)) from bad
    raise ContentError(name, "it is not there")
