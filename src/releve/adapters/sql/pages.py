"""Page after page of long lists, newest first: a page begins after the last row of the one before."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import text
from releve.flow.server.tool_ports import Mark
from releve.model.help import HelpRequest
from releve.model.incident import Entry, Incident

_incident = msgspec.json.Decoder(Incident).decode
_entry = msgspec.json.Decoder(Entry).decode
_help = msgspec.json.Decoder(HelpRequest).decode


class PageRows(PeopleRows):
    """A unit's long lists."""

    def incident_page(self, after: Mark | None, *, most: int) -> list[Incident]:
        query = self._select(t.incident, t.incident.c.body)
        rows = self._page(query, t.incident.c.opened_at, t.incident.c.id, after, most)
        return [_incident(row.body) for row in rows]

    def entry_page(self, incidents: Sequence[str], after: Mark | None, *, most: int) -> list[Entry]:
        line = t.incident_entry.c
        query = self._select(t.incident_entry, line.body).where(line.incident.in_(incidents))
        rows = self._page(query, line.at, line.id, after, most)
        return [_entry(row.body) for row in rows]

    def help_page(self, after: Mark | None, *, most: int) -> list[HelpRequest]:
        query = self._select(t.help_request, t.help_request.c.body)
        rows = self._page(query, t.help_request.c.opened_at, t.help_request.c.id, after, most)
        return [_help(row.body) for row in rows]

    def _page(
        self,
        query: sa.Select[Any],
        at: sa.Column[str],
        identity: sa.Column[str],
        after: Mark | None,
        most: int,
    ) -> sa.CursorResult[Any]:
        if after is not None:
            known = text(after.at)
            query = query.where((at < known) | ((at == known) & (identity < after.id)))
        query = query.order_by(at.desc(), identity.desc()).limit(most)
        return self._connection.execute(query)
