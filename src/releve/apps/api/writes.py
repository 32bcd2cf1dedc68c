"""What tools write: notes, acknowledgements and tasks of incidents, calls for help, webhooks."""

import datetime as dt
from typing import Any

from releve.apps.api import answers as form
from releve.apps.api.call import Call, missing, slice_of
from releve.apps.api.reads import (
    case_form,
    entry_form,
    help_form,
    known_incident,
    task_form,
)
from releve.apps.web.problems import ProblemError
from releve.flow.server import casework
from releve.flow.server.assist import alarms, asking
from releve.flow.server.tools import signing, webhooks
from releve.model.casework import CaseTask
from releve.model.webhook import EVENT_TYPES, Delivery, Webhook

_REFUSED = {
    "url": "An address begins with https:// (http:// only in networks that the operator allowed).",
    "events": f"Events are: {', '.join(EVENT_TYPES)}.",
    "many": f"A structure has at most {webhooks.MOST} webhooks.",
}


def note(call: Call) -> form.ApiEntry:
    return _told(call, "note", call.body.text)


def acknowledge(call: Call) -> form.ApiEntry:
    told = _told(call, "acknowledged", call.body.who)
    alarms.told_by_tool(call.unit, call.ids["incident"], call.body.who, call.actor, call.now)
    return told


def add_task(call: Call) -> form.ApiTask:
    days = call.body.due_in_days
    task = CaseTask(
        id=call.identity,
        incident=call.ids["incident"],
        title=call.body.title.strip(),
        who=call.body.who.strip(),
        made_at=call.now,
        made_by=call.actor,
        due_at=None if days is None else call.now + dt.timedelta(days=days),
    )
    if not casework.add_task(call.unit, task):
        raise missing("incident")
    return task_form(task)


def end_task(call: Call) -> form.ApiCase:
    found, task = known_incident(call), call.ids["task"]
    if call.unit.task(task) is None:
        raise missing("task")
    if not casework.end_task(call.unit, found.id, task, call.actor, call.now):
        raise ProblemError(409, "task-over", "The task is done already, or of another incident.")
    return case_form(call, known_incident(call))


def ask_help(call: Call) -> form.ApiHelp:
    said = call.body
    if said.host and call.unit.host(said.host) is None:
        raise ProblemError(422, "host", "This structure has no such host.")
    asked = asking.Asked(
        id=call.identity,
        source="api",
        by=call.actor,
        text=said.text,
        is_blocked=said.is_blocked,
        phone=said.phone,
        host=said.host,
        at=call.now,
    )
    try:
        return help_form(asking.ask_in(call.unit, asked, call.now))
    except asking.TooManyRings as error:
        detail = "This tool asks for help too often."
        raise ProblemError(429, "help-rate", detail, {"retry-after": "60"}) from error


def list_webhooks(call: Call) -> form.Page[form.ApiWebhook]:
    return slice_of(call.limit, call.cursor, call.unit.webhooks(), lambda one: one.id, _webhook)


def add_webhook(call: Call) -> form.ApiNewWebhook:
    key = call.context.new_secret()
    wanted = Webhook(
        id=call.identity,
        url=call.body.url,
        events=tuple(dict.fromkeys(call.body.events)),
        made_by=call.actor,
        made_at=call.now,
        after=0,
    )
    try:
        made = webhooks.add(call.unit, wanted, key)
    except webhooks.WebhookRefused as refused:
        raise ProblemError(422, refused.why, _REFUSED[refused.why]) from refused
    return form.ApiNewWebhook(webhook=_webhook(made), secret=signing.told_key(key))


def remove_webhook(call: Call) -> None:
    if not webhooks.remove(call.unit, call.ids["webhook"], actor=call.actor, now=call.now):
        raise missing("webhook")


def test_webhook(call: Call) -> form.ApiDelivery:
    made = webhooks.test(
        call.unit, call.ids["webhook"], actor=call.actor, identity=call.identity, now=call.now
    )
    if made is None:
        raise missing("webhook")
    return _delivery(made)


def list_deliveries(call: Call) -> form.Page[form.ApiDelivery]:
    """The newest; there is no page after it."""
    if call.unit.webhook(call.ids["webhook"]) is None:
        raise missing("webhook")
    rows = call.unit.deliveries(call.ids["webhook"], most=call.limit)
    return form.Page[Any](items=tuple(_delivery(row) for row in rows))


def _told(call: Call, kind: str, said: str) -> form.ApiEntry:
    line = casework.line_of(kind, call.identity, call.now, call.actor, said.strip())
    if not casework.tell(call.unit, call.ids["incident"], line, kind, call.identity):
        raise missing("incident")
    return entry_form(line)


def _webhook(webhook: Webhook) -> form.ApiWebhook:
    return form.ApiWebhook(
        id=webhook.id,
        url=webhook.url,
        events=webhook.events,
        made_at=webhook.made_at,
        last_good_at=webhook.last_good_at,
        failing_since=webhook.failing_since,
        why=webhook.why,
        disabled_at=webhook.disabled_at,
    )


def _delivery(delivery: Delivery) -> form.ApiDelivery:
    return form.ApiDelivery(
        id=delivery.id,
        type=delivery.type,
        made_at=delivery.made_at,
        due_at=delivery.due_at,
        taken_at=delivery.taken_at,
        tries=delivery.tries,
        why=delivery.why,
    )
