"""Incidents in their database: no line is ever lost, and people's acts are kept and audited."""

import datetime as dt
import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import msgspec
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from releve.adapters import content
from releve.adapters.sql import tables as t
from releve.adapters.sql.before import keep_lines_of_before
from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.flow.server import actions, casework, incidents, ordering, playbooks
from releve.flow.server.casework import CaseError
from releve.flow.server.incidents import HandlingError, Word
from releve.flow.server.ingest import take
from releve.flow.server.ports import Unit
from releve.model.casework import AnyRecord, CaseTask, Evidence, HandOver, RansomDecision
from releve.model.event import FamilyStopped
from releve.model.finding import Severity
from releve.model.incident import Entry, Incident
from releve.model.order import Isolate
from releve.model.playbook import Playbook, PlaybookRun, StepWord
from releve.model.structure import CareService, Profile, StructureKind
from releve.respond.playbooks import PlaybookError
from tests.server.world import T0, EnrolledHost, add_host, batch, rolled_back, stopped

KEY = Ed25519PrivateKey.generate()
MINUTE = dt.timedelta(minutes=1)
_numbers = itertools.count()


def word(at: dt.datetime = T0 + 30 * MINUTE) -> Word:
    return Word(by="claire", at=at, why="vu", id=f"w{next(_numbers)}")


def by(user: str, at: dt.datetime, program: str) -> FamilyStopped:
    return msgspec.structs.replace(stopped(f"f-{at:%H%M}", at), user=user, program=program)


def attack(store: SqlStore) -> tuple[tuple[EnrolledHost, EnrolledHost, EnrolledHost], Incident]:
    """One account on three hosts; the first carries care."""
    hosts = (
        add_host(store, "serveur"),
        add_host(store, "imagerie", care=False),
        add_host(store, "accueil", care=False),
    )
    for n, host in enumerate(hosts):
        told = (by("claire", T0 + n * MINUTE, f"p{n}"), rolled_back(f"f-{T0 + n * MINUTE:%H%M}"))
        take(store, host.structure, host.id, batch(*told), T0 + n * MINUTE)
    with store.unit(hosts[0].structure, writes=False) as unit:
        (incident,) = unit.open_incidents()
    return hosts, incident


def test_one_account_on_three_hosts_is_one_incident(store: SqlStore) -> None:
    hosts, incident = attack(store)
    assert incident.hosts == tuple(host.id for host in hosts)
    with store.unit(hosts[0].structure, writes=False) as unit:
        for host in hosts:
            assert [i.id for i in unit.open_incidents(host.id)] == [incident.id]
        told = incidents.lines_of(unit, incident)
    kinds = ["call_opened"] + ["linked"] * 2 + ["rolled_back"] * 3 + ["stopped"] * 3
    assert sorted(e.kind for e in told) == kinds


def test_two_unrelated_attacks_are_two(store: SqlStore) -> None:
    one, other = add_host(store, "a"), add_host(store, "b")
    take(store, one.structure, one.id, batch(by("claire", T0, "x")), T0)
    take(store, other.structure, other.id, batch(by("paul", T0, "y")), T0)
    with store.unit(one.structure, writes=False) as unit:
        assert len(unit.open_incidents()) == 2


def test_a_storm_of_findings_loses_no_line(store: SqlStore) -> None:
    host = add_host(store, "h")
    storm = [stopped(f"f{n}", T0 + n * dt.timedelta(seconds=1)) for n in range(800)]
    for at in range(0, len(storm), 200):
        one = batch(*storm[at : at + 200], first=at + 1)
        take(store, host.structure, host.id, one, T0)
    with store.unit(host.structure, writes=False) as unit:
        (incident,) = unit.open_incidents()
        assert (len(incident.timeline), incident.entries_left_out) == (500, 301)
        assert unit.count_entries((incident.id,)) == 801  # and that who is on call is rung
        pages = [unit.entries((incident.id,), most=150, skip=n) for n in range(0, 900, 150)]
        assert len({entry.key for page in pages for entry in page}) == 801
        assert pages[0][0].at > pages[-1][-1].at


