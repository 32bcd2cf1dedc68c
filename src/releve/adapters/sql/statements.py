"""A month's rows of one structure, and the statements that were made of them."""

import datetime as dt
from collections.abc import Iterator

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import add, from_text, text
from releve.model.help import HelpRequest
from releve.model.incident import Incident
from releve.model.statement import KeptStatement, Month

_incident = msgspec.json.Decoder(Incident).decode
_help = msgspec.json.Decoder(HelpRequest).decode
_files = msgspec.json.Decoder(dict[str, bytes]).decode
_AT_A_TIME = 1000


class StatementRows(PeopleRows):
    """A unit's months."""

    def help_of(self, month: Month) -> list[HelpRequest]:
        own = self._select(t.help_request, t.help_request.c.body)
        query = self._within(own, t.help_request.c.opened_at, month)
        found = (_help(row.body) for row in self._connection.execute(query))
        return [request for request in found if request.is_asked]

    def incidents_of(self, month: Month) -> list[Incident]:
        own = self._select(t.incident, t.incident.c.body)
        query = self._within(own, t.incident.c.opened_at, month)
        return [_incident(row.body) for row in self._connection.execute(query)]

    def told_after(self, since: dt.datetime) -> Iterator[tuple[str, bytes]]:
        query = self._select(t.event, t.event.c.host, t.event.c.body)
        query = query.where(t.event.c.stored_at >= text(since), t.event.c.is_read)
        rows = self._connection.execute(query.execution_options(yield_per=_AT_A_TIME))
        return ((row.host, row.body) for row in rows)

    def told_since(self) -> dt.datetime | None:
        query = self._select(t.event, sa.func.min(t.event.c.stored_at))
        first = self._connection.execute(query).scalar_one_or_none()
        return None if first is None else from_text(first)

    def add_statement(self, kept: KeptStatement) -> bool:
        row = self._row(
            month=kept.month,
            version=kept.version,
            made_at=text(kept.made_at),
            files=msgspec.json.encode(kept.files),
        )
        return add(self._connection, t.statement, row) == 1

    def statement(self, month: str) -> KeptStatement | None:
        query = self._select(t.statement).where(t.statement.c.month == month)
        query = query.order_by(t.statement.c.version.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _kept(row)

    def statements(self) -> list[KeptStatement]:
        rows = self._connection.execute(self._select(t.statement))
        return sorted((_kept(row) for row in rows), key=lambda k: (k.month, k.version))

    def _within(
        self, query: sa.Select[tuple[object, ...]], at: sa.Column[str], month: Month
    ) -> sa.Select[tuple[object, ...]]:
        return query.where(at >= text(month.since), at < text(month.until)).order_by(at)


def _kept(row: sa.Row[tuple[object, ...]]) -> KeptStatement:
    return KeptStatement(
        month=row.month,
        version=row.version,
        made_at=from_text(row.made_at),
        files=_files(row.files),
    )
