"""Incidents: findings of one host that belong together, with what was stopped and the timeline."""

import datetime as dt

import msgspec

from releve.model.event import HiddenPath, Reason
from releve.model.finding import Severity


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One family that was convicted, and what became of its doings. None: not told yet."""

    family: str
    at: dt.datetime
    action: str
    stop_ms: float
    files_touched: int
    reasons: tuple[Reason, ...] = ()
    program: str = ""
    user: str = ""
    client: str = ""
    restored: int | None = None
    lost: int | None = None
    newest_save_lost: int | None = None
    quarantined: int | None = None
    kept_both: int | None = None
    rollback_ms: float | None = None
    lost_paths: tuple[HiddenPath, ...] = ()
    newest_save_lost_paths: tuple[HiddenPath, ...] = ()


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of stops that are no longer listed one by one, and of rollbacks without a listed stop."""

    stops: int = 0
    touched: int = 0
    restored: int = 0
    lost: int = 0
    newest_save_lost: int = 0
    quarantined: int = 0
    rollback_ms: float = 0.0
    slowest_stop_ms: float = 0.0
    not_held: int = 0  # stops that nobody stopped, or that waited for a person


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline."""

    at: dt.datetime
    kind: str
    finding: str
    severity: Severity
    family: str = ""
    action: str = ""
    why: str = ""
    why_en: str = ""
    figures: dict[str, float] = {}


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident; the value a fold returns, kept whole."""

    id: str
    structure: str
    host: str
    opened_at: dt.datetime
    last_at: dt.datetime
    severity: Severity
    stops: tuple[Stop, ...] = ()
    rest: Rest = Rest()  # nothing is silently left out of the sums
    timeline: tuple[Entry, ...] = ()
    entries_left_out: int = 0  # the timeline is bounded; what it left out is counted
    closed_at: dt.datetime | None = None
    closed_by: str = ""
