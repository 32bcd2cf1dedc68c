import datetime as dt

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters.sql.store import SqlStore
from releve.apps.agent.config import public_bytes
from releve.flow.envelope import open_order
from releve.flow.server import actions
from releve.flow.server.ingest import pending_orders, take
from releve.model.event import OrderEnded
from releve.model.order import AnyTask, Isolate, Release, StopFamily, ThawFamily
from tests.server.world import T0, EnrolledHost, add_host, batch, stopped

KEY = Ed25519PrivateKey.generate()


def send(store: SqlStore, host: EnrolledHost, identity: str, now: dt.datetime = T0) -> None:
    with store.unit(host.structure) as unit:
        task = StopFamily(family="f")
        actions.propose(unit, host.id, task, actor="claire", identity=identity, now=now)
        assert actions.approve(unit, identity, KEY, actor="claire", now=now)


def test_an_order_goes_out_signed_until_its_end_is_told(store: SqlStore) -> None:
    host = add_host(store, "h")
    send(store, host, "a1")
    ack = take(store, host.structure, host.id, batch(), T0).ack
    order = open_order(public_bytes(KEY), ack.orders[0])
    assert order is not None
    assert (order.id, order.host, order.actor) == ("a1", host.id, "claire")
    ended = OrderEnded(seen_at=T0, order="a1", number=order.number, ok=True)
    assert take(store, host.structure, host.id, batch(ended), T0).ack.orders == ()
    with store.unit(host.structure, writes=False) as unit:
        record = unit.action("a1")
    assert record is not None
    assert record.action.state == "done"


def test_another_host_cannot_end_an_order(store: SqlStore) -> None:
    host, other = add_host(store, "h"), add_host(store, "other")
    send(store, host, "a1")
    ended = OrderEnded(seen_at=T0, order="a1", number=1, ok=True)
    take(store, other.structure, other.id, batch(ended), T0)
    with store.unit(host.structure, writes=False) as unit:
        record = unit.action("a1")
    assert record is not None
    assert record.action.state == "sent"


def test_numbers_grow_and_an_expired_order_is_not_sent(store: SqlStore) -> None:
    host = add_host(store, "h")
    send(store, host, "a1")
    send(store, host, "a2")
    with store.unit(host.structure) as unit:
        first, second = pending_orders(unit, host.id, T0)
        numbers = [open_order(public_bytes(KEY), o) for o in (first, second)]
        assert numbers[0] is not None
        assert numbers[1] is not None
        assert numbers[0].number < numbers[1].number
        later = T0 + dt.timedelta(minutes=16)
        assert pending_orders(unit, host.id, later) == ()
        actions.expire(unit, later)
        assert [r.action.state for r in unit.actions()] == ["expired", "expired"]


def test_a_decision_is_taken_once(store: SqlStore) -> None:
    host = add_host(store, "h")
    with store.unit(host.structure) as unit:
        actions.propose(unit, host.id, Isolate(), actor="a", identity="p", now=T0)
        assert pending_orders(unit, host.id, T0) == ()
        assert actions.refuse(unit, "p", actor="b", now=T0)
        assert not actions.approve(unit, "p", KEY, actor="a", now=T0)
        assert actions.propose(unit, "nobody", Release(), actor="a", identity="q", now=T0) is None
        verbs = [e.verb for e in unit.trail(most=2)]
    assert verbs == ["refuse", "propose_isolate"]


@pytest.mark.parametrize(
    ("task", "action"),
    [(StopFamily(family="f", is_frozen=True), "killed"), (ThawFamily(family="f"), "thawed")],
)
def test_a_decision_on_a_frozen_family_settles_its_stop(
    store: SqlStore, task: AnyTask, action: str
) -> None:
    host = add_host(store, "h")
    take(store, host.structure, host.id, batch(stopped("f", T0, "frozen")), T0)
    with store.unit(host.structure) as unit:
        actions.propose(unit, host.id, task, actor="claire", identity="a1", now=T0)
        actions.approve(unit, "a1", KEY, actor="claire", now=T0)
    ended = OrderEnded(seen_at=T0, order="a1", number=1, ok=True)
    take(store, host.structure, host.id, batch(ended, first=2), T0)
    with store.unit(host.structure, writes=False) as unit:
        (incident,) = unit.open_incidents()
    assert [s.action for s in incident.stops] == [action]
