"""One transaction of one structure: every statement carries the structure in its condition."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from releve.adapters.sql import tables as t
from releve.adapters.sql.access import AccessRows
from releve.adapters.sql.casework import CaseRows
from releve.adapters.sql.circles import CircleRows
from releve.adapters.sql.help import HelpRows
from releve.adapters.sql.identity import IdentityRows
from releve.adapters.sql.mails import MailRows
from releve.adapters.sql.obligations import ObligationRows
from releve.adapters.sql.pages import PageRows
from releve.adapters.sql.rows import add, text
from releve.adapters.sql.statements import StatementRows
from releve.adapters.sql.tickets import TicketRows
from releve.adapters.sql.tools import ToolRows
from releve.adapters.sql.ways_in import WayInRows
from releve.flow.server.ports import ActionRecord, HostRecord, StoredEvent
from releve.flow.wire import Vitals
from releve.model.finding import Finding
from releve.model.host import Host
from releve.model.order import Action, SignedOrder
from releve.model.structure import Profile

_json = msgspec.json.encode
_profile = msgspec.json.Decoder(Profile).decode
_host = msgspec.json.Decoder(Host).decode
_vitals = msgspec.json.Decoder(Vitals).decode
_finding = msgspec.json.Decoder(Finding).decode
_action = msgspec.json.Decoder(Action).decode
_signed = msgspec.json.Decoder(SignedOrder).decode


class SqlUnit(
    AccessRows,
    CaseRows,
    CircleRows,
    HelpRows,
    IdentityRows,
    MailRows,
    ObligationRows,
    PageRows,
    StatementRows,
    TicketRows,
    ToolRows,
    WayInRows,
):
    """Hosts, events, findings and actions; the rest by inheritance."""

    def profile(self) -> Profile | None:
        row = self._rows(t.profile, t.profile.c.body).one_or_none()
        return None if row is None else _profile(row.body)

    def put_profile(self, profile: Profile) -> None:
        self._put(t.profile, body=_json(profile))

    def hosts(self) -> list[Host]:
        rows = self._rows(t.host, t.host.c.body)
        return sorted((_host(r.body) for r in rows), key=lambda h: h.name)

    def host(self, host: str, *, lock: bool = False) -> HostRecord | None:
        query = self._select(t.host).where(t.host.c.id == host)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            return None
        return HostRecord(
            host=_host(row.body), public_key=row.public_key, vitals=_vitals(row.vitals)
        )

    def put_host(self, record: HostRecord) -> None:
        host = record.host
        self._put(
            t.host,
            id=host.id,
            public_key=record.public_key,
            last_seen_at=text(host.last_seen_at) if host.last_seen_at else None,
            body=_json(host),
            vitals=_json(record.vitals),
        )

    def take_nonce(self, host: str, nonce: str, expires_at: dt.datetime) -> bool:
        row = self._row(host=host, nonce=nonce, expires_at=text(expires_at))
        return add(self._connection, t.nonce, row) == 1

    def forget_nonces(self, now: dt.datetime) -> None:
        expired = (t.nonce.c.structure == self.structure) & (t.nonce.c.expires_at < text(now))
        self._connection.execute(sa.delete(t.nonce).where(expired))

    def watermark(self, host: str, spool: str) -> int:
        query = self._select(t.watermark, t.watermark.c.seq)
        query = query.where(t.watermark.c.host == host, t.watermark.c.spool == spool)
        return int(self._connection.execute(query).scalar_one_or_none() or 0)

    def put_watermark(self, host: str, spool: str, seq: int) -> None:
        self._put(t.watermark, host=host, spool=spool, seq=seq)

    def put_events(self, events: Sequence[StoredEvent], stored_at: dt.datetime) -> None:
        at = text(stored_at)
        rows = [
            self._row(
                host=e.host, spool=e.spool, seq=e.seq, stored_at=at, is_read=e.is_read, body=e.body
            )
            for e in events
        ]
        add(self._connection, t.event, rows)

    def add_event(self, event: StoredEvent, stored_at: dt.datetime) -> bool:
        row = self._row(
            host=event.host,
            spool=event.spool,
            seq=event.seq,
            stored_at=text(stored_at),
            is_read=event.is_read,
            body=event.body,
        )
        return add(self._connection, t.event, row) == 1

    def count_events(self) -> int:
        query = sa.select(sa.func.count()).select_from(t.event)
        query = query.where(t.event.c.structure == self.structure)
        return int(self._connection.execute(query).scalar_one())

    def forget_events(self, host: str, before: dt.datetime, *, most: int) -> int:
        own = (t.event.c.structure == self.structure) & (t.event.c.host == host)
        old = own & (t.event.c.stored_at < text(before))
        times = sa.select(t.event.c.stored_at).where(old).order_by(t.event.c.stored_at)
        # Up to the time of the last of so many: a batch has one time, and goes as a whole.
        last = self._connection.execute(times.limit(1).offset(most - 1)).scalar_one_or_none()
        if last is not None:
            old &= t.event.c.stored_at <= last
        return self._connection.execute(sa.delete(t.event).where(old)).rowcount

    def forget_findings(self, host: str, before: dt.datetime) -> int:
        closed = sa.select(t.incident.c.id).where(
            t.incident.c.structure == self.structure, t.incident.c.closed_at.is_not(None)
        )
        old = (
            (t.finding.c.structure == self.structure)
            & (t.finding.c.host == host)
            & (t.finding.c.seen_at < text(before))
            & (t.finding.c.incident.is_(None) | t.finding.c.incident.in_(closed))
        )
        return self._connection.execute(sa.delete(t.finding).where(old)).rowcount

    def put_finding(self, finding: Finding, incident: str) -> None:
        row = self._row(
            id=finding.id,
            host=finding.host,
            kind=finding.kind,
            severity=finding.severity.value,
            seen_at=text(finding.seen_at),
            incident=incident or None,
            body=_json(finding),
        )
        add(self._connection, t.finding, row)

    def findings(self, kind: str, *, most: int = 100) -> list[Finding]:
        query = self._select(t.finding, t.finding.c.body)
        query = query.where(t.finding.c.kind == kind, t.finding.c.reviewed_at.is_(None))
        query = query.order_by(t.finding.c.seen_at.desc()).limit(most)
        return [_finding(r.body) for r in self._connection.execute(query)]

    def findings_of(self, host: str, *, most: int = 20) -> list[Finding]:
        query = self._select(t.finding, t.finding.c.body).where(t.finding.c.host == host)
        query = query.order_by(t.finding.c.seen_at.desc()).limit(most)
        return [_finding(r.body) for r in self._connection.execute(query)]

    def review_findings(self, kind: str, now: dt.datetime) -> int:
        waiting = (
            (t.finding.c.structure == self.structure)
            & (t.finding.c.kind == kind)
            & t.finding.c.reviewed_at.is_(None)
        )
        update = sa.update(t.finding).where(waiting).values(reviewed_at=text(now))
        return self._connection.execute(update).rowcount

    def last_number(self, host: str) -> int:
        query = sa.select(sa.func.max(t.action.c.number))
        query = query.where(t.action.c.structure == self.structure, t.action.c.host == host)
        return int(self._connection.execute(query).scalar_one_or_none() or 0)

    def put_action(self, record: ActionRecord) -> None:
        action = record.action
        self._put(
            t.action,
            id=action.id,
            host=action.host,
            number=action.number,
            state=action.state,
            expires_at=text(action.expires_at),
            body=_json(action),
            signed=_json(record.signed) if record.signed else None,
        )

    def action(self, action: str) -> ActionRecord | None:
        row = self._connection.execute(
            self._select(t.action).where(t.action.c.id == action)
        ).one_or_none()
        return None if row is None else _record(row)

    def actions(self, *, host: str = "", state: str = "", most: int = 50) -> list[ActionRecord]:
        """Newest first."""
        query = self._select(t.action).order_by(t.action.c.number.desc()).limit(most)
        if host:
            query = query.where(t.action.c.host == host)
        if state:
            query = query.where(t.action.c.state == state)
        return [_record(row) for row in self._connection.execute(query)]

    def put_token(self, secret_hash: str, created_at: dt.datetime, until: dt.datetime) -> None:
        self._put(t.token, hash=secret_hash, created_at=text(created_at), expires_at=text(until))

    def use_token(self, secret_hash: str, host: str, now: dt.datetime) -> bool:
        good = (
            (t.token.c.structure == self.structure)
            & (t.token.c.hash == secret_hash)
            & t.token.c.used_at.is_(None)
            & (t.token.c.expires_at > text(now))
        )
        update = sa.update(t.token).where(good).values(used_at=text(now), host=host)
        return self._connection.execute(update).rowcount == 1

    def host_of_token(self, secret_hash: str) -> str:
        query = self._select(t.token).where(t.token.c.hash == secret_hash)
        row = self._connection.execute(query).one_or_none()
        return str(row.host) if row is not None and row.host else ""


def _record(row: sa.Row[Any]) -> ActionRecord:
    return ActionRecord(
        action=_action(row.body), signed=_signed(row.signed) if row.signed else None
    )
