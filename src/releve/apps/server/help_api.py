"""What the phone system posts at the first ring. The token says which structure's line it is."""

from typing import Any

import msgspec
import structlog
from anyio import to_thread
from litestar import Response, post

from releve.apps.console.context import AnyRequest, Context, context_of
from releve.flow.server.assist.asking import PhoneRing, TooManyRings, take_ring
from releve.flow.server.signin import TooManyTries, count_try, digest
from releve.model.help import HelpRequest

log = structlog.get_logger()
_BEARER, _LONGEST_TOKEN, _LONGEST_BODY, _LONGEST_CALL = "Bearer ", 200, 4096, 200
_decode = msgspec.json.Decoder(PhoneRing).decode


@post("/api/v1/help/ring", status_code=200)
async def take_phone_ring(request: AnyRequest) -> Response[bytes]:
    """Telling one call twice is harmless; wrong tokens wait longer and longer, the right one never."""
    context = context_of(request)
    now = context.clock.now()
    token = request.headers.get("authorization", "")[:_LONGEST_TOKEN].removeprefix(_BEARER)
    tries = (f"ring:{request.client.host if request.client else ''}",)
    try:
        structure = await to_thread.run_sync(_structure, context, token, tries)
        if structure is None:
            log.warning("help_line_unknown")
            return _say(401, {"refused": "unknown"})
        body = await request.body()
        if len(body) > _LONGEST_BODY:
            return _say(413, {"refused": "too_long"})
        ring = _decode(body)
        if not 0 < len(ring.call) <= _LONGEST_CALL:
            return _say(400, {"refused": "unreadable"})
        known = await to_thread.run_sync(take_ring, context.store, structure, ring, now)
    except (TooManyTries, TooManyRings):
        return _say(429, {"refused": "too_many"})
    except msgspec.DecodeError:
        return _say(400, {"refused": "unreadable"})
    context.live.touch(structure)
    return _say(200, _told(known))


ROUTES: list[Any] = [take_phone_ring]


def _structure(context: Context, token: str, tries: tuple[str, ...]) -> str | None:
    found = context.store.structure_of_help_line(digest(token)) if token else None
    if found is None:
        count_try(context.store, tries, context.clock.now())
    return found


def _told(request: HelpRequest) -> dict[str, object]:
    return {"request": request.id, "phase": request.course.phase, "since": request.course.opened_at}


def _say(status: int, facts: dict[str, object]) -> Response[bytes]:
    headers = {"cache-control": "no-store"}
    body = msgspec.json.encode(facts)
    return Response(body, status_code=status, media_type="application/json", headers=headers)