@pytest.mark.parametrize(
    "change", ["UPDATE incident_entry SET body = '{}'", "DELETE FROM incident_entry"]
)
def test_the_database_refuses_to_change_or_remove_a_line(store: SqlStore, change: str) -> None:
    hosts, _ = attack(store)
    refused = pytest.raises(sa.exc.DBAPIError, match="append-only")
    with refused, store.unit(hosts[0].structure) as unit:
        unit._connection.execute(sa.text(change.replace("'{}'", ":body")), {"body": b"{}"})


def test_an_incident_of_before_is_open_shows_and_keeps_its_lines(store: SqlStore) -> None:
    host = add_host(store, "h")
    line = {"at": T0, "kind": "stopped", "finding": "f1", "severity": "serious", "family": "g"}
    old = {
        "id": "old",
        "structure": host.structure,
        "host": host.id,
        "opened_at": T0,
        "last_at": T0,
        "severity": "serious",
        "timeline": [line],
        "stops": [
            {"family": "g", "at": T0, "action": "frozen", "stop_ms": 1.0, "files_touched": 2}
        ],
    }
    incident = msgspec.json.decode(msgspec.json.encode(old), type=Incident)
    with store.unit(host.structure) as unit:
        unit.put_incident(incident)
        keep_lines_of_before(unit._connection)
        keep_lines_of_before(unit._connection)
        rows = unit._connection.execute(sa.select(t.incident_entry)).all()
    assert [(row.id, row.host) for row in rows] == [("f1", host.id)]
    take(store, host.structure, host.id, batch(stopped("x", T0 + MINUTE)), T0)
    with store.unit(host.structure) as unit:
        (again,) = unit.open_incidents(host.id)
        assert again.id == "old"
        told = [e.kind for e in incidents.lines_of(unit, again)]
        assert sorted(told) == ["call_opened", "stopped", "stopped"]
        assert again.first_sign(host.id) == T0


def test_split_lines_go_along_and_merged_ones_are_read_together(store: SqlStore) -> None:
    hosts, incident = attack(store)
    structure, second = hosts[0].structure, hosts[1].id
    with store.unit(structure) as unit:
        made = incidents.split(unit, incident.id, (second,), word())
        assert made is not None
        kept = unit.incident(incident.id)
        assert kept is not None
        assert made.hosts == (second,)
        gone = incidents.lines_of(unit, made)
        stays = incidents.lines_of(unit, kept)
        assert {e.host for e in gone} == {second, ""}
        assert second not in {e.host for e in stays}
        assert sorted(e.kind for e in gone) == ["linked", "rolled_back", "split_from", "stopped"]
        assert len(gone) + len(stays) == 9 + 2  # all of before, and what was said
        whole = incidents.merge(unit, kept.id, made.id, word())
        assert whole is not None
        assert len(incidents.lines_of(unit, whole)) == 9 + 3
        assert [i.id for i in unit.open_incidents()] == [whole.id]
        verbs = [e.verb for e in unit.trail(most=2)]
        assert verbs == ["merge", "split"]
        assert unit.trail_is_whole()


def test_closing_begins_a_watch_and_a_closed_one_stays_apart_until_it_is_reopened(
    store: SqlStore,
) -> None:
    hosts, incident = attack(store)
    after = content.playbooks().after
    with store.unit(hosts[0].structure) as unit:
        assert incidents.close(unit, incident.id, word(), after) is not None
        assert unit.open_incidents() == []
        waiting = unit.waiting_tasks()
        days = [(task.due_at - T0).days for task in waiting if task.due_at]
        assert days == [14, 14, 30, 90]
        with pytest.raises(HandlingError):
            incidents.close(unit, incident.id, word(), after)
        assert incidents.reopen(unit, incident.id, word()) is not None
        assert incidents.close(unit, incident.id, word(), after) is not None
        assert len(unit.waiting_tasks()) == 4
        assert incidents.close(unit, "nothing", word()) is None
    take(store, hosts[0].structure, hosts[0].id, batch(stopped("g", T0), first=9), T0)
    with store.unit(hosts[0].structure, writes=False) as unit:
        assert [i.id for i in unit.open_incidents()] != [incident.id]


