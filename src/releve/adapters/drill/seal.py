"""Signs certificates and checks them: canonical JSON, Ed25519, hashes of the other forms."""

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from releve.flow.drill.ports import CertificateBadError
from releve.model.drill import Certificate, Signed

_CONTEXT = b"releve-drill-certificate-v1\n"  # a signature made for another purpose is none here


def public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def fingerprint(public_key: str) -> str:
    """Sixteen digits in fours: what two people compare by telephone."""
    digest = hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]
    return " ".join(digest[i : i + 4] for i in range(0, 16, 4))


def signed(
    certificate: Certificate, documents: Mapping[str, bytes], key: Ed25519PrivateKey
) -> bytes:
    """The content of `ID.json`. The same inputs give the same bytes."""
    body = msgspec.json.encode(certificate)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in documents.items()}
    signature = key.sign(_statement(body, hashes))
    whole = Signed(
        certificate=msgspec.Raw(body),
        documents=hashes,
        public_key=public_hex(key),
        signature=base64.b64encode(signature).decode(),
    )
    return msgspec.json.format(msgspec.json.encode(whole))


def checked(content: bytes, name: str) -> tuple[Certificate, Signed]:
    """The certificate, if the key in it signed it; whose key that is, is another question.

    Raises: CertificateBadError.
    """
    try:
        whole = msgspec.json.decode(content, type=Signed)
        raw = base64.b64decode(whole.signature, validate=True)
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(whole.public_key))
        key.verify(raw, _statement(bytes(whole.certificate), whole.documents))
        return msgspec.json.decode(whole.certificate, type=Certificate), whole
    except InvalidSignature:
        raise CertificateBadError(name, "it was changed after it was signed") from None
    except (msgspec.MsgspecError, ValueError, binascii.Error) as error:
        raise CertificateBadError(name, "it is no signed certificate") from error


def check_document(content: bytes, name: str, whole: Signed) -> None:
    """Raises: CertificateBadError."""
    if whole.documents.get(name) != hashlib.sha256(content).hexdigest():
        raise CertificateBadError(name, "it is not the document that was signed")


def _statement(certificate: bytes, documents: Mapping[str, str]) -> bytes:
    """Keys sorted, no spaces: formatting the file anew breaks no signature."""
    both = {"certificate": msgspec.json.decode(certificate), "documents": dict(documents)}
    return _CONTEXT + msgspec.json.encode(both, order="sorted")
