"""Signatures: of requests, answers and orders, with Ed25519. Pure; keys and nonces are inputs.

An answer is signed with the request's nonce in it: who merely holds the server's port, or an old
answer, cannot make an agent forget events that were never stored.
"""

import base64
import binascii
import datetime as dt
import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from releve.flow.signatures import did_sign
from releve.model.order import Order, SignedOrder
from releve.model.token import EnrolmentToken

AGENT, TIME, NONCE, SIGNATURE = "releve-agent", "releve-time", "releve-nonce", "releve-signature"
TOLERANCE = dt.timedelta(minutes=5)
_TOKEN_PREFIX = "releve1."  # noqa: S105

_order = msgspec.json.Decoder(Order).decode
_token = msgspec.msgpack.Decoder(EnrolmentToken).decode


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What a signed request says of itself."""

    agent: str  # "structure/host"
    time: str  # ISO 8601 UTC
    nonce: str


def request_bytes(method: str, target: str, stamp: Stamp, body: bytes) -> bytes:
    """What a request's signature covers; `target` is the path with its query."""
    digest = hashlib.sha256(body).hexdigest()
    parts = ("releve-request-1", method, target, stamp.agent, stamp.time, stamp.nonce, digest)
    return "\n".join(parts).encode()


def response_bytes(nonce: str, status: int, body: bytes) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join(("releve-response-1", nonce, str(status), digest)).encode()


def sign(key: Ed25519PrivateKey, message: bytes) -> str:
    return base64.b64encode(key.sign(message)).decode()


def is_signed(public_key: bytes, message: bytes, signature: str) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    return did_sign(public_key, message, raw)


def is_fresh(time: str, now: dt.datetime) -> bool:
    try:
        at = dt.datetime.fromisoformat(time)
    except ValueError:
        return False
    return at.tzinfo is not None and abs(at - now) <= TOLERANCE


def seal_order(key: Ed25519PrivateKey, order: Order) -> SignedOrder:
    body = msgspec.json.encode(order)
    return SignedOrder(order=body, signature=key.sign(_order_bytes(body)))


def open_order(public_key: bytes, sealed: SignedOrder) -> Order | None:
    """The order, or None when it was not signed by this key or cannot be read."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(sealed.signature, _order_bytes(sealed.order))
        return _order(sealed.order)
    except (InvalidSignature, ValueError, msgspec.DecodeError):
        return None


def _order_bytes(body: bytes) -> bytes:
    return b"releve-order-1\n" + body


def write_token(token: EnrolmentToken) -> str:
    body = base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode().rstrip("=")
    return _TOKEN_PREFIX + body


def read_token(text: str) -> EnrolmentToken | None:
    body = text.strip().removeprefix(_TOKEN_PREFIX)
    try:
        return _token(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
