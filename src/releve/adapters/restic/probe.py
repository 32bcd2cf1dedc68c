"""Asks the backup server whether it is there, in seconds: restic itself retries for minutes."""

import base64
import http.client
import ssl
from urllib.parse import urlsplit

from releve.flow.backup import VaultRefusedError, VaultUnreachableError

PROBE_S = 4.0
_REFUSED = frozenset({401, 403})


def has_repository(url: str, user: str, password: str, ca_file: str = "") -> bool:
    """Whether the repository at `url` (https://host:port/user/) exists. No proxy is used.

    Raises: VaultUnreachableError within some PROBE_S seconds, VaultRefusedError.
    """
    place = urlsplit(url)
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    link = _link(place.scheme, place.netloc, ca_file)
    try:
        link.request(
            "HEAD", f"{place.path.rstrip('/')}/config", headers={"Authorization": f"Basic {basic}"}
        )
        code = link.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise VaultUnreachableError(place.netloc, str(error) or type(error).__name__) from error
    finally:
        link.close()
    if code in _REFUSED:
        raise VaultRefusedError(place.netloc, code)
    if code not in {http.client.OK, http.client.NOT_FOUND}:
        raise VaultUnreachableError(place.netloc, f"HTTP {code}")
    return code == http.client.OK


def _link(scheme: str, netloc: str, ca_file: str) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context(cafile=ca_file or None)
        return http.client.HTTPSConnection(netloc, timeout=PROBE_S, context=context)
    return http.client.HTTPConnection(netloc, timeout=PROBE_S)
