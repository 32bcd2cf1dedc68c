"""The server's home: its keys, its own authority, and the code of the first start."""

import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from releve.adapters.authority import Authority
from releve.adapters.durable import write
from releve.adapters.own_key import own_key
from releve.model.audit import Shipment


class Home:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys = path / "keys"
        self._authority = Authority(self.keys)
        self.certificate = self._authority.certificate
        self._signing_key = self.keys / "signing.key"
        self.totp_key = self.keys / "totp.key"  # seals the second factors; keep it with backups
        self._setup = path / "setup-code"
        self.token_url = path / "url"
        self._shipments = path / "heads-shipped.json"

    def make(self) -> None:
        for folder in (self.path, self.keys):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def signing_key(self) -> Ed25519PrivateKey:
        """Signs answers and orders; agents pin its public half at enrolment."""
        return own_key(self._signing_key)

    def has_key(self) -> bool:
        """Whether a server ever ran here: asking for the key itself makes one."""
        return self._signing_key.exists()

    def public_key(self) -> bytes:
        return self.signing_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def setup_code(self) -> str:
        """The code that the first person shows; empty once there is one."""
        return self._setup.read_text().strip() if self._setup.exists() else ""

    def make_setup_code(self) -> str:
        code = self.setup_code()
        if not code:
            letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without what looks alike
            parts = ("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))
            code = "-".join(parts)
            write(self._setup, (code + "\n").encode())
        return code

    def drop_setup_code(self) -> None:
        self._setup.unlink(missing_ok=True)

    def shipments(self) -> list[Shipment]:
        """How the signed heads got to their places, as the server saw it last; none: it told nothing."""
        try:
            return msgspec.json.decode(self._shipments.read_bytes(), type=list[Shipment])
        except (OSError, msgspec.DecodeError):
            return []

    def keep_shipments(self, told: list[Shipment]) -> None:
        write(self._shipments, msgspec.json.encode(told))

    def authority(self) -> bytes:
        """The certificate (PEM) of this server's own authority, made once."""
        return self._authority.authority()

    def authority_digest(self) -> bytes:
        return self._authority.digest()

    def ensure_certificate(self, names: tuple[str, ...]) -> Path:
        """The certificate for these names, renewed in time; chain and key in one file."""
        return self._authority.ensure_certificate(names)
