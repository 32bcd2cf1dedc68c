"""Signed batches -> events, host states, findings and incidents, in one transaction."""

import datetime as dt

import msgspec

from releve.detect.guard_findings import find, finding_id
from releve.flow import envelope
from releve.flow.server import recoveries, situations
from releve.flow.server.assist import alarms
from releve.flow.server.incidents import OpenIncidents
from releve.flow.server.ports import HostRecord, Store, StoredEvent, Unit
from releve.flow.server.refusal import Refused
from releve.flow.server.retention import KEEP_DAYS
from releve.flow.wire import Ack, Batch, Item, decode_event
from releve.model import event as ev
from releve.model.finding import Finding
from releve.model.host import Host, HostState
from releve.model.incident import Incident
from releve.model.order import SignedOrder, StopFamily, ThawFamily
from releve.triage import hosts, papers
from releve.triage.recoveries import believed

_OLDEST = dt.timedelta(days=KEEP_DAYS)  # a host may have been without its server for weeks
_MOST_AT_ONCE = 1000  # of a batch in one transaction; an agent sends 500, others wait meanwhile
NONCE_KEPT = 3 * envelope.TOLERANCE  # longer than a stamp is taken
_AHEAD = dt.timedelta(days=1)  # a clock in another zone, not one of another year


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came in."""

    method: str
    target: str
    stamp: envelope.Stamp
    signature: str
    body: bytes


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    structure: str
    host: str
    ack: Ack
    stored: int


def authenticate(store: Store, call: Call, now: dt.datetime) -> tuple[str, str]:
    """(structure, host) of a request that its agent signed just now, for the first time.

    The nonce is kept until the time stamp is too old to be taken anyway, across restarts.
    """
    structure, _, host = call.stamp.agent.partition("/")
    with store.unit(structure, writes=False) as unit:
        record = unit.host(host)
    if record is None:
        raise Refused("unknown_agent")
    message = envelope.request_bytes(call.method, call.target, call.stamp, call.body)
    if not envelope.is_signed(record.public_key, message, call.signature):
        raise Refused("forged")
    if not envelope.is_fresh(call.stamp.time, now):
        # The answer carries the server's time: the agent corrects itself and tries again.
        raise Refused("clock")
    with store.unit(structure) as unit:
        if not unit.take_nonce(host, call.stamp.nonce, now + NONCE_KEPT):
            raise Refused("replayed")
    return structure, host


def take(store: Store, structure: str, host: str, batch: Batch, now: dt.datetime) -> Taken:
    """Store what is new of the batch; durable when this returns. Taking it twice is harmless.

    Of a very long one only the first part: the watermark says how far, the agent sends the rest again.
    """
    items = sorted(batch.items, key=lambda item: item.seq)
    told = [_read(host, batch.spool, item, now) for item in items]
    with store.unit(structure) as unit:
        if any(one.touches_incidents for one in told):
            unit.hold()
        record = unit.host(host, lock=True)
        if record is None:
            raise Refused("unknown_agent")
        mark = unit.watermark(host, batch.spool)
        fresh = [one for one in told if one.item.seq > mark][:_MOST_AT_ONCE]
        state, graver = _fold(unit, record.host, batch.spool, fresh, now)
        if fresh:
            mark = fresh[-1].item.seq
            unit.put_watermark(host, batch.spool, mark)
        state = hosts.with_vitals(
            state,
            guard_runs=batch.vitals.guard_running,
            is_demonstration=batch.vitals.is_demonstration,
            has_no_folders=batch.vitals.has_no_folders,
        )
        seen = msgspec.structs.replace(record.host, last_seen_at=now, state=state)
        unit.put_host(HostRecord(host=seen, public_key=record.public_key, vitals=batch.vitals))
        alarms.sound_all(unit, graver, now)
        if any(one.finding for one in fresh):
            situations.keep(unit, now)
        waiting = pending_orders(unit, host, now)
    ack = Ack(watermark=mark, orders=waiting, server_time=now)
    return Taken(structure=structure, host=host, ack=ack, stored=len(fresh))


def pending_orders(
    unit: Unit, host: str, now: dt.datetime, *, after: int = 0
) -> tuple[SignedOrder, ...]:
    """The host's orders that have not ended, oldest first; the host obeys each number once."""
    waiting = []
    for record in reversed(unit.actions(host=host, state="sent")):
        action = record.action
        if record.signed and action.expires_at > now and action.number > after:
            waiting.append(record.signed)
    return tuple(waiting)


class _Told(msgspec.Struct, frozen=True):
    """An item as it was read; None: of a kind that this server does not know, nothing to judge."""

    item: Item
    event: ev.AnyEvent | None
    finding: Finding | None

    @property
    def touches_incidents(self) -> bool:
        return self.finding is not None or isinstance(self.event, ev.RecoveryTold)


def _read(host: str, spool: str, item: Item, now: dt.datetime) -> _Told:
    event = _believed(decode_event(item.event), now)
    identity = finding_id(host, spool, item.seq)
    return _Told(item, event, find(event, host=host, identity=identity) if event else None)


def _believed(event: ev.AnyEvent | None, now: dt.datetime) -> ev.AnyEvent | None:
    """With the time of now if its own cannot be: one host's clock must not decide for the others."""
    if event is None:
        return None
    at = event.seen_at
    if at.tzinfo is None or not now - _OLDEST <= at <= now + _AHEAD:
        event = msgspec.structs.replace(event, seen_at=now)
    if isinstance(event, ev.RecoveryTold):
        return believed(event, now - _OLDEST)
    if isinstance(event, ev.PaperKeyTold):
        return papers.believed(event)
    return event


def _fold(
    unit: Unit, host: Host, spool: str, fresh: list[_Told], now: dt.datetime
) -> tuple[HostState, tuple[Incident, ...]]:
    """The host's state, and the incidents that a grave finding opened or lengthened."""
    state, stored = host.state, []
    open_ = OpenIncidents(unit) if any(one.finding for one in fresh) else None
    for one in fresh:
        item, event = one.item, one.event
        stored.append(
            StoredEvent(
                host=host.id,
                spool=spool,
                seq=item.seq,
                is_read=event is not None,
                body=bytes(item.event),
            )
        )
        if event is None:
            state = msgspec.structs.replace(state, lines_unreadable=state.lines_unreadable + 1)
            continue
        state = hosts.step(state, event)
        if open_ is not None and one.finding is not None:
            open_.take(one.finding)
            if isinstance(event, ev.OrderEnded):
                _end_action(unit, event, host.id, open_)
    if open_ is not None:
        open_.keep(now)
    for one in fresh:
        if isinstance(one.event, ev.RecoveryTold):
            recoveries.note(unit, host.id, one.event)
    unit.put_events(stored, now)
    return state, open_.graver if open_ else ()


def _end_action(unit: Unit, event: ev.OrderEnded, host: str, open_: OpenIncidents) -> None:
    """Close the order's action, and what waited for it in the host's incidents."""
    record = unit.action(event.order)
    if record is None or record.action.host != host:
        return
    if record.action.state not in ("sent", "expired"):
        return
    ended = msgspec.structs.replace(
        record.action,
        state="done" if event.ok else "failed",
        detail=event.detail,
        ended_at=event.seen_at,
    )
    unit.put_action(msgspec.structs.replace(record, action=ended))
    task = record.action.task
    if not event.ok or not isinstance(task, (StopFamily, ThawFamily)):
        return
    action = "killed" if isinstance(task, StopFamily) else "thawed"
    open_.decided(host, task.family, action)
