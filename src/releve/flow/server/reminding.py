"""Reminders of legal clocks ring people: by the rota, channels and proof of calls for help."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.assist import escalation
from releve.flow.server.assist.asking import context_of, ring_again
from releve.flow.server.obligations import enter_whole, tick
from releve.flow.server.ports import Store, Unit
from releve.flow.server.signin import digest
from releve.model.help import ClockCall, HelpRequest, Step
from releve.model.law import Law
from releve.model.obligation import Timer

SOURCE = "clock"


def remind_some(store: Store, structure: str, law: Law, now: dt.datetime) -> int:
    """How many reminders were told: call it again until there is none."""
    with store.unit(structure) as unit:
        return len(remind(unit, law, now))


def remind(unit: Unit, law: Law, now: dt.datetime) -> tuple[Timer, ...]:
    """Tell what is due, and have somebody rung who takes it: all of it in one transaction, or nothing.

    Reminders of one incident that come due together, or while one still rings, are one call.
    """
    enter_whole(unit, law)  # what is done is reminded of no more
    fired = tick(unit, now)
    by_incident: dict[str, list[Timer]] = {}
    for timer in fired:
        if timer.mark in law.ring:
            by_incident.setdefault(timer.incident, []).append(timer)
    for incident, timers in by_incident.items():
        _ring(unit, [_clock(unit, law, timer) for timer in timers], incident, now)
    return fired


def _clock(unit: Unit, law: Law, timer: Timer) -> ClockCall:
    known = unit.obligation(timer.incident, timer.duty)
    duty = law.find(timer.duty, known.law_from) if known else None
    return ClockCall(
        incident=timer.incident,
        duty=timer.duty,
        name=duty.name.fr if duty else timer.duty,
        name_en=duty.name.en if duty else timer.duty,
        mark=timer.mark,
        at=timer.at,
        due_at=known.due_at if known else None,
    )


def _ring(unit: Unit, clocks: Sequence[ClockCall], incident: str, now: dt.datetime) -> None:
    marks = " ".join(f"{clock.duty}/{clock.mark}" for clock in clocks)
    call = digest(f"{unit.structure} {incident} {marks}")[:32]
    waiting = next((r for r in unit.help_requests(is_open=True) if _still_rings(r, incident)), None)
    if waiting is not None:
        more = msgspec.structs.replace(waiting, clocks=(*waiting.clocks, *clocks))
        unit.put_help(more, escalation.wake_at(more.course))
        ring_again(unit, waiting.id, call, now)
        return
    request = HelpRequest(
        id=call,
        structure=unit.structure,
        source=SOURCE,
        asked_by="server",
        clocks=tuple(clocks),
        context=context_of(unit),
        course=escalation.begin(now, now),
    )
    if unit.add_help(request):
        first = min(clock.at for clock in clocks)
        opened = Step(number=1, at=now, kind="opened", person="server", due_at=first)
        unit.add_help_steps(call, [opened])
        unit.record(now, "server", f"help/{call}", "ask", SOURCE)


def _still_rings(request: HelpRequest, incident: str) -> bool:
    is_of_it = any(clock.incident == incident for clock in request.clocks)
    return is_of_it and request.course.phase in ("ringing", "ended")
