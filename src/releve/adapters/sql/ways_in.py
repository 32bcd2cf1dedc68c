"""Passkeys and printed codes of the people of one structure."""

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import add, text
from releve.flow.server.ports import BreakGlassCode, Passkey

_json = msgspec.json.encode
_passkey = msgspec.json.Decoder(Passkey).decode
_code = msgspec.json.Decoder(BreakGlassCode).decode


class WayInRows(PeopleRows):
    """A unit's ways in beside the password."""

    def add_passkey(self, passkey: Passkey) -> bool:
        row = self._row(id=passkey.id, person=passkey.person, body=_json(passkey))
        return add(self._connection, t.passkey, row) == 1

    def put_passkey(self, passkey: Passkey) -> None:
        self._put(t.passkey, id=passkey.id, person=passkey.person, body=_json(passkey))

    def passkey(self, identity: str, *, lock: bool = False) -> Passkey | None:
        query = self._select(t.passkey, t.passkey.c.body).where(t.passkey.c.id == identity)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _passkey(row.body)

    def passkeys_of(self, person: str) -> list[Passkey]:
        query = self._select(t.passkey, t.passkey.c.body).where(t.passkey.c.person == person)
        found = [_passkey(row.body) for row in self._connection.execute(query)]
        return sorted(found, key=lambda key: key.made_at)

    def drop_passkey(self, identity: str) -> None:
        own = (t.passkey.c.structure == self.structure) & (t.passkey.c.id == identity)
        self._connection.execute(sa.delete(t.passkey).where(own))

    def put_break_glass(self, code: BreakGlassCode) -> None:
        self._put(t.break_glass, hash=code.hash, person=code.person, **_told(code))

    def break_glass(self) -> list[BreakGlassCode]:
        found = [_code(row.body) for row in self._rows(t.break_glass, t.break_glass.c.body)]
        return sorted(found, key=lambda code: code.made_at)

    def break_glass_unseen(self) -> list[BreakGlassCode]:
        code = t.break_glass.c
        query = self._select(t.break_glass, code.body).order_by(code.used_at)
        query = query.where(code.used_at.is_not(None), code.seen_at.is_(None))
        return [_code(row.body) for row in self._connection.execute(query)]

    def use_break_glass(self, code: BreakGlassCode) -> bool:
        row = t.break_glass.c
        good = (row.structure == self.structure) & (row.hash == code.hash)
        good &= (row.person == code.person) & row.used_at.is_(None)
        update = sa.update(t.break_glass).where(good).values(**_told(code))
        return self._connection.execute(update).rowcount == 1

    def drop_break_glass(self, code_hash: str) -> None:
        own = (t.break_glass.c.structure == self.structure) & (t.break_glass.c.hash == code_hash)
        self._connection.execute(sa.delete(t.break_glass).where(own))


def _told(code: BreakGlassCode) -> dict[str, object]:
    return {
        "used_at": text(code.used_at) if code.used_at else None,
        "seen_at": text(code.seen_at) if code.seen_at else None,
        "body": _json(code),
    }
