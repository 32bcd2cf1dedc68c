"""One's own account: passkeys, what else lets one in, sessions; and the word on printed codes used."""

from typing import Any

from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath

from releve.apps.console.context import AnyRequest
from releve.apps.console.door import own_site
from releve.apps.console.units import reading, writing
from releve.apps.console.ways_in import MOST_SAID
from releve.apps.console.web import Entered, SignInNeededError, enter, form_of, go, page
from releve.flow.server import break_glass, passkeys, sessions
from releve.flow.server.identity import links
from releve.flow.server.ports import Unit


async def at_home(request: AnyRequest) -> Entered:
    """An account is of the person's own structure: whoever is in another one goes back first."""
    entered = await enter(request)
    if not entered.session.is_home:
        raise SignInNeededError("/structures?for=account")
    return entered


@get("/account")
async def account(request: AnyRequest) -> Response[str]:
    return await account_page(request, await at_home(request))


async def account_page(
    request: AnyRequest, entered: Entered, *, wrong: str = "", where: str = "password"
) -> Response[str]:
    """`where`: the form that what is wrong was sent by; it is shown open."""
    visit, session = entered.visit, entered.session
    providers = await to_thread.run_sync(links.open_to, visit.context.store, session)

    def read(unit: Unit) -> dict[str, Any]:
        person = unit.person(session.person)
        linked = unit.identities(person=session.person)
        titles = {one.name: one.title for one in providers}
        return {
            "passkeys": unit.passkeys_of(session.person),
            "links": [(titles.get(one.provider, one.provider), one) for one in linked],
            "providers": [o for o in providers if o.name not in {one.provider for one in linked}],
            "recovery_left": len(person.recovery_hashes) if person else 0,
            "has_phone": person is not None and person.totp_confirmed,
        }

    facts = await reading(entered, read)
    store = visit.context.store
    own = await to_thread.run_sync(sessions.own_sessions, store, session, visit.secret, visit.now)
    cannot = "here" if own_site(request) is None else ""
    cannot = "break_glass" if session.by == "break_glass" else cannot
    return page(
        visit,
        "account.html",
        status=422 if wrong else 200,
        wrong=wrong,
        where=where,
        cannot=cannot,
        may_add=not cannot,
        may_change=session.by != "break_glass",
        done=request.query_params.get("done", ""),
        sessions=own,
        may_link=session.by in links.OWN_MEANS,
        **facts,
    )


@post("/account/passkeys/ask", status_code=200)
async def ask_passkey(request: AnyRequest) -> Response[str]:
    entered = await at_home(request)
    await form_of(request, entered.session)
    visit, site = entered.visit, own_site(request)
    if site is None:
        raise NotFoundException
    store, new = visit.context.store, visit.context.new_secret
    asked = await to_thread.run_sync(
        passkeys.ask_to_add, store, site, entered.session, visit.secret, new, visit.now
    )
    return Response(asked, media_type="application/json")


@post("/account/passkeys", status_code=200)
async def add_passkey(request: AnyRequest) -> Response[str]:
    entered = await at_home(request)
    fields = await form_of(request, entered.session)
    visit, site = entered.visit, own_site(request)
    if site is None:
        raise NotFoundException
    store, session, secret, now = visit.context.store, entered.session, visit.secret, visit.now
    said, name = fields.get("credential", "")[:MOST_SAID], fields.get("name", "")
    try:
        await to_thread.run_sync(passkeys.add, store, site, session, secret, said, name, now)
    except passkeys.Refused as refused:
        return await account_page(request, entered, wrong=refused.why)
    return go("/account")


@post("/account/passkeys/{identity:str}/remove", status_code=200)
async def remove_passkey(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await at_home(request)
    await form_of(request, entered.session)
    store, now = entered.visit.context.store, entered.visit.now
    try:
        is_gone = await to_thread.run_sync(passkeys.remove, store, entered.session, identity, now)
    except passkeys.Refused as refused:
        return await account_page(request, entered, wrong=refused.why)
    if not is_gone:
        raise NotFoundException
    return go("/account")


@post("/account/sessions/end")
async def end_sessions(request: AnyRequest) -> Response[str]:
    entered = await at_home(request)
    fields = await form_of(request, entered.session)
    visit, session, which = entered.visit, entered.session, fields.get("which", "")
    store = visit.context.store
    await to_thread.run_sync(sessions.end, store, session, visit.secret, which, visit.now)
    return go("/account")


@post("/break-glass/seen")
async def know_of_codes(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    await form_of(request, entered.session)
    session, now = entered.session, entered.visit.now
    if not await writing(entered, lambda unit: break_glass.acknowledge(unit, session, now)):
        raise PermissionDeniedException("who came in by a printed code cannot take its notice away")
    return go("/")


ROUTES: list[Any] = [
    account,
    ask_passkey,
    add_passkey,
    remove_passkey,
    end_sessions,
    know_of_codes,
]
