"""Which approvals hold: signed, not expired, for this user, program and folder."""

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence

import msgspec

from releve.model.approval import Approval

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
    programs: Iterable[str],
    digest: Callable[[str], str],
    paths: Sequence[str],
    now: dt.datetime,
) -> Approval | None:
    """The approval that covers everything a family destroyed, None if there is none.

    Args:
        programs: executables that wrote what nobody can read; no other than the approved one may.
        digest: SHA-256 of an executable as it is now: a replaced program is not approved.
        paths: all that it destroyed; each must lie below the approved folder.
    """
    ran = set(programs)
    for approval in approvals:
        if (
            approval.user == user
            and approval.until > now
            and ran == {approval.program}
            and all(path.startswith(approval.folder.rstrip("/") + "/") for path in paths)
            and is_genuine(approval, key)
            and digest(approval.program) == approval.program_sha256
        ):
            return approval
    return None