def test_care_runs_until_a_person_says_that_it_goes_on(store: SqlStore) -> None:
    hosts, incident = attack(store)
    consult = CareService(id="soins", name="Soins", hosts=("serveur",), consultations_per_hour=6)
    profile = Profile(kind=StructureKind.PRACTICE, legal_name="A", services=(consult,))
    now = T0 + 60 * MINUTE
    with store.unit(hosts[0].structure) as unit:
        assert incidents.clocks_of(unit, incident, now) == ()
        unit.put_profile(profile)
        (clock,) = incidents.clocks_of(unit, incident, now)
        assert (clock.seconds, clock.lost) == (3600, 6)
        told = incidents.resume(unit, incident.id, "soins", T0 + 30 * MINUTE, word(now))
        (clock,) = incidents.clocks_of(unit, told, now)
        assert (clock.seconds, clock.lost) == (1800, 3)
        assert incidents.resume(unit, incident.id, "nothing", now, word(now)) is None
        assert [e.verb for e in unit.trail(most=1)] == ["care_resumed"]


def evidence(incident: str, **changed: object) -> Evidence:
    facts: dict[str, object] = {
        "id": "e1",
        "incident": incident,
        "at": T0,
        "by": "claire",
        "name": "photo de la note",
        "sha256": "ab" * 32,
        "size": 12,
        "kept": "coffre du cabinet",
    }
    return Evidence(**{**facts, **changed})


def test_evidence_and_its_hand_overs_are_written_for_ever(store: SqlStore) -> None:
    hosts, incident = attack(store)
    facts = {"incident": incident.id, "at": T0 + MINUTE, "by": "claire"}
    hand = HandOver(
        id="h1", evidence="e1", giver="claire", receiver="police", kept="scellé 4", **facts
    )
    ransom = RansomDecision(
        id="r1", decided="not_paid", decider="Dr M", why="jamais", advice="x", **facts
    )
    with store.unit(hosts[0].structure) as unit:
        for record in (evidence(incident.id), hand, ransom):
            assert casework.add_record(unit, record)
        assert unit.records((incident.id,)) == [evidence(incident.id), hand, ransom]
        lines = [e.kind for e in incidents.lines_of(unit, incident) if e.by]
        assert sorted(lines) == ["evidence", "hand_over", "ransom_decided"]
        assert unit.trail(most=3)[-1].detail == f"sha256 {'ab' * 32}"
        assert not casework.add_record(unit, evidence("nothing"))
    refused = pytest.raises(sa.exc.DBAPIError, match="append-only")
    with refused, store.unit(hosts[0].structure) as unit:
        unit._connection.execute(sa.delete(t.incident_record))


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"sha256": "xyz"}, "sha256"), ({"name": " "}, "empty"), ({"size": -1}, "size")],
)
def test_evidence_that_proves_nothing_is_refused(
    store: SqlStore, changed: dict[str, object], why: str
) -> None:
    hosts, incident = attack(store)
    with store.unit(hosts[0].structure) as unit, pytest.raises(CaseError, match=why):
        casework.add_record(unit, evidence(incident.id, **changed))


def test_a_hand_over_of_nothing_and_an_unknown_decision_are_refused(store: SqlStore) -> None:
    hosts, incident = attack(store)
    facts = {"incident": incident.id, "at": T0, "by": "c"}
    wrong: tuple[AnyRecord, ...] = (
        HandOver(id="h", evidence="e9", giver="a", receiver="b", kept="c", **facts),
        RansomDecision(id="r", decided="half", decider="d", why="w", advice="x", **facts),
    )
    with store.unit(hosts[0].structure) as unit:
        for record, why in zip(wrong, ("evidence", "decision"), strict=True):
            with pytest.raises(CaseError, match=why):
                casework.add_record(unit, record)
        assert unit.records((incident.id,)) == []


