"""Serves the table of operations: token, scope, pace, body, one transaction, and the answer kept for a day."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from anyio import to_thread
from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from releve.apps.api import answers
from releve.apps.api.call import MOST_ITEMS, USUAL_ITEMS, Call, Operation, slice_of
from releve.apps.api.document import ROOT, document
from releve.apps.api.operations import OPERATIONS
from releve.apps.api.pace import Pace
from releve.apps.console.context import AnyRequest, Context, context_of
from releve.apps.console.units import told
from releve.apps.web.problems import ProblemError, problem
from releve.flow.server.signin import digest
from releve.flow.server.tools import tokens
from releve.model.tool import GivenAnswer, UsedToken

_LONGEST_TOKEN, _LONGEST_BODY = 200, 64 * 1024
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_LIMIT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
# One text for all of them: who guesses learns nothing by it.
_NONE_GOOD = (
    "Send `Authorization: Bearer releve_…`. There was none, or it is unknown, over or revoked:"
    " `releve server api-token list`, or Personnes, Outils reliés."
)
_NO_STORE = {"cache-control": "no-store"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came."""

    secret: str
    ids: dict[str, str]
    limit: str | None
    cursor: str
    key: str
    media_type: str
    body: bytes


def api_routes(pace: Pace) -> list[Any]:
    return [_structures(pace), _document(), *(_route(operation, pace) for operation in OPERATIONS)]


def _route(operation: Operation, pace: Pace) -> HTTPRouteHandler:
    def work(context: Context, asked: Asked) -> GivenAnswer:
        return _answered(context, operation, asked, pace)

    async def serve(request: AnyRequest) -> Response[bytes]:
        answer = await _serve(request, work)
        if operation.writes and answer.status_code == operation.status:
            told(context_of(request), request.path_params["structure"])
        return answer

    path = re.sub(r"{(\w+)}", r"{\1:str}", f"{ROOT}/structures/{{structure}}{operation.path}")
    made = HTTPRouteHandler(path, http_method=operation.method, status_code=200)
    return made(serve)


def _structures(pace: Pace) -> HTTPRouteHandler:
    def work(context: Context, asked: Asked) -> GivenAnswer:
        found = _opened(context, asked, pace)
        names = {one.id: one.name for one in context.store.structures()}
        rows = []
        for structure, used in found:
            with context.store.unit(structure, writes=False) as unit:
                scopes = tokens.scopes_in(unit, used.token)
            name = names.get(structure, "")
            rows.append(answers.ApiStructure(id=structure, name=name, scopes=scopes))
        limit, cursor = _limit(asked), asked.cursor
        page = slice_of(limit, cursor, rows, lambda one: one.id, lambda one: one)
        return GivenAnswer(asked="", status=200, body=msgspec.json.encode(page))

    @get(f"{ROOT}/structures")
    async def structures(request: AnyRequest) -> Response[bytes]:
        return await _serve(request, work)

    return structures


def _document() -> HTTPRouteHandler:
    @get(f"{ROOT}/openapi.json", sync_to_thread=False)
    def openapi() -> Response[bytes]:
        return Response(document(), media_type="application/json")

    return openapi


async def _serve(
    request: AnyRequest, work: Callable[[Context, Asked], GivenAnswer]
) -> Response[bytes]:
    try:
        asked = await _asked(request)
        given = await to_thread.run_sync(work, context_of(request), asked)
    except ProblemError as error:
        return problem(error)
    media_type = "application/json" if given.body else None
    return Response(given.body, status_code=given.status, media_type=media_type, headers=_NO_STORE)


