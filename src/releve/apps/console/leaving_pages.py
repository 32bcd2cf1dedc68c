"""Signing out: here first, then, for who came by an identity provider, there too."""

from typing import Any

import msgspec
from anyio import to_thread
from litestar import Response, get, post
from litestar.params import FromPath

from releve.apps.console.context import AnyRequest
from releve.apps.console.identity_pages import bound, cookie_of
from releve.apps.console.web import Visit, drop_session_cookie, form_of, go, page, visit_of
from releve.flow.server import signin
from releve.flow.server.id_token import opened
from releve.flow.server.identity.links import provider_named
from releve.flow.server.ports import Session


@post("/logout", status_code=200)
async def logout(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    response = go("/login")
    if visit.session is not None:
        await form_of(request, visit.session)
        store, session = visit.context.store, visit.session
        await to_thread.run_sync(signin.close_session, store, visit.secret, session, visit.now)
        response = await _way_on(msgspec.structs.replace(visit, session=None), session)
    drop_session_cookie(response, visit.context)
    return response


@get("/login/identity/{name:str}/left")
async def left_there(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """Where a provider sends back to; for anybody else it is the way to the door."""
    visit = await visit_of(request)
    context, state = visit.context, request.query_params.get("state", "")
    provider = await to_thread.run_sync(provider_named, context.store, name)
    secret = request.cookies.get(cookie_of(context), "")
    if provider is None or not await context.leaving.is_back(provider, secret, state):
        return go("/login")
    response = page(visit, "left.html", provider=provider, address="")
    response.delete_cookie(cookie_of(context), path="/")
    return response


ROUTES: list[Any] = [logout, left_there]


async def _way_on(visit: Visit, ended: Session) -> Response[str]:
    """A page with a link, where the provider has a place to sign out: a form may not lead there."""
    context = visit.context
    provider = await to_thread.run_sync(provider_named, context.store, ended.provider)
    if provider is None:
        return go("/login")
    secret = context.new_secret().hex()
    address = await context.leaving.ask(provider, opened(ended.id_token, visit.secret), secret)
    if not address:
        return go("/login")
    return bound(context, page(visit, "left.html", provider=provider, address=address), secret)
