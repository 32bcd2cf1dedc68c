"""The service statement: what was measured for one structure in one month, and over how many cases.

What nobody measured is None, or of no case; it is never zero.
"""

import datetime as dt

import msgspec


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar month on the structure's wall: `since` is in it, `until` is not. Both UTC."""

    name: str  # "2026-11"
    zone: str
    since: dt.datetime
    until: dt.datetime

    def has(self, at: dt.datetime) -> bool:
        return self.since <= at < self.until


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds over `n` cases. Cases that never came about (`never`) are in `n` and count as the worst.

    With one of them there is no mean, and no p95 or worst where it is the one.
    """

    n: int = 0
    mean: float | None = None
    p95: float | None = None
    worst: float | None = None
    never: int = 0


class HelpFigures(msgspec.Struct, frozen=True, kw_only=True):
    """From the first ring to a named person's acknowledgement, of calls that began in the month."""

    asked: int
    times: Spread
    in_time: int  # within `promise_s`
    promise_s: float
    waiting: int  # still being escalated when the statement was made


class CareFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One service in one incident of the month; `seconds` None: nobody said that care goes on."""

    incident: str
    service: str
    since: dt.datetime
    resumed_at: dt.datetime | None = None
    seconds: float | None = None


class IncidentFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Of incidents that began in the month. `pending`: stops whose rollback is not told yet."""

    count: int
    open_: int = msgspec.field(name="open")
    by_severity: dict[str, int]
    restored: int
    lost: int
    pending: int


class HostFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one host told of the month."""

    host: str
    backups: int
    backups_good: int
    drills: int
    drills_good: int


class DrillFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Restore drills of the month; the times and the data's age are those of drills that succeeded."""

    count: int
    good: int
    first_file: Spread
    patient_list: Spread
    databases: Spread
    all_local: Spread
    rpo: Spread


class VaultHostFigures(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    last_snapshot_at: dt.datetime | None
    bytes: int
    verified_30d_bytes: int
    bad_objects: int


class VaultFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The newest standing that the vault signed, and when."""

    vault: str
    told_at: dt.datetime
    hosts: tuple[VaultHostFigures, ...]


class DutyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Legal clocks. Those with a delay count in the month in which they are due, the others in which they began."""

    in_time: int
    late: int
    waiting: int  # not sent, and not due yet
    sent_without_delay: int
    owed_without_delay: int
    not_due: int  # a person or an answer said so, with the reason


class OnCallFigures(msgspec.Struct, frozen=True, kw_only=True):
    """By the rota as it is when the statement is made, of the hours in which there was one.

    `since` and `until`: those hours, of the month and not after the statement was made; None in a
    statement of before, which counted the whole month.
    """

    hours: float
    covered_hours: float
    since: dt.datetime | None = None
    until: dt.datetime | None = None


class ProtectedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """When the statement is made: the guard watches, and the host was heard of lately."""

    hosts: int
    protected: int


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One structure, one month. `told_since`: before it the server holds nothing of the hosts."""

    form: int = 1
    structure: str
    name: str
    month: Month
    made_at: dt.datetime
    told_since: dt.datetime | None
    help_: HelpFigures = msgspec.field(name="help")
    care: tuple[CareFigure, ...]
    care_times: Spread
    incidents: IncidentFigures
    hosts: tuple[HostFigures, ...]
    drills: DrillFigures
    vaults: tuple[VaultFigures, ...]
    duties: DutyFigures
    on_call: OnCallFigures | None
    protected: ProtectedFigures | None

    @property
    def is_whole(self) -> bool:
        """Whether the month was over."""
        return self.made_at >= self.month.until


class KeptStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that was made: `files` by name, the signed JSON among them. Never changed."""

    month: str
    version: int
    made_at: dt.datetime
    files: dict[str, bytes]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """One structure's month for an invoice. None: no vault told of it."""

    structure: str
    name: str
    month: str
    hosts: int
    hosts_protected: int
    people: int
    help_requests: int
    incidents: int
    held_bytes: int | None
    received_bytes_per_day: int | None
