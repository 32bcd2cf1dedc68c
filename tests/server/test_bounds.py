"""An enrolled host that lies fills neither the list of incidents nor the others' time; nothing is lost."""

import datetime as dt

from releve.adapters.sql.store import SqlStore
from releve.flow.server.ingest import take
from releve.triage.incidents import LIMITS
from tests.server.world import T0, EnrolledHost, add_host, batch, stopped

_LIES = 1200
_APART = dt.timedelta(minutes=31)  # each a story of its own


def lie(store: SqlStore, host: EnrolledHost, count: int) -> None:
    """One batch of so many attacks, sent again until all of it is acknowledged."""
    events = [stopped(f"f{n}", T0 - n * _APART) for n in range(count)]
    told, mark = batch(*events), 0
    while mark < count:
        taken = take(store, host.structure, host.id, told, T0)
        assert 0 < taken.stored <= 1000
        mark = taken.ack.watermark


def test_what_is_too_much_of_one_host_is_one_incident_with_its_count(store: SqlStore) -> None:
    liar, honest = add_host(store, "menteur"), add_host(store, "honnête")
    lie(store, liar, _LIES)
    later = T0 + dt.timedelta(hours=2)
    take(store, honest.structure, honest.id, batch(stopped("f", later)), later)
    with store.unit(liar.structure, writes=False) as unit:
        open_ = unit.open_incidents()
        assert unit.count_events() == _LIES + 1
        lines = unit.entries([i.id for i in open_])
    crowded = [i for i in open_ if i.crowded]
    assert len([i for i in open_ if liar.id in i.hosts]) == LIMITS.open + 1
    assert [i.crowded for i in crowded] == [_LIES - LIMITS.open]
    assert [i.hosts for i in open_ if honest.id in i.hosts] == [(honest.id,)]
    assert sum(line.kind == "stopped" for line in lines) == _LIES + 1
    (told,) = [line for line in lines if line.kind == "crowded"]
    assert f"{LIMITS.open} incidents" in told.why


def test_the_same_batch_again_changes_nothing(store: SqlStore) -> None:
    liar = add_host(store, "menteur")
    lie(store, liar, 60)
    with store.unit(liar.structure, writes=False) as unit:
        before = unit.open_incidents()
    events = [stopped(f"f{n}", T0 - n * _APART) for n in range(60)]
    assert take(store, liar.structure, liar.id, batch(*events), T0).stored == 0
    with store.unit(liar.structure, writes=False) as unit:
        assert unit.open_incidents() == before
