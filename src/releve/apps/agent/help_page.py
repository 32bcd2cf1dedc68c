"""The help page of a host, on loopback only: a button, what is known here, and how far one's call is.

Who asks is who the kernel says has connected: another user of this machine asks in the own name, and
sees the own calls. A page of another site cannot ask: Host and Origin must be ours, and the form's token
is made for that user.
"""

import contextlib
import datetime as dt
import hashlib
import hmac
import socket
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import structlog
import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.exceptions import HTTPException, NotFoundException, PermissionDeniedException
from litestar.params import FromPath

from releve.adapters.linux.loopback import user_of
from releve.adapters.system import new_id
from releve.apps.web.assets import assets, templates
from releve.apps.web.headers import SafeHeaders
from releve.apps.web.origin import check_origin
from releve.apps.web.words import LANGUAGES, Words, choose_language, load
from releve.flow.agent.help import HelpDesk, KeptAsk, TooManyAsks
from releve.flow.wire import HelpAsk

AnyRequest = Request[Any, Any, Any]
log = structlog.get_logger()
_OWN, _SHARED, _LOOK = "releve.apps.agent", "releve.apps.web", "releve.apps.console"
_PACKAGES = (_LOOK, _SHARED, _OWN)
_LONGEST_TEXT, _LONGEST_PHONE, _MOST_BYTES = 2000, 40, 16 * 1024
_YEAR = 365 * 24 * 3600
_SHOWN = 3


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the page needs to know of its host; `guard`: None where none is to run."""

    host_name: str
    key: bytes  # of the forms' tokens: the same after a restart, or a call that was written is lost
    guard: Callable[[], bool | None]
    now: Callable[[], dt.datetime]  # the server's time, as near as it is known


class HelpSite:
    def __init__(self, desk: HelpDesk, facts: Facts, port: int) -> None:
        self.desk, self.facts, self.port = desk, facts, port
        self._texts = load(_SHARED, _OWN)
        self._templates = templates(_OWN, _SHARED)

    def token(self, user: str) -> str:
        return hmac.new(self.facts.key, user.encode(), hashlib.sha256).hexdigest()

    def calls(self, user: str) -> list[KeptAsk]:
        """The user's own, the newest first; nobody's to whom the kernel does not know."""
        own = [one for one in self.desk.pad.asks if user and one.ask.by == user]
        return own[::-1][:_SHOWN]

    def render(self, template: str, user: str, language: str, **facts: Any) -> str:
        shown: str = self._templates.get_template(template).render(
            t=Words(language, self._texts),
            asset=lambda name: f"/static/{assets(*_PACKAGES)[name].digest}/{name}",
            now=self.facts.now(),
            session=None,
            facts=self.facts,
            guard=self.facts.guard(),
            state=self.desk.pad.state,
            is_reached=self.desk.is_reached,
            calls=self.calls(user),
            user=user,
            token=self.token(user),
            most={"text": _LONGEST_TEXT, "phone": _LONGEST_PHONE},
            **facts,
        )
        return shown


def site_of(request: AnyRequest) -> HelpSite:
    found: HelpSite = request.app.state["site"]
    return found


def _user(request: AnyRequest) -> str:
    client = request.client
    return user_of(client.port, site_of(request).port) if client else ""


def _check_host(request: AnyRequest) -> None:
    """A name that leads here but is not ours is a page of elsewhere (DNS rebinding)."""
    port = site_of(request).port
    if request.headers.get("host", "") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise PermissionDeniedException("this is not the name of this page")


def _page(request: AnyRequest, template: str, *, status: int = 200, **facts: Any) -> Response[str]:
    wish = request.query_params.get("lang", "")
    accept = request.headers.get("accept-language", "")
    language = choose_language(wish, request.cookies.get("lang", ""), accept)
    text = site_of(request).render(template, _user(request), language, **facts)
    response = Response(text, media_type="text/html", status_code=status)
    if wish in LANGUAGES:
        response.set_cookie(Cookie(key="lang", value=wish, max_age=_YEAR, path="/", samesite="lax"))
    return response


@get("/")
async def start(request: AnyRequest) -> Response[str]:
    return _page(request, "help.html", wrong="")


@get("/state")
async def state(request: AnyRequest) -> Response[str]:
    return _page(request, "_help_state.html")


@post("/ask")
async def ask(request: AnyRequest) -> Response[str]:
    check_origin(request)
    fields = {str(k): v for k, v in (await request.form()).items() if isinstance(v, str)}
    site, user = site_of(request), _user(request)
    if not hmac.compare_digest(fields.get("token", "").encode(), site.token(user).encode()):
        raise PermissionDeniedException("the form's token is not of this user")
    text, phone = fields.get("text", "").strip(), fields.get("phone", "").strip()
    if not text and not phone:
        return _page(request, "help.html", status=422, wrong="empty")
    wanted = HelpAsk(
        id=new_id(),
        text=text[:_LONGEST_TEXT],
        is_blocked=fields.get("blocked") == "yes",
        phone=phone[:_LONGEST_PHONE],
        at=site.facts.now(),
        by=user,
    )
    try:
        site.desk.ask(wanted)
    except TooManyAsks:
        return _page(request, "help.html", status=429, wrong="many")
    return Response("", status_code=303, headers={"location": "/"})


@get("/static/{digest:str}/{name:path}", sync_to_thread=False)
def static(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    found = assets(*_PACKAGES).get(name.lstrip("/"))
    if found is None or found.digest != digest:
        raise NotFoundException
    return Response(found.body, media_type=found.media_type)


def _wrong(_: AnyRequest, error: HTTPException) -> Response[str]:
    return Response(
        f"{error.status_code}\n", media_type="text/plain", status_code=error.status_code
    )


def application(site: HelpSite) -> Litestar:
    return Litestar(
        route_handlers=[start, state, ask, static],
        before_request=_check_host,
        state=State({"site": site}),
        exception_handlers={HTTPException: _wrong},
        request_max_body_size=_MOST_BYTES,
        openapi_config=None,
        logging_config=None,
    )


class _Guest(uvicorn.Server):
    """Lives in a program that has its own signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_page(desk: HelpDesk, facts: Facts, port: int) -> None:
    """Until it is cancelled; without its port the agent goes on without the page."""
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        log.warning("help_page_not_served", port=port, why=error.strerror)
        return
    with listener:
        site = HelpSite(desk, facts, listener.getsockname()[1])
        app: Any = SafeHeaders(application(site), is_secure=False)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="off"
        )
        await _Guest(config).serve(sockets=[listener])
