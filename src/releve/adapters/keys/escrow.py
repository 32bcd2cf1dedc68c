"""Wraps drill keys for a public key: HPKE (RFC 9180) as `cryptography` has it."""

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from releve.adapters.durable import write_new
from releve.model.errors import ReleveError

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_PUBLIC_DIGITS = 64


class EscrowKeyError(ReleveError):
    """What should be an X25519 key of a clean room is none."""

    status = 5
    remedy = (
        "Make a pair in the clean room (`releve key escrow pair`) and give the public key here."
    )

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}.")


class PublicKey:
    """Sealer: for whoever has the private key."""

    def __init__(self, hex_digits: str) -> None:
        """Raises: EscrowKeyError."""
        try:
            raw = bytes.fromhex(hex_digits.strip())
            self._key = X25519PublicKey.from_public_bytes(raw)
        except ValueError as error:
            shown = hex_digits[:16]
            raise EscrowKeyError(shown, f"not {_PUBLIC_DIGITS} hex digits of X25519") from error
        self.to = fingerprint(raw)

    def seal(self, secret: str, about: bytes) -> bytes:
        return _SUITE.encrypt(secret.encode(), self._key, info=about)


class PrivateKey:
    """Opener: the clean room's."""

    def __init__(self, file: Path) -> None:
        """Raises: EscrowKeyError, also when others can read the file."""
        try:
            if file.stat().st_mode & 0o077:
                raise EscrowKeyError(str(file), "others can read it; `chmod 600` it")
            key = serialization.load_pem_private_key(file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise EscrowKeyError(str(file), str(error) or type(error).__name__) from error
        if not isinstance(key, X25519PrivateKey):
            raise EscrowKeyError(str(file), "it is no X25519 key")
        self._key = key
        self.to = fingerprint(key.public_key().public_bytes_raw())

    def open(self, sealed: bytes, about: bytes) -> str | None:
        try:
            return _SUITE.decrypt(sealed, self._key, info=about).decode()
        except (InvalidTag, ValueError):
            return None


def make_pair(file: Path) -> str:
    """Write a new private key that only we can read; the public one in hex digits.

    Raises: EscrowKeyError when the file exists: an old envelope may need it.
    """
    key = X25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        write_new(file, pem)
    except OSError as error:
        raise EscrowKeyError(str(file), "it exists or cannot be made") from error
    return key.public_key().public_bytes_raw().hex()


def fingerprint(public: bytes) -> str:
    return hashlib.sha256(b"releve escrow\0" + public).hexdigest()[:16]
