"""Help: who is on call, what was asked, and every step until a named person comes."""

import datetime as dt
from typing import Annotated

import msgspec

from releve.model.finding import Severity

# "20:00-08:00" goes through midnight; "00:00-24:00" is the whole day.
_Hours = Annotated[
    str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")
]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
_Said = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class _Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read from a file that a person wrote: a word that is not known is an error."""


class Channel(_Told, frozen=True, kw_only=True):
    """One way to reach somebody. `url` holds a secret: it is sealed at rest and never shown."""

    name: _Word  # "sms", "mail": what pages and proofs show
    url: str  # Apprise's form


class Responder(_Told, frozen=True, kw_only=True):
    """Somebody who may be on call."""

    id: _Word
    name: _Said
    language: str = "fr"
    channels: Annotated[tuple[Channel, ...], msgspec.Meta(min_length=1)]


class Shift(_Told, frozen=True, kw_only=True):
    """When somebody is on call, by the clock on the structure's wall; rank 1 is rung first."""

    person: str
    rank: int = 1
    days: tuple[str, ...] = ()  # mon … sun, the day on which it begins; empty: every day
    hours: _Hours = "00:00-24:00"
    since: dt.date | None = None  # first day on which it begins
    until: dt.date | None = None  # last day on which it begins


class Absence(_Told, frozen=True, kw_only=True):
    """Whole days, both included."""

    person: str
    since: dt.date
    until: dt.date


class Rota(_Told, frozen=True, kw_only=True):
    """A structure's people on call. An empty time zone: the profile's."""

    timezone: str = ""
    people: tuple[Responder, ...]
    shifts: tuple[Shift, ...]
    absences: tuple[Absence, ...] = ()

    def person(self, identity: str) -> Responder | None:
        return next((one for one in self.people if one.id == identity), None)


class Hole(msgspec.Struct, frozen=True, kw_only=True):
    """A time with nobody on call."""

    since: dt.datetime
    until: dt.datetime


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the proof, never changed.

    `kind`: "opened", "again" (the same caller rang again), "ring", "delivered", "failed",
    "nobody_on_call", "end_of_chain", "acknowledged", "closed".
    """

    number: int
    at: dt.datetime
    kind: str
    person: str = ""  # id in the rota, or who signed in
    name: str = ""  # as people know them, then
    channel: str = ""
    round: int = 0
    due_at: dt.datetime | None = None  # of a ring that begins a turn: when it should have been
    of: int = 0  # the ring that this one is the outcome of
    why: str = ""


class Ringing(msgspec.Struct, frozen=True, kw_only=True):
    """A ring whose outcome is not known yet. Past `until` whoever sent it is gone: it is sent again."""

    number: int
    person: str
    name: str
    channel: str
    until: dt.datetime


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How far an escalation is. `phase`: "ringing", "acknowledged", "ended" (nobody came), "closed"."""

    opened_at: dt.datetime  # the clock: first ring of the phone, or the request's own time
    due_at: dt.datetime  # when somebody else is rung
    phase: str = "ringing"
    number: int = 1  # of the last step; 1 is "opened"
    round: int = 1
    rung: tuple[str, ...] = ()  # in this round
    heard: bool = False  # a ring of this round was delivered
    reached: bool = False  # one of this turn was
    out: tuple[Ringing, ...] = ()
    person: str = ""  # who comes
    name: str = ""
    acknowledged_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    closed_at: dt.datetime | None = None


class ContextFinding(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    host: str
    kind: str
    severity: str
    seen_at: dt.datetime


class ContextIncident(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    host: str
    severity: str
    opened_at: dt.datetime


class ContextHost(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    guard: str
    last_seen_at: dt.datetime | None = None
    last_good_backup_at: dt.datetime | None = None


class HelpContext(msgspec.Struct, frozen=True, kw_only=True):
    """What was known when help was asked: ids and figures, no name of a file."""

    hosts: tuple[ContextHost, ...] = ()
    findings: tuple[ContextFinding, ...] = ()
    incidents: tuple[ContextIncident, ...] = ()
    vault_last_at: dt.datetime | None = None  # the newest snapshot that a vault received


class ClockCall(msgspec.Struct, frozen=True, kw_only=True):
    """A reminder of a legal clock that somebody is rung for; `at`: when it was due."""

    incident: str
    duty: str
    name: str
    name_en: str
    mark: str
    at: dt.datetime
    due_at: dt.datetime | None = None


class AttackCall(msgspec.Struct, frozen=True, kw_only=True):
    """An incident that wants a person; `severity`: as grave as it was when the rota was called last."""

    incident: str
    severity: Severity


class HelpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asks for help, for any trouble; or the server itself, of a legal clock or an attack.

    `source`: "console", "host", "mail", "phone", "api", "clock", "attack".
    """

    id: str
    structure: str
    source: str
    asked_by: str
    user: str = ""  # who was at the host, as its kernel says
    text: str = ""
    is_blocked: bool = False  # care stands still
    phone: str = ""
    clocks: tuple[ClockCall, ...] = ()  # of "clock"
    attacks: tuple[AttackCall, ...] = ()  # of "attack"
    context: HelpContext = HelpContext()
    course: Course
    closed_by: str = ""
    done: str = ""  # what was done about it

    @property
    def is_asked(self) -> bool:
        """By somebody: what the server calls for by itself is in no figure of help."""
        return not self.clocks and not self.attacks

    @property
    def answer_s(self) -> float | None:
        """From the first ring to a named person's acknowledgement."""
        at = self.course.acknowledged_at
        return None if at is None else (at - self.course.opened_at).total_seconds()
