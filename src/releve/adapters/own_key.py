"""A signing key that is made on this machine and never leaves it. Apart: the guard stays small without it."""

import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from releve.adapters.durable import write

_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")


def own_key(path: Path) -> Ed25519PrivateKey:
    """The key kept in this file; made here the first time, and never leaves."""
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        write(path, made.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def public_key_of(said: str) -> str:
    """A public key in hex, small letters: `said` itself, or what the file of that name holds.

    Raises: ValueError, OSError.
    """
    text = said if _HEX_KEY.fullmatch(said) else Path(said).read_text().strip()
    if not _HEX_KEY.fullmatch(text):
        raise ValueError(said)
    return text.lower()
