"""An authenticator in software: real keys, real signatures, and a counter that a test may set back."""

import base64
import hashlib
import json
import os
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


class Authenticator:
    """One credential, for whatever site asks first. `flags` are those that it claims."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(32)
        self.count = 0
        self.user = b""
        self.flags = PRESENT | VERIFIED

    def make(self, asked: str, origin: str) -> str:
        options = json.loads(asked)
        self.user = base64.urlsafe_b64decode(options["user"]["id"] + "==")
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose
        data = self._data(options["rp"]["id"], self.flags | ATTESTED) + attested
        response = {
            "clientDataJSON": b64(self._client("webauthn.create", options, origin)),
            "attestationObject": b64(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["internal"],
        }
        return self._said(response)

    def sign(self, asked: str, origin: str, host: str = "") -> str:
        options = json.loads(asked)
        client = self._client("webauthn.get", options, origin)
        data = self._data(host or options["rpId"], self.flags)
        signed = data + hashlib.sha256(client).digest()
        response = {
            "clientDataJSON": b64(client),
            "authenticatorData": b64(data),
            "signature": b64(self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
            "userHandle": b64(self.user),
        }
        return self._said(response)

    def _data(self, host: str, flags: int) -> bytes:
        self.count += 1
        return (
            hashlib.sha256(host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")
        )

    def _client(self, kind: str, options: dict[str, Any], origin: str) -> bytes:
        return json.dumps(
            {
                "type": kind,
                "challenge": options["challenge"],
                "origin": origin,
                "crossOrigin": False,
            }
        ).encode()

    def _said(self, response: dict[str, Any]) -> str:
        named = {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key"}
        return json.dumps({**named, "response": response})
