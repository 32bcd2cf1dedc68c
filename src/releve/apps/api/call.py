"""One call of a tool: its token, its structure, its page, its body. And what an operation is."""

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from releve.apps.api.answers import Page
from releve.apps.console.context import Context
from releve.apps.web.problems import ProblemError
from releve.flow.server.ports import Unit
from releve.flow.server.tool_ports import Mark
from releve.model.tool import ApiToken, Scope

MOST_ITEMS, USUAL_ITEMS = 200, 50
T = TypeVar("T")
A = TypeVar("A")
_mark = msgspec.json.Decoder(Mark).decode


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """An operation's work on one structure, in one transaction."""

    context: Context
    unit: Unit
    token: ApiToken
    now: dt.datetime
    identity: str  # of what a write makes
    ids: dict[str, str]
    limit: int = USUAL_ITEMS
    cursor: str = ""
    body: Any = None

    @property
    def actor(self) -> str:
        return f"{self.token.name} (API)"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One route: what serves it, and all that its document says of it."""

    name: str
    method: Literal["GET", "POST", "DELETE"]
    path: str  # below /api/v1/structures/{structure}
    scope: Scope
    summary: str
    work: Callable[[Call], Any]
    answer: Any  # None: nothing is answered
    body: Any = None
    status: int = 200
    is_list: bool = False

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def needs_key(self) -> bool:
        """A DELETE that is asked again does no harm."""
        return self.method == "POST"


def missing(what: str) -> ProblemError:
    return ProblemError(404, "missing", f"This structure has no such {what}.")


def after(cursor: str) -> Mark | None:
    """The last row of the page before."""
    if not cursor:
        return None
    try:
        mark = _mark(_opened(cursor))
        return Mark(at=mark.at.astimezone(dt.UTC), id=mark.id)
    except (msgspec.DecodeError, OverflowError) as error:
        raise _bad_cursor() from error


def page_of(
    limit: int, rows: Sequence[T], mark: Callable[[T], Mark], form: Callable[[T], A]
) -> Page[A]:
    """`rows`: one more than asked for, when there are more."""
    last = mark(rows[limit - 1]) if len(rows) > limit else None
    return Page(
        items=tuple(form(row) for row in rows[:limit]),
        next=_closed(msgspec.json.encode(last)) if last else None,
    )


def slice_of(
    limit: int,
    cursor: str,
    rows: Sequence[T],
    name: Callable[[T], str],
    form: Callable[[T], A],
) -> Page[A]:
    """A page of a list that is short enough to be read whole, by its names."""
    known = _name(cursor) if cursor else ""
    rest = [row for row in sorted(rows, key=name) if name(row) > known]
    last = name(rest[limit - 1]) if len(rest) > limit else None
    return Page(
        items=tuple(form(row) for row in rest[:limit]),
        next=_closed(msgspec.json.encode(last)) if last else None,
    )


def _name(cursor: str) -> str:
    try:
        return msgspec.json.decode(_opened(cursor), type=str)
    except msgspec.DecodeError as error:
        raise _bad_cursor() from error


def _closed(clear: bytes) -> str:
    return base64.urlsafe_b64encode(clear).decode().rstrip("=")


def _opened(cursor: str) -> bytes:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeError, binascii.Error) as error:
        raise _bad_cursor() from error


def _bad_cursor() -> ProblemError:
    return ProblemError(422, "cursor", "Take the cursor from `next` of the page before.")
