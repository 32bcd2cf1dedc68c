import datetime as dt
import threading

import msgspec
import pytest

from releve.adapters.sql.store import SqlStore
from releve.flow.server.ingest import authenticate, take
from releve.flow.server.refusal import Refused
from releve.flow.wire import Batch, Item, Vitals
from tests.server.world import T0, add_host, batch, packed, rolled_back, stopped


def test_a_batch_becomes_events_findings_and_one_incident(store: SqlStore) -> None:
    host = add_host(store, "h")
    taken = take(store, host.structure, host.id, batch(stopped("f"), rolled_back("f")), T0)
    assert (taken.stored, taken.ack.watermark) == (2, 2)
    with store.unit(host.structure, writes=False) as unit:
        (incident,) = unit.open_incidents()
        assert unit.count_events() == 2
        assert [f.kind for f in unit.findings("stopped")] == ["stopped"]
        record = unit.host(host.id)
    assert incident.stops[0].restored == 3
    assert record is not None
    assert record.host.last_seen_at == T0


def test_the_same_batch_again_is_acknowledged_but_not_stored_twice(store: SqlStore) -> None:
    host = add_host(store, "h")
    one = batch(stopped("f"), rolled_back("f"))
    take(store, host.structure, host.id, one, T0)
    again = take(store, host.structure, host.id, one, T0)
    assert (again.stored, again.ack.watermark) == (0, 2)
    with store.unit(host.structure, writes=False) as unit:
        assert unit.count_events() == 2
        assert len(unit.open_incidents()[0].stops) == 1


def test_an_overlapping_batch_stores_only_what_is_new(store: SqlStore) -> None:
    host = add_host(store, "h")
    take(store, host.structure, host.id, batch(stopped("a"), stopped("b")), T0)
    longer = batch(stopped("a"), stopped("b"), stopped("c"))
    assert take(store, host.structure, host.id, longer, T0).stored == 1


def test_a_new_spool_counts_from_its_own_beginning(store: SqlStore) -> None:
    host = add_host(store, "h")
    take(store, host.structure, host.id, batch(stopped("a")), T0)
    other = batch(stopped("b"), spool="another")
    assert take(store, host.structure, host.id, other, T0).stored == 1


def test_an_event_of_a_kind_not_known_yet_is_kept_and_counted(store: SqlStore) -> None:
    host = add_host(store, "h")
    strange = Item(seq=1, event=msgspec.Raw(b'{"kind":"from_the_future","x":1}'))
    taken = take(store, host.structure, host.id, Batch(spool="sp", items=(strange,)), T0)
    assert taken.ack.watermark == 1
    with store.unit(host.structure, writes=False) as unit:
        record = unit.host(host.id)
        assert unit.count_events() == 1
    assert record is not None
    assert record.host.state.lines_unreadable == 1


def test_a_heartbeat_tells_that_the_guard_is_down(store: SqlStore) -> None:
    host = add_host(store, "h")
    beat = Batch(spool="sp", vitals=Vitals(guard_running=False, waiting_events=4))
    take(store, host.structure, host.id, beat, T0)
    with store.unit(host.structure, writes=False) as unit:
        record = unit.host(host.id)
    assert record is not None
    assert (record.host.state.guard, record.vitals.waiting_events) == ("down", 4)


def test_a_signed_request_is_taken_once(store: SqlStore) -> None:
    host = add_host(store, "h")
    call = host.call("POST", "/api/v1/batches", packed(batch()), T0)
    assert authenticate(store, call, T0) == (host.structure, host.id)
    with pytest.raises(Refused, match="replayed"):
        authenticate(store, call, T0)


def test_a_request_is_refused_when_anything_of_it_was_changed(store: SqlStore) -> None:
    host, other = add_host(store, "h"), add_host(store, "other")
    call = host.call("POST", "/api/v1/batches", b"body", T0)
    stamp = msgspec.structs.replace(call.stamp, nonce="another")
    theirs = msgspec.structs.replace(call.stamp, agent=f"{other.structure}/{other.id}")
    for changed in (
        {"body": b"other"},
        {"method": "PUT"},
        {"target": "/api/v1/orders"},
        {"stamp": stamp},
        {"stamp": theirs},
        {"signature": ""},
        {"signature": "é"},
    ):
        with pytest.raises(Refused, match="forged"):
            authenticate(store, msgspec.structs.replace(call, **changed), T0)


def test_an_old_request_is_refused(store: SqlStore) -> None:
    host = add_host(store, "h")
    call = host.call("POST", "/x", b"", T0)
    for away in (dt.timedelta(minutes=6), -dt.timedelta(minutes=6)):
        with pytest.raises(Refused, match="clock"):
            authenticate(store, call, T0 + away)


def test_nobody_unknown_is_taken(store: SqlStore) -> None:
    host = add_host(store, "h")
    call = host.call("POST", "/x", b"", T0)
    for agent in ("", "/", "x/y", f"{host.structure}/nobody", f"nobody/{host.id}"):
        stamp = msgspec.structs.replace(call.stamp, agent=agent)
        with pytest.raises(Refused, match="unknown_agent"):
            authenticate(store, msgspec.structs.replace(call, stamp=stamp), T0)


def test_two_hosts_that_send_at_once_lose_nothing(store: SqlStore) -> None:
    hosts = [add_host(store, f"h{n}") for n in range(3)]

    def send(index: int) -> None:
        host = hosts[index]
        for n in range(15):
            one = batch(stopped(f"f{n}"), first=n + 1)
            take(store, host.structure, host.id, one, T0 + dt.timedelta(seconds=n))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.unit(hosts[0].structure, writes=False) as unit:
        assert unit.count_events() == 45
        (incident,) = unit.open_incidents()  # one program on three hosts at once is one attack
        assert len(incident.stops) == 45
        assert sorted(incident.hosts) == sorted(host.id for host in hosts)
        told = unit.entries((incident.id, *incident.merged))
        assert sum(entry.kind == "stopped" for entry in told) == 45


@pytest.mark.parametrize("year", [1, 9999])
def test_a_host_whose_clock_cannot_be_is_taken_at_the_servers_time_and_hinders_nobody(
    store: SqlStore, year: int
) -> None:
    bad, good = add_host(store, "bad"), add_host(store, "good")
    impossible = dt.datetime(year, 12, 31, 23, 59, tzinfo=dt.UTC)
    take(store, bad.structure, bad.id, batch(stopped("a", impossible)), T0)
    taken = take(store, good.structure, good.id, batch(stopped("b")), T0)
    assert taken.stored == 1
    with store.unit(bad.structure, writes=False) as unit:
        assert {entry.at for i in unit.incidents() for entry in i.timeline if entry.finding} == {T0}
