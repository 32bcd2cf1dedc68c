"""One visit: who, in which language; forms that only our own pages can send; templates."""

import datetime as dt
import hmac
from functools import cache
from typing import Any

import jinja2
import msgspec
from anyio import to_thread
from litestar import Response
from litestar.datastructures import Cookie
from litestar.exceptions import PermissionDeniedException

from releve.apps.console.context import AnyRequest, Context, context_of
from releve.apps.console.pictures import mark_of
from releve.apps.console.verbs import verb_at, verb_of
from releve.apps.console.words import LANGUAGES, Words, choose_language
from releve.apps.web.assets import Asset, templates
from releve.apps.web.assets import assets as assets_of
from releve.apps.web.origin import check_origin
from releve.apps.web.terminal import as_word
from releve.flow.server import access
from releve.flow.server.ordering import Doer
from releve.flow.server.ports import Session
from releve.flow.server.signin import session_of
from releve.model.access import Role, Verb

_DIGITS = 19  # of a number that a database takes
_YEAR = 365 * 24 * 3600
_PACKAGE = "releve.apps.console"


class SignInNeededError(Exception):
    """This page is for people who signed in; `at` is where to go first."""

    def __init__(self, at: str = "/login") -> None:
        super().__init__(at)
        self.at = at


class StructureLeftError(Exception):
    """Who asks acted in a structure that left since: its sessions went with it."""

    def __init__(self, visit: "Visit", at: dt.datetime) -> None:
        super().__init__(at)
        self.visit, self.at = visit, at


class NotOfRoleError(PermissionDeniedException):
    """The role of who signed in does not open this; the page that says so has their navigation."""

    def __init__(self, visit: "Visit") -> None:
        super().__init__("the role does not allow it")
        self.visit = visit


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    context: Context
    words: Words
    now: dt.datetime
    path: str
    wish: str  # a language asked for in the address
    secret: str = ""
    session: Session | None = None
    role: Role | None = None  # in the structure acted in
    is_operator: bool = False  # of any structure
    has_elsewhere: bool = False  # another structure to act in


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """A visit of somebody fully signed in who may do what the page does."""

    visit: Visit
    session: Session
    verb: Verb

    @property
    def structure(self) -> str:
        return self.session.structure

    @property
    def doer(self) -> Doer:
        """Who asks something of hosts by this visit."""
        context, login = self.visit.context, self.session.login
        return Doer(by=login, at=self.visit.now, key=context.key, new_id=context.new_id)


async def visit_of(request: AnyRequest) -> Visit:
    visit = plain_visit(request)
    store, secret = visit.context.store, visit.secret
    session = await to_thread.run_sync(session_of, store, secret, visit.now)
    return msgspec.structs.replace(visit, session=session)


def plain_visit(request: AnyRequest) -> Visit:
    """Without looking who it is."""
    context = context_of(request)
    wish = request.query_params.get("lang", "")
    language = choose_language(
        wish, request.cookies.get("lang", ""), request.headers.get("accept-language", "")
    )
    return Visit(
        context=context,
        words=Words(language),
        now=context.clock.now(),
        path=request.url.path,
        wish=wish if wish in LANGUAGES else "",
        secret=request.cookies.get(cookie_name(context), ""),
    )


async def enter(request: AnyRequest) -> Entered:
    """The visit of somebody signed in whose role allows it: every page asks here, and only here.

    A route that is not in the table of verbs is refused. Raises SignInNeededError, StructureLeftError.
    """
    visit = await visit_of(request)
    if visit.session is not None and visit.session.stage == "full":
        return await to_thread.run_sync(allowed, visit, visit.session, verb_of(request))
    if visit.session is not None:
        raise SignInNeededError("/login/second" if visit.session.stage == "password" else "/enrol")
    place = request.cookies.get(_place_name(visit.context), "")
    left_at = await to_thread.run_sync(visit.context.store.left_at, place) if place else None
    if left_at is not None:
        raise StructureLeftError(visit, left_at)
    has_people = await to_thread.run_sync(visit.context.store.has_people)
    raise SignInNeededError("/login" if has_people else "/setup")


