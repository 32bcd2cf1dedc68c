"""One's own password, phone and recovery codes: each is changed with the password of now."""

from typing import Any

from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import PermissionDeniedException

from releve.apps.console.account_pages import account_page, at_home
from releve.apps.console.context import AnyRequest
from releve.apps.console.door import SLOW, password_tried, totp_shown, weak
from releve.apps.console.units import reading, writing
from releve.apps.console.views import structure_name
from releve.apps.console.web import Entered, form_of, go, page
from releve.flow.server import own_means
from releve.flow.server.ports import Person


@post("/account/password", status_code=200)
async def change_password(request: AnyRequest) -> Response[str]:
    entered = await at_home(request)
    fields = await form_of(request, entered.session)
    wrong = weak(fields)
    if wrong:
        return await account_page(request, entered, wrong=wrong)
    shown, wrong = await _shown(request, entered, fields)
    if shown is None:
        return await account_page(request, entered, wrong=wrong)
    visit, session, new = entered.visit, entered.session, fields["password"]

    def change() -> bool:
        store = visit.context.store
        return own_means.change_password(store, session, visit.secret, shown, new, visit.now)

    if not await to_thread.run_sync(change, limiter=SLOW):
        return await account_page(request, entered, wrong="password")
    return go("/account?done=password")


@post("/account/codes", status_code=200)
async def renew_codes(request: AnyRequest) -> Response[str]:
    entered = await at_home(request)
    fields = await form_of(request, entered.session)
    shown, wrong = await _shown(request, entered, fields)
    if shown is None:
        return await account_page(request, entered, wrong=wrong, where="codes")
    visit, session, new = entered.visit, entered.session, entered.visit.context.new_secret
    codes = await writing(
        entered, lambda unit: own_means.renew_codes(unit, session, shown, new, visit.now)
    )
    if not codes:
        return await account_page(request, entered, wrong="password", where="codes")
    return page(visit, "recovery.html", codes=codes, done="codes")


@get("/account/phone")
async def phone(request: AnyRequest) -> Response[str]:
    return await _phone_page(await at_home(request))


@post("/account/phone", status_code=200)
async def change_phone(request: AnyRequest) -> Response[str]:
    entered = await at_home(request)
    fields = await form_of(request, entered.session)
    shown, wrong = await _shown(request, entered, fields)
    if shown is None:
        return await _phone_page(entered, wrong=wrong)
    visit, session, code = entered.visit, entered.session, fields.get("code", "")
    new = visit.context.new_secret
    codes = await writing(
        entered,
        lambda unit: own_means.change_phone(
            unit, session, visit.secret, shown, code, new, visit.now
        ),
    )
    if not codes:
        return await _phone_page(entered, wrong="code")
    return page(visit, "recovery.html", codes=codes, done="phone")


ROUTES: list[Any] = [change_password, renew_codes, phone, change_phone]


async def _shown(
    request: AnyRequest, entered: Entered, fields: dict[str, str]
) -> tuple[Person | None, str]:
    """Whose password the form tells, the own one; wrong ones count as at the door."""
    if entered.session.by == "break_glass":
        raise PermissionDeniedException(
            "who came in by a printed code cannot change how they enter"
        )
    login, old = entered.session.login, fields.get("old", "")
    return await password_tried(request, entered.visit, login, old)


async def _phone_page(entered: Entered, *, wrong: str = "") -> Response[str]:
    visit, session = entered.visit, entered.session
    name = await to_thread.run_sync(structure_name, visit.context.store, entered.structure)
    known = await reading(entered, lambda unit: unit.person(session.person))
    shown = totp_shown(own_means.pending_totp(visit.secret), session.login, name)
    has_phone = known is not None and known.totp_confirmed
    status = 422 if wrong else 200
    return page(visit, "phone.html", status=status, wrong=wrong, has_phone=has_phone, **shown)
