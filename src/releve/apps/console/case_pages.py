"""What people write beside an incident: tasks, evidence, hand-overs, the decision about a ransom."""

import datetime as dt
from typing import Any

from litestar import Response, post
from litestar.params import FromPath

from releve.apps.console.context import AnyRequest
from releve.apps.console.incident_pages import changed
from releve.apps.console.web import Entered, enter, form_of
from releve.flow.server import casework
from releve.flow.server.ports import Unit
from releve.model.casework import AnyRecord, CaseTask, Evidence, HandOver, RansomDecision

_LONGEST = 500


@post("/incidents/{identity:str}/tasks", status_code=200)
async def add_task(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    form = await _form(request, entered)
    days = form.get("days", "")
    now = entered.visit.now
    task = CaseTask(
        id=entered.visit.context.new_id(),
        incident=identity,
        title=form.get("title", ""),
        who=form.get("who", ""),
        made_at=now,
        made_by=entered.session.login,
        due_at=now + dt.timedelta(days=int(days)) if days.isdecimal() and len(days) < 4 else None,
    )
    return await changed(
        entered, identity, lambda unit: identity if casework.add_task(unit, task) else None
    )


@post("/incidents/{identity:str}/tasks/{task:str}/done", status_code=200)
async def end_task(
    request: AnyRequest, identity: FromPath[str], task: FromPath[str]
) -> Response[str]:
    entered = await enter(request)
    await _form(request, entered)
    login, now = entered.session.login, entered.visit.now

    def end(unit: Unit) -> str | None:
        return identity if casework.end_task(unit, identity, task, login, now) else None

    return await changed(entered, identity, end)


@post("/incidents/{identity:str}/evidence", status_code=200)
async def add_evidence(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    """A piece by its digest; the file itself is not sent."""
    entered = await enter(request)
    form = await _form(request, entered)
    size = form.get("size", "").strip()
    piece = Evidence(
        id=entered.visit.context.new_id(),
        incident=identity,
        at=entered.visit.now,
        by=entered.session.login,
        name=form.get("name", ""),
        sha256=form.get("sha256", "").strip().lower(),
        size=int(size) if size.isdecimal() and len(size) < 16 else -1,
        kept=form.get("kept", ""),
    )
    return await _recorded(entered, piece)


@post("/incidents/{identity:str}/hand-over", status_code=200)
async def hand_over(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    entered = await enter(request)
    form = await _form(request, entered)
    record = HandOver(
        id=entered.visit.context.new_id(),
        incident=identity,
        at=entered.visit.now,
        by=entered.session.login,
        evidence=form.get("evidence", ""),
        giver=form.get("giver", ""),
        receiver=form.get("receiver", ""),
        kept=form.get("kept", ""),
        why=form.get("why", ""),
    )
    return await _recorded(entered, record)


@post("/incidents/{identity:str}/ransom", status_code=200)
async def ransom(request: AnyRequest, identity: FromPath[str]) -> Response[str]:
    """Write down who decided what about a ransom. Nothing is paid, and nothing helps to pay."""
    entered = await enter(request)
    form = await _form(request, entered)
    visit = entered.visit
    record = RansomDecision(
        id=visit.context.new_id(),
        incident=identity,
        at=visit.now,
        by=entered.session.login,
        decided=form.get("decided", ""),
        decider=form.get("decider", ""),
        why=form.get("why", ""),
        advice=visit.context.playbooks.ransom.advice.of(visit.words.language),
    )
    return await _recorded(entered, record)


ROUTES: list[Any] = [add_task, end_task, add_evidence, hand_over, ransom]


async def _form(request: AnyRequest, entered: Entered) -> dict[str, str]:
    fields = await form_of(request, entered.session)
    return {name: value[:_LONGEST] for name, value in fields.items()}


async def _recorded(entered: Entered, record: AnyRecord) -> Response[str]:
    def keep(unit: Unit) -> str | None:
        return record.incident if casework.add_record(unit, record) else None

    return await changed(entered, record.incident, keep)
