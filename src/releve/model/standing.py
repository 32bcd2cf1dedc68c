"""Nouns of the standing: what a vault tells its structure of itself, signed, without any file name.

Times are the vault's clock in Unix ns, 0: never. Reasons that people wrote stay on the vault.
"""

import datetime as dt

import msgspec


class GenerationStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One repository, by its receipts."""

    name: str
    first_ns: int
    last_ns: int
    last_snapshot_ns: int
    objects: int
    bytes: int


class HostStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What the vault has of one host, by its receipts and its scrubs."""

    host: str
    generations: tuple[GenerationStanding, ...]  # the standing ones, oldest first
    last_snapshot_ns: int
    objects: int
    bytes: int
    verified_7d_bytes: int  # of those: read again and found as received
    verified_30d_bytes: int
    bad_objects: int = 0  # found not as received, and not yet found sound again
    bytes_per_day: int = 0


class ScrubStanding(msgspec.Struct, frozen=True, kw_only=True):
    """The last scrub of the vault; `ended_ns` 0: it is under way, or was interrupted.

    Of a vault that several structures share the figures are this structure's part of it.
    """

    started_ns: int
    ended_ns: int
    objects: int
    bytes: int
    mb_per_s: float
    bad: int


class CopyStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One copy of the vault. `immutable` only when a probe of exactly this copy proved it, lately."""

    name: str
    kind: str  # "source", "vault", "s3"
    ran_ns: int
    verified_ns: int
    done_seq: int
    owed: int
    is_overdue: bool
    lock_days: int = 0
    probed_ns: int = 0
    trials: int = 0
    trials_held: int = 0
    immutable: bool = False


class JobStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the vault does by itself, again and again."""

    name: str
    last_ok_ns: int
    next_ns: int
    failures: int  # in a row
    is_overdue: bool


class RoomStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How long the vault's disk lasts, by its receipts.

    Of a vault that several structures share: no size of the disk (0), and what this one adds a day.
    """

    at_ns: int
    disk_bytes: int
    free_bytes: int  # above the reserve
    bytes_per_day: int
    days_left: float | None  # None: nothing comes in
    level: str


class HoldStanding(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    host: str  # empty: every host
    generation: str
    by: str
    since_ns: int


class OpeningStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A right to restore that waits for signatures, or is in force. `path`: "two_people" or an agreement."""

    id: str
    host: str  # empty: every host
    incident: str
    by: str
    path: str
    approvers: tuple[str, ...]
    asked_ns: int
    opened_ns: int
    expires_ns: int
    first_read_ns: int
    is_drill: bool = False  # opened by the vault itself on a path for drills


class PathStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A path agreed beforehand for incidents, in force: its clean room opens a right at once."""

    name: str
    host: str  # empty: every host
    until_ns: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One structure's part of a vault, at one time."""

    version: int = 1
    vault: str  # fingerprint of the vault's key
    name: str
    structure: str  # its name on the vault
    at_ns: int
    wall_ns: int
    seq: int  # the chain's end that it was made from
    hash: str
    hosts: tuple[HostStanding, ...] = ()
    scrub: ScrubStanding | None = None
    copies: tuple[CopyStanding, ...] = ()
    jobs: tuple[JobStanding, ...] = ()
    room: RoomStanding | None = None
    holds: tuple[HoldStanding, ...] = ()
    openings: tuple[OpeningStanding, ...] = ()
    approvers: int = 0
    paths: tuple[PathStanding, ...] | None = None  # None: a vault of before, which tells none


class SignedStanding(msgspec.Struct, frozen=True, kw_only=True):
    """`standing` is the exact bytes that were signed (JSON of a Standing)."""

    standing: bytes
    signature: bytes


class SeenHead(msgspec.Struct, frozen=True, kw_only=True):
    """The newest head that the server took of a vault."""

    seq: int
    hash: str
    at_ns: int
    received_at: dt.datetime


class EnrolledVault(msgspec.Struct, frozen=True, kw_only=True):
    """A vault as its structure's server knows it."""

    id: str
    structure: str
    name: str
    public_key: str  # Ed25519, 64 hex digits: its heads and standings are signed with it
    within: str = ""  # the structure's name on the vault; empty: that of the first standing
    enrolled_at: dt.datetime
    removed_at: dt.datetime | None = None
    head: SeenHead | None = None
    broken: str = ""  # why a head was refused since the last good one; empty: none was
    broken_at: dt.datetime | None = None
    standing_at: dt.datetime | None = None  # when the server took the last one
