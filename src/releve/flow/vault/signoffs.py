"""Two persons: distinct enrolled approvers sign the same statement with Ed25519. Pure.

A statement says what is to be done in words that a person can read, one fact a line; its purpose
is in it, so no signature for one thing holds for another.
"""

from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.signatures import did_sign
from releve.model.errors import ReleveError
from releve.model.vault import Approver, Signoff

NEEDED = 2
_HEAD = "releve-vault-approval-1"


class ApproverUnknownError(ReleveError):
    """No enrolled approver has this name or key."""

    status = 112
    remedy = "Enrol the approver with `releve vault approver add`, or sign with an enrolled key."

    def __init__(self, who: str) -> None:
        super().__init__(f"{who} is not an enrolled approver.")


class SignatureError(ReleveError):
    """The signature does not fit the statement."""

    status = 113
    remedy = "Sign exactly what the request prints, with the approver's own key."

    def __init__(self, who: str) -> None:
        super().__init__(f"The signature of {who} is not under this statement.")


def statement(purpose: str, facts: Sequence[tuple[str, str]]) -> bytes:
    """What is signed. Facts keep their order; line breaks in them become spaces."""
    lines = [_HEAD, purpose, *(f"{name}: {' '.join(said.split())}" for name, said in facts)]
    return "\n".join(lines).encode()


def sign(key: Ed25519PrivateKey, text: bytes) -> str:
    return key.sign(text).hex()


def is_good(approver: Approver, text: bytes, signature: str) -> bool:
    return is_signed(approver.public_key, text, signature)


def is_signed(public_key: str, text: bytes, signature: str) -> bool:
    """Keys and signatures in hex."""
    try:
        key, signed = bytes.fromhex(public_key), bytes.fromhex(signature)
    except ValueError:
        return False
    return did_sign(key, text, signed)


def public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def accept(approver: Approver | None, who: str, text: bytes, signature: str, at_ns: int) -> Signoff:
    """A signature as it is kept. Raises: ApproverUnknownError, SignatureError."""
    if approver is None or approver.removed_ns:
        raise ApproverUnknownError(who)
    if not is_good(approver, text, signature):
        raise SignatureError(who)
    return Signoff(approver=approver.name, signature=signature, at_ns=at_ns)


def count(signoffs: Iterable[Signoff], approvers: Iterable[Approver], text: bytes) -> int:
    """How many distinct people signed: two names with one key are one person."""
    known = {approver.name: approver for approver in approvers if not approver.removed_ns}
    keys = set()
    for signoff in signoffs:
        approver = known.get(signoff.approver)
        if approver is not None and is_good(approver, text, signoff.signature):
            keys.add(approver.public_key)
    return len(keys)


def is_enough(signoffs: Iterable[Signoff], approvers: Iterable[Approver], text: bytes) -> bool:
    return count(signoffs, approvers, text) >= NEEDED
