"""Other clocks: the Date of web servers, good to a second, authenticated by their certificate."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

from releve.adapters.vault.patience import Deadline, Plain, Tls

_PATIENCE_S = 5


def offsets(urls: Sequence[str]) -> list[tuple[str, int | None]]:
    """How far our wall clock is before each source, in ns; None when it did not answer."""
    return [(url, _offset(url)) for url in urls]


def _offset(url: str) -> int | None:
    with Deadline(_PATIENCE_S) as deadline:
        said = _date(url, deadline)
    try:
        theirs_s = parsedate_to_datetime(said).timestamp()
    except ValueError:
        return None
    return time.time_ns() - int(theirs_s * 1e9)


def _date(url: str, deadline: Deadline) -> str:
    """Empty when it did not answer."""
    opener = urllib.request.build_opener(Plain(deadline), Tls(deadline, None))
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (from the vault's configuration)
        with opener.open(request, timeout=_PATIENCE_S) as reply:
            return str(reply.headers.get("Date", ""))
    except urllib.error.HTTPError as error:
        return error.headers.get("Date", "")
    except (OSError, ValueError, http.client.HTTPException):
        return ""
