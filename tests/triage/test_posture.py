"""A day's row is the worst of what was seen on it."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from releve.model.posture import Posture
from releve.model.situation import Situation
from releve.triage.posture import standing, step

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
DAY = NOW.date()
ages = st.none() | st.integers(0, 900)
few = st.integers(0, 9)
seen = st.builds(
    Posture,
    day=st.just(DAY),
    hosts=st.integers(1, 9),
    guarded=few,
    watching=few,
    down=few,
    incidents=few,
    backup_hours=ages,
    drill_days=ages,
    is_backup_late=st.booleans(),
    is_drill_late=st.booleans(),
)


def test_the_standing_is_what_the_situation_says() -> None:
    hour = dt.timedelta(hours=1)
    situation = Situation(
        structure="s", hosts=3, guarded=1, watching=1, guard_down=1, incidents=2,
        backup_at=NOW - 25.5 * hour, drill_at=NOW - 9 * 24 * hour,
    )  # fmt: skip
    assert standing(situation, DAY, NOW) == Posture(
        day=DAY, hosts=3, guarded=1, watching=1, down=1, incidents=2, backup_hours=25,
        drill_days=9, is_backup_late=True, is_drill_late=True,
    )  # fmt: skip
    none = standing(Situation(structure="s", hosts=1, no_backup=1), DAY, NOW)
    assert (none.backup_hours, none.is_backup_late, none.drill_days) == (None, True, None)


@given(st.lists(seen, min_size=1))
def test_nothing_bad_of_a_day_is_lost_by_what_comes_later(all_seen: list[Posture]) -> None:
    day: Posture | None = None
    for one in all_seen:
        day = step(day, one)
    assert day is not None
    assert day.incidents == max(p.incidents for p in all_seen)
    assert day.guarded == min(p.guarded for p in all_seen)
    assert day.down == max(p.down for p in all_seen)
    hours = [p.backup_hours for p in all_seen if p.backup_hours is not None]
    assert day.backup_hours == max(hours, default=None)
    assert day.is_backup_late == any(p.is_backup_late for p in all_seen)
    assert step(day, all_seen[-1]) == day


def test_a_new_day_begins_anew() -> None:
    bad = Posture(day=DAY, hosts=1, incidents=3)
    good = Posture(day=DAY + dt.timedelta(days=1), hosts=1)
    assert step(bad, good) == good
