"""The pages of people who signed in: the live one, health, and what can be asked."""

import datetime as dt
from typing import Any

from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

import releve
from releve.apps.console import views
from releve.apps.console.context import AnyRequest
from releve.apps.console.stream import live_answer
from releve.apps.console.trail_known import Around, known
from releve.apps.console.trail_words import Content, row
from releve.apps.console.units import reading, writing
from releve.apps.console.web import Entered, enter, form_of, go, page, render, whole_number
from releve.flow.server import actions, ordering, playbooks, would_stop
from releve.flow.server.ports import Unit
from releve.model.access import Role
from releve.model.order import AnyTask, Isolate, Release, RestoreFile, StopFamily, ThawFamily
from releve.respond.playbooks import Proposal

_LONGEST = 300  # letters of a reason
_LINES = 60  # of the audit trail on one page
# Who sees no page of a structure is sent on from the first one.
_ARRIVE: dict[Role | None, str] = {Role.GROUP: "/group", Role.INSURER: "/insurer"}


@get("/")
async def home(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    first = _ARRIVE.get(entered.visit.role)
    if first is not None:
        return go(first)
    view = await to_thread.run_sync(_overview, entered)
    if (
        entered.visit.role is Role.OPERATOR
        and entered.session.is_home
        and view.outlook.state == "empty"
    ):
        return go("/situation")  # an operator's own firm guards nothing: the clients are the work
    return page(entered.visit, "home.html", view=view, entered=entered)


@get("/live")
async def live(request: AnyRequest) -> Response[Any]:
    return await live_answer(request, _picture)


def _picture(entered: Entered) -> str:
    return render(entered.visit, "_live.html", view=_overview(entered), entered=entered)


def _overview(entered: Entered) -> views.Overview:
    visit = entered.visit
    return views.overview(visit.context.store, entered.structure, visit.now)


@post("/would-stop/review")
async def review(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    await form_of(request, entered.session)
    login, now = entered.session.login, entered.visit.now

    await writing(entered, lambda unit: would_stop.review(unit, actor=login, now=now))
    return go("/")


@post("/hosts/{host:str}/ask")
async def ask(request: AnyRequest, host: FromPath[str]) -> Response[str]:
    """Ask something of a host: at once, or as a proposal where it may stop care or is one of several."""
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    task = _task(fields)
    doer = entered.doer

    def order(unit: Unit) -> None:
        if task is None or not ordering.ask(unit, (Proposal(host, task),), doer):
            raise NotFoundException

    await writing(entered, order)
    return go("/")


@post("/actions/{identity:str}/{decision:str}")
async def decide(
    request: AnyRequest, identity: FromPath[str], decision: FromPath[str]
) -> Response[str]:
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    context, doer = entered.visit.context, entered.doer
    why = fields.get("why", "")[:_LONGEST]

    def carry(unit: Unit) -> None:
        if unit.action(identity) is None or decision not in ("approve", "refuse"):
            raise NotFoundException
        if decision == "approve":
            actions.approve(unit, identity, context.key, actor=doer.by, now=doer.at)
        else:
            playbooks.refuse(unit, context.playbooks, identity, doer, why)

    await writing(entered, carry)
    return go("/")


@get("/health")
async def health(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    context, now, words = entered.visit.context, entered.visit.now, entered.visit.words
    around = await to_thread.run_sync(_around, entered)
    before = whole_number(request.query_params.get("before", ""))

    def read(unit: Unit) -> dict[str, Any]:
        hosts = unit.hosts()
        records = [unit.host(h.id) for h in hosts]
        entries = unit.trail(most=_LINES + 1, before=before)
        shown = entries[:_LINES]
        content = Content(
            law=context.law,
            forms=context.forms,
            playbooks=context.playbooks,
            known=known(unit, shown, around, words),
        )
        return {
            "hosts": [views.host_view(h, now) for h in hosts],
            "vitals": {r.host.id: r.vitals for r in records if r is not None},
            "events": unit.count_events(),
            "trail": [row(e, content, words) for e in shown],
            "older": shown[-1].number if len(entries) > _LINES else 0,
            "before": before,
            "named": content.known.objects,
            "trail_is_whole": unit.trail_is_whole(),
            "heads": context.shipments.of(unit.structure, now),
            "has_places": context.shipments.has_places,
            "people": len(unit.people()),
            "done": [(r, views.task_name(r)) for r in unit.actions(most=20)],
        }

    facts = await reading(entered, read)
    return page(entered.visit, "health.html", version=releve.__version__, **facts)


def _around(entered: Entered) -> Around:
    store = entered.visit.context.store
    name = views.structure_name(store, entered.structure)
    return Around(structure_name=name, circles=store.circles())


ROUTES: list[Any] = [
    home,
    live,
    review,
    ask,
    decide,
    health,
]


def _task(fields: dict[str, str]) -> AnyTask | None:
    """The task that a form names; None when it names none of ours."""
    match fields.get("task"):
        case "isolate":
            return Isolate()
        case "release":
            return Release()
        case "stop" if fields.get("family"):
            is_frozen = fields.get("frozen") == "yes"
            return StopFamily(family=fields["family"][:200], is_frozen=is_frozen)
        case "thaw" if fields.get("family"):
            return ThawFamily(family=fields["family"][:200])
        case "restore" if fields.get("token"):
            try:
                as_of = dt.datetime.fromisoformat(fields.get("as_of", ""))
            except ValueError:
                return None
            return RestoreFile(token=fields["token"][:64], as_of=as_of)
        case _:
            return None
