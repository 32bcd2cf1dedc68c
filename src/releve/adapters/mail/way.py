"""Where a mail server is, and how it is spoken to: by verified TLS, in the clear on loopback only."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from releve.flow.server.mail_ports import MailFailed

SECONDS = 10.0  # of each wait at a mail server
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PORTS = {"imaps": 993, "imap": 143, "smtps": 465, "smtp": 587}


class WayError(ValueError):
    """An address that cannot be used; the words are for whoever wrote it."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """`scheme`: "imaps", "smtps" (TLS at once), "imap", "smtp" (STARTTLS; in the clear on loopback)."""

    scheme: str
    host: str
    port: int
    login: str = ""
    folder: str = "INBOX"

    @property
    def is_local(self) -> bool:
        return self.host in _LOOPBACK

    @property
    def shown(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def way_of(url: str, *, kind: str) -> Way:
    """`kind`: "imap" or "smtp". Raises: WayError."""
    parts = urlsplit(url)
    if parts.scheme not in (kind, f"{kind}s") or not parts.hostname:
        raise WayError(f"{kind}s://HOST is wanted")
    if parts.password:
        raise WayError("the password stands in its own file, not in the address")
    return Way(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        login=unquote(parts.username or ""),
        folder=unquote(parts.path.strip("/")) or "INBOX",
    )


def trusting(authority: str) -> ssl.SSLContext:
    """`authority`: a file with its certificate; empty: those that the system trusts."""
    try:
        context = ssl.create_default_context(cafile=authority or None)
    except (OSError, ssl.SSLError) as error:
        raise MailFailed("tls") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def password_in(path: str) -> str:
    """The first line. Raises: MailFailed."""
    try:
        return Path(path).read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeError) as error:
        raise MailFailed("password") from error


@contextmanager
def told(*refusals: type[Exception]) -> Iterator[None]:
    """A mail server's trouble as MailFailed; its own words are nobody's business."""
    try:
        yield
    except refusals as error:
        raise MailFailed("refused") from error
    except ssl.SSLError as error:
        raise MailFailed("tls") from error
    except OSError as error:
        raise MailFailed("unreachable") from error
