"""The enrolment token: a one-time secret, and the server that it belongs to."""

import msgspec


class EnrolmentToken(msgspec.Struct, frozen=True, kw_only=True):
    """What `releve server token create` prints, encoded; the server keeps the secret's hash."""

    url: str
    secret: bytes  # 32 random bytes, single use
    server_key: bytes  # Ed25519 public key: every response and order is verified with it
    ca_sha256: bytes = b""  # of the server's own authority (DER); empty: plain http on loopback
