"""A structure that leaves: what was erased of it, by whom, why, and what stays elsewhere."""

import datetime as dt

import msgspec


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What the certificate says. `rows`: those that were there and were removed, by table."""

    form: int = 1
    structure: str
    name: str
    by: str
    reason: str
    at: dt.datetime
    rows: dict[str, int]
    export: str  # SHA-256 of the manifest of what was handed over before


class KeptErasure(msgspec.Struct, frozen=True, kw_only=True):
    """The one thing that stays of it in the database: `certificate` is the signed file."""

    structure: str
    name: str
    at: dt.datetime
    certificate: bytes
