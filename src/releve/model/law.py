"""The law as dated content: duties, the questions that start them, and where each is said."""

import datetime as dt
from enum import StrEnum
from typing import Literal

import msgspec

from releve.model.structure import StructureKind


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Written by hand, dated and sourced: a word that is not known is an error."""


class Mark(StrEnum):
    """How sure its source is. Always shown to whoever relies on it."""

    VERIFIED = "verified"  # read in the text itself
    SECONDARY = "secondary"  # read in somebody's account of it
    UNVERIFIED = "unverified"  # general knowledge, found in nothing that was read


class Bilingual(Written, frozen=True, kw_only=True):
    fr: str
    en: str


class Source(Written, frozen=True, kw_only=True):
    """Where something is said; `id` is what duties and fields name."""

    id: str
    name: str


class Question(Written, frozen=True, kw_only=True):
    """Asked when an incident is declared an attack. `presumed` counts until a person answers."""

    id: str
    ask: Bilingual
    answers: tuple[str, ...] = ("yes", "no", "unknown")
    presumed: str = "unknown"


class Duty(Written, frozen=True, kw_only=True):
    """One legal duty as it stands from `valid_from` to before `valid_to`.

    `kinds`: whom it binds, empty for every structure. `voluntary`: who may do it all the same.
    `least_staff`: of those who may, only where so many work there at least, or nobody said how many.
    `only`: bound only when the structure said so of itself; "provider": a duty of those who work
    for the structure, towards it. `starts`: a moment of the declaration, or "sent:ID" or
    "partial:ID", the sending of another duty, which stands above it in the content.
    `unless`: with one of these answers it is not due. `any_of`: it needs one of these answers.
    `texts`: with all of them told in the declaration the register's entry is whole, and the duty done.
    `authority`: an authority other than the CNIL is told by it.
    Neither hours nor months: "sans délai"; then `orange_hours` and `red_hours` colour its clock.
    """

    id: str
    name: Bilingual
    trigger: Bilingual
    kinds: tuple[StructureKind, ...] = ()
    voluntary: tuple[StructureKind, ...] = ()
    least_staff: int = 0
    only: Literal["", "ose", "nis2", "provider"] = ""
    starts: str
    unless: dict[str, str] = {}
    any_of: dict[str, str] = {}
    texts: tuple[str, ...] = ()
    authority: bool = False
    hours: float | None = None
    months: int | None = None
    orange_hours: float | None = None
    red_hours: float | None = None
    to: Bilingual
    url: str = ""
    phone: str = ""
    contents: tuple[Bilingual, ...]
    dossier: str = ""
    note: Bilingual | None = None
    valid_from: dt.date
    valid_to: dt.date | None = None
    sources: tuple[str, ...]
    mark: Mark

    def is_valid(self, on: dt.date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on < self.valid_to)


class OutsideHelp(Written, frozen=True, kw_only=True):
    """Whom to turn to when nobody of one's own comes. `mark` says how sure the phone number is."""

    name: str
    purpose: Bilingual
    url: str
    phone: str = ""
    valid_from: dt.date
    sources: tuple[str, ...]
    mark: Mark


class Law(Written, frozen=True, kw_only=True):
    """All duties, questions and sources; `dated` is when they were last gone through."""

    dated: dt.date
    caution: Bilingual
    ring: tuple[
        str, ...
    ]  # marks of reminders for which somebody is rung; the others are only shown
    source: tuple[Source, ...]
    question: tuple[Question, ...]
    duty: tuple[Duty, ...]
    outside_help: tuple[OutsideHelp, ...]

    def in_force(self, on: dt.date) -> tuple[Duty, ...]:
        return tuple(duty for duty in self.duty if duty.is_valid(on))

    def find(self, identity: str, valid_from: dt.date) -> Duty | None:
        """The duty in the wording that counted when its clock started."""
        return next((d for d in self.duty if d.id == identity and d.valid_from == valid_from), None)
