"""Incidents: the list, the page of one and its live part; merged, split, closed, reopened, care resumed."""

from collections.abc import Callable
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from releve.apps.console import views
from releve.apps.console.context import AnyRequest, context_of
from releve.apps.console.incident_views import LINES, TASKS, CaseView, case_view, with_duties
from releve.apps.console.stream import live_answer
from releve.apps.console.units import reading, writing
from releve.apps.console.web import Entered, enter, form_of, go, page, render
from releve.flow.server import incidents as work
from releve.flow.server.assist import alarms
from releve.flow.server.casework import CaseError
from releve.flow.server.incidents import HandlingError, Word
from releve.flow.server.ports import Unit
from releve.model.incident import Incident
from releve.respond.playbooks import PlaybookError

_LONGEST = 500
_MOST_SKIPPED = 1_000_000
# Where on the long page a form was sent from, and goes on from there.
_PARTS = {
    "playbooks": "#playbooks",
    "tasks": "#tasks",
    "evidence": "#evidence",
    "hand-over": "#evidence",
    "ransom": "#ransom",
    "care": "#care-title",
}


@get("/incidents")
async def incidents(request: AnyRequest) -> Response[str]:
    entered = await enter(request)

    def read(unit: Unit) -> tuple[views.IncidentView, ...]:
        names = views.names_of(unit)
        return tuple(views.incident_view(i, names) for i in unit.incidents())

    return page(entered.visit, "incidents.html", incidents=await reading(entered, read))


@get("/incidents/{identity:str}")
async def incident(
    request: AnyRequest,
    identity: FromPath[str],
    skip: FromQuery[int] = 0,
    tasks: FromQuery[int] = 0,
) -> Response[str]:
    """From the newest line on, also when more are to be skipped than any incident has."""
    first, task = (n if 0 <= n <= _MOST_SKIPPED else 0 for n in (skip, tasks))
    return await case_page(await enter(request), identity, skip=first, skip_tasks=task)


@get("/incidents/{identity:str}/live")
async def incident_live(request: AnyRequest, identity: FromPath[str]) -> Response[Any]:
    await reading(await enter(request), lambda unit: _known(unit, identity))

    def picture(entered: Entered) -> str:
        with entered.visit.context.store.unit(entered.structure, writes=False) as unit:
            view = _view(unit, entered, identity)
        return render(entered.visit, "_incident.html", view=view, entered=entered)

    return await live_answer(request, picture)


@post("/incidents/{identity:str}/close", status_code=200)
async def close(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    """Close it; the raised watch begins."""
    after = context_of(request).playbooks.after
    return await _handled(
        request, identity, lambda unit, at, word, _: alarms.close(unit, at, word, after)
    )


@post("/incidents/{identity:str}/reopen", status_code=200)
async def reopen(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    return await _handled(
        request, identity, lambda unit, at, word, _: alarms.reopen(unit, at, word)
    )


@post("/incidents/{identity:str}/take", status_code=200)
async def take(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    """Who signed in takes it: nobody else is rung for it."""
    return await _handled(request, identity, lambda unit, at, word, _: alarms.take(unit, at, word))


@post("/incidents/{identity:str}/merge", status_code=200)
async def merge(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    """The incident that the form names becomes part of this one."""
    return await _handled(
        request,
        identity,
        lambda unit, at, word, form: alarms.merge(unit, at, form.get("other", ""), word),
    )


@post("/incidents/{identity:str}/split", status_code=200)
async def split(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    """The hosts that the form names (`host-ID`) go to a new incident."""

    def part(unit: Unit, at: str, word: Word, form: dict[str, str]) -> Incident | None:
        hosts = tuple(name.removeprefix("host-") for name in form if name.startswith("host-"))
        return work.split(unit, at, hosts, word)

    return await _handled(request, identity, part)


@post("/incidents/{identity:str}/care/{service:str}", status_code=200)
async def care(
    request: AnyRequest, identity: FromPath[str], service: FromPath[str]
) -> Response[str]:
    """Care goes on since `now`, or `never` stopped; `undo` takes the word back."""

    def told(unit: Unit, at: str, word: Word, form: dict[str, str]) -> Incident | None:
        known = unit.incident(at)
        clocks = {c.service.id: c for c in work.clocks_of(unit, known, word.at)}
        if service not in clocks:
            return None
        how = form.get("how", "now")
        when = clocks[service].since if how == "never" else word.at
        return work.resume(unit, at, service, when, word, is_back=how != "undo")

    return await _handled(request, identity, told)


ROUTES: list[Any] = [
    incidents,
    incident,
    incident_live,
    close,
    reopen,
    take,
    merge,
    split,
    care,
]


async def case_page(
    entered: Entered, identity: str, *, wrong: str = "", skip: int = 0, skip_tasks: int = 0
) -> Response[str]:
    """The page of one; `wrong`: why what was asked is not done."""
    view = await reading(entered, lambda unit: _view(unit, entered, identity, skip, skip_tasks))
    return page(
        entered.visit,
        "incident.html",
        status=422 if wrong else 200,
        view=view,
        entered=entered,
        wrong=wrong,
        playbooks=entered.visit.context.playbooks,
        lines=LINES,
        most_tasks=TASKS,
    )


async def changed(
    entered: Entered, identity: str, change: Callable[[Unit], str | None]
) -> Response[str]:
    """Back to where it was asked on the incident that `change` names; not done, its page says why."""
    try:
        at = await writing(entered, change)
    except (HandlingError, CaseError, PlaybookError) as error:
        return await case_page(entered, identity, wrong=error.why)
    if at is None:
        raise NotFoundException
    what = entered.visit.path.removeprefix(f"/incidents/{identity}/").split("/")[0]
    return go(f"/incidents/{at}{_PARTS.get(what, '')}")


def word_of(entered: Entered, why: str) -> Word:
    visit = entered.visit
    return Word(
        by=entered.session.login, at=visit.now, why=why[:_LONGEST], id=visit.context.new_id()
    )


async def _handled(
    request: AnyRequest,
    identity: str,
    handle: Callable[[Unit, str, Word, dict[str, str]], Incident | None],
) -> Response[str]:
    entered = await enter(request)
    form = await form_of(request, entered.session)
    word = word_of(entered, form.get("why", ""))

    def change(unit: Unit) -> str | None:
        made = handle(unit, identity, word, form)
        return made.id if made else None

    return await changed(entered, identity, change)


def _view(
    unit: Unit, entered: Entered, identity: str, skip: int = 0, skip_tasks: int = 0
) -> CaseView:
    found = _known(unit, identity)
    visit = entered.visit
    names = views.names_of(unit)
    content = visit.context.playbooks
    view = case_view(unit, found, names, content, visit.now, skip=skip, skip_tasks=skip_tasks)
    return with_duties(view, unit, visit.context.law, visit.now)


def _known(unit: Unit, identity: str) -> Incident:
    found = unit.incident(identity)
    if found is None:
        raise NotFoundException
    return found
