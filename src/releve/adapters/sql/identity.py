"""Accounts at identity providers, invitations to link one, and the providers themselves, sealed."""

import datetime as dt

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.apart import show
from releve.adapters.sql.people import PeopleRows
from releve.adapters.sql.rows import add, put, text
from releve.adapters.sql.seal import Seal
from releve.model.identity import IdentityInvite, IdentityLink, Provider

_json = msgspec.json.encode
_link = msgspec.json.Decoder(IdentityLink).decode
_invite = msgspec.json.Decoder(IdentityInvite).decode
_provider = msgspec.json.Decoder(Provider).decode


class IdentityRows(PeopleRows):
    """A unit's links and invitations."""

    def add_identity(self, link: IdentityLink) -> bool:
        return add(self._connection, t.identity_link, self._row(**_columns(link))) == 1

    def put_identity(self, link: IdentityLink) -> None:
        self._put(t.identity_link, **_columns(link))

    def identity(self, identity: str, *, lock: bool = False) -> IdentityLink | None:
        query = self._select(t.identity_link, t.identity_link.c.body)
        query = query.where(t.identity_link.c.id == identity)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _link(row.body)

    def identities(self, *, person: str = "", provider: str = "") -> list[IdentityLink]:
        query = self._select(t.identity_link, t.identity_link.c.body)
        if person:
            query = query.where(t.identity_link.c.person == person)
        if provider:
            query = query.where(t.identity_link.c.provider == provider)
        found = [_link(row.body) for row in self._connection.execute(query)]
        return sorted(found, key=lambda link: link.made_at)

    def drop_identity(self, identity: str) -> None:
        link = t.identity_link.c
        own = (link.structure == self.structure) & (link.id == identity)
        self._connection.execute(sa.delete(t.identity_link).where(own))

    def put_invite(self, invite: IdentityInvite) -> None:
        self._put(
            t.identity_invite,
            id=invite.id,
            provider=invite.provider,
            expires_at=text(invite.until),
            body=_json(invite),
        )

    def take_invite(self, invite: str, now: dt.datetime) -> IdentityInvite | None:
        row = t.identity_invite.c
        own = (row.structure == self.structure) & (row.id == invite)
        gone = sa.delete(t.identity_invite).where(own).returning(row.body, row.expires_at)
        found = self._connection.execute(gone).one_or_none()
        is_good = found is not None and found.expires_at > text(now)
        return _invite(found.body) if found is not None and is_good else None

    def drop_invites(self, provider: str) -> None:
        row = t.identity_invite.c
        own = (row.structure == self.structure) & (row.provider == provider)
        self._connection.execute(sa.delete(t.identity_invite).where(own))

    def forget_invites(self, now: dt.datetime) -> None:
        row = t.identity_invite.c
        own = (row.structure == self.structure) & (row.expires_at < text(now))
        self._connection.execute(sa.delete(t.identity_invite).where(own))


class IdentityLookups:
    """The providers, and whose an account or an invitation is."""

    _engine: sa.Engine
    _seal: Seal

    def providers(self) -> list[Provider]:
        row = t.identity_provider.c
        query = sa.select(row.name, row.sealed).order_by(row.added_at)
        with self._engine.begin() as connection:
            rows = connection.execute(query).all()
        return [_provider(self._seal.opened_body(r.sealed, _owner(r.name))) for r in rows]

    def put_provider(self, provider: Provider) -> None:
        sealed = self._seal.closed_body(_json(provider), _owner(provider.name))
        values = {
            "name": provider.name,
            "of": provider.structure or None,
            "added_at": text(provider.added_at),
            "sealed": sealed,
        }
        with self._engine.execution_options(writes=True).begin() as connection:
            put(connection, t.identity_provider, values)

    def drop_provider(self, name: str) -> None:
        with self._engine.execution_options(writes=True).begin() as connection:
            own = t.identity_provider.c.name == name
            connection.execute(sa.delete(t.identity_provider).where(own))

    def structure_of_identity(self, identity: str) -> str | None:
        return self._whose(t.identity_link, identity)

    def structure_of_invite(self, invite: str) -> str | None:
        return self._whose(t.identity_invite, invite)

    def _whose(self, table: sa.Table, shown: str) -> str | None:
        query = sa.select(table.c.structure).where(table.c.id == shown)
        with self._engine.begin() as connection:
            show(connection, shown)
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else str(found)


def _columns(link: IdentityLink) -> dict[str, object]:
    return {
        "id": link.id,
        "person": link.person,
        "provider": link.provider,
        "body": _json(link),
    }


def _owner(name: str) -> bytes:
    return f"identity/{name}".encode()
