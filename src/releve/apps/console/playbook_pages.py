"""Playbooks: the sheets to read and print, and a playbook's steps in an incident."""

from typing import Any

from anyio import to_thread
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.adapters.pdf import pdf
from releve.apps.console.context import AnyRequest, context_of
from releve.apps.console.incident_pages import changed
from releve.apps.console.units import reading
from releve.apps.console.views import structure_name
from releve.apps.console.web import Entered, enter, form_of, page
from releve.flow.server import playbooks as running
from releve.flow.server.ports import Unit
from releve.model.playbook import Playbook, StepWord
from releve.model.structure import Profile
from releve.report.playbook_sheet import sheet

_LONGEST = 300


@get("/playbooks")
async def playbooks(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    return page(
        entered.visit, "playbooks.html", playbooks=entered.visit.context.playbooks.playbooks
    )


@get("/playbooks/{name:str}")
async def playbook(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """One sheet with the structure's own numbers; the browser prints it."""
    entered = await enter(request)
    wanted = _named(request, name)
    profile = await reading(entered, lambda unit: unit.profile())
    contacts = [c for c in profile.contacts if c.phone] if profile else []
    outside = entered.visit.context.law.outside_help
    return page(entered.visit, "playbook.html", playbook=wanted, contacts=contacts, outside=outside)


@get("/playbooks/{name:str}/sheet.pdf")
async def printed(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    entered = await enter(request)
    wanted, visit = _named(request, name), entered.visit
    profile = await reading(entered, lambda unit: unit.profile())

    def draw() -> bytes:
        title = structure_name(visit.context.store, entered.structure)
        return pdf(_sheet(wanted, title, profile, entered))

    body = await to_thread.run_sync(draw)
    headers = {"content-disposition": f'attachment; filename="releve-{wanted.id}.pdf"'}
    return Response(body, media_type="application/pdf", headers=headers)


@post("/incidents/{identity:str}/playbooks", status_code=200)
async def start(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    wanted = _named(request, fields.get("playbook", ""))

    def begin(unit: Unit) -> str | None:
        run = running.start(unit, identity, wanted, entered.doer)
        return identity if run else None

    return await changed(entered, identity, begin)


@post("/incidents/{identity:str}/playbooks/{name:str}/{step:str}", status_code=200)
async def say(
    request: AnyRequest, identity: FromPath[str], name: FromPath[str], step: FromPath[str]
) -> Response[str]:
    """A step is done, skipped with its reason, taken back; or its action is proposed."""
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    wanted, doer = _named(request, name), entered.doer
    state, why = fields.get("state", ""), fields.get("why", "")[:_LONGEST]

    def tell(unit: Unit) -> str | None:
        found = unit.incident(identity)
        own = unit.runs((found.id, *found.merged)) if found else []
        run = next((r for r in own if r.playbook == name), None)
        if run is None:
            return None
        if state == "propose":
            running.act(unit, run, wanted, step, doer, why)
        else:
            word = StepWord(step=step, state=state, by=doer.by, at=doer.at, why=why)
            running.say(unit, run, wanted, word, doer)
        return identity

    return await changed(entered, identity, tell)


ROUTES: list[Any] = [playbooks, playbook, printed, start, say]


def _named(request: AnyRequest, name: str) -> Playbook:
    found = context_of(request).playbooks.named(name)
    if found is None:
        raise NotFoundException
    return found


def _sheet(wanted: Playbook, title: str, profile: Profile | None, entered: Entered) -> str:
    visit = entered.visit
    lang, outside = visit.words.language, visit.context.law.outside_help
    return sheet(wanted, title, profile, visit.now.date(), lang, outside=outside)
