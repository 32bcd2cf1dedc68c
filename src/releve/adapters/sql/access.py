"""Grants, who came in, and the summary row of one structure; what a person's own id opens of all."""

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import show
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import text
from releve.model.access import Admission, Grant, Role
from releve.model.situation import Situation

_json = msgspec.json.encode
_grant = msgspec.json.Decoder(Grant).decode
_admission = msgspec.json.Decoder(Admission).decode
_situation = msgspec.json.Decoder(Situation).decode


class AccessRows(PeopleRows):
    """A unit's grants, admissions and summary."""

    def put_grant(self, grant: Grant) -> None:
        self._put(
            t.access_grant,
            person=grant.person,
            login=grant.login,
            role=grant.role.value,
            ended_at=text(grant.ended_at) if grant.ended_at else None,
            body=_json(grant),
        )

    def grant(self, person: str) -> Grant | None:
        query = self._select(t.access_grant, t.access_grant.c.body)
        query = query.where(t.access_grant.c.person == person)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _grant(row.body)

    def grants(self) -> list[Grant]:
        query = self._select(t.access_grant, t.access_grant.c.body)
        rows = self._connection.execute(query.order_by(t.access_grant.c.login))
        return [_grant(row.body) for row in rows]

    def add_admission(self, admission: Admission) -> None:
        row = self._row(id=admission.id, since=text(admission.since), body=_json(admission))
        self._connection.execute(sa.insert(t.admission).values(**row))

    def admission(self, admission: str) -> Admission | None:
        query = self._select(t.admission, t.admission.c.body).where(t.admission.c.id == admission)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _admission(row.body)

    def admissions(self, *, most: int = 50) -> list[Admission]:
        query = self._select(t.admission, t.admission.c.body)
        query = query.order_by(t.admission.c.since.desc()).limit(most)
        return [_admission(row.body) for row in self._connection.execute(query)]

    def situation(self) -> Situation | None:
        row = self._rows(t.situation, t.situation.c.body).one_or_none()
        return None if row is None else _situation(row.body)

    def put_situation(self, situation: Situation) -> None:
        self._put(t.situation, body=_json(situation))


class AccessLookups:
    """What a person's id opens beside the structure acted in: own grants, and what they open."""

    _engine: sa.Engine

    def grants_of(self, person: str) -> list[tuple[str, Grant]]:
        grant = t.access_grant.c
        query = sa.select(grant.structure, grant.body)
        query = query.where(grant.person == person, grant.ended_at.is_(None))
        with self._engine.begin() as connection:
            show(connection, person)
            return [(r.structure, _grant(r.body)) for r in connection.execute(query)]

    def situations_of(self, person: str) -> list[tuple[str, Situation]]:
        grant = t.access_grant.c
        query = (
            sa.select(t.structure.c.name, t.situation.c.body)
            .join(t.situation, t.situation.c.structure == t.structure.c.id)
            .join(t.access_grant, grant.structure == t.structure.c.id)
            .where(
                grant.person == person,
                grant.role == Role.OPERATOR.value,
                grant.ended_at.is_(None),
            )
        )
        with self._engine.begin() as connection:
            show(connection, person)
            return [(r.name, _situation(r.body)) for r in connection.execute(query)]
