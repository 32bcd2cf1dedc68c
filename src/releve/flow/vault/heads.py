"""Heads: what the chain ended with at a time, signed; and whether a chain contains one. Pure."""

import datetime as dt
import hashlib
from collections.abc import Iterable

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.signatures import did_sign
from releve.flow.vault.chain import Link
from releve.model.vault import FIRST, AnyEntry, Head, SignedHead

_PREFIX = b"releve-vault-head-1\n"
_head = msgspec.json.Decoder(Head).decode
_signed = msgspec.json.Decoder(SignedHead).decode


def fingerprint(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:16]


def sign(key: Ed25519PrivateKey, end: Link, at_ns: int, wall_ns: int) -> SignedHead:
    vault = fingerprint(key.public_key().public_bytes_raw())
    head = Head(vault=vault, seq=end.seq, hash=end.hash, at_ns=at_ns, wall_ns=wall_ns)
    body = msgspec.json.encode(head)
    return SignedHead(head=body, signature=key.sign(_PREFIX + body))


def open_head(public_key: bytes, signed: SignedHead) -> Head | None:
    """The head, None when this key did not sign it."""
    if not did_sign(public_key, _PREFIX + signed.head, signed.signature):
        return None
    try:
        return _head(signed.head)
    except msgspec.DecodeError:
        return None


def why_not_on(entries: Iterable[AnyEntry], kept: Iterable[Head]) -> str:
    """Why a chain does not contain heads that were kept elsewhere; empty when it does."""
    wanted = {head.seq: head.hash for head in kept}
    if wanted.get(0, FIRST) != FIRST:
        return "head 0 is of another chain"
    wanted.pop(0, None)
    for entry in entries:
        expected = wanted.pop(entry.seq, entry.hash)
        if expected != entry.hash:
            return f"entry {entry.seq} is another one"
    return f"entry {min(wanted)} is not there any more" if wanted else ""


def write_line(signed: SignedHead) -> bytes:
    return msgspec.json.encode(signed) + b"\n"


def read_line(line: bytes) -> SignedHead:
    """Raises: msgspec.DecodeError."""
    return _signed(line)


def month_of(line: bytes) -> str:
    """YYYY-MM of a head's line, by the vault's clock."""
    at_ns = _head(read_line(line).head).at_ns
    return dt.datetime.fromtimestamp(at_ns / 1e9, dt.UTC).strftime("%Y-%m")


def vault_of(line: bytes) -> str:
    """Whose head a line says it is: the fingerprint of the vault's key; empty when it is no head."""
    try:
        return _head(read_line(line).head).vault
    except msgspec.DecodeError:
        return ""
