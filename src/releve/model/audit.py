"""The audit trail as evidence: its entries, the heads that are signed over it, and what is wrong with one."""

import datetime as dt
from typing import Literal

import msgspec

FaultKind = Literal[
    "changed",  # the entry is not what was written, or does not follow from the one before
    "removed",  # entries are not there any more, later ones are
    "cut",  # a signed head is newer than the last entry
    "rewritten",  # the chain follows, but is not the one that was signed
    "head_missing",  # the server does not hold a signed head any more
    "head_replaced",  # two heads of one `seq` differ, or one covers less than the one before
    "head_forged",  # no key that was named signed this head
    "shipped_missing",  # between two heads that were shipped one is not there
    "structure_gone",  # heads were shipped of a structure that the server does not know any more
]


class AuditHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the trail of a structure ended with at a time; `seq` counts its heads from 1 on."""

    structure: str
    seq: int
    number: int
    digest: str
    at: dt.datetime


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`first` to `last`: entries, for heads their `seq`. It came about after `since`, when that is known."""

    what: FaultKind
    first: int
    last: int
    since: dt.datetime | None = None
