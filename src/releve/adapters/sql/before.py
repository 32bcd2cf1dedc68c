"""What databases of before lack: the lines of their incidents, which lay only in the incident itself."""

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import enter
from releve.adapters.sql.rows import add, text
from releve.model.incident import Incident

_incident = msgspec.json.Decoder(Incident).decode


def keep_lines_of_before(connection: sa.Connection) -> None:
    """A line that is kept already stays as it is."""
    for structure in connection.execute(sa.select(t.structure.c.id)).scalars().all():
        enter(connection, structure)
        own = sa.select(t.incident.c.body).where(t.incident.c.structure == structure)
        for body in connection.execute(own).scalars().all():
            add(connection, t.incident_entry, _lines(structure, _incident(body)))


def _lines(structure: str, incident: Incident) -> list[dict[str, object]]:
    return [
        {
            "structure": structure,
            "id": entry.key,
            "incident": incident.id,
            "host": entry.host or incident.host,
            "at": text(entry.at),
            "body": msgspec.json.encode(entry),
        }
        for entry in incident.timeline
    ]
