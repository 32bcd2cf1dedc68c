"""An approval: somebody intends bulk encryption, so the guard lets it through."""

import datetime as dt

import msgspec


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """(user, program, folder, until), never a blanket "this program is trusted".

    `signature` is HMAC-SHA256 over all other fields, with a key that only root of this host reads.
    """

    user: int
    program: str
    program_sha256: str
    folder: str
    until: dt.datetime
    by: str
    made_at: dt.datetime
    reason: str = ""
    signature: str = ""
