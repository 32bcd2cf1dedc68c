"""The console's parts, for the server to put into its application."""

from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath
from litestar.types import ExceptionHandlersMap

from releve.apps.console import (
    account_pages,
    case_pages,
    circle_pages,
    door,
    dossier_pages,
    help_pages,
    identity_pages,
    incident_pages,
    leaving_pages,
    obligation_pages,
    own_means_pages,
    pages,
    paper_pages,
    people_pages,
    playbook_pages,
    posture_pages,
    settings_pages,
    situation_pages,
    statement_pages,
    tool_pages,
    vault_pages,
    ways_in,
)
from releve.apps.console.web import (
    NotOfRoleError,
    SignInNeededError,
    StructureLeftError,
    assets,
    drop_session_cookie,
    go,
    page,
    plain_visit,
)
from releve.apps.web.problems import ProblemError, problem

_FOR_EVER = "public, max-age=31536000, immutable"


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    routes: list[Any]
    exception_handlers: ExceptionHandlersMap


def console_parts() -> Parts:
    return Parts(
        routes=[
            *door.ROUTES,
            *ways_in.ROUTES,
            *identity_pages.ROUTES,
            *leaving_pages.ROUTES,
            *account_pages.ROUTES,
            *own_means_pages.ROUTES,
            *pages.ROUTES,
            *incident_pages.ROUTES,
            *case_pages.ROUTES,
            *playbook_pages.ROUTES,
            *vault_pages.ROUTES,
            *obligation_pages.ROUTES,
            *dossier_pages.ROUTES,
            *paper_pages.ROUTES,
            *help_pages.ROUTES,
            *people_pages.ROUTES,
            *situation_pages.ROUTES,
            *circle_pages.ROUTES,
            *posture_pages.ROUTES,
            *settings_pages.ROUTES,
            *statement_pages.ROUTES,
            *tool_pages.ROUTES,
            static,
            is_up,
        ],
        exception_handlers={
            SignInNeededError: _to_the_door,
            StructureLeftError: _left,
            HTTPException: _wrong,
        },
    )


@get("/static/{digest:str}/{name:path}", sync_to_thread=False)
def static(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    asset = assets().get(name.lstrip("/"))
    if asset is None or asset.digest != digest:
        raise NotFoundException
    headers = {"cache-control": _FOR_EVER}
    return Response(asset.body, media_type=asset.media_type, headers=headers)


@get("/up", media_type=MediaType.TEXT, sync_to_thread=False)
def is_up() -> str:
    """For a balancer or a person: the server answers."""
    return "ok"


def _to_the_door(_: Request[Any, Any, Any], error: SignInNeededError) -> Response[str]:
    return go(error.at)


def _left(_: Request[Any, Any, Any], error: StructureLeftError) -> Response[str]:
    """Once: the next page is the door."""
    response = page(error.visit, "departed.html", status=410, left_at=error.at)
    drop_session_cookie(response, error.visit.context)
    return response


def _wrong(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """A page for people; what is asked by programs gets a problem."""
    if request.url.path.startswith("/api/"):
        kind = {404: "missing", 405: "method"}.get(error.status_code, "request")
        return problem(ProblemError(error.status_code, kind, headers=error.headers))
    if isinstance(error, NotOfRoleError):
        return page(error.visit, "wrong.html", status=403, key="role")
    visit = plain_visit(request)
    key = {404: "missing", 405: "missing", 403: "forbidden"}.get(error.status_code, "wrong")
    return page(visit, "wrong.html", status=error.status_code, key=key)
