"""The door: first start, password, second factor, sign-out."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import segno
from anyio import CapacityLimiter, to_thread
from litestar import Request, Response, get, post
from markupsafe import Markup
from pyotp import TOTP

from releve.apps.console.context import AnyRequest, context_of
from releve.apps.console.views import structure_name
from releve.apps.console.web import (
    SignInNeededError,
    Visit,
    form_of,
    go,
    keep_session,
    page,
    visit_of,
)
from releve.flow.server import signin
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.id_token import opened
from releve.flow.server.identity.links import offered
from releve.flow.server.passkeys import Site, site_of
from releve.flow.server.ports import Person, Session

# argon2id takes 64 MiB each: two at a time, whoever knocks.
SLOW = CapacityLimiter(2)
LONGEST = 200
_T = TypeVar("_T")


@get("/setup")
async def setup_page(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    if not visit.context.setup_code():
        return go("/")
    structures = await to_thread.run_sync(visit.context.store.structures)
    name = structures[0].name if len(structures) == 1 else ""
    return page(visit, "setup.html", structure=name, wrong="", login="")


@post("/setup", status_code=200)
async def setup(request: AnyRequest) -> Response[str]:
    """Make the first person, with the code that only who started the server has seen."""
    visit = await visit_of(request)
    context = visit.context
    fields = await form_of(request, None)
    right = context.setup_code()
    if not right or await to_thread.run_sync(context.store.has_people):
        return go("/")
    name, login = fields.get("structure", "").strip()[:LONGEST], fields.get("login", "").strip()
    keys = (signin.try_keys("setup", address_of(request))[0],)
    code = _bare(fields.get("code", ""))
    _, wrong = await tried(visit, keys, lambda: True if code == _bare(right) else None)
    wrong = wrong or weak(fields) or ("" if name and login else "empty")
    if wrong:
        return page(visit, "setup.html", status=422, structure=name, wrong=wrong, login=login)

    def create() -> Person | None:
        if not signin.may_be_first(context.store, visit.now):
            return None
        structure = ensure_structure(context.store, name, context.new_id(), visit.now)
        password, identity = fields["password"], context.new_id()
        return signin.create_person(
            context.store, structure, login[:100], password, identity, visit.now
        )

    person = await to_thread.run_sync(create, limiter=SLOW)
    if person is None:
        return go("/login")
    return await let_in(visit, person, "enrol", "/enrol")


def _bare(code: str) -> str:
    """As it is meant, however it was typed: without dashes and blanks, in any case."""
    return "".join(sign for sign in code.upper() if sign.isalnum())


def weak(fields: dict[str, str]) -> str:
    """Why a new password is not taken: "short", "again" (not typed twice the same); else empty."""
    password = fields.get("password", "")
    if not signin.SHORTEST_PASSWORD <= len(password) <= signin.LONGEST_PASSWORD:
        return "short"
    return "" if password == fields.get("again", "") else "again"


@get("/enrol")
async def enrol_page(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    return await _enrol_page(visit, _at(visit, "enrol"), wrong="")


@post("/enrol", status_code=200)
async def enrol(request: AnyRequest) -> Response[str]:
    """Show that the second factor works; recovery codes are told this once."""
    visit = await visit_of(request)
    session = _at(visit, "enrol")
    fields = await form_of(request, session)
    context = visit.context
    keys = (*_keys(session.login, request), signin.second_key(session.login))
    store, code, new = context.store, fields.get("code", ""), context.new_secret
    done, wrong = await tried(
        visit, keys, lambda: signin.confirm_second(store, session, code, new, visit.now)
    )
    if done is None:
        return await _enrol_page(visit, session, wrong=wrong)
    context.setup_done()
    return await let_in(visit, done[0], "full", "", done[1], **_way_of(session, visit.secret))


async def _enrol_page(visit: Visit, session: Session, *, wrong: str) -> Response[str]:
    def read() -> tuple[Person | None, str]:
        with visit.context.store.unit(session.structure, writes=False) as unit:
            person = unit.person(session.person)
        return person, structure_name(visit.context.store, session.structure)

    person, structure = await to_thread.run_sync(read)
    if person is None:
        raise SignInNeededError
    shown = totp_shown(person.totp_secret, person.login, structure)
    return page(visit, "enrol.html", status=422 if wrong else 200, wrong=wrong, **shown)


def totp_shown(key: str, login: str, structure: str) -> dict[str, str]:
    """The key of a second factor for a phone's camera, and to be typed."""
    address = TOTP(key).provisioning_uri(name=login, issuer_name=f"Relève {structure}")
    drawn = segno.make(address, error="m").svg_inline(
        scale=5, border=2, dark="#14312b", light="#ffffff", svgclass="qr", omitsize=True
    )
    return {
        "qr": Markup(drawn),  # noqa: S704  # segno's own drawing; the address is only dots in it
        "secret": " ".join(key[n : n + 4] for n in range(0, len(key), 4)),
    }