def test_a_task_is_done_once_and_the_timeline_says_by_whom(store: SqlStore) -> None:
    hosts, incident = attack(store)
    task = CaseTask(id="t", incident=incident.id, title="Changer", made_at=T0, made_by="claire")
    with store.unit(hosts[0].structure) as unit:
        assert casework.add_task(unit, task)
        assert casework.end_task(unit, incident.id, "t", "paul", T0 + MINUTE)
        assert not casework.end_task(unit, incident.id, "t", "paul", T0 + MINUTE)
        assert not casework.end_task(unit, "other", "t", "paul", T0)
        done = unit.task("t")
        assert done is not None
        assert done.done_by == "paul"
        assert unit.waiting_tasks() == []
        told = [e for e in incidents.lines_of(unit, incident) if e.kind == "task_done"]
        assert [(e.by, e.why) for e in told] == [("paul", "Changer")]


def playbook() -> Playbook:
    found = content.playbooks().named("ransomware")
    assert found is not None
    return found


def doer(by: str = "claire") -> ordering.Doer:
    return ordering.Doer(by=by, at=T0, key=KEY, new_id=lambda: f"id{next(_numbers)}")


def test_isolating_three_hosts_waits_for_two_different_people(store: SqlStore) -> None:
    hosts, incident = attack(store)
    with store.unit(hosts[0].structure) as unit:
        run = playbooks.start(unit, incident.id, playbook(), doer())
        assert run is not None
        assert playbooks.start(unit, incident.id, playbook(), doer()) == run
        run = playbooks.act(unit, run, playbook(), "isolate", doer())
        said = run.word("isolate")
        assert said is not None
        assert len(said.actions) == 3
        waiting = unit.actions(state="proposed")
        assert {r.action.host for r in waiting} == {host.id for host in hosts}
        assert {r.action.people for r in waiting} == {2}
        for name in ("claire", "claire"):
            assert actions.approve(unit, said.actions[0], KEY, actor=name, now=T0)
        assert unit.actions(state="sent") == []
        assert actions.approve(unit, said.actions[0], KEY, actor="paul", now=T0)
        (sent,) = unit.actions(state="sent")
        assert sent.action.decided_by == "claire, paul"
        told = {e.kind for e in incidents.lines_of(unit, incident)}
    assert {"playbook_started", "step_proposed"} <= told


@pytest.mark.parametrize(("care", "state"), [(True, "proposed"), (False, "sent")])
def test_one_host_goes_out_at_once_unless_it_carries_care(
    store: SqlStore, care: bool, state: str
) -> None:
    host = add_host(store, "h", care=care)
    take(store, host.structure, host.id, batch(stopped("f")), T0)
    with store.unit(host.structure) as unit:
        (incident,) = unit.open_incidents()
        run = playbooks.start(unit, incident.id, playbook(), doer())
        assert run is not None
        run = playbooks.act(unit, run, playbook(), "isolate", doer())
        (record,) = unit.actions()
        assert isinstance(record.action.task, Isolate)
        assert record.action.state == state
        back = StepWord(step="isolate", state="undone", by="claire", at=T0, why="vérifié")
        playbooks.say(unit, run, playbook(), back, doer())
        kinds = [(type(r.action.task).__name__, r.action.state) for r in unit.actions()]
        taken_back = [("Isolate", "refused")]
        assert kinds == (taken_back if care else [("Release", "sent"), ("Isolate", "sent")])
        assert incidents.close(unit, incident.id, word()) is not None
        assert playbooks.start(unit, incident.id, playbook(), doer()) is None


