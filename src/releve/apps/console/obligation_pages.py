"""Legal clocks: all of the structure, those of an incident with its questions, the breach register."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from releve.apps.console import obligation_views as views
from releve.apps.console.context import AnyRequest
from releve.apps.console.units import reading, writing
from releve.apps.console.web import Entered, enter, form_of, go, page
from releve.flow.server import dossiers, duties, obligations
from releve.flow.server.ports import Unit
from releve.flow.server.profiles import zone_of
from releve.model.incident import Incident
from releve.model.law import Law
from releve.model.obligation import Decision, State
from releve.obligation.times import instant, retold

WRONGS = ("incomplete", "changed")


@get("/obligations")
async def clocks(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    law, now = entered.visit.context.law, entered.visit.now

    def read(unit: Unit) -> tuple[views.ClocksPage, dt.tzinfo]:
        return views.clocks_page(unit, law, now), zone_of(unit)

    view, zone = await reading(entered, read)
    wrong = wrong_of(request)
    return page(entered.visit, "obligations.html", view=view, law=law, zone=zone, wrong=wrong)


@get("/obligations/register")
async def register(request: AnyRequest) -> Response[str]:
    entered = await enter(request)
    law, now = entered.visit.context.law, entered.visit.now
    entries = await reading(entered, lambda unit: duties.breach_register(unit, law, now))
    return page(entered.visit, "register.html", entries=entries, law=law)


@get("/incidents/{identity:str}/obligations")
async def of_incident(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    context, now = entered.visit.context, entered.visit.now

    def read(unit: Unit) -> tuple[views.CasePage, dt.tzinfo]:
        incident = incident_of(unit, identity)
        view = views.case_page(unit, context.law, context.forms, incident, now)
        return view, zone_of(unit)

    view, zone = await reading(entered, read)
    return page(
        entered.visit,
        "incident_obligations.html",
        view=view,
        law=context.law,
        zone=zone,
        texts=obligations.TEXTS,
        wrong=wrong_of(request),
    )


@post("/incidents/{identity:str}/obligations")
async def declare(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    """A person declares the attack, or tells more of it; the drafts follow in the same breath."""
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    context, login, now = entered.visit.context, entered.session.login, entered.visit.now
    here = f"/incidents/{identity}/obligations"

    def tell(unit: Unit) -> None:
        incident = incident_of(unit, identity)
        said = _said(fields, unit, incident, context.law)
        obligations.declare(unit, context.law, identity, said, login=login, now=now)

    def draft(unit: Unit) -> None:
        who = dossiers.Who(login=login, at=now)
        dossiers.make_all(unit, context.law, context.forms, identity, who)

    try:
        await writing(entered, tell)
    except obligations.DecisionIncompleteError:
        return go(f"{here}?wrong=incomplete")
    # Apart: whatever stops a draft must not undo the clocks.
    await writing(entered, draft)
    return go(here)


@post("/incidents/{identity:str}/obligations/{duty:str}/sent")
async def sent(request: AnyRequest, identity: FromPath[str], duty: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    law, login, now = entered.visit.context.law, entered.session.login, entered.visit.now

    def write(unit: Unit) -> None:
        incident_of(unit, identity)
        decision = Decision(
            state=State.PARTIAL if fields.get("partial") == "yes" else State.DONE,
            by=fields.get("by", "").strip()[:200],
            at=now,
            sent_at=instant(fields.get("sent_at", ""), zone_of(unit)),
            reference=fields.get("reference", "").strip()[:200],
        )
        obligations.send(unit, law, identity, duty, decision, login=login)

    return await _decided(entered, identity, fields, write)


@post("/incidents/{identity:str}/obligations/{duty:str}/not-due")
async def not_due(
    request: AnyRequest, identity: FromPath[str], duty: FromPath[str]
) -> Response[str]:
    entered = await enter(request)
    fields = await form_of(request, entered.session)
    law, login, now = entered.visit.context.law, entered.session.login, entered.visit.now

    def write(unit: Unit) -> None:
        incident_of(unit, identity)
        decision = Decision(
            state=State.NOT_DUE,
            by=fields.get("by", "").strip()[:200],
            at=now,
            reason=fields.get("reason", "").strip()[:1000],
        )
        obligations.not_due(unit, law, identity, duty, decision, login=login)

    return await _decided(entered, identity, fields, write)


ROUTES: list[Any] = [clocks, register, of_incident, declare, sent, not_due]


def incident_of(unit: Unit, identity: str) -> Incident:
    found = unit.incident(identity)
    if found is None:
        raise NotFoundException
    return found


def wrong_of(request: AnyRequest) -> str:
    """What the last form lacked; only words of ours."""
    said = request.query_params.get("wrong", "")
    return said if said in WRONGS else ""


async def _decided(
    entered: Entered, identity: str, fields: dict[str, str], write: Callable[[Unit], None]
) -> Response[str]:
    here = "/obligations" if fields.get("back") == "all" else f"/incidents/{identity}/obligations"
    try:
        await writing(entered, write)
    except obligations.DecisionIncompleteError:
        return go(f"{here}?wrong=incomplete")
    except (obligations.DutyUnknownError, duties.NotDeclaredError) as error:
        raise NotFoundException from error
    return go(here)


def _said(fields: dict[str, str], unit: Unit, incident: Incident, law: Law) -> obligations.Said:
    before, zone = unit.declaration(incident.id), zone_of(unit)
    first = before.first_signal if before else incident.opened_at
    return obligations.Said(
        by=fields.get("by", ""),
        role=fields.get("role", ""),
        first_signal=retold(fields.get("first_signal", ""), first, zone),
        aware_at=retold(fields.get("aware_at", ""), before.aware_at if before else None, zone),
        significant_at=retold(
            fields.get("significant_at", ""), before.significant_at if before else None, zone
        ),
        answers={
            q.id: fields[f"answer.{q.id}"] for q in law.question if fields.get(f"answer.{q.id}")
        },
        texts={name: fields[name].strip() for name in obligations.TEXTS if name in fields},
    )
