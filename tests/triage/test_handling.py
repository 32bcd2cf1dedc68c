"""What people do with incidents: every act has a name and a reason, and loses nothing."""

import datetime as dt

import msgspec
import pytest

from releve.model.incident import Change, Incident
from releve.triage.handling import HandlingError, Word, close, merge, reopen, split
from releve.triage.incidents import step
from tests.triage.test_attack_across_hosts import T0, Desk, run, stop

WORD = Word(by="claire", at=T0 + dt.timedelta(hours=1), why="Vu avec l’informaticien", id="w1")


def two() -> tuple[Incident, Incident]:
    one, other = run(stop("a", 0), stop("b", 1)).open()
    return one, other


def three_hosts() -> tuple[Desk, Incident]:
    desk = run(*(stop(host, n, user="claire") for n, host in enumerate("abc")))
    (incident,) = desk.open()
    return desk, incident


def test_merged_they_are_one_and_the_line_says_who_and_why() -> None:
    one, other = two()
    change = merge(one, other, WORD)
    whole, gone = change.incidents
    assert whole.hosts == ("a", "b")
    assert len(whole.stops) == 2
    assert (gone.merged_into, gone.closed_by) == (whole.id, "claire")
    (line,) = change.entries[whole.id]
    assert (line.kind, line.by, line.why) == ("merged", "claire", WORD.why)


def test_split_hosts_go_with_their_stops_and_never_come_back_by_themselves() -> None:
    desk, incident = three_hosts()
    lines = [entry for _, entry in desk.lines.values()]
    change = split(incident, ("b",), lines, WORD)
    fresh, kept = change.incidents
    assert (fresh.hosts, kept.hosts) == (("b",), ("a", "c"))
    assert ([s.host for s in fresh.stops], len(kept.stops)) == (["b"], 2)
    assert change.moved_hosts == ("b",)
    assert {e.kind for e in fresh.timeline} == {"stopped", "linked", "split_from"}
    again = step((fresh, kept), stop("b", 3, user="claire", n=1), structure="s")
    assert again is not None
    assert [i.id for i in again.incidents] == [fresh.id]


def test_said_to_be_one_again_they_are_one() -> None:
    desk, incident = three_hosts()
    fresh, kept = split(incident, ("b",), [e for _, e in desk.lines.values()], WORD).incidents
    whole, _ = merge(kept, fresh, msgspec.structs.replace(WORD, id="w2")).incidents
    assert set(whole.hosts) == {"a", "b", "c"}
    assert whole.apart == ()


def test_closed_and_opened_again() -> None:
    one, _ = two()
    (shut,) = close(one, WORD).incidents
    assert (shut.closed_at, shut.closed_by) == (WORD.at, "claire")
    (again,) = reopen(shut, WORD).incidents
    assert again.closed_at is None
    assert [e.kind for e in again.timeline] == ["stopped", "closed", "reopened"]


def refused(why: str, ask: "object") -> None:
    assert callable(ask)
    with pytest.raises(HandlingError) as told:
        ask()
    assert told.value.why == why


def test_what_makes_no_sense_is_refused_with_its_reason() -> None:
    one, other = two()
    (shut,) = close(one, WORD).incidents
    gone = merge(one, other, WORD).incidents[1]
    silent = msgspec.structs.replace(WORD, why=" ")

    def hosts(*names: str) -> Change:
        return split(one, names, one.timeline, WORD)

    refused("reason", lambda: close(one, silent))
    refused("closed", lambda: close(shut, WORD))
    refused("open", lambda: reopen(one, WORD))
    refused("merged", lambda: reopen(gone, WORD))
    refused("same", lambda: merge(one, one, WORD))
    refused("merged", lambda: merge(one, gone, WORD))
    refused("closed", lambda: merge(shut, other, WORD))
    refused("hosts", lambda: hosts("z"))
    refused("hosts", hosts)
    refused("all", lambda: hosts("a"))
