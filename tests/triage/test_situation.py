"""Which structure is looked at first: care at a standstill, then who waits the longest, then the attack."""

import datetime as dt

import msgspec

from releve.model.finding import Severity
from releve.model.help import Course, HelpRequest
from releve.model.host import BackupState, Host, HostState
from releve.model.incident import Incident
from releve.model.obligation import Obligation, State
from releve.model.situation import Situation
from releve.triage.outlook import Concern, Outlook, outlook
from releve.triage.situation import rank, sum_up

T0 = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)


def call(minutes: float, *, blocked: bool = False, answered: bool = False) -> HelpRequest:
    """One that began so long before T0."""
    at = T0 - dt.timedelta(minutes=minutes)
    course = Course(opened_at=at, due_at=at, acknowledged_at=T0 if answered else None)
    return HelpRequest(
        id=f"r{minutes}", structure="s", source="console", asked_by="x", is_blocked=blocked,
        course=course,
    )  # fmt: skip


def seen(*calls: HelpRequest) -> Situation:
    return sum_up("s", (), (), calls, (), T0, outlook((), (), 0, T0, calls=calls))


def test_the_summary_tells_blocked_care_and_since_when_nobody_came_to_it() -> None:
    one = seen(call(90), call(9, blocked=True), call(30, blocked=True, answered=True))
    assert (one.help_waiting, one.help_since) == (2, T0 - dt.timedelta(minutes=90))
    assert (one.care_blocked, one.blocked_since) == (2, T0 - dt.timedelta(minutes=9))
    none = seen(call(5, answered=True))
    assert (none.help_waiting, none.help_since) == (0, None)
    assert (none.care_blocked, none.blocked_since) == (0, None)


def test_the_order_of_structures() -> None:
    attacked = Situation(
        structure="s", mood="down", incidents=1, severity=Severity.CRITICAL, first_sign=T0
    )
    worst_first = {
        "blocked, an hour": seen(call(60, blocked=True)),
        "blocked a minute, another call for a day": seen(call(1440), call(1, blocked=True)),
        "waits two hours": seen(call(120)),
        "waits an hour, and blocked care is in hand": seen(
            call(60), call(9, blocked=True, answered=True)
        ),
        "waits a minute": seen(call(1)),
        "waits since now, by a clock that is ahead": seen(call(-3)),
        "blocked, somebody came": seen(call(60, blocked=True, answered=True)),
        "a legal clock is late": Situation(structure="s", mood="down", clocks_late=1),
        "attacked": attacked,
        "a proposal waits": Situation(structure="s", mood="down"),
        "a machine is silent": Situation(structure="s", mood="watching", silent=1),
        "a call in hand": seen(call(60, answered=True)),
    }
    by_name = sorted(worst_first, key=str.casefold)
    assert by_name != list(worst_first)
    found = sorted(by_name, key=lambda name: rank(worst_first[name], name, T0))
    assert found == list(worst_first)


def test_blocked_care_is_looked_at_now_until_its_call_is_closed() -> None:
    assert seen(call(1, blocked=True, answered=True)).mood == "down"
    assert seen(call(1, answered=True)).mood == "setup"


def test_a_row_of_before_is_read_and_says_nothing_of_blocked_care() -> None:
    told = msgspec.to_builtins(seen(call(5)))
    for name in ("care_blocked", "blocked_since", "mood", "unheard", "reasons"):
        del told[name]
    found = msgspec.json.decode(msgspec.json.encode(told), type=Situation)
    assert (found.help_waiting, found.care_blocked, found.blocked_since) == (1, 0, None)


def test_calls_that_nobody_took_stand_first_on_the_first_page_of_their_structure() -> None:
    taken = call(30, blocked=True, answered=True)
    told = outlook((), (), 1, T0, calls=[call(5), call(9, blocked=True), taken])
    assert told.state == "action"
    kinds = [(c.kind, c.count) for c in told.concerns]
    assert kinds == [("help_blocked", 1), ("help", 1), ("help_still", 1), ("waiting", 1)]
    (still,) = outlook((), (), 0, T0, calls=[taken]).concerns
    assert (still.kind, still.count) == ("help_still", 1)
    assert outlook((), (), 0, T0, calls=[call(30, answered=True)]).concerns == ()


def test_what_wants_somebody_now_and_what_today_is_the_same_everywhere() -> None:
    now, day = T0 + dt.timedelta(hours=30), dt.timedelta(days=1)
    spoke = Host(
        id="h", structure="s", name="n", enrolled_at=T0, carries_care=True, last_seen_at=now
    )
    mute = msgspec.structs.replace(spoke, last_seen_at=T0)
    never = msgspec.structs.replace(spoke, last_seen_at=None)
    old = BackupState(at=T0, ok=True, ms=1, last_good_at=T0)
    behind = msgspec.structs.replace(spoke, state=HostState(guard="enforcing", backup=old))
    late = Obligation(incident="i", duty="L1", law_from=T0.date(), started_at=T0, due_at=T0 + day)
    attack = Incident(
        id="i", structure="s", host="h", opened_at=T0, last_at=T0, severity=Severity.SERIOUS,
    )  # fmt: skip
    notice = msgspec.structs.replace(attack, severity=Severity.NOTICE)

    def told(*hosts: Host, open_: tuple[Incident, ...] = (), waiting: int = 0, clocks=()) -> tuple:
        found = outlook(hosts, open_, waiting, now, clocks=clocks)
        return found.state, found.mood, [c.kind for c in found.concerns]

    assert told(mute) == ("today", "watching", ["silent"])
    assert told(never) == ("today", "watching", ["never"])
    assert told(behind) == ("today", "watching", ["backup_late"])
    assert told(mute, open_=(attack,))[:2] == ("action", "down")
    assert told(spoke, open_=(notice,)) == ("today", "watching", ["alert"])
    assert told(spoke, waiting=1) == ("action", "down", ["waiting"])
    assert told(spoke, clocks=(late,)) == ("action", "down", ["clocks_late"])


def test_a_duty_without_a_figure_is_told_until_it_is_done() -> None:
    day = dt.timedelta(days=1)
    clock = Obligation(incident="i", duty="L6", law_from=T0.date(), started_at=T0)
    done = msgspec.structs.replace(clock, duty="L4", state=State.DONE)
    timed = msgspec.structs.replace(clock, duty="L1", due_at=T0 + 3 * day)
    row = sum_up("s", (), (), (), (clock, done, timed), T0, outlook((), (), 0, T0))
    assert (row.clocks_at_once, row.clocks_late, row.clock_next) == (1, 0, T0 + 3 * day)


def test_a_row_says_what_it_is_looked_at_for_where_no_figure_of_it_does() -> None:
    seen = outlook((), (), 2, T0, broken_glass=1)
    row = sum_up("s", (), (), (), (), T0, seen)
    assert (row.mood, row.reasons) == ("down", ("break_glass", "waiting"))
    broken = Outlook(state="action", mood="down", concerns=(
        Concern(kind="vault_broken"), Concern(kind="vault_bad"), Concern(kind="silent"),
    ))  # fmt: skip
    assert sum_up("s", (), (), (), (), T0, broken).reasons == ("vault",)
