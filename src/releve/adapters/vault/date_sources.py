"""Other clocks: the Date of web servers, good to a second, authenticated by their certificate."""

import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

_PATIENCE_S = 5


def offsets(urls: Sequence[str]) -> list[tuple[str, int | None]]:
    """How far our wall clock is before each source, in ns; None when it did not answer."""
    return [(url, _offset(url)) for url in urls]


def _offset(url: str) -> int | None:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (from the vault's configuration)
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as reply:  # noqa: S310
            said = reply.headers.get("Date", "")
    except urllib.error.HTTPError as error:
        said = error.headers.get("Date", "")
    except (OSError, ValueError):
        return None
    try:
        theirs_s = parsedate_to_datetime(said).timestamp()
    except ValueError:
        return None
    return time.time_ns() - int(theirs_s * 1e9)
