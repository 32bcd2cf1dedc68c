"""Webhooks: where news is posted, and every message until it was taken or given up."""

import datetime as dt
from typing import Any

import msgspec

# (first word of an audit entry's object, its verb): what tools are told. All else stays inside.
EVENTS = {
    ("incident", "open"): "incident.opened",
    ("incident", "acknowledged"): "incident.acknowledged",
    ("incident", "close"): "incident.closed",
    ("incident", "reopen"): "incident.reopened",
    ("incident", "merge"): "incident.merged",
    ("incident", "split"): "incident.split",
    ("incident", "care_resumed"): "incident.care_resumed",
    ("incident", "care_stopped"): "incident.care_stopped",
    ("incident", "declare"): "incident.declared",
    ("help", "ask"): "help.asked",
    ("help", "acknowledge"): "help.acknowledged",
    ("help", "close"): "help.closed",
    ("obligation", "remind"): "obligation.reminded",
    ("obligation", "sent-partial"): "obligation.decided",
    ("obligation", "done"): "obligation.decided",
    ("obligation", "not-due"): "obligation.decided",
}
TEST = "webhook.test"
EVENT_TYPES = tuple(dict.fromkeys(EVENTS.values()))


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An address of a structure's own tool. No `events`: all of them."""

    id: str
    url: str
    events: tuple[str, ...] = ()
    made_by: str
    made_at: dt.datetime
    after: int  # the audit trail is told up to this entry
    last_good_at: dt.datetime | None = None
    failing_since: dt.datetime | None = None  # no message was taken since
    why: str = ""  # of the last failure
    disabled_at: dt.datetime | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one webhook; `due_at` None: it was taken, or given up."""

    id: str  # the receiver knows by it that a message came twice
    webhook: str
    type: str
    body: bytes
    made_at: dt.datetime
    due_at: dt.datetime | None
    tries: int = 0
    taken_at: dt.datetime | None = None
    why: str = ""  # of the last failure


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a message: what happened to what. The rest is asked for with a token."""

    type: str
    timestamp: dt.datetime
    data: dict[str, Any]
