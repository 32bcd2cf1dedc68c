import datetime as dt
from itertools import permutations

import pytest

from releve.detect.guard_findings import find, finding_id
from releve.detect.vault_findings import find as find_of_vault
from releve.model import event as ev
from releve.model.finding import Finding, Severity
from releve.model.incident import Incident
from releve.triage.incidents import Limits, step
from releve.triage.outlook import outlook, totals
from releve.triage.stops import first_hostile_write

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)


def at(minutes: float) -> dt.datetime:
    return T0 + dt.timedelta(minutes=minutes)


def stopped(family: str, minutes: float, action: str = "killed", host: str = "h1") -> Finding:
    event = ev.FamilyStopped(
        seen_at=at(minutes),
        family=family,
        action=action,
        reasons=(),
        first_write_to_stop_ms=12.0,
        files_touched=3,
    )
    return found(event, host)


def rolled_back(family: str, minutes: float, lost: int = 0, host: str = "h1") -> Finding:
    event = ev.FamilyRolledBack(
        seen_at=at(minutes),
        family=family,
        restored=3,
        lost=lost,
        newest_save_lost=0,
        quarantined=1,
        rollback_ms=80.0,
    )
    return found(event, host)


def alert(kind: str, minutes: float, family: str = "") -> Finding:
    return found(ev.GuardAlerted(seen_at=at(minutes), alert=kind, family=family, why="x"), "h1")


def found(event: ev.AnyEvent, host: str) -> Finding:
    finding = find(event, host=host, identity=finding_id(host, repr(event), 1))
    assert finding is not None
    return finding


def run(*findings: Finding, limits: Limits | None = None) -> list[Incident]:
    known: dict[str, Incident] = {}
    for finding in findings:
        open_ = tuple(i for i in known.values() if i.closed_at is None)
        change = step(open_, finding, structure="s", limits=limits or Limits())
        known |= {i.id: i for i in change.incidents} if change else {}
    return [i for i in known.values() if i.closed_at is None]


def test_a_stop_and_its_rollback_are_one_incident() -> None:
    (incident,) = run(stopped("f1", 0), rolled_back("f1", 1))
    (stop,) = incident.stops
    assert (stop.restored, stop.lost, stop.quarantined) == (3, 0, 1)
    assert [e.kind for e in incident.timeline] == ["stopped", "rolled_back"]


def test_stops_within_half_an_hour_belong_together_and_later_ones_do_not() -> None:
    assert len(run(stopped("f1", 0), stopped("f2", 29), stopped("f3", 58))) == 1
    assert len(run(stopped("f1", 0), stopped("f2", 31))) == 2


def test_a_rollback_finds_its_stop_however_late() -> None:
    (incident,) = run(stopped("f1", 0), rolled_back("f1", 300))
    assert totals(incident).pending == 0


def test_two_hosts_have_two_incidents() -> None:
    assert len(run(stopped("f1", 0), stopped("f1", 0, host="h2"))) == 2


def test_a_notice_lengthens_an_incident_but_opens_none() -> None:
    assert run(alert("overflow", 0)) == []
    (incident,) = run(stopped("f1", 0), alert("overflow", 1))
    assert len(incident.timeline) == 2


def told_by_vault(incident: str, minutes: float) -> Finding:
    facts = {"by": "A. Martin", "host": "srv1", "incident": incident, "path": "two_people"}
    event = ev.VaultNoticed(seen_at=at(minutes), notice="restore_opened", facts=facts)
    return find_of_vault(event, vault="v1", identity=f"v1-{minutes}")


def test_what_is_done_for_an_incident_is_told_in_it_and_the_vault_is_no_host_of_it() -> None:
    (attack,) = run(stopped("f1", 0))
    (same,) = run(stopped("f1", 0), told_by_vault(attack.id, 50))
    assert same.id == attack.id
    assert same.hosts == ("h1",)
    assert [e.kind for e in same.timeline] == ["stopped", "vault_restore_opened"]
    assert same.last_at == attack.last_at  # another attack an hour later is another one
    assert len(run(stopped("f1", 0), told_by_vault(attack.id, 50), stopped("f2", 70))) == 2


@pytest.mark.parametrize("name", ["", "I-7"])
def test_what_names_no_open_incident_stands_alone(name: str) -> None:
    assert len(run(stopped("f1", 0), told_by_vault(name, 5))) == 2


def test_a_grave_alert_opens_one() -> None:
    (incident,) = run(alert("store_full", 0))
    assert outlook((), (incident,), 0, T0).state == "action"


def test_a_would_be_stop_of_watch_mode_is_no_incident() -> None:
    assert run(stopped("f1", 0, action="would_stop")) == []
    (incident,) = run(stopped("f1", 0), stopped("f2", 1, action="would_stop"))
    assert [e.kind for e in incident.timeline] == ["stopped"]  # nor a line in another's


@pytest.mark.parametrize("kind", ["approved", "enforcing"])
def test_what_a_person_allowed_or_set_is_no_sign_of_the_attack_beside_it(kind: str) -> None:
    """It is no line in the incident, nor does it bring a later attack into it."""
    assert run(alert(kind, 0)) == []
    before = run(stopped("f1", 5))
    assert run(alert(kind, 0, "f1"), stopped("f1", 5), alert(kind, 6, "f1")) == before
    assert len(run(stopped("f1", 0), alert(kind, 20), stopped("f2", 40))) == 2


