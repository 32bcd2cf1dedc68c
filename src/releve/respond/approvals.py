"""Which approvals hold: signed, not expired, for this user, program and folder."""

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence

import msgspec

from releve.model.approval import Approval
from releve.model.process import Process

_MADE_BEFORE = dt.timedelta(minutes=1)  # a clock that is put right by seconds ends no approval
_encode = msgspec.json.Encoder(order="deterministic").encode


def sign(approval: Approval, key: bytes) -> Approval:
    """The same approval with its signature."""
    body = _encode(msgspec.structs.replace(approval, signature=""))
    return msgspec.structs.replace(
        approval, signature=hmac.new(key, body, hashlib.sha256).hexdigest()
    )


def is_genuine(approval: Approval, key: bytes) -> bool:
    return hmac.compare_digest(sign(approval, key).signature, approval.signature)


def covering(
    approvals: Iterable[Approval],
    *,
    key: bytes,
    user: int,
    programs: Iterable[Process],
    digest: Callable[[Process], str],
    paths: Sequence[str],
    now: dt.datetime,
) -> Approval | None:
    """The approval that covers everything a family destroyed, None if there is none.

    Args:
        programs: who wrote what nobody can read; none that runs another program than the approved
            one may have.
        digest: SHA-256 of the file that a process runs or ran, "" if nobody can tell any more: what
            stands under its path by now may be another.
        paths: all that it destroyed; each must lie below the approved folder.
    """
    ran = list(programs)
    for approval in approvals:
        if (
            approval.user == user
            and is_in_time(approval, now)
            and {p.exe for p in ran} == {approval.program}
            and all(path.startswith(approval.folder.rstrip("/") + "/") for path in paths)
            and is_genuine(approval, key)
            and {digest(p) for p in ran} == {approval.program_sha256}
        ):
            return approval
    return None


def is_in_time(approval: Approval, now: dt.datetime) -> bool:
    """It was made and has not ended. One from the future is none: the clock was set back since."""
    return approval.made_at - _MADE_BEFORE <= now < approval.until
