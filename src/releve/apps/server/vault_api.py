"""What vaults post: signed heads, notices, signed standings. The token says which vault it is."""

from collections.abc import Callable
from typing import Any

import structlog
from anyio import to_thread
from litestar import Response, post

from releve.apps.console.context import AnyRequest, context_of
from releve.flow.server import vault_tokens, vaults

log = structlog.get_logger()
_BEARER = "Bearer "
_LONGEST_TOKEN = 200


@post("/api/v1/vault/heads", status_code=200)
async def take_head(request: AnyRequest) -> Response[str]:
    """A head that does not follow is refused, and told to the structure's people."""
    return await _take(request, vaults.take_head)


@post("/api/v1/vault/notices", status_code=200)
async def take_notice(request: AnyRequest) -> Response[str]:
    """Taking one twice is harmless."""

    def take(*given: Any) -> str:
        vaults.take_notice(*given)
        return ""

    return await _take(request, take)


@post("/api/v1/vault/standing", status_code=200)
async def take_standing(request: AnyRequest) -> Response[str]:
    return await _take(request, vaults.take_standing)


ROUTES: list[Any] = [take_head, take_notice, take_standing]


async def _take(request: AnyRequest, take: Callable[..., str]) -> Response[str]:
    context = context_of(request)
    token = request.headers.get("authorization", "")[:_LONGEST_TOKEN].removeprefix(_BEARER)
    asking = await to_thread.run_sync(vaults.who, context.store, token)
    if asking is None:
        return _unknown(vault_tokens.is_ours(context.key, token), request.url.path)
    body, now = await request.body(), context.clock.now()
    try:
        why = await to_thread.run_sync(take, context.store, asking, body, now)
    except vaults.VaultUnreadableError:
        return _say(400, "unreadable")
    context.live.touch(asking.structure)
    if why:
        log.warning("vault_refused", vault=asking.vault, why=why)
        return _say(403, why)
    return _say(200, "")


def _unknown(was_ours: bool, target: str) -> Response[str]:
    """A vault that was told "gone" stops telling; a wrong token is a fault that somebody has to mend."""
    if was_ours:
        log.info("vault_gone", target=target)
        return _say(410, "gone")
    log.warning("vault_unknown", target=target)
    return _say(401, "unknown")


def _say(status: int, why: str) -> Response[str]:
    headers = {"cache-control": "no-store"}
    return Response(why, status_code=status, media_type="text/plain", headers=headers)
