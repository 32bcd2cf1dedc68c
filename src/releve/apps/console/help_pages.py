"""Help: one form of two questions, the call as it goes, the desk, and the page of a link that was sent."""

from collections.abc import Callable
from typing import Any

from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath

from releve.apps.console import help_views
from releve.apps.console.context import AnyRequest
from releve.apps.console.stream import live_answer
from releve.apps.console.web import Entered, enter, form_of, go, offers, page, plain_visit, render
from releve.assist.escalation import Acknowledged
from releve.flow.server.assist import answering
from releve.flow.server.assist.asking import LONGEST_PHONE, LONGEST_TEXT, Asked, TooManyRings, ask
from releve.flow.server.assist.telling import whom_to_call
from releve.flow.server.ports import Unit
from releve.model.help import HelpRequest
from releve.model.structure import Contact

_LONGEST_CODE = 64
_RESTORE_PAGE = "http://127.0.0.1:8460/"  # where `releve restore serve` listens on its own machine


@get("/help")
async def help_form(request: AnyRequest) -> Response[str]:
    return await _form(await enter(request))


@post("/help")
async def ask_help(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    text, phone = fields.get("text", "").strip(), fields.get("phone", "").strip()
    if not text and not phone:
        return await _form(entered, status=422, wrong="empty")
    visit = entered.visit
    asked = Asked(
        id=visit.context.new_id(),
        source="console",
        by=entered.session.login,
        text=text,
        is_blocked=fields.get("blocked") == "yes",
        phone=phone,
        at=visit.now,
    )
    try:
        await to_thread.run_sync(ask, visit.context.store, entered.structure, asked, visit.now)
    except TooManyRings:
        return await _form(entered, status=429, wrong="too_many")
    visit.context.live.touch(entered.structure)
    return go(f"/help/{asked.id}")


@get("/help/file")
async def lost_file(request: AnyRequest) -> Response[str]:
    """Names of files stay in the practice: the way to the page that knows them, or to a person."""
    entered = await enter(request)
    most = {"most": LONGEST_TEXT, "most_phone": LONGEST_PHONE}
    return page(entered.visit, "lost_file.html", address=_RESTORE_PAGE, **most)


@get("/help/{identity:str}")
async def help_call(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    call = await to_thread.run_sync(_call, entered, identity)
    outside = entered.visit.context.law.outside_help
    return page(entered.visit, "help_call.html", call=call, outside=outside)


@get("/help/{identity:str}/live")
async def help_live(request: AnyRequest, identity: FromPath[str]) -> Response[Any]:
    def picture(entered: Entered) -> str:
        outside = entered.visit.context.law.outside_help
        call = _call(entered, identity)
        return render(entered.visit, "_help_call.html", call=call, outside=outside)

    await to_thread.run_sync(_call, await enter(request), identity)
    return await live_answer(request, picture)


@post("/help/{identity:str}/take")
async def take(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    await form_of(request, entered.session)
    login = entered.session.login
    given = Acknowledged(entered.visit.now, login, login)
    try:
        await _writing(entered, lambda unit: answering.acknowledge(unit, identity, given))
    except answering.OwnCall as error:
        raise PermissionDeniedException("who asked cannot take the own call") from error
    return go(f"/help/{identity}")


@post("/help/{identity:str}/close")
async def close(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    done = (await form_of(request, entered.session)).get("done", "")
    login, now = entered.session.login, entered.visit.now

    def end(unit: Unit) -> HelpRequest | None:
        return answering.close(unit, identity, done, actor=login, now=now)

    await _writing(entered, end)
    return go("/desk")


@get("/desk")
async def desk(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    view = await to_thread.run_sync(_desk, entered)
    return page(entered.visit, "desk.html", view=view)


@get("/desk/live")
async def desk_live(request: AnyRequest) -> Response[Any]:
    return await live_answer(
        request, lambda entered: render(entered.visit, "_desk.html", view=_desk(entered))
    )


@get("/a/{code:str}")
async def invited(request: AnyRequest, code: FromPath[str]) -> Response[str]:
    """Changes nothing: previews of messages open links. Whoever holds the link needs no sign-in."""
    visit = plain_visit(request)
    store = visit.context.store
    found = await to_thread.run_sync(answering.look, store, code[:_LONGEST_CODE], visit.now)
    status = 404 if found is None else 200
    return page(visit, "invited.html", status=status, found=found)


@post("/a/{code:str}", status_code=200)
async def answered(request: AnyRequest, code: FromPath[str]) -> Response[str]:
    await form_of(request, None)
    visit = plain_visit(request)
    store = visit.context.store
    found = await to_thread.run_sync(answering.answer, store, code[:_LONGEST_CODE], visit.now)
    if found is not None:
        visit.context.live.touch(found.structure)
    status = 404 if found is None else 200
    return page(visit, "invited.html", status=status, found=found)


ROUTES: list[Any] = [
    help_form,
    lost_file,
    ask_help,
    help_call,
    help_live,
    take,
    close,
    desk,
    desk_live,
    invited,
    answered,
]


async def _form(entered: Entered, *, status: int = 200, wrong: str = "") -> Response[str]:
    def read() -> tuple[list[HelpRequest], tuple[Contact, ...]]:
        with entered.visit.context.store.unit(entered.structure, writes=False) as unit:
            return unit.help_requests(is_open=True), whom_to_call(unit)

    waiting, phones = await to_thread.run_sync(read)
    most = {"text": LONGEST_TEXT, "phone": LONGEST_PHONE}
    rows = [(call, _may_read(entered, call)) for call in waiting]
    facts: dict[str, Any] = {"waiting": rows, "phones": phones, "most": most, "wrong": wrong}
    return page(entered.visit, "help.html", status=status, **facts)


def _call(entered: Entered, identity: str) -> help_views.CallView:
    with entered.visit.context.store.unit(entered.structure, writes=False) as unit:
        found = unit.help_request(identity)
        if found is None or not _may_read(entered, found):
            raise NotFoundException
        return help_views.call_view(unit, found, entered.visit.now)


def _may_read(entered: Entered, call: HelpRequest) -> bool:
    """Who asked, who answers, and of a legal clock or an attack who minds it: what colleagues ask is not for all."""
    answers = offers(entered.visit, "GET", "/desk")
    minds = bool(call.clocks) and offers(entered.visit, "GET", "/obligations")
    reads = bool(call.attacks) and offers(entered.visit, "GET", "/incidents")
    return answers or minds or reads or answering.is_own(call, entered.session.login)


def _desk(entered: Entered) -> help_views.DeskView:
    visit = entered.visit
    return help_views.desk_view(visit.context.store, entered.structure, visit.now)


async def _writing(entered: Entered, write: Callable[[Unit], HelpRequest | None]) -> None:
    def work() -> None:
        with entered.visit.context.store.unit(entered.structure) as unit:
            if write(unit) is None:
                raise NotFoundException

    await to_thread.run_sync(work)
    entered.visit.context.live.touch(entered.structure)
