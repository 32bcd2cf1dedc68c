"""From the first sign to care resumed, per service; and why an incident is as grave as it is."""

import datetime as dt

import msgspec
import pytest

from releve.model.casework import CaseTask
from releve.model.finding import Severity
from releve.model.playbook import AfterTask
from releve.model.sentence import Sentence
from releve.model.structure import CareService, DataSetEntry
from releve.triage.aftercare import due, watch
from releve.triage.care import CareClock, clocks, data_sets, reasons, resume, severity
from releve.triage.handling import HandlingError, Word
from releve.triage.outlook import totals
from tests.triage.test_attack_across_hosts import T0, run, stop

HOUR = dt.timedelta(hours=1)
NAMES = {"a": "Serveur-Cabinet", "b": "imagerie"}
CARE = (
    CareService(id="img", name="Imagerie", rank=2, hosts=("imagerie",)),
    CareService(
        id="consult",
        name="Consultations",
        rank=1,
        hosts=("serveur-cabinet", "imagerie"),
        consultations_per_hour=6,
    ),
    CareService(id="lab", name="Biologie", hosts=("labo",)),
)
INCIDENT = run(stop("a", 0, user="claire"), stop("b", 10, user="claire")).open()[0]


def word(at: dt.datetime) -> Word:
    return Word(by="dr", at=at, why="", id="w")


def clock(now: dt.datetime, service: str = "consult") -> CareClock:
    return next(c for c in clocks(INCIDENT, CARE, NAMES, now) if c.service.id == service)


def test_touched_services_run_from_the_first_sign_of_their_own_hosts() -> None:
    found = clocks(INCIDENT, CARE, NAMES, T0 + 2 * HOUR)
    assert [(c.service.id, c.hosts) for c in found] == [("consult", ("a", "b")), ("img", ("b",))]
    assert [c.seconds for c in found] == [7200, 6600]
    assert [c.lost for c in found] == [12, 0]


def test_the_data_on_touched_hosts_are_named() -> None:
    here = DataSetEntry(name="Dossiers", hosts=("SERVEUR-cabinet",), persons={"patients": 2400})
    there = DataSetEntry(name="Paie", hosts=("comptable",))
    assert data_sets(INCIDENT, (here, there), NAMES) == (here,)


def test_a_persons_word_ends_the_clock_and_can_be_taken_back() -> None:
    now = T0 + 2 * HOUR
    (told,) = resume(INCIDENT, clock(now), T0 + HOUR, word(now)).incidents
    (care,) = [c for c in clocks(told, CARE, NAMES, now + HOUR) if c.service.id == "consult"]
    assert (care.seconds, care.lost) == (3600, 6)
    assert care.resumed is not None
    assert care.resumed.by == "dr"
    back = resume(told, care, now, word(now + HOUR), is_back=False)
    assert back.incidents[0].resumed == ()
    assert [e.kind for e in back.incidents[0].timeline][-2:] == ["care_resumed", "care_stopped"]


@pytest.mark.parametrize("minutes", [-1, 121])
def test_a_time_before_the_first_sign_or_in_the_future_is_refused(minutes: int) -> None:
    now = T0 + 2 * HOUR
    with pytest.raises(HandlingError, match="time"):
        resume(INCIDENT, clock(now), T0 + dt.timedelta(minutes=minutes), word(now))


def test_the_gravest_reason_comes_first_and_decides() -> None:
    told = reasons(INCIDENT, clocks(INCIDENT, CARE, NAMES, T0), totals(INCIDENT))
    assert severity(told) is Severity.CRITICAL
    assert "2 machines" in told[0].said.fr
    assert {"Consultations", "Imagerie"} <= {r.said.en.split(": ")[-1].rstrip(".") for r in told}
    alone = run(stop("a", 0)).open()[0]
    assert severity(reasons(alone, (), totals(alone))) is Severity.SERIOUS
    free = msgspec.structs.replace(
        alone, stops=(msgspec.structs.replace(alone.stops[0], action="none"),)
    )
    assert severity(reasons(free, (), totals(free))) is Severity.CRITICAL


AFTER = (
    AfterTask(id="p14", days=14, say=Sentence(fr="Revérifier", en="Check again")),
    AfterTask(id="p90", days=90, say=Sentence(fr="Bilan", en="Review")),
)


def test_an_attack_that_was_over_is_not_told_as_a_stopped_program() -> None:
    first, second = INCIDENT.stops
    gone = msgspec.structs.replace(first, action="over")
    mixed = msgspec.structs.replace(INCIDENT, stops=(gone, second))
    said = [reason.said.fr for reason in reasons(mixed, (), totals(mixed))]
    assert "Programmes hostiles arrêtés : 1." in said
    alone = msgspec.structs.replace(INCIDENT, stops=(gone,))
    said = [reason.said.fr for reason in reasons(alone, (), totals(alone))]
    assert not any("Programmes hostiles arrêtés" in line for line in said)


def test_closing_begins_a_watch_and_closing_again_makes_nothing_twice() -> None:
    shut = msgspec.structs.replace(INCIDENT, closed_at=T0, closed_by="dr")
    made = watch(shut, AFTER, ())
    assert [t.due_at for t in made] == [T0 + dt.timedelta(days=d) for d in (14, 90)]
    assert watch(shut, AFTER, made) == ()
    done = msgspec.structs.replace(made[0], done_at=T0)
    later = msgspec.structs.replace(shut, closed_at=T0 + HOUR)
    assert [t.after for t in watch(later, AFTER, (done, made[1]))] == ["p14"]
    assert watch(INCIDENT, AFTER, ()) == ()


def test_a_task_is_due_from_its_day_until_it_is_done() -> None:
    day = dt.timedelta(days=1)
    facts = {"incident": "i", "made_at": T0, "made_by": "dr"}
    tasks = (
        CaseTask(id="late", title="x", due_at=T0 + day, **facts),
        CaseTask(id="soon", title="x", due_at=T0, **facts),
        CaseTask(id="done", title="x", due_at=T0, done_at=T0, **facts),
        CaseTask(id="open", title="x", **facts),
    )
    assert [t.id for t in due(tasks, T0)] == ["soon"]
    assert [t.id for t in due(tasks, T0 + day)] == ["soon", "late"]


def test_a_grave_finding_without_words_of_its_own_still_says_why() -> None:
    """Nothing is free any more, but the incident stays as grave as what was told of it."""
    one = run(stop("a", 0, user="claire")).open()[0]
    (line,) = [e for e in one.timeline if e.kind == "stopped"]

    def said(action: str, kind: str = "stopped") -> str:
        grave = msgspec.structs.replace(line, severity=Severity.CRITICAL, action=action, kind=kind)
        critical = msgspec.structs.replace(one, severity=Severity.CRITICAL, timeline=(grave,))
        return reasons(critical, (), totals(critical))[0].said.fr

    assert "elle avait déjà fini" in said("none")
    assert "suspendu" in said("frozen")
    assert "plus ancien" in said("", "order_failed")
