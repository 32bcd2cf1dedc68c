"""Documents that a key answers for: canonical JSON, Ed25519, hashes of the other forms. Pure.

The file holds what is said under its kind's name, the SHA-256 of each other form (page, PDF), the public
key, and one signature over both.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from releve.flow.signatures import did_sign


class Kind(msgspec.Struct, frozen=True):
    """`context` stands before what is signed: a signature made for another purpose is none here."""

    context: bytes
    name: str


class Sealed(msgspec.Struct, frozen=True):
    """What a file says, once its signature was found good. Whose key it is, is another question."""

    body: bytes
    documents: dict[str, str]  # file name -> SHA-256
    public_key: str  # 64 hex digits


class SealBroken(Exception):  # noqa: N818 (whoever opens says it in his own error)
    """`why` is a half-sentence for people."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def fingerprint(public_key: str) -> str:
    """Sixteen digits in fours: what two people compare by telephone."""
    digest = hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]
    return " ".join(digest[i : i + 4] for i in range(0, 16, 4))


def seal(kind: Kind, body: bytes, documents: Mapping[str, bytes], key: Ed25519PrivateKey) -> bytes:
    """The file's content. The same inputs give the same bytes."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in documents.items()}
    whole = {
        kind.name: msgspec.Raw(body),
        "documents": hashes,
        "public_key": public_hex(key),
        "signature": base64.b64encode(key.sign(_statement(kind, body, hashes))).decode(),
    }
    return msgspec.json.format(msgspec.json.encode(whole))


def open_(kind: Kind, content: bytes) -> Sealed:
    """Raises: SealBroken."""
    try:
        whole = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        body = bytes(whole[kind.name])
        hashes = msgspec.json.decode(whole["documents"], type=dict[str, str])
        public = msgspec.json.decode(whole["public_key"], type=str)
        signature = msgspec.json.decode(whole["signature"], type=str)
        raw = base64.b64decode(signature, validate=True)
        is_good = did_sign(bytes.fromhex(public), _statement(kind, body, hashes), raw)
    except (msgspec.MsgspecError, KeyError, ValueError, binascii.Error) as error:
        raise SealBroken(f"it is no signed {kind.name}") from error
    if not is_good:
        raise SealBroken("it was changed after it was signed")
    return Sealed(body, hashes, public)


def is_document(sealed: Sealed, name: str, content: bytes) -> bool:
    """Whether this is the other form of that name that was signed."""
    return sealed.documents.get(name) == hashlib.sha256(content).hexdigest()


def _statement(kind: Kind, body: bytes, documents: Mapping[str, str]) -> bytes:
    """Keys sorted, no spaces: formatting the file anew breaks no signature."""
    both = {kind.name: msgspec.json.decode(body), "documents": dict(documents)}
    return kind.context + msgspec.json.encode(both, order="sorted")
