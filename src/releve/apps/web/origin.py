"""Forms are taken from our own pages only."""

from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.exceptions import PermissionDeniedException


def check_origin(request: Request[Any, Any, Any]) -> None:
    """Raises: PermissionDeniedException when another site may have sent it."""
    origin = request.headers.get("origin", "")
    site = request.headers.get("sec-fetch-site", "same-origin")
    own = request.headers.get("host", "")
    if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc != own):
        raise PermissionDeniedException("the form was sent from another site")
