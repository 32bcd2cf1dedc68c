"""Nouns of the vault's retention: policy, what is asked, what two people sign."""

from enum import StrEnum

import msgspec

from releve.model.vault import Repository, Signoff


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """DATA/retention.json. A request carries the policy it was made under, and two people sign it."""

    months: int = 13  # a generation whose first receipt is older may go
    every_months: int = (
        0  # of each so many months the first month's generations stay for good; 0: none
    )
    wait_days: float = 7.0  # between request and run
    live_days: float = 31.0  # a generation that received within so many days stays
    longest_silence_h: float = 72.0  # time without any entry counts for so much at most
    clock_sources: tuple[str, ...] = ()  # http(s) URLs whose Date is compared; two must answer


class Verdict(StrEnum):
    """Why a generation stays, or may go."""

    MAY_GO = "may_go"
    YOUNG = "young"
    LIVE = "live"
    NEWEST = "newest_complete"
    LONG_TERM = "long_term"
    ON_HOLD = "on_hold"
    SHOWN = "shown"  # a view of it stands: somebody is restoring


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A generation as a request names it; it goes only while it is still exactly so."""

    repository: Repository
    first_ns: int
    last_ns: int
    objects: int
    bytes: int


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """Asked: these generations may go, after a wait and two approvals."""

    id: str
    vault: str  # fingerprint: a signature for one vault holds for no other
    by: str
    asked_ns: int
    policy: Policy
    generations: tuple[Planned, ...]
    signoffs: tuple[Signoff, ...] = ()
    ended_ns: int = 0


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Asked: this legal hold shall end, after two approvals."""

    id: str
    vault: str
    hold: str
    covers: str
    reason: str
    by: str
    asked_ns: int
    signoffs: tuple[Signoff, ...] = ()
    ended_ns: int = 0


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="file", tag="vault-request"):
    """The file that goes to the approvers."""

    id: str
    statement: str


class Approval(msgspec.Struct, frozen=True, kw_only=True, tag_field="file", tag="vault-approval"):
    """The file that comes back from one approver's own machine."""

    id: str
    approver: str
    signature: str  # hex, under the request's statement
