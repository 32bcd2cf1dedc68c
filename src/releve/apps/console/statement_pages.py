"""The service statements of the structure: made when asked for, kept, taken away as files."""

from typing import Any

import msgspec
from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.apps.console.context import AnyRequest
from releve.apps.console.statement_files import TYPES, Maker, make_statement
from releve.apps.console.units import reading
from releve.apps.console.web import Entered, enter, form_of, go, page
from releve.flow.server.months import MonthError, names_since
from releve.flow.server.ports import Structure, Unit
from releve.flow.server.profiles import zone_name
from releve.model.statement import KeptStatement

_MOST_MONTHS = 24


class MonthRow(msgspec.Struct, frozen=True, kw_only=True):
    """One month; `kept` None: no statement of it was made."""

    name: str
    kept: KeptStatement | None
    is_under_way: bool


@get("/statements")
async def statements(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    own, now = await to_thread.run_sync(_structure, entered), entered.visit.now

    def read(unit: Unit) -> list[MonthRow]:
        kept = {one.month: one for one in unit.statements()}  # the newest version comes last
        names = names_since(own.created_at, now, zone_name(unit))[:_MOST_MONTHS]
        return [
            MonthRow(name=name, kept=kept.get(name), is_under_way=place == 0)
            for place, name in enumerate(names)
        ]

    return page(entered.visit, "statements.html", months=await reading(entered, read))


@post("/statements/{month:str}")
async def make(request: AnyRequest, month: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    await form_of(request, entered.session)
    context = entered.visit.context
    who = Maker(actor=entered.session.login, now=entered.visit.now, key=context.key)

    def work() -> None:
        make_statement(context.store, _structure(entered), month, who)

    try:
        await to_thread.run_sync(work)
    except MonthError as error:
        raise NotFoundException from error
    return go("/statements")


@get("/statements/{month:str}/{file:str}")
async def download(
    request: AnyRequest, month: FromPath[str], file: FromPath[str]
) -> Response[bytes]:
    entered = await enter(request)

    def read(unit: Unit) -> bytes:
        known = [one for one in unit.statements() if one.month == month and file in one.files]
        if not known:
            raise NotFoundException
        return known[0].files[file]

    body = await reading(entered, read)
    headers = {"content-disposition": f'attachment; filename="{file}"'}
    return Response(body, media_type=TYPES[file.rpartition(".")[2]], headers=headers)


ROUTES: list[Any] = [statements, make, download]


def _structure(entered: Entered) -> Structure:
    known = entered.visit.context.store.structures()
    return next(one for one in known if one.id == entered.structure)
