"""A recovery tells of itself: lines in the incident that it names, each once, whoever says what."""

import datetime as dt

import msgspec
import pytest

from releve.adapters.sql.store import SqlStore
from releve.apps.console.course_views import call_clocks, milestones
from releve.assist.escalation import Acknowledged
from releve.flow.server import incidents
from releve.flow.server.assist import answering, rotas
from releve.flow.server.assist.asking import Asked, ask
from releve.flow.server.incidents import Word
from releve.flow.server.ingest import take
from releve.flow.server.recoveries import calls_of, recoveries_of
from releve.model.event import HiddenPath, RecoveryTold
from releve.model.incident import Incident
from tests.assist.people import always, person
from tests.server.help_world import dead_port
from tests.server.world import T0, EnrolledHost, add_host, batch, stopped

LATER = T0 + dt.timedelta(minutes=10)


@pytest.fixture
def host(store: SqlStore) -> EnrolledHost:
    made = add_host(store, "serveur-fichiers")
    take(store, made.structure, made.id, batch(stopped("f1")), T0)
    return made


def incident(store: SqlStore, host: EnrolledHost) -> Incident:
    with store.unit(host.structure, writes=False) as unit:
        return unit.incidents()[0]


def told(incident: str, **more: object) -> RecoveryTold:
    facts = {
        "seen_at": LATER,
        "recovery": "r1",
        "incident": incident,
        "folder": HiddenPath(token="k1:a"),
        "snapshot": "ab" * 32,
        "ordered_at": T0 + dt.timedelta(minutes=5),
        "phase": "open",
        "is_running": True,
        "seconds": {"open": 1.5},
        "files": 100,
        "files_home": 40,
        "bytes": 1000,
        "bytes_home": 400,
    }
    return RecoveryTold(**(facts | more))


def kinds(store: SqlStore, host: EnrolledHost) -> list[str]:
    found = incident(store, host)
    with store.unit(host.structure, writes=False) as unit:
        told = [e.kind for e in incidents.lines_of(unit, found)]
    return [kind for kind in told if kind not in ("stopped", "call_opened")]


def test_each_step_is_one_line_at_its_own_time_however_often_it_is_told(
    store: SqlStore, host: EnrolledHost
) -> None:
    name = incident(store, host).id
    for seq, event in enumerate((told(name), told(name, files_home=60), told(name)), 2):
        take(store, host.structure, host.id, batch(event, first=seq), LATER)
    done = told(name, phase="done", seconds={"open": 1.5, "all_local": 40.0, "verified": 60.0})
    take(store, host.structure, host.id, batch(done, first=5), LATER)
    assert kinds(store, host) == ["recovery_verified", "recovery_all_local", "recovery_open"]
    line = next(e for e in incident(store, host).timeline if e.kind == "recovery_all_local")
    assert line.at == T0 + dt.timedelta(minutes=5, seconds=40)
    with store.unit(host.structure, writes=False) as unit:
        (one,) = recoveries_of(unit, incident(store, host))
    assert (one.host, one.told.phase) == (host.id, "done")


def test_doubtful_files_are_no_verified_recovery(store: SqlStore, host: EnrolledHost) -> None:
    seconds = {"open": 1.0, "verified": 50.0}
    event = told(incident(store, host).id, phase="verifying", seconds=seconds)
    take(store, host.structure, host.id, batch(event, first=2), LATER)
    assert kinds(store, host) == ["recovery_open"]


def test_it_reaches_the_incident_that_its_own_became_part_of(
    store: SqlStore, host: EnrolledHost
) -> None:
    other = add_host(store, "imagerie")
    alone = msgspec.structs.replace(stopped("f9"), program="autre")
    take(store, other.structure, other.id, batch(alone), T0)
    with store.unit(host.structure) as unit:
        kept, gone = sorted(i.id for i in unit.open_incidents())
        incidents.merge(unit, kept, gone, Word(by="claire", at=T0, why="même", id="w"))
    take(store, host.structure, host.id, batch(told(gone), first=2), LATER)
    with store.unit(host.structure, writes=False) as unit:
        whole = unit.incident(kept)
        assert whole is not None
        assert "recovery_open" in {e.kind for e in whole.timeline}
        assert len(recoveries_of(unit, whole)) == 1


