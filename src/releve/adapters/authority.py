"""A server's own certificate authority, in a folder of its user's alone, and certificates of it."""

import datetime as dt
import ipaddress
import socket
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from releve.adapters.durable import write

_AUTHORITY_YEARS = 10
_SERVER_DAYS = 397  # browsers refuse longer
_RENEW_DAYS = 60


class Authority:
    """authority.pem, authority.key, server.pem (chain and key, for uvicorn) in one folder."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "server.pem"
        self._authority = folder / "authority.pem"
        self._authority_key = folder / "authority.key"

    def authority(self) -> bytes:
        """The certificate (PEM) of the authority, made once."""
        if not self._authority.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Relève, autorité locale")])
            now = dt.datetime.now(dt.UTC)
            builder = _builder(name, name, key.public_key(), now, _AUTHORITY_YEARS * 365)
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            write(self._authority_key, _pem(key))
            write(self._authority, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return self._authority.read_bytes()

    def digest(self) -> bytes:
        """SHA-256 of the authority's certificate: what others pin."""
        return x509.load_pem_x509_certificate(self.authority()).fingerprint(hashes.SHA256())

    def ensure_certificate(self, names: tuple[str, ...]) -> Path:
        """The certificate for these names, renewed in time; chain and key in one file."""
        if self.certificate.exists() and self._is_good(names):
            return self.certificate
        issuer = x509.load_pem_x509_certificate(self.authority())
        issuer_key = load_pem_private_key(self._authority_key.read_bytes(), None)
        if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is not an elliptic curve key")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Relève")])
        now = dt.datetime.now(dt.UTC)
        builder = _builder(subject, issuer.subject, key.public_key(), now, _SERVER_DAYS)
        alternative = x509.SubjectAlternativeName([_general_name(n) for n in names])
        builder = builder.add_extension(alternative, False)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(usage, False)
        certificate = builder.sign(issuer_key, hashes.SHA256())
        chain = certificate.public_bytes(Encoding.PEM) + self.authority()
        write(self.certificate, _pem(key) + chain)
        return self.certificate

    def _is_good(self, names: tuple[str, ...]) -> bool:
        certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        left = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
        value = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return left.days > _RENEW_DAYS and {_general_name(n) for n in names} <= set(value)


def own_names(listen: str) -> tuple[str, ...]:
    """Names under which this server is reached: the address, the machine's name, loopback."""
    names = {"localhost", "127.0.0.1", socket.gethostname()}
    if listen not in ("0.0.0.0", "::", ""):  # noqa: S104
        names.add(listen)
    return tuple(sorted(names))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=10))
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
