"""What went wrong, told to a program: RFC 9457."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from litestar import Response

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request cannot be read",
    401: "No token that is good now",
    403: "The token does not reach so far",
    404: "There is no such thing here",
    405: "This cannot be done here",
    409: "The present state does not allow it",
    413: "The body is too long",
    415: "The body is not JSON",
    422: "What was said cannot be kept",
    429: "Too much at once",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457. `type` is a name to compare; `detail` is for people."""

    type: str
    title: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: str = ""


class ProblemError(Exception):
    """Ends the work, and is the answer. `kind`: the last word of its type."""

    def __init__(
        self, status: int, kind: str, detail: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(kind)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers = dict(headers or {})


def problem(error: ProblemError) -> Response[bytes]:
    said = Problem(
        type=f"urn:releve:problem:{error.kind}",
        title=TITLES.get(error.status, "Something went wrong"),
        status=error.status,
        detail=error.detail,
    )
    return Response(
        msgspec.json.encode(said),
        status_code=error.status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **error.headers},
    )
