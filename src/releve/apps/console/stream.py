"""Live pages: the server's own HTML as server-sent events, a new picture when there is news."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import msgspec
from anyio import to_thread
from litestar import Response
from litestar.exceptions import PermissionDeniedException
from litestar.response import Stream

from releve.apps.console.context import AnyRequest
from releve.apps.console.pictures import mark_of, news
from releve.apps.console.web import Entered, SignInNeededError, allowed, enter
from releve.flow.server.signin import digest, session_of

Picture = Callable[[Entered], str]
_LOOK_AGAIN_SECONDS = 5.0  # time passes too: a host that falls silent sends no news
_GATHER_SECONDS = 0.15  # a burst of batches becomes one picture


async def live_answer(
    request: AnyRequest,
    picture: Picture,
    *,
    topic: str = "",
    gather_seconds: float = _GATHER_SECONDS,
) -> Response[Any]:
    """The stream of a page's pictures, for as long as the session and its role last.

    Args:
        topic: whose news it waits for; the structure acted in.
        gather_seconds: how long news are gathered before the next picture.
    """
    try:
        entered = await enter(request)
    except Exception:
        # A page that was left open must not load the login page into its middle.
        if "text/event-stream" in request.headers.get("accept", ""):
            return Response(b"", status_code=401)
        raise
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    # What came last on this line, or with the page: to draw it again keeps a slow phone busy.
    shown = request.headers.get("last-event-id", "") or request.query_params.get("seen", "")
    pictures = _as_many_as_may(
        entered, _pictures(entered, picture, topic or entered.structure, gather_seconds, shown)
    )
    return Stream(pictures, media_type="text/event-stream", headers=headers)


async def _as_many_as_may(entered: Entered, pictures: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Nothing for the page too many: each costs a picture every few seconds."""
    visit = entered.visit
    with visit.context.live.watching(digest(visit.secret)) as is_in:
        if is_in:
            async for shown in pictures:
                yield shown


async def _pictures(
    entered: Entered, picture: Picture, topic: str, gather_seconds: float, shown: str
) -> AsyncIterator[bytes]:
    context = entered.visit.context
    while not context.live.is_closing:
        known = context.live.version(topic)
        fresh = await to_thread.run_sync(_still_in, entered, context.clock.now())
        if fresh is None:
            return
        drawn = await to_thread.run_sync(picture, fresh)
        mark = mark_of(drawn)
        yield b": still here\n\n" if mark == shown else _messages(news(drawn, shown), mark)
        shown = mark
        await context.live.wait(topic, known, _LOOK_AGAIN_SECONDS)
        await anyio.sleep(gather_seconds)


def _still_in(entered: Entered, now: dt.datetime) -> Entered | None:
    """The same visit now; None once its session or what allowed it has ended."""
    visit = msgspec.structs.replace(entered.visit, now=now)
    session = session_of(visit.context.store, visit.secret, now)
    try:
        return allowed(visit, session, entered.verb) if session else None
    except (PermissionDeniedException, SignInNeededError):
        return None


def _messages(pieces: list[str], mark: str) -> bytes:
    """One for each; the mark comes with the last: a line that broke before it gets them again."""
    *before, last = (_data(piece) for piece in pieces)
    return ("".join(f"{data}\n" for data in before) + f"id: {mark}\n{last}\n").encode()


def _data(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines())
