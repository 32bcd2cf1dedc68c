"""Tokens of vaults: random, and marked by this server's key, so that it knows its own when their row is gone.

Of a structure that left nothing is kept, and yet its vault hears "gone" and not "unknown": it can stop.
"""

import base64
import binascii
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.server.ports import NewSecret

_RANDOM_BYTES, _MARK_BYTES = 32, 16


def new_token(key: Ed25519PrivateKey, new_secret: NewSecret) -> str:
    """What the vault keeps; the server keeps its digest. `new_secret`: 32 bytes."""
    secret = new_secret()
    return base64.urlsafe_b64encode(secret + _mark(key, secret)).decode()


def is_ours(key: Ed25519PrivateKey, token: str) -> bool:
    """Whether this server made it, for a vault that was removed or whose structure left, perhaps."""
    try:
        whole = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    secret, mark = whole[:_RANDOM_BYTES], whole[_RANDOM_BYTES:]
    return len(secret) == _RANDOM_BYTES and hmac.compare_digest(mark, _mark(key, secret))


def _mark(key: Ed25519PrivateKey, secret: bytes) -> bytes:
    # A key of its own: what signs is never used as it is for anything else.
    own = hashlib.sha256(b"releve vault tokens\n" + key.private_bytes_raw()).digest()
    return hmac.digest(own, secret, "sha256")[:_MARK_BYTES]
