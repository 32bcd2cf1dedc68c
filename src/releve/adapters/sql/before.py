"""What databases of before lack: the lines of their incidents, which lay only in the incident itself."""

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.rows import add, text
from releve.model.incident import Incident

_incident = msgspec.json.Decoder(Incident).decode


def keep_lines_of_before(connection: sa.Connection) -> None:
    """Once: as soon as there is one line, there is nothing of before any more."""
    if connection.execute(sa.select(t.incident_entry.c.id).limit(1)).first() is not None:
        return
    for row in connection.execute(sa.select(t.incident.c.structure, t.incident.c.body)).all():
        incident = _incident(row.body)
        rows = [
            {
                "structure": row.structure,
                "id": entry.key,
                "incident": incident.id,
                "host": entry.host or incident.host,
                "at": text(entry.at),
                "body": msgspec.json.encode(entry),
            }
            for entry in incident.timeline
        ]
        add(connection, t.incident_entry, rows)
