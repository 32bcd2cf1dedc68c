"""Everything of one structure: to be handed over, and to be erased. Walks the tables there are."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import enter
from releve.adapters.sql.freed import wipe
from releve.adapters.sql.rows import from_text, text
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.unit import SqlUnit
from releve.model.leaving import KeptErasure

_AT_A_TIME = 1000
# What lets somebody in, or lets a message through once. It says nothing of the structure.
KEYS_ONLY = (
    "api_answer",
    "break_glass",
    "glpi",
    "help_code",
    "help_line",
    "identity_invite",
    "identity_link",
    "nonce",
    "passkey",
    "session",
    "token",
)
_SECRET_COLUMNS = {
    "cohorts",
    "sealed_key",
    "token_hash",
}  # cohorts: of whom an insurer's figures are, it never learns
_SECRET_WORDS = {"password_hash", "totp_secret", "recovery_hashes"}
_ELSEWHERE = {"statement": {"files"}}  # handed over as documents


class NotErasedError(Exception):
    """Rows came or stayed that should not have: nothing was erased."""


class Leaving:
    """One transaction in which nobody else writes anything of the structure."""

    def __init__(self, connection: sa.Connection, unit: SqlUnit) -> None:
        self._connection, self.unit = connection, unit

    def count(self) -> dict[str, int]:
        return count(self._connection, self.unit.structure)

    def rows(self) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
        return rows(self._connection, self.unit)

    def erase(self, kept: KeptErasure) -> None:
        """Every row, and the structure itself. Raises: NotErasedError."""
        connection, own = self._connection, self.unit.structure
        before = self.count()
        values = {"erased": own, "name": kept.name, "at": text(kept.at)}
        connection.execute(sa.insert(t.erasure).values(**values, certificate=kept.certificate))
        for table in reversed(_tenant_tables()):
            gone = connection.execute(sa.delete(table).where(table.c.structure == own)).rowcount
            if gone != before[table.name]:
                raise NotErasedError(table.name)
        connection.execute(sa.delete(t.identity_provider).where(t.identity_provider.c.of == own))
        connection.execute(sa.delete(t.structure).where(t.structure.c.id == own))


class Leavings:
    """What structures that leave need of the database."""

    def __init__(self, engine: sa.Engine, seal: Seal) -> None:
        self._engine, self._seal = engine, seal

    @contextmanager
    def leaving(self, structure: str) -> Iterator[Leaving]:
        """Commits when the block ends well: all of it is erased then, or nothing."""
        with self._engine.execution_options(writes=True).begin() as connection:
            # Whoever inserts a row of the structure needs a share of this one: he waits, or came first.
            lock = sa.select(t.structure.c.id).where(t.structure.c.id == structure)
            connection.execute(lock.with_for_update()).one()
            yield Leaving(connection, SqlUnit(connection, structure, self._seal))

    def left(self, structure: str) -> dict[str, int]:
        """Rows by table, as everybody sees them now."""
        with self._engine.begin() as connection:
            enter(connection, structure)
            found = count(connection, structure)
            own = sa.select(sa.func.count()).where(t.structure.c.id == structure)
            return {**found, t.structure.name: int(connection.execute(own).scalar_one())}

    def erasure(self, name: str) -> KeptErasure | None:
        """The newest of a structure of that name."""
        return self._erasure(t.erasure.c.name == name)

    def erasure_of(self, structure: str) -> KeptErasure | None:
        """By its id; None too in a database of before there were any."""
        if not sa.inspect(self._engine).has_table(t.erasure.name):
            return None
        return self._erasure(t.erasure.c.erased == structure)

    def _erasure(self, which: sa.ColumnElement[bool]) -> KeptErasure | None:
        query = sa.select(t.erasure).where(which).order_by(t.erasure.c.at.desc()).limit(1)
        with self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return KeptErasure(
            structure=row.erased, name=row.name, at=from_text(row.at), certificate=row.certificate
        )

    def wipe(self) -> bool:
        """Take what was removed out of the database's files. False: to be done again."""
        return wipe(self._engine)


def count(connection: sa.Connection, structure: str) -> dict[str, int]:
    """Of a structure that the transaction has entered."""
    return {
        table.name: int(
            connection.execute(
                sa.select(sa.func.count()).select_from(table).where(table.c.structure == structure)
            ).scalar_one()
        )
        for table in _tenant_tables()
    }


def rows(
    connection: sa.Connection, unit: SqlUnit
) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Table by table; bytes that are JSON as what they say, others as base64. No secret."""
    for table in _tenant_tables():
        if table.name == t.rota.name:
            yield table.name, _rota(unit)
        elif table.name not in KEYS_ONLY:
            yield table.name, _rows(connection, table, unit.structure)


def _rows(connection: sa.Connection, table: sa.Table, structure: str) -> Iterator[dict[str, Any]]:
    out = _SECRET_COLUMNS | _ELSEWHERE.get(table.name, set())
    query = sa.select(*[c for c in table.c if c.name not in out])
    query = query.where(table.c.structure == structure).order_by(*table.primary_key)
    found = connection.execute(query.execution_options(yield_per=_AT_A_TIME)).mappings()
    for row in found:
        yield {name: _open(value) for name, value in row.items()}


def _rota(unit: SqlUnit) -> Iterator[dict[str, Any]]:
    """Who is on call, without the operator's gateways."""
    rota = unit.rota()
    if rota is not None:
        told = msgspec.to_builtins(rota)
        for person in told["people"]:
            person["channels"] = [channel["name"] for channel in person["channels"]]
        yield {"structure": unit.structure, "rota": told}


def _open(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return _harmless(msgspec.json.decode(value)) if value else None
    except msgspec.DecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _harmless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _harmless(v) for k, v in value.items() if k not in _SECRET_WORDS}
    return [_harmless(v) for v in value] if isinstance(value, list) else value


def _tenant_tables() -> list[sa.Table]:
    """Those that others point to come first."""
    return [table for table in t.metadata.sorted_tables if "structure" in table.c]
