"""Paths that become addresses: sealed, so that no name stands in a browser's history or a log.

The same path gives the same address (AES-SIV), so that addresses can be kept as bookmarks.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_MOST = 12_000
_EMPTY = b"\0"  # AES-SIV seals no empty text


class Seal:
    """Seals with a key of 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._sealer = AESSIV(key)

    def close(self, path: str) -> str:
        sealed = self._sealer.encrypt(_EMPTY + os.fsencode(path), None)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, sealed: str) -> str | None:
        """The path; None for what we did not seal."""
        if not sealed.isascii() or len(sealed) > _MOST:
            return None
        try:
            body = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            return os.fsdecode(self._sealer.decrypt(body, None)[1:])
        except (ValueError, InvalidTag):
            return None
