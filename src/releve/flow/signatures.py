"""Ed25519 (RFC 8032): whether a key signed a message. The one place that asks. Pure."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def did_sign(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """All three raw; what is no key or no signature at all signed nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
