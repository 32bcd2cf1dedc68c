"""A structure's GLPI, sealed, and how far each call was told there."""

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import add, text
from releve.model.ticket import Glpi, Ticket

_json = msgspec.json.encode
_glpi = msgspec.json.Decoder(Glpi).decode
_ticket = msgspec.json.Decoder(Ticket).decode


class TicketRows(PeopleRows):
    """A unit's tickets."""

    def glpi(self) -> Glpi | None:
        row = self._rows(t.glpi, t.glpi.c.sealed).one_or_none()
        return None if row is None else _glpi(self._seal.opened_body(row.sealed, self._glpi_owner))

    def put_glpi(self, glpi: Glpi | None) -> None:
        if glpi is None:
            own = t.glpi.c.structure == self.structure
            self._connection.execute(sa.delete(t.glpi).where(own))
            return
        self._put(t.glpi, sealed=self._seal.closed_body(_json(glpi), self._glpi_owner))

    @property
    def _glpi_owner(self) -> bytes:
        return f"{self.structure}/glpi".encode()

    def ticket(self, request: str) -> Ticket | None:
        query = self._select(t.glpi_ticket, t.glpi_ticket.c.body)
        query = query.where(t.glpi_ticket.c.request == request)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _ticket(row.body)

    def tickets(self) -> list[Ticket]:
        return [_ticket(r.body) for r in self._rows(t.glpi_ticket, t.glpi_ticket.c.body)]

    def due_tickets(self, now: dt.datetime) -> list[Ticket]:
        query = self._select(t.glpi_ticket, t.glpi_ticket.c.body)
        query = query.where(t.glpi_ticket.c.due_at <= text(now)).order_by(t.glpi_ticket.c.due_at)
        return [_ticket(r.body) for r in self._connection.execute(query)]

    def without_ticket(self, requests: Sequence[str]) -> list[str]:
        query = self._select(t.glpi_ticket, t.glpi_ticket.c.request)
        query = query.where(t.glpi_ticket.c.request.in_(requests))
        known = set(self._connection.execute(query).scalars())
        return [one for one in requests if one not in known]

    def claim_ticket(self, ticket: Ticket, until: dt.datetime) -> bool:
        claimed = msgspec.structs.replace(ticket, tries=ticket.tries + 1, due_at=until)
        row = {"request": ticket.request, "due_at": text(until), "body": _json(claimed)}
        if add(self._connection, t.glpi_ticket, self._row(**row)) == 1:
            return True
        own = (t.glpi_ticket.c.structure == self.structure) & (
            t.glpi_ticket.c.request == ticket.request
        )
        seen = text(ticket.due_at) if ticket.due_at else None
        update = sa.update(t.glpi_ticket).where(own, t.glpi_ticket.c.due_at == seen).values(row)
        return self._connection.execute(update).rowcount == 1

    def put_ticket(self, ticket: Ticket) -> None:
        due_at = text(ticket.due_at) if ticket.due_at else None
        self._put(t.glpi_ticket, request=ticket.request, due_at=due_at, body=_json(ticket))
