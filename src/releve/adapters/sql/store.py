"""The server's state through SQLAlchemy: what is asked before or beside a structure."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.access import AccessLookups
from releve.adapters.sql.apart import show
from releve.adapters.sql.circles import CircleLookups
from releve.adapters.sql.help import HelpLookups
from releve.adapters.sql.identity import IdentityLookups
from releve.adapters.sql.leaving import Leavings
from releve.adapters.sql.mails import MailLookups
from releve.adapters.sql.rows import from_text, held, put, text
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.tools import ToolLookups
from releve.adapters.sql.unit import SqlUnit
from releve.flow.server.ports import Attempts, Person, Session, Structure
from releve.flow.server.signin import TRIES_KEPT

KEEP_ANSWERS = dt.timedelta(days=1)
KEEP_DELIVERIES = dt.timedelta(days=30)


class SqlStore(
    AccessLookups, CircleLookups, HelpLookups, IdentityLookups, MailLookups, ToolLookups
):
    """One database, any number of threads."""

    def __init__(self, engine: sa.Engine, seal: Seal) -> None:
        super().__init__(engine)
        self._seal = seal
        self._reading: sa.Engine = engine.execution_options(writes=False)

    def leavings(self) -> Leavings:
        """For a structure that leaves."""
        return Leavings(self._engine, self._seal)

    def left_at(self, structure: str) -> dt.datetime | None:
        kept = self.leavings().erasure_of(structure)
        return kept.at if kept else None

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def unit(self, structure: str, *, writes: bool = True) -> Iterator[SqlUnit]:
        engine = self._writing if writes else self._reading
        with engine.begin() as connection:
            yield SqlUnit(connection, structure, self._seal)

    def structures(self) -> list[Structure]:
        query = sa.select(t.structure).order_by(t.structure.c.created_at)
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
        return [Structure(id=r.id, name=r.name, created_at=from_text(r.created_at)) for r in rows]

    def put_structure(self, structure: Structure) -> None:
        values = {
            "id": structure.id,
            "name": structure.name,
            "created_at": text(structure.created_at),
        }
        with self._writing.begin() as connection:
            put(connection, t.structure, values)

    def structure_of_token(self, secret_hash: str) -> str | None:
        query = sa.select(t.token.c.structure).where(t.token.c.hash == secret_hash)
        found = self._shown(secret_hash, query)
        return None if found is None else str(found)

    def vault_of_token(self, token_hash: str) -> tuple[str, str] | None:
        query = sa.select(t.vault.c.structure, t.vault.c.id).where(
            t.vault.c.token_hash == token_hash
        )
        with self._engine.begin() as connection:
            show(connection, token_hash)
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.structure, row.id)

    def person_by_login(self, login: str) -> Person | None:
        known = login.lower()
        found = self._shown(known, sa.select(t.person.c.body).where(t.person.c.login == known))
        return None if found is None else self._seal.opened(found)

    def session(self, secret_hash: str) -> Session | None:
        query = sa.select(t.session.c.body).where(t.session.c.hash == secret_hash)
        found = self._shown(secret_hash, query)
        return None if found is None else msgspec.json.decode(found, type=Session)

    def structure_of_passkey(self, identity: str) -> str | None:
        query = sa.select(t.passkey.c.structure).where(t.passkey.c.id == identity)
        found = self._shown(identity, query)
        return None if found is None else str(found)

    def put_challenge(self, key: str, value: bytes, until: dt.datetime) -> None:
        with self._writing.begin() as connection:
            values = {"key": key, "value": value, "expires_at": text(until)}
            put(connection, t.challenge, values)

    def take_challenge(self, key: str, now: dt.datetime) -> bytes | None:
        gone = sa.delete(t.challenge).where(t.challenge.c.key == key)
        with self._writing.begin() as connection:
            row = connection.execute(
                gone.returning(t.challenge.c.value, t.challenge.c.expires_at)
            ).one_or_none()
        return row.value if row is not None and row.expires_at > text(now) else None

    def has_people(self) -> bool:
        for structure in self.structures():
            with self.unit(structure.id, writes=False) as unit:
                if unit.has_people():
                    return True
        return False

    def attempts(self, key: str) -> Attempts | None:
        query = sa.select(t.attempt).where(t.attempt.c.key == key)
        with self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _attempts(row)

    def put_attempts(self, key: str, attempts: Attempts | None) -> None:
        with self._writing.begin() as connection:
            _put_attempts(connection, key, attempts)

    def step_attempts(
        self,
        keys: Sequence[str],
        now: dt.datetime,
        step: Callable[[str, Attempts], Attempts | None],
    ) -> None:
        with self._writing.begin() as connection:
            for key in sorted(keys):  # in one order: else two would wait for each other
                row = held(connection, t.attempt, {"key": key, "count_": 0, "until": text(now)})
                _put_attempts(connection, key, step(key, _attempts(row)))

    def forget_old(self, now: dt.datetime) -> None:
        for structure in self.structures():
            with self.unit(structure.id) as unit:
                unit.forget_sessions(now)
                unit.forget_nonces(now)
                unit.forget_help_codes(now)
                unit.forget_invites(now)
                unit.forget_api_answers(now - KEEP_ANSWERS)
                unit.forget_deliveries(now - KEEP_DELIVERIES)
        with self._writing.begin() as connection:
            long_ago = text(now - TRIES_KEPT)
            old = sa.select(t.attempt.c.key).where(t.attempt.c.until < long_ago)
            # One that is being counted now is not waited for, and stays.
            old = old.with_for_update(skip_locked=True)
            connection.execute(sa.delete(t.attempt).where(t.attempt.c.key.in_(old)))
            over = t.challenge.c.expires_at < text(now)
            connection.execute(sa.delete(t.challenge).where(over))

    def _shown(self, shown: str, query: sa.Select[Any]) -> Any:
        """What a question finds that comes before a structure is known."""
        with self._engine.begin() as connection:
            show(connection, shown)
            return connection.execute(query).scalar_one_or_none()


def _attempts(row: sa.Row[Any]) -> Attempts:
    return Attempts(count=row.count_, until=from_text(row.until))


def _put_attempts(connection: sa.Connection, key: str, attempts: Attempts | None) -> None:
    if attempts is None:
        connection.execute(sa.delete(t.attempt).where(t.attempt.c.key == key))
        return
    values = {"key": key, "count_": attempts.count, "until": text(attempts.until)}
    put(connection, t.attempt, values)