def allowed(visit: Visit, session: Session, verb: Verb) -> Entered:
    """Raises: NotOfRoleError, SignInNeededError (another structure is to be chosen)."""
    store = visit.context.store
    granted = store.grants_of(session.person)
    known = msgspec.structs.replace(
        visit,
        is_operator=access.operates(granted),
        has_elsewhere=access.has_elsewhere(session, granted),
    )
    try:
        role = access.check(store, session, verb, visit.now)
    except access.NotAllowed as error:
        role = access.check(store, session, Verb.OWN_ACCOUNT, visit.now)
        raise NotOfRoleError(msgspec.structs.replace(known, role=role)) from error
    except access.AdmissionEnded as error:
        raise SignInNeededError("/structures") from error
    return Entered(visit=msgspec.structs.replace(known, role=role), session=session, verb=verb)


async def form_of(request: AnyRequest, session: Session | None) -> dict[str, str]:
    """The fields of a form that one of our own pages sent; raises when it may be another's."""
    check_origin(request)
    form = await request.form()
    fields = {str(k): v for k, v in form.items() if isinstance(v, str)}
    if session is not None and not hmac.compare_digest(
        fields.get("csrf", "").encode(), session.csrf.encode()
    ):
        raise PermissionDeniedException("the form's token does not match the session")
    return fields


def page(visit: Visit, template: str, *, status: int = 200, **facts: Any) -> Response[str]:
    response = Response(
        render(visit, template, **facts), media_type="text/html", status_code=status
    )
    if visit.wish:
        response.set_cookie(
            Cookie(key="lang", value=visit.wish, max_age=_YEAR, path="/", samesite="lax")
        )
    return response


def render(visit: Visit, template: str, **facts: Any) -> str:
    return (
        _templates()
        .get_template(template)
        .render(
            t=visit.words,
            now=visit.now,
            session=visit.session,
            path=visit.path,
            has_elsewhere=visit.has_elsewhere,
            acts_as=visit.role.value if visit.role else "",
            can_open=lambda address: offers(visit, "GET", address),
            can_send=lambda address: offers(visit, "POST", address),
            asset=asset,
            mark=mark_of,
            as_word=as_word,
            **facts,
        )
    )


def offers(visit: Visit, method: str, address: str) -> bool:
    """Whether a page shows this link or form to who looks at it: never what would be refused."""
    verb = verb_at(method, address)
    return verb is not None and access.reaches(visit.role, verb, is_operator=visit.is_operator)


def whole_number(said: str) -> int:
    """A number that a browser sent, whatever was made of it there; 0: none, or too long to be one."""
    is_number = said.isascii() and said.isdecimal() and len(said) < _DIGITS
    return int(said) if is_number else 0


def go(path: str) -> Response[str]:
    return Response("", status_code=303, headers={"location": path})


def cookie_name(context: Context) -> str:
    # __Host- binds the cookie to this very host; browsers take it over TLS only.
    return "__Host-releve" if context.is_secure else "releve"


def keep_session(response: Response[str], context: Context, secret: str, session: Session) -> None:
    for key, value in ((cookie_name(context), secret), (_place_name(context), session.structure)):
        response.set_cookie(
            Cookie(
                key=key,
                value=value,
                max_age=int((session.expires_at - session.created_at).total_seconds()),
                path="/",
                secure=context.is_secure,
                httponly=True,
                samesite="lax",
            )
        )


def drop_session_cookie(response: Response[str], context: Context) -> None:
    response.delete_cookie(cookie_name(context), path="/")
    response.delete_cookie(_place_name(context), path="/")


def _place_name(context: Context) -> str:
    """Where the session acts. It opens nothing: it only tells a structure that left from a session that ended."""
    return f"{cookie_name(context)}-place"


def assets() -> dict[str, Asset]:
    """Everything that the pages load, by name; nothing comes from elsewhere."""
    return assets_of(_PACKAGE)


def asset(name: str) -> str:
    """Its address, which changes with its content: browsers may keep it for ever."""
    return f"/static/{assets()[name].digest}/{name}"


@cache
def _templates() -> jinja2.Environment:
    return templates(_PACKAGE)
