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
    "head_forged",  # no key that was named signed this head, or it counts to what cannot be
    "shipped_missing",  # between two heads that were shipped one is not there
    "structure_gone",  # of a structure that the server does not know any more, and no certificate explains it
    "certificate_forged",  # a certificate of erasure that was given: no key that was named signed it
]
CertificateLack = Literal[
    "none",  # none of this structure was given
    "silent",  # it names no end of the trail: a Relève of before made it
    "not_whole",  # the trail was not whole any more when the structure left
    "older",  # heads were shipped after the last one that it names
    "newer",  # it names a later head than the last that is among those shipped
    "incomplete",  # heads are missing among those shipped: whether the others are its own, cannot be told
    "other",  # heads that were shipped are not those that the server held when the structure left
    "other_key",  # not by the key that signed the last head
]

ShipFault = Literal[
    "absent",  # the folder is not there: a disk that is not mounted
    "denied",  # it may not be written
    "full",
    "ahead",  # it holds heads that the trail has not
    "no_log",  # no system log runs
    "failed",  # anything else that the system said
    "unseen",  # nobody looked lately: the server is off, or a share lets it wait for ever
]


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """How one structure's heads get to one place outside; `why` empty: it lacks none that were made."""

    place: str
    structure: str
    complete_at: dt.datetime | None = None  # when it was last seen to lack nothing
    why: ShipFault | Literal[""] = ""
    since: dt.datetime | None = None  # of `why`


class AuditHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the trail of a structure ended with at a time; `seq` counts its heads from 1 on."""

    structure: str
    seq: int
    number: int
    digest: str
    at: dt.datetime


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`first` to `last`: entries, for heads their `seq`, for certificates their place among those given.

    It came about after `since`, when that is known. `lack`: why no certificate explains `structure_gone`.
    """

    what: FaultKind
    first: int
    last: int
    since: dt.datetime | None = None
    lack: CertificateLack | None = None
