"""Groups, insurers and who is in them; the days of a structure."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import CIRCLES, show
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import add, text
from releve.model.access import Role
from releve.model.circle import Circle, CircleKind, Cohort, Member, Membership, Sheet
from releve.model.posture import Posture
from releve.model.situation import Situation

_json = msgspec.json.encode
_membership = msgspec.json.Decoder(Membership).decode
_sheet = msgspec.json.Decoder(Sheet).decode
_cohorts = msgspec.json.Decoder(tuple[Cohort, ...]).decode
_posture = msgspec.json.Decoder(Posture).decode
_situation = msgspec.json.Decoder(Situation).decode


class CircleRows(PeopleRows):
    """A unit's memberships, sheets and days."""

    def put_circle(self, kind: CircleKind) -> None:
        self._put(t.circle, kind=kind.value)

    def membership(self, circle: str) -> Membership | None:
        query = self._select(t.membership, t.membership.c.body)
        query = query.where(t.membership.c.circle == circle)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _membership(row.body)

    def memberships(self) -> list[Membership]:
        return [_membership(row.body) for row in self._rows(t.membership, t.membership.c.body)]

    def put_membership(self, membership: Membership) -> None:
        ended_at = membership.ended_at
        self._put(
            t.membership,
            circle=membership.circle,
            kind=membership.kind.value,
            ended_at=text(ended_at) if ended_at else None,
            body=_json(membership),
        )

    def add_sheet(self, sheet: Sheet, cohorts: Sequence[Cohort]) -> bool:
        row = self._row(week=sheet.week, body=_json(sheet), cohorts=_json(cohorts))
        return add(self._connection, t.insurer_sheet, row) == 1

    def sheet(self) -> tuple[Sheet, tuple[Cohort, ...]] | None:
        query = self._select(t.insurer_sheet).order_by(t.insurer_sheet.c.week.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (_sheet(row.body), _cohorts(row.cohorts))

    def posture(self, day: dt.date) -> Posture | None:
        query = self._select(t.posture, t.posture.c.body)
        query = query.where(t.posture.c.day == day.isoformat())
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _posture(row.body)

    def put_posture(self, posture: Posture) -> None:
        self._put(t.posture, day=posture.day.isoformat(), body=_json(posture))

    def postures(self, since: dt.date) -> list[Posture]:
        query = self._select(t.posture, t.posture.c.body)
        query = query.where(t.posture.c.day >= since.isoformat()).order_by(t.posture.c.day)
        return [_posture(row.body) for row in self._connection.execute(query)]


class CircleLookups:
    """Which circles there are, and what the members of a group show to its people."""

    _engine: sa.Engine

    def circles(self) -> list[Circle]:
        query = sa.select(t.circle.c.structure, t.circle.c.kind, t.structure.c.name)
        query = query.join(t.structure, t.structure.c.id == t.circle.c.structure)
        with self._engine.begin() as connection:
            show(connection, CIRCLES)
            rows = connection.execute(query.order_by(t.structure.c.name)).all()
        return [Circle(id=r.structure, name=r.name, kind=CircleKind(r.kind)) for r in rows]

    def members_seen_by(self, person: str, group: str, since: dt.date) -> list[Member]:
        seen = _seen_by(person, group)
        summed = seen.add_columns(t.structure.c.name, t.situation.c.body)
        summed = summed.join(t.structure, t.structure.c.id == t.membership.c.structure)
        summed = summed.join(t.situation, t.situation.c.structure == t.membership.c.structure)
        daily = seen.add_columns(t.posture.c.body)
        daily = daily.join(t.posture, t.posture.c.structure == t.membership.c.structure)
        daily = daily.where(t.posture.c.day >= since.isoformat()).order_by(t.posture.c.day)
        days = defaultdict(list)
        with self._engine.begin() as connection:
            show(connection, person)
            for row in connection.execute(daily):
                days[row.structure].append(_posture(row.body))
            rows = connection.execute(summed.order_by(t.structure.c.name)).all()
        return [
            Member(name=r.name, situation=_situation(r.body), days=tuple(days[r.structure]))
            for r in rows
        ]


def _seen_by(person: str, group: str) -> sa.Select[tuple[str]]:
    grant = t.access_grant.c
    return (
        sa.select(t.membership.c.structure)
        .join(t.access_grant, grant.structure == t.membership.c.circle)
        .where(
            t.membership.c.circle == group,
            t.membership.c.kind == CircleKind.GROUP.value,
            t.membership.c.ended_at.is_(None),
            grant.person == person,
            grant.role == Role.GROUP.value,
            grant.ended_at.is_(None),
        )
    )
