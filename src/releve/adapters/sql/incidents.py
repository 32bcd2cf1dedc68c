"""Incidents of one structure, and every line of their timelines."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.rows import add, text
from releve.adapters.sql.vaults import VaultRows
from releve.model.incident import Entry, Incident

_json = msgspec.json.encode
_incident = msgspec.json.Decoder(Incident).decode
_entry = msgspec.json.Decoder(Entry).decode


class IncidentRows(VaultRows):
    """A unit's incidents."""

    def hold(self) -> None:
        own = sa.select(t.structure.c.id).where(t.structure.c.id == self.structure)
        # Weak enough for who only inserts rows of this structure: those need not wait.
        self._connection.execute(own.with_for_update(key_share=True))

    def open_incidents(self, host: str = "") -> list[Incident]:
        query = self._select(t.incident, t.incident.c.body)
        query = query.where(t.incident.c.closed_at.is_(None))
        query = query.order_by(t.incident.c.opened_at.desc())
        found = [_incident(r.body) for r in self._connection.execute(query)]
        return [i for i in found if not host or host in i.hosts]

    def incidents(self, *, most: int = 100) -> list[Incident]:
        query = self._select(t.incident, t.incident.c.body)
        query = query.order_by(t.incident.c.opened_at.desc()).limit(most)
        return [_incident(r.body) for r in self._connection.execute(query)]

    def incident(self, incident: str) -> Incident | None:
        query = self._select(t.incident, t.incident.c.body).where(t.incident.c.id == incident)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _incident(row.body)

    def put_incident(self, incident: Incident) -> None:
        self._put(
            t.incident,
            id=incident.id,
            host=incident.host,
            opened_at=text(incident.opened_at),
            closed_at=text(incident.closed_at) if incident.closed_at else None,
            body=_json(incident),
        )

    def add_entries(self, incident: str, entries: Sequence[Entry]) -> None:
        rows = [
            self._row(id=e.key, incident=incident, host=e.host, at=text(e.at), body=_json(e))
            for e in entries
        ]
        add(self._connection, t.incident_entry, rows)

    def entries(
        self, incidents: Sequence[str], *, most: int | None = None, skip: int = 0
    ) -> list[Entry]:
        query = self._select(t.incident_entry, t.incident_entry.c.body)
        query = query.where(t.incident_entry.c.incident.in_(incidents))
        query = query.order_by(t.incident_entry.c.at.desc(), t.incident_entry.c.id.desc())
        if most is not None:
            query = query.limit(most).offset(skip)
        return [_entry(r.body) for r in self._connection.execute(query)]

    def count_entries(self, incidents: Sequence[str]) -> int:
        query = sa.select(sa.func.count()).select_from(t.incident_entry)
        query = query.where(t.incident_entry.c.structure == self.structure)
        query = query.where(t.incident_entry.c.incident.in_(incidents))
        return int(self._connection.execute(query).scalar_one())

    def move_entries(self, incidents: Sequence[str], hosts: Sequence[str], to: str) -> None:
        own = (
            (t.incident_entry.c.structure == self.structure)
            & t.incident_entry.c.incident.in_(incidents)
            & t.incident_entry.c.host.in_(hosts)
        )
        self._connection.execute(sa.update(t.incident_entry).where(own).values(incident=to))
