"""Which clocks start, when they are due, and that reminders come once and never early."""

import datetime as dt
import zoneinfo
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releve.model.law import Bilingual, Duty, Mark
from releve.model.obligation import Decision, Obligation, State
from releve.model.structure import StructureKind
from releve.obligation import clocks
from releve.obligation.times import instant, retold
from tests.obligation.declared import HOUR, LAW, PARIS, PRACTICE, T0, profile, told

ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata")
EVERYBODY = {"L1", "L4", "L13", "L14"}
FIRST, LAST = (dt.datetime(year, 1, 2) for year in (1990, 2090))  # noqa: DTZ001
moments = st.datetimes(FIRST, LAST).map(lambda at: at.replace(tzinfo=dt.UTC))


def duties(*found: Obligation, state: State = State.RUNNING) -> set[str]:
    return {o.duty for o in found if o.state is state}


def by_id(identity: str) -> Duty:
    return next(d for d in LAW.duty if d.id == identity)


def some_duty(**changed: object) -> Duty:
    word = Bilingual(fr="x", en="x")
    facts = {
        "id": "X",
        "name": word,
        "trigger": word,
        "starts": "aware_at",
        "to": word,
        "contents": (word,),
        "valid_from": dt.date(1990, 1, 1),
        "sources": ("S1",),
        "mark": Mark.VERIFIED,
    }
    return Duty(**(facts | changed))


@pytest.mark.parametrize("kind", list(StructureKind))
def test_an_attack_starts_what_the_kind_of_structure_owes(kind: StructureKind) -> None:
    reports = kind in {"hospital", "clinic", "laboratory", "radiotherapy", "nursing_home"}
    found = clocks.started(LAW, profile(kind), told())
    assert duties(*found) == EVERYBODY | ({"L6"} if reports else set())
    assert clocks.is_voluntary(by_id("L6"), profile(kind)) is not reports


def test_a_structure_that_said_nothing_of_itself_owes_what_everybody_owes() -> None:
    assert duties(*clocks.started(LAW, None, told())) == EVERYBODY


def test_nis2_and_the_operator_s_duty_start_only_when_they_are_on() -> None:
    hospital = profile(StructureKind.HOSPITAL)
    assert not duties(*clocks.started(LAW, hospital, told())) & {"L9", "L10", "L11"}
    on = profile(StructureKind.HOSPITAL, is_ose=True, has_nis2_on=True)
    found = {o.duty: o for o in clocks.started(LAW, on, told())}
    assert {"L9", "L10", "L11"} <= found.keys()
    assert found["L10"].due_at == T0 + 24 * HOUR
    assert found["L11"].due_at == T0 + 72 * HOUR
    assert "L12" not in found


@pytest.mark.parametrize("duty", ["L10", "L11", "L12"])
def test_nis2_is_offered_only_where_it_may_concern_the_structure(duty: str) -> None:
    def is_told(kind: StructureKind, **said: object) -> bool:
        return clocks.is_voluntary(by_id(duty), profile(kind, **said))

    for small in (StructureKind.PRACTICE, StructureKind.PHARMACY, StructureKind.HEALTH_CENTRE):
        assert not is_told(small, staff=0)  # nobody said how many work there
        assert not is_told(small, staff=2)
        assert not is_told(small, staff=49)
        assert is_told(small, staff=50)
    assert is_told(StructureKind.HOSPITAL, staff=0)
    assert is_told(StructureKind.CLINIC, staff=300)
    assert not is_told(StructureKind.NURSING_HOME, staff=30)
    assert is_told(StructureKind.LABORATORY, staff=30, is_ose=True)
    assert not is_told(StructureKind.HOSPITAL, has_nis2_on=True)  # bound: it has its clock


def test_each_clock_runs_from_its_own_moment() -> None:
    later = told(significant_at=T0 + 2 * HOUR, answers={"continuity": "yes"})
    found = {o.duty: o for o in clocks.started(LAW, profile(StructureKind.HOSPITAL), later)}
    assert found["L16"].started_at == T0 - HOUR
    assert found["L1"].started_at == T0
    assert found["L6"].started_at == T0 + 2 * HOUR


