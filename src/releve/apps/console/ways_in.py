"""Signing in without a password: by a passkey, or by a printed code when nothing else is left."""

from typing import Any

import anyio
from anyio import to_thread
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException, TooManyRequestsException

from releve.apps.console.context import AnyRequest, Context
from releve.apps.console.door import (
    LONGEST,
    SLOW,
    address_of,
    door_page,
    let_in,
    may_begin,
    own_site,
    place_of,
    tried,
)
from releve.apps.console.units import told
from releve.apps.console.web import form_of, go, page, visit_of
from releve.flow.server import break_glass, passkeys, signin
from releve.flow.server.ports import Person

MOST_SAID = 20_000  # bytes of an authenticator's answer
_WRONG_SECONDS = 0.5


@post("/login/passkey/ask", status_code=200)
async def ask_passkey(request: AnyRequest) -> Response[str]:
    """What the browser is to sign; a cookie binds it to this browser."""
    visit = await visit_of(request)
    await form_of(request, None)
    context, site = visit.context, own_site(request)
    if site is None:
        raise NotFoundException
    if not await may_begin(request, visit):
        raise TooManyRequestsException
    secret = context.new_secret().hex()
    asked = await to_thread.run_sync(
        passkeys.ask_to_enter, context.store, site, secret, context.new_secret, visit.now
    )
    response = Response(asked, media_type="application/json")
    response.set_cookie(
        Cookie(
            key=_cookie(context),
            value=secret,
            max_age=int(passkeys.ASKED_FOR.total_seconds()),
            path="/",
            secure=context.is_secure,
            httponly=True,
            samesite="strict",
        )
    )
    return response


@post("/login/passkey", status_code=200)
async def enter_by_passkey(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    fields = await form_of(request, None)
    context, site, keys = visit.context, own_site(request), place_of(request)
    if site is None:
        raise NotFoundException
    secret, said = request.cookies.get(_cookie(context), ""), fields.get("credential", "")

    def check() -> Person:
        return passkeys.check(context.store, site, secret, said[:MOST_SAID], visit.now)

    try:
        person, wrong = await tried(visit, keys, check)
    except passkeys.Refused as refused:
        await anyio.sleep(0.2)
        person, wrong = None, refused.why
    if person is None:
        return await door_page(request, visit, wrong=wrong)
    response = await let_in(visit, person, "full", "/", by="passkey")
    response.delete_cookie(_cookie(context), path="/")
    return response


@get("/login/break-glass")
async def break_glass_page(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    if visit.session is not None and visit.session.stage == "full":
        return go("/")
    return page(visit, "break_glass.html", wrong="", login="")


@post("/login/break-glass", status_code=200)
async def enter_by_code(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    fields = await form_of(request, None)
    name, code = fields.get("login", "").strip()[:LONGEST], fields.get("code", "")[:LONGEST]
    store, address = visit.context.store, address_of(request)
    keys = signin.try_keys(name, address)
    # Held back before it is checked, as a password is.
    await anyio.sleep(await to_thread.run_sync(signin.slowness, store, name, visit.now))
    started = anyio.current_time()
    try:
        used = await to_thread.run_sync(
            break_glass.try_code, store, name, code, keys, address, visit.now, limiter=SLOW
        )
    except signin.TooManyTries:
        return page(visit, "break_glass.html", status=422, wrong="wait", login=name)
    if used is None:
        # A login that nobody has costs less work: the time must not tell.
        await anyio.sleep_until(started + _WRONG_SECONDS)
        return page(visit, "break_glass.html", status=422, wrong="code_login", login=name)
    told(visit.context, used.person.structure)
    try:
        return await let_in(visit, used.person, "full", "/", by="break_glass", sheet=used.sheet)
    except signin.SheetRevoked:
        return page(visit, "break_glass.html", status=422, wrong="code_login", login=name)


ROUTES: list[Any] = [ask_passkey, enter_by_passkey, break_glass_page, enter_by_code]


def _cookie(context: Context) -> str:
    return "__Host-releve-key" if context.is_secure else "releve-key"
