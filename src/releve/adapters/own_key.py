"""A signing key that is made on this machine and never leaves it. Apart: the guard stays small without it."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from releve.adapters.durable import write


def own_key(path: Path) -> Ed25519PrivateKey:
    """The key kept in this file; made here the first time, and never leaves."""
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        write(path, made.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
