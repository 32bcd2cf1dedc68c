"""The ID token that opened a session, kept to sign out where it came from: it names the person.

Sealed with the session's own secret, which only its browser has: neither a copy of the database nor
the server's keys open it, and it ends with the session's row, however the session ends.
"""

import base64
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_LONGEST = 6000  # letters: an address has to carry it
_ONCE = bytes(12)  # a session's secret seals one token, once


def sealed(token: str, secret: str) -> str:
    """Empty for one that is too long to be shown again."""
    if not token or len(token) > _LONGEST:
        return ""
    return base64.b64encode(_aead(secret).encrypt(_ONCE, token.encode(), None)).decode()


def opened(kept: str, secret: str) -> str:
    """Empty when there is none, or the secret is another session's."""
    try:
        return _aead(secret).decrypt(_ONCE, base64.b64decode(kept), None).decode() if kept else ""
    except InvalidTag:
        return ""


def _aead(secret: str) -> AESGCM:
    # Not the digest that names the session's row: that one lies in the database.
    return AESGCM(hashlib.sha256(f"id token\n{secret}".encode()).digest())
