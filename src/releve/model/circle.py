"""Who sees more than one structure without working in any: a group, an insurer."""

import datetime as dt
from enum import StrEnum

import msgspec

from releve.model.posture import Posture
from releve.model.situation import Situation


class CircleKind(StrEnum):
    GROUP = "group"  # sees the figures of each of its members, by name
    INSURER = "insurer"  # sees sums over those that consent, never one of them


class Circle(msgspec.Struct, frozen=True, kw_only=True):
    """It is a structure of its own: its people are at home there, and own no host."""

    id: str
    name: str
    kind: CircleKind


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """Of a group; to an insurer it is the consent. One that ended is kept."""

    circle: str
    kind: CircleKind
    by: str
    since: dt.datetime
    ended_at: dt.datetime | None = None
    ended_by: str = ""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A structure as its group sees it: no host, person, file or word of it."""

    name: str
    situation: Situation
    days: tuple[Posture, ...] = ()  # oldest first


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """Structures that come into an insurer's figures together, and leave them together."""

    members: tuple[str, ...]
    formed: dt.date
    broken: dt.date | None = None  # one of them withdrew: the others wait until it is forgotten


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the structures, as a quarter: `low` to `high` per cent."""

    name: str
    low: int
    high: int


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """What an insurer may see in a week. Made once, never changed; no structure is named in it."""

    week: str  # "2026-W47"
    made_at: dt.datetime
    structures: int = 0  # 0: fewer than what is ever shown, and no figure
    shares: tuple[Share, ...] = ()
