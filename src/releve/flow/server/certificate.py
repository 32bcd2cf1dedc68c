"""Certificates of erasure: what one proves of an audit trail that is gone, and what it lacks."""

from collections.abc import Mapping, Sequence

import msgspec

from releve.flow.sealed import Kind, SealBroken, open_
from releve.flow.server import audit
from releve.model.audit import AuditHead, CertificateLack
from releve.model.leaving import Erasure

CERTIFICATE = Kind(b"releve-erasure-v1\n", "erasure")


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One that was signed; `public_key` is whose."""

    made: Erasure
    public_key: str  # 64 hex digits


def read(content: bytes) -> Certificate:
    """Whose key it is, is another question. Raises: SealBroken."""
    sealed = open_(CERTIFICATE, content)
    try:
        made = msgspec.json.decode(sealed.body, type=Erasure)
    except msgspec.MsgspecError as error:
        raise SealBroken("it is no certificate of erasure") from error
    return Certificate(made=made, public_key=sealed.public_key)


def read_trusted(content: bytes, keys: Sequence[bytes]) -> Certificate | None:
    """None when none of these keys signed it, or it is none."""
    try:
        found = read(content)
    except SealBroken:
        return None
    return found if bytes.fromhex(found.public_key) in keys else None


def lack_of(certificate: Certificate, shipped: Mapping[AuditHead, bytes]) -> CertificateLack | None:
    """What it lacks to explain that the structure of these heads is gone; None: nothing.

    The newest head that was shipped has to be the one that it names: a certificate that was made before
    the trail went on would hide what came after it. All heads that were shipped have to be the ones that
    the server held, from the first on: else leaving would hide a chain that was rewritten before. And the
    key has to be the one that signed the newest, not another that is trusted for older ones.
    """
    trail, last = certificate.made.trail, max(shipped, key=lambda head: head.seq)
    if trail is None:
        return "silent"
    if trail.faults:
        return "not_whole"
    if trail.head is None or trail.head.seq < last.seq:
        return "older"
    if trail.head.seq > last.seq:
        return "newer"
    if trail.head != last:
        return "other"
    own = [bytes.fromhex(certificate.public_key)]
    if audit.open_line(shipped[last], own) != last:
        return "other_key"
    if len({head.seq for head in shipped}) != last.seq:  # each is 1 or more, none beyond the last
        return "incomplete"
    return None if audit.digest_of(shipped) == trail.heads else "other"
