"""What a credential may ask of the gate: one pure decision before anything is touched."""

import datetime as dt
import hashlib
import hmac
from enum import StrEnum

import msgspec

from releve.flow.vault.names import Target
from releve.model.vault import Credential, CredentialKind, ObjectKind

MIB = 1 << 20
# The largest object of each kind. restic's packs are at most 128 MiB and a little.
LARGEST = {
    ObjectKind.DATA: 160 * MIB,
    ObjectKind.INDEX: 256 * MIB,
    ObjectKind.SNAPSHOTS: 8 * MIB,
    ObjectKind.KEYS: 64 << 10,
    ObjectKind.CONFIG: 64 << 10,
    ObjectKind.LOCKS: 64 << 10,
}
_GENERATIONS_A_MONTH = 9
_READS = ("GET", "HEAD")
_KINDS = (CredentialKind.INGEST, CredentialKind.RESTORE)


class Verdict(StrEnum):
    """Why a request is refused, in words that restic shows."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown credential"
    OVER = "credential expired, closed or not opened"
    NOT_YOURS = "not your repository"
    NEVER = "the vault only adds"
    READ_ONLY = "this credential only reads"
    NOT_FOR_DATA = "read budget used up"
    NOT_NOW = "a new generation bears this month's name"
    QUOTA = "quota used up"
    TOO_LARGE = "object too large"
    METHOD = "method not known"


def is_secret(credential: Credential, secret: str) -> bool:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return hmac.compare_digest(digest, credential.secret_sha256)


def in_force(credential: Credential, now_ns: int) -> bool:
    if credential.closed_ns:
        return False
    if credential.kind is CredentialKind.RESTORE:
        return now_ns < credential.expires_ns
    return not credential.expires_ns or now_ns < credential.expires_ns


def decide(credential: Credential, method: str, target: Target, view_of: Target | None) -> Verdict:
    """Whether the request is of a kind that this credential may make at all.

    Args:
        view_of: what the view shows, None when the target is no view or there is no such view.
    """
    if credential.kind not in _KINDS:
        return Verdict.NOT_YOURS  # another door's
    owner = target.repository or (view_of.repository if view_of else None)
    if owner is None or owner.structure != credential.structure:
        return Verdict.NOT_YOURS
    is_ingest = credential.kind is CredentialKind.INGEST
    if (credential.host and owner.host != credential.host) or (target.view and is_ingest):
        return Verdict.NOT_YOURS
    if method in _READS:
        return Verdict.ALLOWED
    is_lock = target.kind is ObjectKind.LOCKS and bool(target.name)
    if method == "DELETE":
        return Verdict.ALLOWED if is_lock and not target.view else Verdict.NEVER
    if method != "POST" or (target.kind and not target.name):
        return Verdict.METHOD
    is_reader = bool(target.view) or not (is_ingest or is_lock)
    return Verdict.READ_ONLY if is_reader else Verdict.ALLOWED


def may_begin(generation: str, now: dt.datetime) -> bool:
    """A new generation bears the month of the vault's clock (a day of grace), and few bear the same."""
    month, _, number = generation[:7], generation[7:8], generation[8:]
    day = dt.timedelta(days=1)
    months = {(now + shift).strftime("%Y-%m") for shift in (-day, dt.timedelta(0), day)}
    return month in months and int(number or 0) <= _GENERATIONS_A_MONTH


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What an ingest credential read of `data` on one day of the vault's clock."""

    day: int = 0
    bytes: int = 0


def spend(spent: Spent, size: int, budget: int, now_ns: int) -> Spent | None:
    """The account after reading so much more; None when the budget does not allow it."""
    day = now_ns // 86_400_000_000_000
    used = spent.bytes if spent.day == day else 0
    if budget and used + size > budget:
        return None
    return Spent(day=day, bytes=used + size)


class Bucket:
    """Lets `rate` a second through, with one second's worth in advance; answers how long to wait."""

    def __init__(self, rate: int) -> None:
        self._rate, self._level, self._at = rate, float(rate), 0.0

    def take(self, amount: int, now_s: float) -> float:
        """Seconds to wait before going on; what is taken is owed even when it is more than there is."""
        if not self._rate:
            return 0.0
        self._level = min(self._rate, self._level + (now_s - self._at) * self._rate)
        self._at = now_s
        self._level -= amount
        return max(0.0, -self._level / self._rate)
