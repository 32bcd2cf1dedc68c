"""Live pages: the server's own HTML as server-sent events, a new picture when there is news."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import msgspec
from anyio import to_thread
from litestar import Response
from litestar.response import Stream

from releve.apps.console.context import AnyRequest
from releve.apps.console.web import Entered, enter
from releve.flow.server.signin import session_of

Picture = Callable[[Entered], str]
_LOOK_AGAIN_SECONDS = 5.0  # time passes too: a host that falls silent sends no news
_GATHER_SECONDS = 0.15  # a burst of batches becomes one picture


async def live_answer(request: AnyRequest, picture: Picture) -> Response[Any]:
    """The stream of a page's pictures, for as long as the session lasts."""
    try:
        entered = await enter(request)
    except Exception:
        # A page that was left open must not load the login page into its middle.
        if "text/event-stream" in request.headers.get("accept", ""):
            return Response(b"", status_code=401)
        raise
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Stream(_pictures(entered, picture), media_type="text/event-stream", headers=headers)


async def _pictures(entered: Entered, picture: Picture) -> AsyncIterator[bytes]:
    context, visit = entered.visit.context, entered.visit
    last = ""
    while not context.live.is_closing:
        known = context.live.version(entered.structure)
        now = context.clock.now()
        if await to_thread.run_sync(session_of, context.store, visit.secret, now) is None:
            return
        fresh = msgspec.structs.replace(entered, visit=msgspec.structs.replace(visit, now=now))
        drawn = await to_thread.run_sync(picture, fresh)
        yield b": still here\n\n" if drawn == last else _message(drawn)
        last = drawn
        await context.live.wait(entered.structure, known, _LOOK_AGAIN_SECONDS)
        await anyio.sleep(_GATHER_SECONDS)


def _message(text: str) -> bytes:
    return "".join(f"data: {line}\n" for line in text.splitlines()).encode() + b"\n"
