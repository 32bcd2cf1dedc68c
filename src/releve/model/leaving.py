"""A structure that leaves: what was erased of it, by whom, why, and what stays elsewhere."""

import datetime as dt

import msgspec

from releve.model.audit import AuditHead


class TrailEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How the audit trail ended, as it was found right before it was erased.

    `head`: the last signed head that the server kept; `heads`: the SHA-256 over all of them.
    `faults`: how many the trail had; 0: it was whole.
    """

    entries: int
    digest: str  # of the last entry
    head: AuditHead | None
    heads: str
    faults: int


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What the certificate says. `rows`: those that were there and were removed, by table."""

    form: int = 2
    structure: str
    name: str
    by: str
    reason: str
    at: dt.datetime
    rows: dict[str, int]
    export: str  # SHA-256 of the manifest of what was handed over before
    trail: TrailEnd | None = None  # None: form 1, which did not say


class KeptErasure(msgspec.Struct, frozen=True, kw_only=True):
    """The one thing that stays of it in the database: `certificate` is the signed file."""

    structure: str
    name: str
    at: dt.datetime
    certificate: bytes
