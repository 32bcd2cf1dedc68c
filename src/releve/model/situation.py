"""A structure at a glance: the few facts that say whether somebody must look now."""

import datetime as dt

import msgspec

from releve.model.finding import Severity


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Summed up from the structure's rows; it names no host, no person and no file."""

    structure: str
    mood: str = "setup"  # "down" (somebody looks now), "watching" (today), "setup" or "well"
    reasons: tuple[
        str, ...
    ] = ()  # of the mood, that no figure below tells: what it is to be looked at for
    incidents: int = 0  # open ones
    severity: Severity | None = None  # of the worst of them
    first_sign: dt.datetime | None = None  # of the oldest of them
    hosts: int = 0
    silent: int = 0
    unheard: int = 0  # enrolled, and never said anything
    guard_down: int = 0
    guarded: int = 0  # the guard stops attacks
    watching: int = 0  # the guard only watches
    help_waiting: int = 0  # nobody came yet
    help_since: dt.datetime | None = None  # the oldest of these
    care_blocked: int = 0  # open calls whose caller said that care stands still
    blocked_since: dt.datetime | None = None  # the oldest of these that nobody came to yet
    clocks: int = 0  # legal delays and duties that run
    undeclared: int = 0  # incidents of which nobody said whether they start one
    clocks_late: int = 0
    clock_next: dt.datetime | None = None  # the next legal delay to end
    clocks_at_once: int = 0  # running duties of which the law gives no figure: without delay
    backup_at: dt.datetime | None = None  # the last good one of the host that is furthest behind
    drill_at: dt.datetime | None = None
    no_backup: int = 0  # hosts whose backups never succeeded
    unsaved: int = 0  # hosts that no backup was begun on
    undrilled: int = 0  # hosts whose backups no drill has proved