def test_the_same_finding_twice_changes_nothing() -> None:
    once = run(stopped("f1", 0), rolled_back("f1", 1))
    assert (
        run(stopped("f1", 0), stopped("f1", 0), rolled_back("f1", 1), rolled_back("f1", 1)) == once
    )


def test_the_timeline_reads_in_order_of_time_whatever_the_order_of_arrival() -> None:
    for order in permutations((stopped("f1", 0), stopped("f2", 2), rolled_back("f2", 3))):
        incidents = run(*order)
        times = [e.at for e in incidents[0].timeline]
        assert times == sorted(times)
        assert len(incidents) == 1


def test_a_family_that_comes_back_has_its_second_stop_undone_apart() -> None:
    (incident,) = run(
        stopped("f1", 0), rolled_back("f1", 1), stopped("f1", 2), rolled_back("f1", 3)
    )
    assert [s.restored for s in incident.stops] == [3, 3]


def test_the_value_keeps_the_newest_lines_and_counts_the_others() -> None:
    findings = [stopped("f", n / 100) for n in range(20)]
    (incident,) = run(*findings, limits=Limits(entries=5))
    assert (len(incident.timeline), incident.entries_left_out) == (5, 15)
    assert incident.timeline[-1].at == at(19 / 100)


def test_losing_a_file_is_critical_and_asks_for_a_person() -> None:
    (incident,) = run(stopped("f1", 0), rolled_back("f1", 1, lost=2))
    assert incident.severity is Severity.CRITICAL
    assert outlook((), (incident,), 0, T0).state == "action"


@pytest.mark.parametrize(("action", "concern"), [("frozen", "not_stopped"), ("none", "unstopped")])
def test_what_was_not_killed_asks_for_a_person(action: str, concern: str) -> None:
    (incident,) = run(stopped("f1", 0, action=action), rolled_back("f1", 1))
    seen = outlook((), (incident,), 0, T0)
    assert [c.kind for c in seen.concerns] == [concern]
    assert not seen.is_held


def test_an_unknown_author_is_counted_apart_and_has_no_time_of_a_stop() -> None:
    (incident,) = run(stopped("f1", 0, action="none"), rolled_back("f1", 1))
    sums = totals(incident)
    assert (sums.stops, sums.unstopped, sums.halted) == (1, 1, 0)
    assert sums.slowest_stop_ms is None


def test_what_asks_for_a_person_leaves_the_fact_that_all_was_stopped() -> None:
    (incident,) = run(stopped("f1", 0), rolled_back("f1", 1))
    waiting = outlook((), (incident,), 1, T0)
    assert (waiting.state, waiting.is_held) == ("action", True)
    (rolling,) = run(stopped("f1", 0))
    assert not outlook((), (rolling,), 1, T0).is_held


def test_a_frozen_program_that_ended_waits_for_nobody() -> None:
    (incident,) = run(
        stopped("f1", 0, action="frozen"), rolled_back("f1", 1), alert("family_ended", 2, "f1")
    )
    assert incident.stops[0].action == "ended"
    assert outlook((), (incident,), 0, T0).concerns == ()


def test_an_attack_that_was_over_when_judged_is_counted_apart_and_has_no_time_of_a_stop() -> None:
    (incident,) = run(
        stopped("f1", 0, action="none"), rolled_back("f1", 1), alert("family_ended", 2, "f1"),
        stopped("f2", 3), rolled_back("f2", 4),
    )  # fmt: skip
    assert [stop.action for stop in incident.stops] == ["over", "killed"]
    sums = totals(incident)
    assert (sums.stops, sums.over) == (2, 1)
    assert sums.slowest_stop_ms == incident.stops[1].stop_ms
    assert outlook((), (incident,), 0, T0).concerns == ()


def test_stops_over_the_bound_leave_the_list_but_never_the_sums() -> None:
    findings = []
    for n in range(30):
        findings += [stopped(f"f{n}", n), rolled_back(f"f{n}", n + 0.1, lost=1)]
    findings.append(stopped("g", 30, action="none"))
    (incident,) = run(*findings, limits=Limits(stops=5))
    assert len(incident.stops) == 5
    sums = totals(incident)
    assert (sums.stops, sums.restored, sums.lost, sums.touched) == (31, 90, 30, 93)
    assert (sums.slowest_stop_ms, sums.pending) == (12.0, 1)


def test_a_rollback_without_a_known_stop_still_counts() -> None:
    """The guard was killed in mid-attack and finished after its restart."""
    (incident,) = run(rolled_back("f1", 0, lost=2))
    assert (totals(incident).restored, totals(incident).lost) == (3, 2)
    assert [c.kind for c in outlook((), (incident,), 0, T0).concerns] == ["lost"]


def test_the_first_hostile_write_is_nobody_s_own_work_and_never_later_than_what_is_known() -> None:
    """An error of the guard opened the incident: what came before the attack is still a clean state."""
    (incident,) = run(alert("internal_error", 0), stopped("f", 2), rolled_back("f", 2.1))
    assert incident.opened_at == at(0)
    assert first_hostile_write(incident) == at(2) - dt.timedelta(milliseconds=12)
    (unseen,) = run(alert("internal_error", 0), alert("writer_unknown", 1), stopped("f", 2))
    assert first_hostile_write(unseen) == at(1)
    (alone,) = run(alert("internal_error", 0))
    assert first_hostile_write(alone) == at(0)
    short = run(alert("mass_deletion", 0), stopped("f", 2), limits=Limits(entries=1))
    assert first_hostile_write(short[0]) == at(0)
