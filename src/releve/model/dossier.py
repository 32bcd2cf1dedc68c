"""Dossiers: the form that the content describes, and one as filled for an incident."""

import datetime as dt

import msgspec

from releve.model.law import Bilingual, Mark, Written

BLANK = "[À COMPLÉTER]"


class Field(Written, frozen=True, kw_only=True):
    """`fill` names what fills it (obligation/filling.py); `value` is put in as it stands.

    With neither, a person fills it. `optional`: left empty it is no gap.
    """

    id: str
    label: Bilingual
    fill: str = ""
    value: str = ""
    optional: bool = False
    sources: tuple[str, ...]
    mark: Mark


class Part(Written, frozen=True, kw_only=True):
    title: Bilingual
    field: tuple[Field, ...]


class Form(Written, frozen=True, kw_only=True):
    """One kind of dossier. `only`: as of a duty ("nis2")."""

    id: str
    name: Bilingual
    dated: dt.date
    to: Bilingual
    how: Bilingual
    url: str = ""
    only: str = ""
    part: tuple[Part, ...]

    def fields(self) -> tuple[Field, ...]:
        return tuple(field for part in self.part for field in part.field)


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A named person answers for this very `document`; `sha256` is of its bytes."""

    name: str
    role: str
    at: dt.datetime
    login: str
    sha256: str
    document: bytes


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the addressee gave back. The file stays with the structure; its hash is kept here."""

    reference: str
    sha256: str
    size: int
    at: dt.datetime
    login: str


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """One version; versions are added, never changed. `edited`: the fields that a person wrote."""

    incident: str
    kind: str
    version: int
    made_at: dt.datetime
    made_by: str
    values: dict[str, str]
    edited: tuple[str, ...] = ()
    signature: Signature | None = None
    receipt: Receipt | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the document; `value` is empty where a person must complete it."""

    part: str
    id: str
    label: str
    value: str
    is_blank: bool
    sources: tuple[str, ...]
    mark: str


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed: everything that the addressee would read. Same version, same bytes."""

    format: str
    kind: str
    name: str
    to: str
    law_dated: str
    structure: str
    incident: str
    made_at: dt.datetime
    lines: tuple[Line, ...]
