"""Connected tools: tokens of the API, made, shown once and ended; and whether webhooks are taken."""

import datetime as dt
from typing import Any

import msgspec
from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.apps.console.context import AnyRequest
from releve.apps.console.units import reading, writing
from releve.apps.console.views import structure_name
from releve.apps.console.web import Entered, enter, form_of, go, page
from releve.flow.server.ports import Unit
from releve.flow.server.tools import tokens
from releve.model.tool import ApiToken, Scope, UsedToken
from releve.model.webhook import Webhook

_DAYS = (30, 90, 365)


class ToolsPage(msgspec.Struct, frozen=True, kw_only=True):
    open: tuple[UsedToken, ...]
    over: tuple[UsedToken, ...]
    webhooks: tuple[Webhook, ...]


@get("/tools")
async def tools(request: AnyRequest) -> Response[str]:
    return await _page(await enter(request))


@post("/tools", status_code=200)
async def make(request: AnyRequest) -> Response[str]:
    """The token is in this answer and nowhere else."""
    entered = await enter(request)
    form = await form_of(request, entered.session)
    visit, session = entered.visit, entered.session
    days = form.get("days", "")
    known = days.isdecimal() and int(days[:4]) in _DAYS
    token = ApiToken(
        id=visit.context.new_id(),
        name=form.get("name", "").strip(),
        scopes=tuple(scope for scope in Scope if f"scope-{scope.value}" in form),
        made_by=session.login,
        made_at=visit.now,
        expires_at=visit.now + dt.timedelta(days=int(days) if known else 0),
        person=session.person,
    )
    secret = tokens.new_token(visit.context.new_secret)
    store = visit.context.store
    try:
        await to_thread.run_sync(tokens.make, store, [entered.structure], token, secret)
    except tokens.TokenRefused as refused:
        return await _page(entered, wrong=refused.why)
    return await _page(entered, secret=secret)


@post("/tools/{token:str}/revoke")
async def revoke(request: AnyRequest, token: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    await form_of(request, entered.session)
    login, now = entered.session.login, entered.visit.now

    def end(unit: Unit) -> None:
        if tokens.revoke(unit, token, actor=login, now=now) is None:
            raise NotFoundException

    await writing(entered, end)
    return go("/tools")


ROUTES: list[Any] = [tools, make, revoke]


async def _page(entered: Entered, *, wrong: str = "", secret: str = "") -> Response[str]:
    now, store = entered.visit.now, entered.visit.context.store

    def read(unit: Unit) -> ToolsPage:
        found = unit.api_tokens()
        return ToolsPage(
            open=tuple(one for one in found if one.token.is_good(now)),
            over=tuple(one for one in found if not one.token.is_good(now)),
            webhooks=tuple(unit.webhooks()),
        )

    return page(
        entered.visit,
        "tools.html",
        status=422 if wrong else 200,
        view=await reading(entered, read),
        structure_name=await to_thread.run_sync(structure_name, store, entered.structure),
        wrong=wrong,
        secret=secret,
        scopes=tuple(Scope),
        days=_DAYS,
        longest=tokens.LONGEST_NAME,
    )