def test_what_waits_is_not_proposed_again_and_nothing_of_a_closed_incident(
    store: SqlStore,
) -> None:
    hosts, incident = attack(store)
    mine = playbook()
    with store.unit(hosts[0].structure) as unit:
        run = playbooks.start(unit, incident.id, mine, doer())
        assert run is not None
        run = playbooks.act(unit, run, mine, "isolate", doer())
        with pytest.raises(PlaybookError, match="nothing"):
            playbooks.act(unit, run, mine, "isolate", doer("paul"))
        first, *others = (r.action for r in unit.actions())
        assert len(others) == 2
        assert actions.refuse(unit, first.id, actor="paul", now=T0)
        run = playbooks.act(unit, run, mine, "isolate", doer())
        assert [r.action.host for r in unit.actions(state="proposed")].count(first.host) == 1
        done = StepWord(step="isolate", state="done", by="claire", at=T0)
        run = playbooks.say(unit, run, mine, done, doer())
        back = StepWord(step="isolate", state="undone", by="claire", at=T0, why="vérifié")
        run = playbooks.say(unit, run, mine, back, doer())
        assert {r.action.state for r in unit.actions()} == {"refused"}
        assert incidents.close(unit, incident.id, word()) is not None
        with pytest.raises(PlaybookError, match="closed"):
            playbooks.act(unit, run, mine, "isolate", doer())


def test_isolating_host_by_host_from_a_split_incident_waits_for_two_people(store: SqlStore) -> None:
    hosts, incident = attack(store)
    plain, mine, later = [host.id for host in hosts[1:]], playbook(), T0 + ordering.LIMITS.together
    with store.unit(hosts[0].structure) as unit:
        parts = [incidents.split(unit, incident.id, (host,), word()) for host in plain]
        for part, at in zip(parts, (T0, later - MINUTE), strict=True):
            assert part is not None
            whose = msgspec.structs.replace(doer(), at=at)
            run = playbooks.start(unit, part.id, mine, whose)
            assert run is not None
            playbooks.act(unit, run, mine, "isolate", whose)
        asked = {r.action.host: r.action for r in unit.actions()}
        assert [asked[host].people for host in plain] == [1, 2]
        assert [asked[host].state for host in plain] == ["sent", "proposed"]


@pytest.mark.parametrize("is_refused", [True, False])
def test_what_was_refused_or_is_over_makes_no_mass_action(
    store: SqlStore, is_refused: bool
) -> None:
    hosts, incident = attack(store)
    structure, mine = hosts[0].structure, playbook()
    after = T0 + (MINUTE if is_refused else ordering.LIMITS.together)
    with store.unit(structure) as unit:
        facts = {"actor": "paul", "identity": "before", "now": T0}
        assert actions.propose(unit, hosts[0].id, Isolate(), **facts)
        if is_refused:
            assert actions.refuse(unit, "before", actor="paul", now=T0)
        part = incidents.split(unit, incident.id, (hosts[1].id,), word())
        assert part is not None
        whose = msgspec.structs.replace(doer(), at=after)
        run = playbooks.start(unit, part.id, mine, whose)
        assert run is not None
        playbooks.act(unit, run, mine, "isolate", whose)
        (sent,) = unit.actions(state="sent")
        assert (sent.action.host, sent.action.people) == (hosts[1].id, 1)


def at_once(*acts: Callable[[], object]) -> list[object]:
    with ThreadPoolExecutor(len(acts)) as pool:
        return [done.result() for done in [pool.submit(act) for act in acts]]


