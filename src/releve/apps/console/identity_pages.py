"""Signing in by an identity provider, linking an account there, and its word that somebody signed out."""

from contextlib import suppress
from typing import Any

from anyio import to_thread
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.apps.console.account_pages import account_page, at_home
from releve.apps.console.context import AnyRequest, Context, context_of
from releve.apps.console.door import (
    door_page,
    elsewhere,
    let_in,
    may_begin,
    place_of,
    tries_of,
)
from releve.apps.console.units import told, writing
from releve.apps.console.web import Visit, allowed, form_of, go, page, visit_of
from releve.flow.server import signin
from releve.flow.server.identity import links
from releve.flow.server.identity.entering import ASKED_FOR, Answer, Refused, Said
from releve.flow.server.identity.tokens import session_digest
from releve.flow.server.ports import Person
from releve.model.access import Verb
from releve.model.identity import Provider

_LONGEST_TOKEN = 20_000


@get("/login/identity/{name:str}")
async def go_there(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """To the provider, and from there to this server's own address: nowhere else can be asked for."""
    visit = await visit_of(request)
    context = visit.context
    provider = await _provider(context, name)
    if not await may_begin(request, visit):
        return await door_page(request, visit, wrong="wait")
    secret = context.new_secret().hex()
    try:
        address = await context.entering.ask(provider, secret)
    except Refused as refused:
        return await door_page(request, visit, wrong=refused.why)
    return bound(context, go(address), secret)


@get("/login/identity/{name:str}/return")
async def come_back(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    visit = await visit_of(request)
    context, keys = visit.context, place_of(request)
    provider = await _provider(context, name)
    if await tries_of(visit, keys):
        return await door_page(request, visit, wrong="wait")
    words = request.query_params
    said = Said(
        state=words.get("state", ""),
        code=words.get("code", ""),
        issuer=words.get("iss", ""),
        error=words.get("error", ""),
    )
    try:
        answer = await context.entering.answer(
            provider, request.cookies.get(cookie_of(context), ""), said
        )
        if answer.session:
            response = await _linked(visit, provider, answer)
        else:
            response = await _entered(visit, provider, answer)
    except Refused as refused:
        if refused.why == "identity":
            with suppress(signin.TooManyTries):  # it waits already
                await to_thread.run_sync(signin.count_try, context.store, keys, visit.now)
        response = await _refused(request, visit, refused.why)
    response.delete_cookie(cookie_of(context), path="/")
    return response


@post("/login/identity/{name:str}/ended", status_code=200)
async def ended_there(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """OpenID Connect Back-Channel Logout: from the provider's server, proved by its signature alone."""
    context = context_of(request)
    provider = await _provider(context, name)
    form = await request.form()
    token = str(form.get("logout_token", ""))[:_LONGEST_TOKEN]
    try:
        vouched = await context.entering.logged_out(provider, token)
    except Refused:
        return Response("", status_code=400, media_type="text/plain")
    now = context.clock.now()
    await to_thread.run_sync(links.end_sessions, context.store, provider, vouched, now)
    return Response("", media_type="text/plain")


@post("/account/identity/{name:str}/link", status_code=200)
async def link(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """A page with the way there: a form may lead nowhere but to our own pages (its policy says so)."""
    entered = await at_home(request)
    await form_of(request, entered.session)
    visit, context = entered.visit, entered.visit.context
    provider = await _provider(context, name)
    secret = context.new_secret().hex()
    if elsewhere(request):
        return await account_page(request, entered, wrong="identity_here")
    try:
        links.check_may_link(provider, entered.session)
        address = await context.entering.ask(provider, secret, session=signin.digest(visit.secret))
    except Refused as refused:
        return await account_page(request, entered, wrong=refused.why)
    return bound(context, page(visit, "identity.html", provider=provider, address=address), secret)


@post("/account/identity/{identity:str}/unlink", status_code=200)
async def unlink(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await at_home(request)
    await form_of(request, entered.session)
    session, now = entered.session, entered.visit.now
    try:
        is_gone = await writing(entered, lambda unit: links.remove(unit, session, identity, now))
    except Refused as refused:
        return await account_page(request, entered, wrong=refused.why)
    if not is_gone:
        raise NotFoundException
    return go("/account")


ROUTES: list[Any] = [go_there, come_back, ended_there, link, unlink]


async def _entered(visit: Visit, provider: Provider, answer: Answer) -> Response[str]:
    """Its word alone where it must say how it knew the person; else it stands for the password."""
    context, vouched = visit.context, answer.vouched

    def work() -> Person:
        return links.person_of(context.store, provider, vouched, visit.now)

    person = await to_thread.run_sync(work)
    told(context, person.structure)
    stage, then = ("full", "/") if provider.is_strong else ("password", "/login/second")
    if stage == "password" and not person.totp_confirmed:
        # The service stands for a password here: who has a passkey enters by that.
        only = await to_thread.run_sync(
            lambda: signin.enters_otherwise(context.store, person, linked=False)
        )
        if only:
            raise Refused("otherwise")
        stage, then = "enrol", "/enrol"
    sid = session_digest(provider, vouched.session)
    how = {"by": "identity", "provider": provider.name, "sid": sid, "id_token": answer.id_token}
    return await let_in(visit, person, stage, then, **how)


async def _linked(visit: Visit, provider: Provider, answer: Answer) -> Response[str]:
    """For the very session that asked."""
    session = visit.session
    if session is None or not session.is_home or signin.digest(visit.secret) != answer.session:
        raise Refused("identity")
    store, vouched, now = visit.context.store, answer.vouched, visit.now
    await to_thread.run_sync(links.add, store, provider, vouched, session, now)
    return go("/account")


async def _refused(request: AnyRequest, visit: Visit, why: str) -> Response[str]:
    """Told where the person came from: the account, or the door."""
    session = visit.session
    if session is None or session.stage != "full" or not session.is_home:
        return await door_page(request, visit, wrong=why)
    entered = await to_thread.run_sync(allowed, visit, session, Verb.OWN_ACCOUNT)
    return await account_page(request, entered, wrong=why)


async def _provider(context: Context, name: str) -> Provider:
    found = await to_thread.run_sync(links.provider_named, context.store, name)
    if found is None:
        raise NotFoundException
    return found


def bound(context: Context, response: Response[str], secret: str) -> Response[str]:
    """What comes back is taken from this browser only. Lax: it comes from the provider's page."""
    response.set_cookie(
        Cookie(
            key=cookie_of(context),
            value=secret,
            max_age=int(ASKED_FOR.total_seconds()),
            path="/",
            secure=context.is_secure,
            httponly=True,
            samesite="lax",
        )
    )
    return response


def cookie_of(context: Context) -> str:
    return "__Host-releve-identity" if context.is_secure else "releve-identity"