def test_answers_start_what_they_ask_for_and_stop_what_they_exclude_with_name_and_reason() -> None:
    first = clocks.started(LAW, PRACTICE, told())
    said = told(version=2, answers={"risk": "high", "patient_harm": "yes", "malicious": "no"})
    then = clocks.started(LAW, PRACTICE, said, first)
    assert duties(*then) == {"L1", "L3", "L4", "L8", "L14"}
    stopped = next(o for o in then if o.duty == "L13")
    decision = stopped.decisions[-1]
    assert (stopped.state, decision.by) == (State.NOT_DUE, "Dr Camille Martin")
    assert decision.reason == "malicious=no"
    again = clocks.started(LAW, PRACTICE, told(version=3), then)
    assert "L13" in duties(*again)
    assert [d.state for d in next(o for o in again if o.duty == "L13").decisions] == [
        State.NOT_DUE,
        State.RUNNING,
    ]


def test_what_a_person_decided_is_not_undone_by_answers() -> None:
    first = clocks.started(LAW, PRACTICE, told())
    said = Decision(state=State.NOT_DUE, by="Anne", at=T0, reason="données chiffrées")
    decided = tuple(clocks.decide(o, said) if o.duty == "L1" else o for o in first)
    after = clocks.started(LAW, PRACTICE, told(version=2, answers={"risk": "high"}), decided)
    assert next(o for o in after if o.duty == "L1").decisions == (said,)


def test_a_moment_told_anew_moves_the_clock() -> None:
    first = clocks.started(LAW, PRACTICE, told())
    earlier = told(version=2, aware_at=T0 - 10 * HOUR, first_signal=T0 - 11 * HOUR)
    moved = {o.duty: o for o in clocks.started(LAW, PRACTICE, earlier, first)}
    assert moved["L1"].due_at == T0 + 62 * HOUR


@pytest.mark.parametrize(
    ("state", "follows"), [(State.PARTIAL, {"L2"}), (State.DONE, set())], ids=str
)
def test_only_a_partial_notification_is_to_be_completed(state: State, follows: set[str]) -> None:
    first = clocks.started(LAW, PRACTICE, told())
    sent = Decision(state=state, by="Anne", at=T0 + HOUR, sent_at=T0 + HOUR, reference="CNIL-1")
    decided = tuple(clocks.decide(o, sent) if o.duty == "L1" else o for o in first)
    after = {o.duty: o for o in clocks.started(LAW, PRACTICE, told(), decided)}
    assert after.keys() & {"L2"} == follows
    if follows:
        assert after["L2"].due_at == T0 + 73 * HOUR


def test_the_wording_that_counts_is_the_one_in_force_when_it_was_known() -> None:
    old = by_id("L1")
    until = dt.date(2026, 12, 1)
    ended = msgspec.structs.replace(old, valid_to=until)
    new = msgspec.structs.replace(old, valid_from=until, hours=96)
    changed = msgspec.structs.replace(LAW, duty=(ended, new))
    for at, hours in ((T0, 72), (dt.datetime(2026, 12, 1, tzinfo=dt.UTC), 96)):
        (clock,) = clocks.started(changed, PRACTICE, told(aware_at=at))
        assert clock.due_at == at + hours * HOUR
        assert changed.find("L1", clock.law_from).hours == hours


@given(moments, st.sampled_from(ZONES), st.integers(1, 400))
def test_hours_are_elapsed_hours_in_whatever_zone_the_moment_was_told(
    at: dt.datetime, zone: str, hours: int
) -> None:
    duty = some_duty(hours=hours)
    local = at.astimezone(zoneinfo.ZoneInfo(zone))
    due = clocks.due_at(duty, local)
    assert due is not None
    assert due.tzinfo is dt.UTC
    assert (due - at).total_seconds() == hours * 3600


