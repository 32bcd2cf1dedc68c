"""Calls by mail: rows of a structure, and what belongs to none."""

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import add, put, text
from releve.flow.server.mail_ports import Waiting
from releve.flow.server.signin import digest
from releve.model.mail import KeptMail, MailboxState, StrayMail

_MOST = 200
_json = msgspec.json.encode
_mail = msgspec.json.Decoder(KeptMail).decode
_stray = msgspec.json.Decoder(StrayMail).decode
_state = msgspec.json.Decoder(MailboxState).decode


class MailRows(PeopleRows):
    """A unit's mails."""

    def add_mail(self, mail: KeptMail, answer_at: dt.datetime | None) -> bool:
        row = self._row(
            id=mail.id,
            request=mail.request,
            arrived_at=text(mail.arrived_at),
            message=digest(mail.message_id),
            body=_json(mail),
            answer_at=text(answer_at) if answer_at else None,
            tries=0,
        )
        return add(self._connection, t.help_mail, row) == 1

    def mails_of(self, request: str) -> list[KeptMail]:
        query = self._select(t.help_mail, t.help_mail.c.body)
        query = query.where(t.help_mail.c.request == request).order_by(t.help_mail.c.arrived_at)
        mails = [_mail(r.body) for r in self._connection.execute(query.limit(_MOST))]
        return sorted(mails, key=lambda mail: (mail.arrived_at, mail.taken_at))

    def request_of_mails(self, message_ids: Sequence[str]) -> str | None:
        known = [digest(one) for one in message_ids]
        query = self._select(t.help_mail, t.help_mail.c.request)
        query = query.where(t.help_mail.c.message.in_(known))
        query = query.order_by(t.help_mail.c.arrived_at.desc()).limit(1)
        return self._connection.execute(query).scalar_one_or_none()

    def waiting_answers(self, now: dt.datetime) -> list[Waiting]:
        query = self._select(t.help_mail, t.help_mail.c.body, t.help_mail.c.tries)
        query = query.where(t.help_mail.c.answer_at <= text(now)).limit(_MOST)
        return [Waiting(_mail(r.body), r.tries) for r in self._connection.execute(query)]

    def put_answer(self, mail: str, again_at: dt.datetime | None, tries: int) -> None:
        own = (t.help_mail.c.structure == self.structure) & (t.help_mail.c.id == mail)
        values = {"answer_at": text(again_at) if again_at else None, "tries": tries}
        self._connection.execute(sa.update(t.help_mail).where(own).values(values))


class MailLookups:
    """What belongs to no structure."""

    _engine: sa.Engine
    _writing: sa.Engine

    def mailbox(self, key: str) -> MailboxState | None:
        query = sa.select(t.mailbox.c.body).where(t.mailbox.c.key == key)
        with self._engine.begin() as connection:
            body = connection.execute(query).scalar_one_or_none()
        return None if body is None else _state(body)

    def put_mailbox(self, key: str, state: MailboxState) -> None:
        with self._writing.begin() as connection:
            put(connection, t.mailbox, {"key": key, "body": _json(state)})

    def add_stray(self, mail: StrayMail) -> None:
        row = {"id": mail.id, "arrived_at": text(mail.arrived_at), "body": _json(mail)}
        with self._writing.begin() as connection:
            add(connection, t.stray_mail, row)

    def strays(self) -> list[StrayMail]:
        query = sa.select(t.stray_mail.c.body).order_by(t.stray_mail.c.arrived_at.desc())
        with self._engine.begin() as connection:
            return [_stray(r.body) for r in connection.execute(query.limit(_MOST))]

    def forget_strays(self, before: dt.datetime) -> None:
        old = t.stray_mail.c.arrived_at < text(before)
        with self._writing.begin() as connection:
            connection.execute(sa.delete(t.stray_mail).where(old))
