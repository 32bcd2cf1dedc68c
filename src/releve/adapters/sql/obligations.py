"""Declarations, legal clocks, their timers and the dossiers, of one structure."""

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import add, from_text, text
from releve.model.dossier import Dossier
from releve.model.obligation import Declaration, Obligation, Timer

_json = msgspec.json.encode
_declaration = msgspec.json.Decoder(Declaration).decode
_obligation = msgspec.json.Decoder(Obligation).decode
_dossier = msgspec.json.Decoder(Dossier).decode


class ObligationRows(PeopleRows):
    """A unit's legal clocks and dossiers."""

    def add_declaration(self, told: Declaration) -> bool:
        row = self._row(incident=told.incident, version=told.version, body=_json(told))
        return add(self._connection, t.declaration, row) == 1

    def declaration(self, incident: str) -> Declaration | None:
        query = self._select(t.declaration, t.declaration.c.body)
        query = query.where(t.declaration.c.incident == incident)
        newest = query.order_by(t.declaration.c.version.desc()).limit(1)
        row = self._connection.execute(newest).one_or_none()
        return None if row is None else _declaration(row.body)

    def declared(self) -> list[str]:
        rows = self._rows(t.declaration, t.declaration.c.incident)
        return sorted({row.incident for row in rows})

    def obligations(self, incident: str = "") -> list[Obligation]:
        query = self._select(t.obligation, t.obligation.c.body)
        if incident:
            query = query.where(t.obligation.c.incident == incident)
        return [_obligation(row.body) for row in self._connection.execute(query)]

    def obligation(self, incident: str, duty: str, *, lock: bool = False) -> Obligation | None:
        query = self._select(t.obligation, t.obligation.c.body)
        query = query.where(t.obligation.c.incident == incident, t.obligation.c.duty == duty)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _obligation(row.body)

    def put_obligation(self, obligation: Obligation) -> None:
        self._put(
            t.obligation,
            incident=obligation.incident,
            duty=obligation.duty,
            state=obligation.state.value,
            body=_json(obligation),
        )

    def set_timers(self, incident: str, duty: str, timers: Sequence[Timer]) -> None:
        mine = (
            (t.obligation_timer.c.structure == self.structure)
            & (t.obligation_timer.c.incident == incident)
            & (t.obligation_timer.c.duty == duty)
        )
        waiting = mine & t.obligation_timer.c.fired_at.is_(None)
        self._connection.execute(sa.delete(t.obligation_timer).where(waiting))
        rows = [
            self._row(incident=incident, duty=duty, mark=one.mark, at=text(one.at))
            for one in timers
        ]
        add(self._connection, t.obligation_timer, rows)

    def due_timers(self, now: dt.datetime, *, most: int = 50) -> list[Timer]:
        table = t.obligation_timer
        query = self._select(table).where(table.c.fired_at.is_(None), table.c.at <= text(now))
        query = query.order_by(table.c.at).limit(most)
        return [
            Timer(incident=r.incident, duty=r.duty, mark=r.mark, at=from_text(r.at))
            for r in self._connection.execute(query)
        ]

    def fire_timer(self, timer: Timer, now: dt.datetime) -> bool:
        table = t.obligation_timer
        waiting = (
            (table.c.structure == self.structure)
            & (table.c.incident == timer.incident)
            & (table.c.duty == timer.duty)
            & (table.c.mark == timer.mark)
            & table.c.fired_at.is_(None)
        )
        update = sa.update(table).where(waiting).values(fired_at=text(now))
        return self._connection.execute(update).rowcount == 1

    def add_dossier(self, dossier: Dossier) -> bool:
        row = self._row(
            incident=dossier.incident,
            kind=dossier.kind,
            version=dossier.version,
            body=_json(dossier),
        )
        return add(self._connection, t.dossier, row) == 1

    def dossier(self, incident: str, kind: str) -> Dossier | None:
        versions = self.dossier_versions(incident, kind, most=1)
        return versions[0] if versions else None

    def dossier_versions(self, incident: str, kind: str, *, most: int = 100) -> list[Dossier]:
        query = self._select(t.dossier, t.dossier.c.body)
        query = query.where(t.dossier.c.incident == incident, t.dossier.c.kind == kind)
        query = query.order_by(t.dossier.c.version.desc()).limit(most)
        return [_dossier(row.body) for row in self._connection.execute(query)]