def test_steps_said_and_proposed_at_once_are_all_kept(store: SqlStore) -> None:
    hosts, incident = attack(store)
    structure, mine = hosts[0].structure, playbook()
    with store.unit(structure) as unit:
        run = playbooks.start(unit, incident.id, mine, doer())
    assert run is not None
    read = Barrier(3)

    def change(how: Callable[[Unit, PlaybookRun], object]) -> None:
        with store.unit(structure, writes=False) as unit:
            (seen,) = unit.runs((incident.id,))
        read.wait()
        with store.unit(structure) as unit:
            how(unit, seen)

    def done(step: str) -> Callable[[Unit, PlaybookRun], object]:
        said = StepWord(step=step, state="done", by="claire", at=T0)
        return lambda unit, seen: playbooks.say(unit, seen, mine, said, doer())

    one, other = [step.id for step in mine.steps if step.kind == "human"][:2]
    acts = [done(one), done(other)]
    acts.append(lambda unit, seen: playbooks.act(unit, seen, mine, "isolate", doer("paul")))
    at_once(*(functools.partial(change, act) for act in acts))
    with store.unit(structure, writes=False) as unit:
        (kept,) = unit.runs((incident.id,))
        assert {w.step for w in kept.words} == {one, other, "isolate"}
        assert unit.trail_is_whole()


def test_of_two_who_end_a_task_at_once_one_did(store: SqlStore) -> None:
    hosts, incident = attack(store)
    task = CaseTask(id="t", incident=incident.id, title="Changer", made_at=T0, made_by="claire")
    with store.unit(hosts[0].structure) as unit:
        assert casework.add_task(unit, task)
    together = Barrier(2)

    def end(name: str) -> bool:
        together.wait()
        with store.unit(hosts[0].structure) as unit:
            return casework.end_task(unit, incident.id, "t", name, T0)

    ended = at_once(*(functools.partial(end, name) for name in ("claire", "paul")))
    assert sorted(map(bool, ended)) == [False, True]


def test_a_line_that_is_kept_already_stays_where_it_is(store: SqlStore) -> None:
    host = add_host(store, "h")
    line = Entry(at=T0, kind="stopped", finding="f1", severity=Severity.SERIOUS, host=host.id)
    with store.unit(host.structure) as unit:
        unit.add_entries("one", (line,))
        unit.add_entries("two", (msgspec.structs.replace(line, why="other"),))
        assert unit.entries(("one", "two")) == [line]
        assert unit.entries(("two",)) == []


def test_a_database_of_before_opens_with_the_lines_of_its_incidents(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    engine = open_engine(url)
    _, incident = attack(SqlStore(engine, Seal(b"k" * 32)))
    with engine.begin() as db:
        db.exec_driver_sql("DROP TABLE incident_entry")
        db.exec_driver_sql("DROP TABLE schema_version")
    engine.dispose()
    engine = open_engine(url)
    with SqlStore(engine, Seal(b"k" * 32)).unit(incident.structure, writes=False) as unit:
        again = unit.incident(incident.id)
        assert again == incident
        assert len(incidents.lines_of(unit, incident)) == len(incident.timeline)
    engine.dispose()


def test_people_and_hosts_at_once_lose_nothing(store: SqlStore) -> None:
    hosts, incident = attack(store)
    structure = hosts[0].structure

    def send(host: EnrolledHost) -> None:
        for n in range(12):
            one = batch(stopped(f"s{n}", T0 + n * MINUTE), first=n + 10)
            take(store, structure, host.id, one, T0)

    def write(name: str) -> None:
        for n in range(12):
            facts = {"incident": incident.id, "made_at": T0, "made_by": name}
            with store.unit(structure) as unit:
                assert casework.add_task(unit, CaseTask(id=f"{name}{n}", title="x", **facts))
                identity = f"p-{name}{n}"
                actions.propose(unit, hosts[0].id, Isolate(), actor=name, identity=identity, now=T0)

    work = [functools.partial(send, host) for host in hosts]
    work += [functools.partial(write, name) for name in ("claire", "paul")]
    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(one) for one in work]:
            done.result()
    with store.unit(structure, writes=False) as unit:
        (whole,) = unit.open_incidents()
        told = [e.kind for e in incidents.lines_of(unit, whole)]
        assert told.count("stopped") == 3 + 36
        assert told.count("task_added") == 24
        assert unit.trail_is_whole()
