"""Calls for help and the rota of one structure; what the escalation asks of all structures."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import WAKING, show
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import add, from_text, text
from releve.flow.server.ports import HelpCode
from releve.model.help import HelpRequest, Rota, Step

_json = msgspec.json.encode
_rota = msgspec.json.Decoder(Rota).decode
_request = msgspec.json.Decoder(HelpRequest).decode
_step = msgspec.json.Decoder(Step).decode
# In a body; what somebody wrote has a backslash before such a quotation mark.
_OF_ATTACK = b'"source":"attack"'


class HelpRows(PeopleRows):
    """A unit's calls for help."""

    def rota(self) -> Rota | None:
        row = self._rows(t.rota, t.rota.c.sealed).one_or_none()
        return None if row is None else _rota(self._seal.opened_body(row.sealed, self._rota_owner))

    def put_rota(self, rota: Rota) -> None:
        self._put(t.rota, sealed=self._seal.closed_body(_json(rota), self._rota_owner))

    @property
    def _rota_owner(self) -> bytes:
        return f"{self.structure}/rota".encode()

    def put_help_line(self, token_hash: str, created_at: dt.datetime) -> None:
        self._put(t.help_line, token_hash=token_hash, created_at=text(created_at))

    def add_help(self, request: HelpRequest) -> bool:
        is_new = add(self._connection, t.help_request, self._row(**_help_row(request))) == 1
        if is_new:
            self._wake_help(request.id, request.course.due_at)
        return is_new

    def put_help(self, request: HelpRequest, wake_at: dt.datetime | None) -> None:
        self._put(t.help_request, **_help_row(request))
        self._wake_help(request.id, wake_at)

    def wake_help(self, now: dt.datetime) -> None:
        own = t.help_wake.c.structure == self.structure
        self._connection.execute(sa.update(t.help_wake).where(own).values(at=text(now)))

    def _wake_help(self, request: str, at: dt.datetime | None) -> None:
        if at is not None:
            self._put(t.help_wake, request=request, at=text(at))
            return
        wake = t.help_wake.c
        own = (wake.structure == self.structure) & (wake.request == request)
        self._connection.execute(sa.delete(t.help_wake).where(own))

    def help_request(self, request: str, *, lock: bool = False) -> HelpRequest | None:
        query = self._select(t.help_request, t.help_request.c.body)
        query = query.where(t.help_request.c.id == request)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _request(row.body)

    def help_requests(self, *, is_open: bool = False, most: int = 100) -> list[HelpRequest]:
        query = self._select(t.help_request, t.help_request.c.body)
        if is_open:
            query = query.where(t.help_request.c.closed_at.is_(None))
        query = query.order_by(t.help_request.c.opened_at.desc()).limit(most)
        found = [_request(r.body) for r in self._connection.execute(query)]
        if not is_open or len(found) < most:
            return found
        known = {request.id for request in found}
        found += [r for r in self.attack_calls() if r.id not in known]
        return sorted(found, key=lambda r: r.course.opened_at, reverse=True)

    def attack_calls(self) -> list[HelpRequest]:
        body = t.help_request.c.body
        # Not by the newest so many: who asks for help again and again would hide them.
        is_lite = self._connection.dialect.name == "sqlite"
        place = sa.func.instr(body, _OF_ATTACK) if is_lite else sa.func.position(_in(body))
        query = self._select(t.help_request, body)
        query = query.where(t.help_request.c.closed_at.is_(None), place > 0)
        query = query.order_by(t.help_request.c.opened_at.desc())
        found = (_request(r.body) for r in self._connection.execute(query))
        return [request for request in found if request.attacks]

    def add_help_steps(self, request: str, steps: Sequence[Step]) -> None:
        rows = [
            self._row(request=request, number=s.number, at=text(s.at), body=_json(s)) for s in steps
        ]
        if rows:
            self._connection.execute(sa.insert(t.help_step), rows)

    def help_steps(self, request: str) -> list[Step]:
        query = self._select(t.help_step, t.help_step.c.body)
        query = query.where(t.help_step.c.request == request).order_by(t.help_step.c.number)
        return [_step(r.body) for r in self._connection.execute(query)]

    def put_help_code(self, code_hash: str, request: str, ring: int, until: dt.datetime) -> None:
        self._put(t.help_code, hash=code_hash, request=request, ring=ring, expires_at=text(until))

    def help_code(self, code_hash: str, now: dt.datetime) -> HelpCode | None:
        code = t.help_code.c
        query = self._select(t.help_code).where(code.hash == code_hash, code.expires_at > text(now))
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        used = from_text(row.used_at) if row.used_at else None
        return HelpCode(request=row.request, ring=row.ring, used_at=used)

    def use_help_code(self, code_hash: str, now: dt.datetime) -> bool:
        code = t.help_code.c
        good = (
            (code.structure == self.structure) & (code.hash == code_hash) & code.used_at.is_(None)
        )
        good &= code.expires_at > text(now)
        update = sa.update(t.help_code).where(good).values(used_at=text(now))
        return self._connection.execute(update).rowcount == 1

    def forget_help_codes(self, now: dt.datetime) -> None:
        code = t.help_code.c
        own = (code.structure == self.structure) & (code.expires_at < text(now))
        self._connection.execute(sa.delete(t.help_code).where(own))


def _help_row(request: HelpRequest) -> dict[str, Any]:
    course = request.course
    return {
        "id": request.id,
        "opened_at": text(course.opened_at),
        "closed_at": text(course.closed_at) if course.closed_at else None,
        "body": _json(request),
    }


class HelpLookups:
    """What is asked before a structure is known, or of all of them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._writing: sa.Engine = engine.execution_options(writes=True)

    def structure_of_help_line(self, token_hash: str) -> str | None:
        line = t.help_line.c
        query = sa.select(line.structure).where(line.token_hash == token_hash)
        return self._structure(token_hash, query)

    def structure_of_help_code(self, code_hash: str) -> str | None:
        code = t.help_code.c
        return self._structure(code_hash, sa.select(code.structure).where(code.hash == code_hash))

    def help_waking(
        self, now: dt.datetime, beyond: dt.datetime, *, most: int
    ) -> list[tuple[str, str]]:
        wake = t.help_wake.c
        is_due = (wake.at <= text(now)) | (wake.at > text(beyond))
        query = sa.select(wake.structure, wake.request).where(is_due)
        query = query.order_by(wake.at).limit(most)
        with self._engine.begin() as connection:
            show(connection, WAKING)
            return [(r.structure, r.request) for r in connection.execute(query)]

    @property
    def is_shared(self) -> bool:
        """Whether other servers may work on this database; SQLite is for one process."""
        return self._engine.dialect.name != "sqlite"

    def _structure(self, shown: str, query: sa.Select[Any]) -> str | None:
        with self._engine.begin() as connection:
            show(connection, shown)
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else str(found)


def _in(body: "sa.Column[bytes]") -> "sa.ColumnElement[Any]":
    return sa.literal(_OF_ATTACK, sa.LargeBinary()).op("IN")(body)
