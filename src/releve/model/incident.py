"""Incidents: findings that belong together, of one host or several, and the newest of their lines."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from releve.model.event import HiddenPath, Reason
from releve.model.finding import Severity


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One family that was convicted, and what became of its doings. None: not told yet."""

    family: str  # counted by its host: the same number on another host is another family
    at: dt.datetime
    action: str
    stop_ms: float
    files_touched: int
    reasons: tuple[Reason, ...] = ()
    program: str = ""
    user: str = ""
    client: str = ""
    host: str = ""  # rows of before: the incident's
    restored: int | None = None
    lost: int | None = None
    newest_save_lost: int | None = None
    quarantined: int | None = None
    kept_both: int | None = None
    left: int | None = None
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
    over: int = 0  # stops of those who had ended by themselves before they were judged
    not_held: int = 0  # stops that nobody stopped, or that waited for a person
    unstopped: int = 0  # of these, those whose author was unknown or gone: nobody was stopped


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline: a finding, or what a person did (`by`). Never changed, never dropped."""

    at: dt.datetime
    kind: str
    finding: str  # empty for what a person did, and for a link
    severity: Severity
    family: str = ""
    action: str = ""
    why: str = ""
    why_en: str = ""
    figures: dict[str, float] = {}
    host: str = ""
    by: str = ""
    id: str = ""  # of a line without a finding

    @property
    def key(self) -> str:
        """What tells it from every other line of the structure."""
        return self.finding or self.id


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word that care goes on; `at` is when it did, not when it was said."""

    service: str
    at: dt.datetime
    by: str


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident; the value a fold returns, kept whole."""

    id: str
    structure: str
    host: str  # the first one
    opened_at: dt.datetime
    last_at: dt.datetime
    severity: Severity
    other_hosts: tuple[str, ...] = ()
    signs: dict[str, dt.datetime] = {}  # by host: its first sign
    indicators: dict[
        str, tuple[str, ...]
    ] = {}  # by host: tokens of what the attack stamps on files
    stops: tuple[Stop, ...] = ()
    rest: Rest = Rest()  # nothing is silently left out of the sums
    timeline: tuple[Entry, ...] = ()  # the newest; the database keeps every one
    entries_left_out: int = 0  # of `timeline`
    resumed: tuple[Resumed, ...] = ()
    closed_at: dt.datetime | None = None
    closed_by: str = ""
    merged: tuple[str, ...] = ()  # incidents that became part of this one
    merged_into: str = ""
    crowded: int = (
        0  # findings that came while their host had as many open incidents as it may have
    )
    apart: tuple[str, ...] = ()  # a person said that these are others: never joined again by itself

    @property
    def hosts(self) -> tuple[str, ...]:
        return (self.host, *self.other_hosts)

    def first_sign(self, host: str) -> dt.datetime:
        """Rows of before tell none by host."""
        return self.signs.get(host, self.opened_at)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding or a person's word made of incidents; to be kept in one transaction."""

    incidents: tuple[Incident, ...]  # the one that goes on, or begins, is the first
    entries: Mapping[str, tuple[Entry, ...]] = {}  # by incident: its new lines
    moved_hosts: tuple[str, ...] = ()  # their lines go from the second incident to the first
