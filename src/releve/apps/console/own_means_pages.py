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
from releve.apps.console.web import Entered, SignInNeededError, form_of, go, page
from releve.flow.server import own_means
from releve.flow.server.ports import Person, Session


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
    """First the password, which shows a key; then a code of that key."""
    entered = await at_home(request)
    fields = await form_of(request, entered.session)
    visit, session = entered.visit, entered.session
    if "proof" not in fields:
        shown, wrong = await _shown(request, entered, fields)
        proof = own_means.proof_of(shown, visit.secret) if shown is not None else ""
        return await _phone_page(entered, proof, wrong=wrong)
    _check_own_means(session)
    proof, code, new = fields["proof"], fields.get("code", ""), visit.context.new_secret
    codes = await writing(
        entered,
        lambda unit: own_means.change_phone(
            unit, session, visit.secret, proof, code, new, visit.now
        ),
    )
    if not codes:
        return await _phone_page(entered, proof, wrong="code")
    return page(visit, "recovery.html", codes=codes, done="phone")


ROUTES: list[Any] = [change_password, renew_codes, phone, change_phone]


async def _shown(
    request: AnyRequest, entered: Entered, fields: dict[str, str]
) -> tuple[Person | None, str]:
    """Whose password the form tells, the own one; wrong ones count as at the door."""
    _check_own_means(entered.session)
    login, old = entered.session.login, fields.get("old", "")
    return await password_tried(request, entered.visit, login, old)


def _check_own_means(session: Session) -> None:
    if session.by == "break_glass":
        raise PermissionDeniedException(
            "who came in by a printed code cannot change how they enter"
        )


async def _phone_page(entered: Entered, proof: str = "", *, wrong: str = "") -> Response[str]:
    """With a good proof the key; without, the question for the password."""
    visit, session = entered.visit, entered.session
    name = await to_thread.run_sync(structure_name, visit.context.store, entered.structure)
    person = await reading(entered, lambda unit: unit.person(session.person))
    if person is None:
        raise SignInNeededError
    facts = {"wrong": wrong, "has_phone": person.totp_confirmed, "proof": ""}
    if own_means.is_proof(person, visit.secret, proof):
        key = own_means.pending_totp(person, visit.secret)
        facts |= {"proof": proof, **totp_shown(key, session.login, name)}
    return page(visit, "phone.html", status=422 if wrong else 200, **facts)