@get("/login")
async def login_page(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    if visit.session is not None and visit.session.stage == "full":
        return go("/")
    if not await to_thread.run_sync(visit.context.store.has_people):
        return go("/setup")
    return await door_page(request, visit)


@post("/login", status_code=200)
async def login(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    fields = await form_of(request, None)
    name = fields.get("login", "").strip()[:LONGEST]
    person, wrong = await password_tried(request, visit, name, fields.get("password", ""))
    if person is None:
        return await door_page(request, visit, wrong=wrong, login=name)
    if person.totp_confirmed:
        return await let_in(visit, person, "password", "/login/second")
    if await to_thread.run_sync(signin.enters_otherwise, visit.context.store, person):
        return await door_page(request, visit, wrong="otherwise", login=name)
    return await let_in(visit, person, "enrol", "/enrol")


async def password_tried(
    request: AnyRequest, visit: Visit, login: str, password: str
) -> tuple[Person | None, str]:
    """Whose password it is, or why nobody: "wait" (it was not checked), "password"."""
    keys, store = _keys(login, request), visit.context.store
    wrong = await tries_of(visit, keys)
    if wrong:
        return None, wrong
    # Held back before it is checked: what comes quickly must not tell that it was right.
    await anyio.sleep(await to_thread.run_sync(signin.slowness, store, login, visit.now))
    said = password[: signin.LONGEST_PASSWORD]
    try:
        person = await to_thread.run_sync(
            signin.try_password, store, login, said, keys, visit.now, limiter=SLOW
        )
    except signin.TooManyTries:
        return None, "wait"
    if person is None:
        await anyio.sleep(0.2)
    return person, "" if person is not None else "password"


async def door_page(
    request: AnyRequest, visit: Visit, *, wrong: str = "", login: str = ""
) -> Response[str]:
    """Where people sign in: a passkey first, where this address can have them; then providers."""
    providers = await to_thread.run_sync(offered, visit.context.store)
    facts = {
        "wrong": wrong,
        "login": login,
        "passkeys": own_site(request) is not None,
        "providers": providers,
        "at": elsewhere(request),
    }
    return page(visit, "login.html", status=422 if wrong else 200, **facts)


def elsewhere(request: AnyRequest) -> str:
    """The server's own address, where this page has another: cookies of here are not there."""
    url = context_of(request).url
    return "" if urlsplit(url).netloc == request.headers.get("host", "") else url


def own_site(request: AnyRequest) -> Site | None:
    """For whom passkeys are made; None where this page has another address than the server's own."""
    site = site_of(context_of(request).url)
    own = request.headers.get("host", "")
    return site if site is not None and urlsplit(site.origin).netloc == own else None


@get("/login/second")
async def second_page(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    _at(visit, "password")
    return page(visit, "second.html", wrong="")


@post("/login/second", status_code=200)
async def second(request: AnyRequest) -> Response[str]:
    visit = await visit_of(request)
    session = _at(visit, "password")
    fields = await form_of(request, session)
    keys = (*_keys(session.login, request), signin.second_key(session.login))
    store, code = visit.context.store, fields.get("code", "")[:LONGEST]
    person, wrong = await tried(
        visit, keys, lambda: signin.check_second(store, session, code, visit.now)
    )
    if person is None:
        return page(visit, "second.html", status=422, wrong=wrong)
    await to_thread.run_sync(signin.forgive, store, session.login, address_of(request))
    return await let_in(visit, person, "full", "/", (), **_way_of(session, visit.secret))


ROUTES: list[Any] = [
    setup_page,
    setup,
    enrol_page,
    enrol,
    login_page,
    login,
    second_page,
    second,
]


def _at(visit: Visit, stage: str) -> Session:
    if visit.session is None or visit.session.stage != stage:
        raise SignInNeededError
    return visit.session


async def let_in(
    visit: Visit,
    person: Person,
    stage: str,
    then: str,
    codes: tuple[str, ...] = (),
    /,
    **how: str,
) -> Response[str]:
    """A new session in place of the old one, whose secret is worth nothing from now on.

    `how`: the way that was shown, as `open_session` takes it.

    Raises: SignInNeededError: what was shown ended meanwhile. SheetRevoked.
    """
    context = visit.context

    def work() -> signin.SignedIn:
        if visit.session is not None and "before" not in how:
            with context.store.unit(visit.session.structure) as unit:
                unit.drop_session(signin.digest(visit.secret))
        return signin.open_session(
            context.store, person, stage, context.new_secret, visit.now, **how
        )

    try:
        signed_in = await to_thread.run_sync(work)
    except signin.WayEnded as error:
        raise SignInNeededError from error
    response = page(visit, "recovery.html", codes=codes) if codes else go(then)
    keep_session(response, context, signed_in.secret, signed_in.session)
    return response


def _way_of(session: Session, secret: str) -> dict[str, str]:
    """How the stage before was reached: the one after it keeps it, and takes its place."""
    token = opened(session.id_token, secret)
    how = {"by": session.by, "provider": session.provider, "sid": session.sid, "id_token": token}
    return {**how, "before": secret}


def address_of(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


def _keys(login_name: str, request: Request[Any, Any, Any]) -> tuple[str, ...]:
    return signin.try_keys(login_name, address_of(request))


def place_of(request: Request[Any, Any, Any]) -> tuple[str, ...]:
    """Nobody said a login: only the address counts."""
    return signin.try_keys("", address_of(request))[1:]


async def tries_of(visit: Visit, keys: tuple[str, ...]) -> str:
    """Say "wait" while there is no use in trying; whoever tries is counted by `tried`."""
    try:
        await to_thread.run_sync(signin.check_tries, visit.context.store, keys, visit.now)
    except signin.TooManyTries:
        return "wait"
    return ""


async def may_begin(request: AnyRequest, visit: Visit) -> bool:
    """Whether a sign-in that is kept from its first question on may begin from there; it is counted."""
    keys = place_of(request)
    if await tries_of(visit, keys):
        return False
    try:
        await to_thread.run_sync(signin.count_begun, visit.context.store, keys[0], visit.now)
    except signin.TooManyTries:
        return False
    return True


async def tried(
    visit: Visit, keys: tuple[str, ...], check: Callable[[], _T | None]
) -> tuple[_T | None, str]:
    """What a check in a thread finds, or why nothing: "wait" (it was not made), "code"."""
    try:
        found = await to_thread.run_sync(
            lambda: signin.tried(visit.context.store, keys, visit.now, check)
        )
    except signin.TooManyTries:
        return None, "wait"
    if found is None:
        await anyio.sleep(0.2)
        return None, "code"
    return found, ""