async def _asked(request: AnyRequest) -> Asked:
    headers, query = request.headers, request.query_params
    try:
        body = await request.body()
    except HTTPException as error:
        raise ProblemError(413, "body-too-long") from error
    if len(body) > _LONGEST_BODY:
        raise ProblemError(413, "body-too-long")
    scheme, _, secret = headers.get("authorization", "")[:_LONGEST_TOKEN].partition(" ")
    return Asked(
        secret=secret if scheme.lower() == "bearer" else "",
        ids={name: str(value) for name, value in request.path_params.items()},
        limit=query.get("limit"),
        cursor=query.get("cursor", ""),
        key=headers.get("idempotency-key", ""),
        media_type=headers.get("content-type", ""),
        body=body,
    )


def _answered(context: Context, operation: Operation, asked: Asked, pace: Pace) -> GivenAnswer:
    now = context.clock.now()
    found = dict(_opened(context, asked, pace))
    structure = asked.ids["structure"]
    used = found.get(structure)
    if used is None:
        raise ProblemError(404, "missing", "The token opens no such structure.")
    if not all(_ID.fullmatch(one) for one in asked.ids.values()):
        raise ProblemError(404, "missing")
    body = _body(operation, asked)
    tokens.tell_use(context.store, structure, used, now)
    with context.store.unit(structure, writes=operation.writes) as unit:
        if operation.scope not in tokens.scopes_in(unit, used.token):
            detail = f"This needs the scope {operation.scope.value}."
            raise ProblemError(403, "scope", detail)
        call = Call(
            context=context,
            unit=unit,
            token=used.token,
            now=now,
            identity=context.new_id(),
            ids=asked.ids,
            limit=_limit(asked) if operation.is_list else USUAL_ITEMS,
            cursor=asked.cursor if operation.is_list else "",
            body=body,
        )
        return _once(operation, asked, call) if operation.needs_key else _done(operation, call)


def _once(operation: Operation, asked: Asked, call: Call) -> GivenAnswer:
    """The work and the answer are one transaction: asked again, it is not done again."""
    if not _KEY.fullmatch(asked.key):
        raise ProblemError(400, "idempotency-key", "Idempotency-Key: 1 to 200 printable letters.")
    unit, token, key = call.unit, call.token.id, digest(asked.key)
    unit.hold()
    known = unit.api_answer(token, key)
    target = "/".join((operation.name, *(asked.ids[name] for name in sorted(asked.ids))))
    same = digest(f"{target}\n{asked.body.hex()}")
    if known is None:
        given = _done(operation, call, same)
        unit.put_api_answer(token, key, given, call.now)
        return given
    if known.asked != same:
        detail = "This Idempotency-Key was sent with another request."
        raise ProblemError(422, "idempotency-key-reused", detail)
    return known


def _done(operation: Operation, call: Call, same: str = "") -> GivenAnswer:
    made = operation.work(call)
    body = b"" if operation.answer is None else msgspec.json.encode(made)
    return GivenAnswer(asked=same, status=operation.status, body=body)


def _opened(context: Context, asked: Asked, pace: Pace) -> list[tuple[str, UsedToken]]:
    """(structure, token); guessing is hopeless with 256 bits, so wrong ones are not counted."""
    now = context.clock.now()
    found = tokens.opened(context.store, asked.secret, now) if asked.secret else []
    if not found:
        raise ProblemError(401, "token", _NONE_GOOD, {"www-authenticate": "Bearer"})
    if seconds := pace.wait(found[0][1].token.id, now):
        raise ProblemError(429, "rate", "", {"retry-after": str(seconds)})
    return found


def _limit(asked: Asked) -> int:
    if asked.limit is None:
        return USUAL_ITEMS
    if not _LIMIT.fullmatch(asked.limit) or int(asked.limit) > MOST_ITEMS:
        raise ProblemError(400, "limit", f"limit: 1 to {MOST_ITEMS}.")
    return int(asked.limit)


def _body(operation: Operation, asked: Asked) -> Any:
    if operation.body is None:
        return None
    if asked.media_type.partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "media-type", "Content-Type: application/json")
    try:
        return msgspec.json.decode(asked.body, type=operation.body)
    except msgspec.DecodeError as error:
        raise ProblemError(400, "body", str(error)[:300]) from error