@given(moments, st.integers(1, 24))
def test_months_end_on_the_same_day_or_the_last_of_a_shorter_month(
    at: dt.datetime, months: int
) -> None:
    due = clocks.due_at(some_duty(months=months), at)
    assert due is not None
    assert (due.year - at.year) * 12 + due.month - at.month == months
    assert due.time() == at.time()
    assert due.day == at.day or (due.day < at.day and (due + dt.timedelta(days=1)).day == 1)


@pytest.mark.parametrize(("year", "day"), [(2027, 28), (2028, 29), (2100, 28), (2000, 29)])
def test_a_month_after_the_31st_of_january_knows_leap_years(year: int, day: int) -> None:
    due = clocks.due_at(some_duty(months=1), dt.datetime(year, 1, 31, 23, tzinfo=dt.UTC))
    assert due == dt.datetime(year, 2, day, 23, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("said", "utc"),
    [
        ("2026-03-29T01:59", "2026-03-29T00:59"),  # the last minute before the clocks go forward
        ("2026-03-29T03:00", "2026-03-29T01:00"),
        ("2026-10-25T02:30", "2026-10-25T00:30"),  # comes twice: the earlier one counts
        ("2026-10-25T03:00", "2026-10-25T02:00"),
        ("2026-11-22T02:00+05:30", "2026-11-21T20:30"),
    ],
)
def test_a_local_moment_around_a_change_of_the_clocks(said: str, utc: str) -> None:
    assert instant(said, PARIS) == dt.datetime.fromisoformat(utc).replace(tzinfo=dt.UTC)


@given(st.datetimes(FIRST, LAST), st.sampled_from(ZONES))
def test_of_two_moments_that_a_person_may_mean_the_earlier_counts(
    at: dt.datetime, zone: str
) -> None:
    where = zoneinfo.ZoneInfo(zone)
    found = instant(at.isoformat(), where)
    if found is not None:
        meant = [at.replace(tzinfo=where, fold=fold) for fold in (0, 1)]
        real = [
            m for m in meant if m.astimezone(dt.UTC).astimezone(where).replace(tzinfo=None) == at
        ]
        assert all(found <= m.astimezone(dt.UTC) for m in real)


@pytest.mark.parametrize("text", ["", "demain", "2026-13-01T00:00", "0001-01-01T00:00"])
def test_what_is_no_moment_is_none(text: str) -> None:
    assert instant(text, PARIS) is None


@given(moments, st.sampled_from(ZONES), st.booleans())
def test_a_moment_that_a_form_showed_and_nobody_changed_stays_what_it_was(
    at: dt.datetime, zone: str, omits_zero_seconds: bool
) -> None:
    where = zoneinfo.ZoneInfo(zone)
    shown = at.astimezone(where).strftime("%Y-%m-%dT%H:%M:%S")
    if omits_zero_seconds:  # as browsers do
        shown = shown.removesuffix(":00")
    assert retold(shown, at, where) is None
    later = (at + HOUR).astimezone(where).strftime("%Y-%m-%dT%H:%M:%S")
    if later != shown and later.removesuffix(":00") != shown:
        assert retold(later, at, where) == instant(later, where)


def test_a_moment_that_nobody_told_before_is_read_as_it_stands() -> None:
    assert retold("2026-11-22T02:00", None, PARIS) == T0
    assert retold("", T0, PARIS) is None


delays = st.one_of(
    st.builds(lambda h: some_duty(hours=h), st.integers(1, 400)),
    st.builds(lambda m: some_duty(months=m), st.integers(1, 12)),
    st.just(some_duty(orange_hours=1, red_hours=4)),
)


@given(moments, delays)
def test_reminders_lie_in_order_between_the_start_and_the_end_of_a_delay(
    at: dt.datetime, duty: Duty
) -> None:
    due = clocks.due_at(duty, at)
    clock = Obligation(
        incident="a",
        duty="X",
        law_from=duty.valid_from,
        started_at=at,
        due_at=due,
    )
    waiting = clocks.timers(clock, duty)
    assert waiting
    assert all(at < timer.at and (due is None or timer.at <= due) for timer in waiting)
    assert all(a.at < b.at for a, b in pairwise(waiting))


