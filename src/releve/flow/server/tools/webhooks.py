"""Webhooks of a structure: made, removed, tried; what the audit trail says becomes messages."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from releve.flow.server.ports import AuditEntry, Unit
from releve.model.webhook import EVENT_TYPES, EVENTS, TEST, Delivery, Told, Webhook

MOST = 20  # of one structure
LONGEST_URL = 500
_CHANGED = msgspec.structs.replace
NewId = Callable[[], str]


class WebhookRefused(Exception):  # noqa: N818  # told by the driver, no error for people
    """`why`: "url", "events", "many"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def add(unit: Unit, webhook: Webhook, key: bytes) -> Webhook:
    """It is told what happens from now on. Raises: WebhookRefused."""
    _check_url(webhook.url)
    if not set(webhook.events) <= set(EVENT_TYPES):
        raise WebhookRefused("events")
    unit.hold()
    if len(unit.webhooks()) >= MOST:
        raise WebhookRefused("many")
    about = f"webhook/{webhook.id}"
    unit.record(webhook.made_at, webhook.made_by, about, "add", place_of(webhook.url))
    made = _CHANGED(webhook, after=_end(unit))
    unit.add_webhook(made, key)
    return made


def place_of(url: str) -> str:
    """Whose address it is. What follows may be a secret, and the trail is read by more people than the tools' page."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def remove(unit: Unit, webhook: str, *, actor: str, now: dt.datetime) -> bool:
    """With its messages; False: there is none."""
    unit.hold()
    known = unit.webhook(webhook, lock=True)
    if known is None:
        return False
    unit.drop_webhook(webhook)
    unit.record(now, actor, f"webhook/{webhook}", "remove", place_of(known[0].url))
    return True


def test(
    unit: Unit, webhook: str, *, actor: str, identity: str, now: dt.datetime
) -> Delivery | None:
    """A message that says nothing, due now; one that was disabled is tried again from here on.

    None: there is no such webhook.
    """
    unit.hold()
    known = unit.webhook(webhook, lock=True)
    if known is None:
        return None
    unit.put_webhook(_CHANGED(known[0], disabled_at=None, failing_since=None))
    message = _message(known[0], identity, TEST, now, {"structure": unit.structure}, now)
    unit.put_delivery(message)
    unit.record(now, actor, f"webhook/{webhook}", "test")
    return message


def enabled(unit: Unit) -> list[Webhook]:
    return [hook for hook in unit.webhooks() if hook.disabled_at is None]


def has_news(unit: Unit, hooks: Sequence[Webhook]) -> bool:
    end = _end(unit) if hooks else 0
    return any(hook.after < end for hook in hooks)


def gather(unit: Unit, new_id: NewId, now: dt.datetime) -> int:
    """Every entry of the trail that a webhook was not told of yet becomes its message, exactly once.

    The messages and how far the trail was read are one transaction. While one is disabled, its
    news wait in the trail.
    """
    unit.hold()
    made = 0
    for webhook in enabled(unit):
        last = webhook.after
        for entry in unit.trail_after(webhook.after):
            last = entry.number
            told = _told(unit.structure, entry)
            if told is not None and (not webhook.events or told[0] in webhook.events):
                unit.put_delivery(_message(webhook, new_id(), told[0], entry.at, told[1], now))
                made += 1
        unit.put_webhook(_CHANGED(webhook, after=last))
    return made


def _end(unit: Unit) -> int:
    newest = unit.trail(most=1)
    return newest[0].number if newest else 0


def _told(structure: str, entry: AuditEntry) -> tuple[str, dict[str, Any]] | None:
    """(type, data): ids only, so that nothing about people leaves by this way."""
    noun, *ids = entry.object.split("/")
    kind = EVENTS.get((noun, entry.verb))
    if kind is None or not ids:
        return None
    data = {"structure": structure, "number": entry.number}
    if noun == "obligation":
        return kind, data | {"incident": ids[0], "duty": ids[-1]}
    return kind, data | {noun: ids[0]}


def _message(
    webhook: Webhook,
    identity: str,
    kind: str,
    at: dt.datetime,
    data: dict[str, Any],
    now: dt.datetime,
) -> Delivery:
    body = msgspec.json.encode(Told(type=kind, timestamp=at, data=data))
    return Delivery(
        id=f"msg_{identity}", webhook=webhook.id, type=kind, body=body, made_at=now, due_at=now
    )


def _check_url(url: str) -> None:
    """Where it leads is judged at each sending, by the address that the name has then."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookRefused("url") from error
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    is_known = parts.scheme in ("https", "http") and parts.hostname and port != 0
    if not (is_plain and is_known) or "@" in parts.netloc or parts.fragment:
        raise WebhookRefused("url")
