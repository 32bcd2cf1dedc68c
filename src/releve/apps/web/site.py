"""A small site of one program: whom it knows, its words and pages, and the door of one-time links.

A page that is not for everybody begins with `enter`. What people look for never stands in an
address: addresses stay in a browser's history.
"""

import datetime as dt
import hmac
from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec
from anyio import CapacityLimiter, sleep, to_thread
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.exceptions import HTTPException, NotFoundException, PermissionDeniedException
from litestar.params import FromPath

from releve.adapters.passes import Pass, Passes, Session
from releve.apps.web.assets import assets, templates
from releve.apps.web.origin import check_origin
from releve.apps.web.words import LANGUAGES, Words, choose_language, load

AnyRequest = Request[Any, Any, Any]
_YEAR = 365 * 24 * 3600
_FOR_EVER = "public, max-age=31536000, immutable"
_LOOK = "releve.apps.console"  # one look for all pages of ours: its style sheet and mark
_SHARED = "releve.apps.web"
_WRONG_PAUSE_S = 0.5
_WRONG = {404: "missing", 405: "missing", 403: "forbidden", 503: "away", 507: "full"}
_KNOCKS = CapacityLimiter(4)  # codes that are tried at a time, whoever tries


class Site:
    """Everything that its pages need; nothing global, so that two can live in one test.

    Args:
        name: of the cookie: two sites on one machine do not share sessions.
        package: with `templates/` and `texts/` of its own.
        told: hears of each that comes in or is refused ("entered", "refused").
    """

    def __init__(
        self,
        name: str,
        package: str,
        passes: Passes,
        now: Callable[[], dt.datetime],
        *,
        is_secure: bool,
        told: Callable[[str, str, str], None] = lambda _what, _who, _address: None,
    ) -> None:
        self.passes, self.now, self.is_secure, self.told = passes, now, is_secure, told
        self.cookie = f"__Host-{name}" if is_secure else name
        self._packages = (_LOOK, _SHARED, package)
        self._package = package

    @cached_property
    def texts(self) -> Any:
        """Of all its pages."""
        return load(_SHARED, self._package)

    @cached_property
    def _templates(self) -> Any:
        return templates(self._package, _SHARED)

    def asset(self, name: str) -> str:
        """Its address, which changes with its content."""
        return f"/static/{assets(*self._packages)[name].digest}/{name}"

    def body(self, digest: str, name: str) -> tuple[bytes, str] | None:
        found = assets(*self._packages).get(name)
        return (found.body, found.media_type) if found and found.digest == digest else None

    def render(self, visit: "Visit", template: str, **facts: Any) -> str:
        found = self._templates.get_template(template)
        shown: str = found.render(
            t=visit.words, now=visit.now, session=visit.session, asset=self.asset, **facts
        )
        return shown


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request: by whom, in which language."""

    site: Any
    words: Words
    now: dt.datetime
    wish: str
    address: str
    secret: str = ""
    session: Session | None = None


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """A visit of somebody who came in."""

    visit: Visit
    session: Session
    secret: str

    @property
    def words(self) -> Words:
        return self.visit.words


class NobodyError(Exception):
    """This page is for people who came in by a link."""


def site_of(request: AnyRequest) -> Site:
    found: Site = request.app.state["site"]
    return found


def visit_of(request: AnyRequest) -> Visit:
    """Whose session it is costs one small file: nothing to wait for in a thread."""
    site = site_of(request)
    wish = request.query_params.get("lang", "")
    accept = request.headers.get("accept-language", "")
    language = choose_language(wish, request.cookies.get("lang", ""), accept)
    secret, now = request.cookies.get(site.cookie, ""), site.now()
    return Visit(
        site=site,
        words=Words(language, site.texts),
        now=now,
        wish=wish if wish in LANGUAGES else "",
        address=request.client.host if request.client else "",
        secret=secret,
        session=site.passes.session(secret, now),
    )


def enter(request: AnyRequest, right: str = "") -> Inside:
    """Raises: NobodyError, PermissionDeniedException."""
    visit = visit_of(request)
    if visit.session is None:
        raise NobodyError
    if right and not visit.session.may(right):
        raise PermissionDeniedException("the link does not give this right")
    return Inside(visit=visit, session=visit.session, secret=visit.secret)


async def form_of(request: AnyRequest, session: Session | None) -> dict[str, str]:
    """The fields of a form of our own pages. Raises: PermissionDeniedException."""
    check_origin(request)
    form = await request.form()
    fields = {str(k): v for k, v in form.items() if isinstance(v, str)}
    if session is not None:
        check_token(session, fields.get("csrf", ""))
    return fields


def check_token(session: Session, said: str) -> None:
    """Raises: PermissionDeniedException."""
    if not hmac.compare_digest(said.encode(), session.csrf.encode()):
        raise PermissionDeniedException("the form's token does not match the session")


def page(visit: Visit, template: str, *, status: int = 200, **facts: Any) -> Response[str]:
    text = visit.site.render(visit, template, **facts)
    response = Response(text, media_type="text/html", status_code=status)
    if visit.wish:
        response.set_cookie(
            Cookie(key="lang", value=visit.wish, max_age=_YEAR, path="/", samesite="lax")
        )
    return response


def go(path: str) -> Response[str]:
    return Response("", status_code=303, headers={"location": path})


@get("/entrer/{token:str}")
async def door(request: AnyRequest, token: FromPath[str]) -> Response[str]:
    """Show the door; only a click goes through it, for mail programs follow links too."""
    visit = visit_of(request)
    found = await to_thread.run_sync(visit.site.passes.look, token, visit.now)
    return _door(visit, token, found, wrong="")


@post("/entrer/{token:str}", status_code=200)
async def come_in(request: AnyRequest, token: FromPath[str]) -> Response[str]:
    visit = visit_of(request)
    fields, passes = await form_of(request, None), visit.site.passes
    code = fields.get("code", "")[:20]
    before = await to_thread.run_sync(passes.look, token, visit.now)
    entered = await to_thread.run_sync(
        passes.redeem, token, code, visit.now, visit.address, limiter=_KNOCKS
    )
    if entered is None:
        if before is not None:  # a wrong code; who has no link at all must not fill the journal
            await to_thread.run_sync(visit.site.told, "refused", before.person, visit.address)
        await sleep(_WRONG_PAUSE_S)
        found = await to_thread.run_sync(passes.look, token, visit.now)
        return _door(visit, token, found, wrong="code")
    await to_thread.run_sync(visit.site.told, "entered", entered.session.person, visit.address)
    response = go("/")
    response.set_cookie(
        Cookie(
            key=visit.site.cookie,
            value=entered.secret,
            max_age=int((entered.session.until - visit.now).total_seconds()),
            path="/",
            secure=visit.site.is_secure,
            httponly=True,
            samesite="strict",
        )
    )
    return response


def _door(visit: Visit, token: str, found: Pass | None, *, wrong: str) -> Response[str]:
    if found is None:
        return page(visit, "nobody.html", status=403, used=True)
    status = 422 if wrong else 200
    needs_code = bool(found.code_sha256)
    facts = {"person": found.person, "needs_code": needs_code, "token": token, "wrong": wrong}
    return page(visit, "door.html", status=status, **facts)


@post("/sortir")
async def leave(request: AnyRequest) -> Response[str]:
    visit = visit_of(request)
    response = go("/")
    if visit.session is not None:
        await form_of(request, visit.session)
        await to_thread.run_sync(visit.site.passes.end, visit.secret)
    response.delete_cookie(visit.site.cookie, path="/")
    return response


@get("/static/{digest:str}/{name:path}", sync_to_thread=False)
def static(request: AnyRequest, digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    found = site_of(request).body(digest, name.lstrip("/"))
    if found is None:
        raise NotFoundException
    return Response(found[0], media_type=found[1], headers={"cache-control": _FOR_EVER})


@get("/up", media_type=MediaType.TEXT, sync_to_thread=False)
def is_up() -> str:
    return "ok"


def _nobody(request: AnyRequest, _: NobodyError) -> Response[str]:
    return page(visit_of(request), "nobody.html", status=401, used=False)


def _wrong(request: AnyRequest, error: HTTPException) -> Response[str]:
    key = _WRONG.get(error.status_code, "wrong")
    return page(visit_of(request), "wrong.html", status=error.status_code, key=key)


def application(site: Site, routes: list[Any], *, most_bytes: int, **facts: Any) -> Litestar:
    """The site with the pages of its program."""
    return Litestar(
        route_handlers=[door, come_in, leave, static, is_up, *routes],
        state=State({"site": site, **facts}),
        exception_handlers={NobodyError: _nobody, HTTPException: _wrong},
        request_max_body_size=most_bytes,
        openapi_config=None,
        logging_config=None,
    )
