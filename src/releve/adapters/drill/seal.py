"""Signs certificates and checks them."""

from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.flow.drill.ports import CertificateBadError
from releve.flow.sealed import Kind, SealBroken, Sealed, fingerprint, is_document, open_, public_hex
from releve.flow.sealed import seal as _seal
from releve.model.drill import Certificate

__all__ = ["check_document", "checked", "fingerprint", "public_hex", "signed"]

_KIND = Kind(b"releve-drill-certificate-v1\n", "certificate")


def signed(
    certificate: Certificate, documents: Mapping[str, bytes], key: Ed25519PrivateKey
) -> bytes:
    """The content of `ID.json`. The same inputs give the same bytes."""
    return _seal(_KIND, msgspec.json.encode(certificate), documents, key)


def checked(content: bytes, name: str) -> tuple[Certificate, Sealed]:
    """The certificate, if the key in it signed it; whose key that is, is another question.

    Raises: CertificateBadError.
    """
    try:
        whole = open_(_KIND, content)
        return msgspec.json.decode(whole.body, type=Certificate), whole
    except SealBroken as error:
        raise CertificateBadError(name, error.why) from error
    except msgspec.MsgspecError as error:
        raise CertificateBadError(name, "it is no signed certificate") from error


def check_document(content: bytes, name: str, whole: Sealed) -> None:
    """Raises: CertificateBadError."""
    if not is_document(whole, name, content):
        raise CertificateBadError(name, "it is not the document that was signed")
