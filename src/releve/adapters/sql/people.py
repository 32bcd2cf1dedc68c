"""People, their sessions, and the audit trail of one structure."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import enter
from releve.adapters.sql.rows import from_text, put, storable, text
from releve.adapters.sql.seal import Seal
from releve.flow.server.audit import digest
from releve.flow.server.ports import AuditEntry, Person, Session


class PeopleRows:
    """The base of a unit: the connection, the structure, and the ways to ask only for its rows."""

    def __init__(self, connection: sa.Connection, structure: str, seal: Seal) -> None:
        self._connection, self._seal = connection, seal
        self.structure = structure
        enter(connection, structure)

    def put_person(self, person: Person) -> None:
        body = self._seal.closed(person)
        self._put(t.person, id=person.id, login=person.login.lower(), body=body)

    def person(self, person: str, *, lock: bool = False) -> Person | None:
        query = self._select(t.person, t.person.c.body).where(t.person.c.id == person)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else self._seal.opened(row.body)

    def people(self) -> list[Person]:
        return [self._seal.opened(r.body) for r in self._rows(t.person, t.person.c.body)]

    def has_people(self) -> bool:
        return self._rows(t.person, t.person.c.id).first() is not None

    def put_session(self, secret_hash: str, session: Session) -> None:
        self._put(
            t.session,
            hash=secret_hash,
            person=session.person,
            body=msgspec.json.encode(session),
            expires_at=text(session.expires_at),
        )

    def sessions_of(self, person: str) -> list[tuple[str, Session]]:
        query = self._select(t.session).where(t.session.c.person == person)
        rows = self._connection.execute(query.order_by(t.session.c.expires_at.desc()))
        return [(r.hash, msgspec.json.decode(r.body, type=Session)) for r in rows]

    def drop_session(self, secret_hash: str) -> bool:
        own = (t.session.c.structure == self.structure) & (t.session.c.hash == secret_hash)
        return self._connection.execute(sa.delete(t.session).where(own)).rowcount == 1

    def drop_sessions_of(self, person: str) -> None:
        own = (t.session.c.structure == self.structure) & (t.session.c.person == person)
        self._connection.execute(sa.delete(t.session).where(own))

    def forget_sessions(self, now: dt.datetime) -> None:
        own = (t.session.c.structure == self.structure) & (t.session.c.expires_at < text(now))
        self._connection.execute(sa.delete(t.session).where(own))

    def record(
        self, at: dt.datetime, actor: str, object_: str, verb: str, detail: str = ""
    ) -> None:
        last = self._select(t.audit).order_by(t.audit.c.number.desc()).limit(1)
        # The structure's row is locked: two writers on PostgreSQL must not take one number. Not its
        # key: both may have inserted rows that point at it, and would wait for each other for ever.
        lock = sa.select(t.structure.c.id).where(t.structure.c.id == self.structure)
        self._connection.execute(lock.with_for_update(key_share=True))
        before = self._connection.execute(last).one_or_none()
        number, previous = (before.number + 1, before.digest) if before else (1, "")
        entry = AuditEntry(
            number=number,
            at=at,
            actor=storable(actor[:200]),
            object=storable(object_[:200]),
            verb=verb[:64],
            detail=storable(detail[:500]),
        )
        self._connection.execute(
            sa.insert(t.audit).values(
                **self._row(
                    number=number,
                    at=text(at),
                    actor=entry.actor,
                    object=entry.object,
                    verb=entry.verb,
                    detail=entry.detail,
                    digest=digest(entry, previous),
                )
            )
        )

    def trail(self, *, most: int = 100, before: int = 0) -> list[AuditEntry]:
        query = self._select(t.audit).order_by(t.audit.c.number.desc()).limit(most)
        if before:
            query = query.where(t.audit.c.number < before)
        return [entry_of(row) for row in self._connection.execute(query)]

    def trail_of(self, verbs: Sequence[str], *, most: int) -> list[AuditEntry]:
        query = self._select(t.audit).where(t.audit.c.verb.in_(verbs))
        query = query.order_by(t.audit.c.number.desc()).limit(most)
        return [entry_of(row) for row in self._connection.execute(query)]

    def _row(self, **values: Any) -> dict[str, Any]:
        return {"structure": self.structure, **values}

    def _put(self, table: sa.Table, **values: Any) -> None:
        put(self._connection, table, self._row(**values))

    def _select(self, table: sa.Table, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        query = sa.select(*columns) if columns else sa.select(table)
        return query.where(table.c.structure == self.structure)

    def _rows(self, table: sa.Table, *columns: sa.ColumnElement[Any]) -> sa.CursorResult[Any]:
        return self._connection.execute(self._select(table, *columns))


def entry_of(row: sa.Row[Any]) -> AuditEntry:
    return AuditEntry(
        number=row.number,
        at=from_text(row.at),
        actor=row.actor,
        object=row.object,
        verb=row.verb,
        detail=row.detail,
        digest=row.digest,
    )