_FAR, _FIRST = dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC), dt.datetime(1, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("odd", "lines"),
    [
        ({"incident": "of-nobody"}, 0),
        ({"ordered_at": _FAR, "clean_at": _FAR}, 1),
        ({"ordered_at": _FIRST, "clean_at": _FIRST, "seconds": {"open": 1e300}}, 0),
        ({"seconds": {"open": 3.0, "all_local": -1.0, "<b>": 1.0}}, 1),
    ],
)
def test_whatever_a_host_says_of_itself_times_stay_within_the_incident(
    store: SqlStore, host: EnrolledHost, odd: dict[str, object], lines: int
) -> None:
    event = msgspec.structs.replace(told(incident(store, host).id), **odd)
    take(store, host.structure, host.id, batch(event, first=2), LATER)
    found = incident(store, host)
    written = [e for e in found.timeline if e.kind.startswith("recovery_")]
    assert len(written) == lines
    assert all(found.opened_at <= line.at <= LATER for line in written)
    with store.unit(host.structure, writes=False) as unit:
        shown = recoveries_of(unit, found)
    assert all(r.told.clean_at is None and r.told.ordered_at <= LATER for r in shown)
    assert all(0 <= m.share <= 100 for m in milestones(found, (), (), shown, ()))


def test_the_call_that_was_made_meanwhile_is_drawn_against_the_promise(
    store: SqlStore, host: EnrolledHost
) -> None:
    known = always(person("ali", url=f"json://127.0.0.1:{dead_port()}/"))
    rotas.keep(store, host.structure, known, actor="a", now=T0)
    for number, wait in enumerate((60, 400)):
        asked = Asked(id=f"h{number}", source="console", by="claire", text="aide", at=T0)
        ask(store, host.structure, asked, T0)
        at = T0 + dt.timedelta(seconds=wait)
        with store.unit(host.structure) as unit:
            answering.acknowledge(unit, f"h{number}", Acknowledged(at, "bea", "Bea"))
    found = incident(store, host)
    with store.unit(host.structure, writes=False) as unit:
        calls = calls_of(unit, found)
    clocks = {c.request.id: c for c in call_clocks(calls, LATER)}
    assert (clocks["h0"].seconds, clocks["h0"].is_late) == (60, False)
    assert (clocks["h1"].seconds, clocks["h1"].is_late) == (400, True)
    assert clocks["h0"].share < clocks["h0"].promise
    assert clocks["h1"].share > clocks["h1"].promise
    assert {"asked", "answered"} <= {m.kind for m in milestones(found, calls, (), (), ())}


def test_of_one_that_was_joined_to_another_again_and_again_the_last_gets_the_line(
    store: SqlStore, host: EnrolledHost
) -> None:
    first = incident(store, host).id
    whole = first
    for n in range(3):
        other = add_host(store, f"poste {n}")
        lone = msgspec.structs.replace(stopped(f"g{n}"), program=f"p{n}", user=f"u{n}")
        take(store, other.structure, other.id, batch(lone), T0)
        with store.unit(host.structure) as unit:
            kept = next(i.id for i in unit.open_incidents() if i.id != whole)
            incidents.merge(unit, kept, whole, Word(by="claire", at=T0, why="même", id=f"w{n}"))
        whole = kept
    take(store, host.structure, host.id, batch(told(first), first=9), LATER)
    with store.unit(host.structure, writes=False) as unit:
        (found,) = unit.open_incidents()
        kinds = [e.kind for e in unit.entries((found.id,))]
    assert found.id == whole
    assert "recovery_open" in kinds
    assert "recovery_open" in [e.kind for e in found.timeline]