def test_reminders_come_at_half_three_quarters_and_nine_tenths() -> None:
    (clock,) = (o for o in clocks.started(LAW, PRACTICE, told()) if o.duty == "L1")
    found = {t.mark: t.at - T0 for t in clocks.timers(clock, by_id("L1"))}
    assert found == {"50": 36 * HOUR, "75": 54 * HOUR, "90": 64.8 * HOUR, "late": 72 * HOUR}
    sent = clocks.decide(clock, Decision(state=State.DONE, by="A", at=T0, sent_at=T0))
    assert clocks.timers(sent, by_id("L1")) == ()


@pytest.mark.parametrize(
    ("duty", "hours", "colour"),
    [
        ("L1", 0, "calm"),
        ("L1", 53.9, "calm"),
        ("L1", 54, "orange"),
        ("L1", 65, "red"),
        ("L1", 71.99, "red"),
        ("L1", 72, "late"),
        ("L1", -3, "calm"),
        ("L4", 0.9, "calm"),
        ("L4", 1, "orange"),
        ("L4", 4, "red"),
        ("L4", 400, "red"),
    ],
)
def test_the_colour_of_a_clock(duty: str, hours: float, colour: str) -> None:
    clock = next(o for o in clocks.started(LAW, PRACTICE, told()) if o.duty == duty)
    seen = clocks.look(clock, by_id(duty), T0 + hours * HOUR)
    assert seen.colour == colour
    assert seen.elapsed_s >= 0


def test_the_entry_stops_the_register_s_clock_once_it_is_whole() -> None:
    def entered(known: tuple[Obligation, ...], **texts: str) -> tuple[Obligation, ...]:
        later = msgspec.structs.replace(told(), texts=texts, at=T0 + 2 * HOUR)
        return clocks.started(LAW, PRACTICE, later, known)

    def l4(found: tuple[Obligation, ...]) -> Obligation:
        return next(o for o in found if o.duty == "L4")

    begun = clocks.started(LAW, PRACTICE, told())
    assert clocks.missing(by_id("L4"), told()) == ("effects", "measures")
    assert l4(entered(begun, effects="Attente.")).state is State.RUNNING
    assert l4(entered(begun, effects="Attente.", measures=" ")).state is State.RUNNING
    whole = entered(begun, effects="Attente.", measures="Coupé.")
    (decision,) = l4(whole).decisions
    assert (l4(whole).state, decision.by, decision.from_answers) == (State.DONE, told().by, True)
    seen = clocks.look(l4(whole), by_id("L4"), T0 + 400 * HOUR)
    assert (seen.colour, seen.elapsed_s) == ("done", 2 * 3600)
    assert clocks.timers(l4(whole), by_id("L4")) == ()
    assert l4(entered(whole, effects="Plus.", measures="Coupé.")).decisions == (decision,)


def test_the_worst_clock_stands_first_and_what_is_sent_last() -> None:
    found = clocks.started(LAW, profile(StructureKind.HOSPITAL), told())
    sent = Decision(state=State.DONE, by="A", at=T0, sent_at=T0)
    found = tuple(clocks.decide(o, sent) if o.duty == "L14" else o for o in found)
    now = T0 + 73 * HOUR
    seen = clocks.worst_first(clocks.look(o, by_id(o.duty), now) for o in found)
    assert [one.colour for one in seen] == ["late", "late", "red", "red", "done"]
    assert {one.obligation.duty for one in seen[:2]} == {"L1", "L13"}


def test_a_sending_after_the_delay_was_too_late() -> None:
    (clock,) = (o for o in clocks.started(LAW, PRACTICE, told()) if o.duty == "L1")
    for hours, expected in ((71, True), (73, False)):
        at = T0 + hours * HOUR
        sent = clocks.decide(clock, Decision(state=State.DONE, by="A", at=at, sent_at=at))
        assert clocks.was_in_time(sent) is expected
    assert clocks.was_in_time(clock) is None
