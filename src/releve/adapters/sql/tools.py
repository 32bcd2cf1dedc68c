"""Tokens of the API, what its writes were answered, webhooks and their messages, of one structure."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import show
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import from_text, text
from releve.model.tool import ApiToken, GivenAnswer, UsedToken
from releve.model.webhook import Delivery, Webhook

_json = msgspec.json.encode
_token = msgspec.json.Decoder(ApiToken).decode
_answer = msgspec.json.Decoder(GivenAnswer).decode
_webhook = msgspec.json.Decoder(Webhook).decode
_delivery = msgspec.json.Decoder(Delivery).decode


class ToolRows(PeopleRows):
    """A unit's connected tools."""

    def put_api_token(self, token: ApiToken, token_hash: str) -> None:
        self._put(t.api_token, id=token.id, token_hash=token_hash, body=_json(token))

    def api_tokens(self) -> list[UsedToken]:
        found = [_used(row) for row in self._rows(t.api_token)]
        return sorted(found, key=lambda one: one.token.made_at, reverse=True)

    def api_token(self, token: str) -> ApiToken | None:
        query = self._select(t.api_token, t.api_token.c.body).where(t.api_token.c.id == token)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _token(row.body)

    def change_api_token(self, token: ApiToken) -> None:
        self._change_token(token.id, body=_json(token))

    def use_api_token(self, token: str, at: dt.datetime) -> None:
        self._change_token(token, used_at=text(at))

    def _change_token(self, token: str, **values: Any) -> None:
        own = (t.api_token.c.structure == self.structure) & (t.api_token.c.id == token)
        self._connection.execute(sa.update(t.api_token).where(own).values(**values))

    def api_answer(self, token: str, key: str) -> GivenAnswer | None:
        query = self._select(t.api_answer, t.api_answer.c.sealed)
        query = query.where(t.api_answer.c.token == token, t.api_answer.c.key == key)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return _answer(self._seal.opened_body(row.sealed, self._owner("answer", token, key)))

    def put_api_answer(self, token: str, key: str, answer: GivenAnswer, at: dt.datetime) -> None:
        sealed = self._seal.closed_body(_json(answer), self._owner("answer", token, key))
        self._put(t.api_answer, token=token, key=key, made_at=text(at), sealed=sealed)

    def forget_api_answers(self, before: dt.datetime) -> None:
        answer = t.api_answer.c
        own = (answer.structure == self.structure) & (answer.made_at < text(before))
        self._connection.execute(sa.delete(t.api_answer).where(own))

    def add_webhook(self, webhook: Webhook, key: bytes) -> None:
        sealed = self._seal.closed_body(key, self._owner("webhook", webhook.id))
        row = self._row(id=webhook.id, body=_json(webhook), sealed_key=sealed)
        self._connection.execute(sa.insert(t.webhook).values(**row))

    def put_webhook(self, webhook: Webhook) -> None:
        own = (t.webhook.c.structure == self.structure) & (t.webhook.c.id == webhook.id)
        self._connection.execute(sa.update(t.webhook).where(own).values(body=_json(webhook)))

    def webhooks(self) -> list[Webhook]:
        found = [_webhook(row.body) for row in self._rows(t.webhook, t.webhook.c.body)]
        return sorted(found, key=lambda one: one.made_at)

    def webhook(self, webhook: str, *, lock: bool = False) -> tuple[Webhook, bytes] | None:
        query = self._select(t.webhook).where(t.webhook.c.id == webhook)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            return None
        key = self._seal.opened_body(row.sealed_key, self._owner("webhook", webhook))
        return _webhook(row.body), key

    def drop_webhook(self, webhook: str) -> None:
        message, hook = t.webhook_delivery.c, t.webhook.c
        own = (message.structure == self.structure) & (message.webhook == webhook)
        self._connection.execute(sa.delete(t.webhook_delivery).where(own))
        own = (hook.structure == self.structure) & (hook.id == webhook)
        self._connection.execute(sa.delete(t.webhook).where(own))

    def put_delivery(self, delivery: Delivery) -> None:
        self._put(t.webhook_delivery, **_delivery_row(delivery))

    def delivery(self, delivery: str) -> Delivery | None:
        query = self._select(t.webhook_delivery, t.webhook_delivery.c.body)
        query = query.where(t.webhook_delivery.c.id == delivery)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _delivery(row.body)

    def deliveries(self, webhook: str, *, most: int = 50) -> list[Delivery]:
        message = t.webhook_delivery.c
        query = self._select(t.webhook_delivery, message.body).where(message.webhook == webhook)
        query = query.order_by(message.made_at.desc(), message.id).limit(most)
        return [_delivery(row.body) for row in self._connection.execute(query)]

    def claim_deliveries(
        self, webhooks: Sequence[str], now: dt.datetime, until: dt.datetime, *, most: int
    ) -> list[Delivery]:
        message = t.webhook_delivery.c
        query = self._select(t.webhook_delivery, message.body)
        query = query.where(message.webhook.in_(webhooks), message.due_at <= text(now))
        query = query.order_by(message.due_at, message.id).limit(most)
        rows = self._connection.execute(query.with_for_update(skip_locked=True)).all()
        found = [_delivery(row.body) for row in rows]
        for one in found:
            self.put_delivery(msgspec.structs.replace(one, due_at=until))
        return found

    def wake_deliveries(self, now: dt.datetime) -> None:
        message = t.webhook_delivery.c
        waiting = (message.structure == self.structure) & (message.due_at > text(now))
        update = sa.update(t.webhook_delivery).where(waiting).values(due_at=text(now))
        self._connection.execute(update)

    def next_delivery_at(self, webhooks: Sequence[str]) -> dt.datetime | None:
        message = t.webhook_delivery.c
        query = self._select(t.webhook_delivery, sa.func.min(message.due_at))
        query = query.where(message.webhook.in_(webhooks))
        first = self._connection.execute(query).scalar_one_or_none()
        return None if first is None else from_text(first)

    def forget_deliveries(self, before: dt.datetime) -> None:
        message = t.webhook_delivery.c
        own = (message.structure == self.structure) & message.due_at.is_(None)
        old = own & (message.made_at < text(before))
        self._connection.execute(sa.delete(t.webhook_delivery).where(old))

    def _owner(self, *words: str) -> bytes:
        return "/".join((self.structure, *words)).encode()


class ToolLookups:
    """What a token opens, before a structure is known."""

    _engine: sa.Engine

    def api_tokens_of(self, token_hash: str) -> list[tuple[str, UsedToken]]:
        query = sa.select(t.api_token).where(t.api_token.c.token_hash == token_hash)
        with self._engine.begin() as connection:
            show(connection, token_hash)
            return [(row.structure, _used(row)) for row in connection.execute(query)]


def _used(row: sa.Row[Any]) -> UsedToken:
    at = from_text(row.used_at) if row.used_at else None
    return UsedToken(token=_token(row.body), used_at=at)


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "webhook": delivery.webhook,
        "made_at": text(delivery.made_at),
        "due_at": text(delivery.due_at) if delivery.due_at else None,
        "body": _json(delivery),
    }
