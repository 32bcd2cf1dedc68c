"""Every clock of the content through restarts and a server's clock that steps: told and rung once, never early."""

import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from releve.adapters.sql.engine import open_engine, sqlite_url
from releve.adapters.sql.seal import Seal
from releve.adapters.sql.store import SqlStore
from releve.flow.server import obligations, profiles
from releve.flow.server.assist import answering
from releve.flow.server.reminding import remind_some
from releve.model.obligation import Decision, State
from releve.model.structure import Profile, StructureKind
from tests.server.declared import LAW, attacked, declare
from tests.server.world import T0

HOUR = dt.timedelta(hours=1)
ZONES = ("Europe/Paris", "Indian/Reunion", "America/Guadeloupe", "Pacific/Noumea")
steps = st.lists(st.tuples(st.floats(-400, 400), st.booleans()), max_size=12)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(ZONES), steps)
def test_each_reminder_comes_once_and_never_early(
    zone: str, steps: list[tuple[float, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = sqlite_url(Path(folder))
        store = opened(url)
        host, incident = attacked(store)
        start_all(store, host.structure, incident, zone)
        now = T0
        for step, is_restarted in [*steps, (24 * 200, True)]:
            now += step * HOUR
            if is_restarted:
                store.close()
                store = opened(url)
            while remind_some(store, host.structure, LAW, now):
                pass
        told, rung = outcome(store, host.structure, now)
        store.close()
    expected = {
        (duty.id, mark)
        for duty in LAW.duty
        if duty.only != "provider" and duty.id not in ("L1", "L6", "L8", "L11")
        for mark in marks(duty.hours is not None or duty.months is not None)
        if mark not in ("orange", "red") or getattr(duty, f"{mark}_hours") is not None
    }
    assert told == Counter(expected)
    assert rung == Counter(one for one in expected if one[1] in LAW.ring)


def opened(url: str) -> SqlStore:
    return SqlStore(open_engine(url), Seal(b"k" * 32))


def start_all(store: SqlStore, structure: str, incident: str, zone: str) -> None:
    """Every duty that the content has: those that follow a sending too."""
    hospital = Profile(
        kind=StructureKind.HOSPITAL, legal_name="H", is_ose=True, has_nis2_on=True, timezone=zone
    )
    profiles.put(store, structure, hospital, actor="a", now=T0)
    answers = {q.id: "high" if q.id == "risk" else "yes" for q in LAW.question}
    declare(store, structure, incident, answers=answers)
    with store.unit(structure) as unit:
        for duty, state in (
            ("L1", State.PARTIAL), ("L6", State.DONE), ("L8", State.DONE), ("L11", State.DONE),
        ):  # fmt: skip
            decision = Decision(state=state, by="x", at=T0, sent_at=T0)
            obligations.send(unit, LAW, incident, duty, decision, login="claire")


def marks(has_delay: bool) -> tuple[str, ...]:
    return ("50", "75", "90", "late") if has_delay else ("orange", "red")


def outcome(
    store: SqlStore, structure: str, now: dt.datetime
) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """(reminders told, reminders that somebody was rung for)."""
    with store.unit(structure) as unit:
        found = [(o.duty, r) for o in unit.obligations() for r in o.reminders]
        assert all(r.told_at >= r.at for _, r in found)
        assert unit.due_timers(now) == []
        rung = Counter((c.duty, c.mark) for r in unit.help_requests() for c in r.clocks)
        for call in unit.help_requests(is_open=True):
            answering.close(unit, call.id, "", actor="claire", now=now)
    return Counter((duty, r.mark) for duty, r in found), rung
