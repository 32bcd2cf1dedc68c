"""Which duties an incident starts, when each is due, and how its clock looks: elapsed time in UTC.

Nights, weekends, holidays and changes of the clocks do not stop the law's hours.
"""

import calendar
import datetime as dt
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from releve.model.law import Duty, Law
from releve.model.obligation import Decision, Declaration, Obligation, State, Timer
from releve.model.structure import DEFAULT_TIMEZONE, Profile

_MARKS = (("50", 0.5), ("75", 0.75), ("90", 0.9), ("late", 1.0))
_ORANGE_SHARE, _RED_SHARE = 0.75, 0.9
_WORST_FIRST = ("late", "red", "orange", "calm", "partial", "done", "none")
_replace = msgspec.structs.replace


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A clock as it stands now. `colour`: late, red, orange, calm, partial, done, none (not due).

    `elapsed_s` runs until it was sent; `left_s` and `share` only where there is a delay.
    """

    obligation: Obligation
    duty: Duty
    colour: str
    elapsed_s: float
    left_s: float | None = None
    share: float | None = None


def binds(duty: Duty, profile: Profile | None) -> bool:
    """Whether the duty is this structure's. Of a structure that said nothing: those of everybody."""
    if duty.only == "ose":
        return profile is not None and profile.is_ose
    if duty.only == "nis2":
        return profile is not None and profile.has_nis2_on
    if duty.only == "provider":
        return False
    return not duty.kinds or (profile is not None and profile.kind in duty.kinds)


def is_voluntary(duty: Duty, profile: Profile | None) -> bool:
    """Not bound, and may do it all the same: told only where it may concern the structure."""
    if profile is None or binds(duty, profile):
        return False
    if duty.least_staff and (profile.is_ose or profile.staff):
        return profile.is_ose or profile.staff >= duty.least_staff
    return profile.kind in duty.voluntary


def answers(law: Law, told: Declaration) -> dict[str, str]:
    """What was answered; else what is presumed until somebody answers."""
    return {q.id: told.answers.get(q.id, q.presumed) for q in law.question}


def started(
    law: Law, profile: Profile | None, told: Declaration, known: Sequence[Obligation] = ()
) -> tuple[Obligation, ...]:
    """All clocks of the incident after `told`, in the order of the content.

    What a person decided stays. A clock that the answers stop is not due, with the answer as its
    reason and the teller as its name; another answer starts it again. A moment that was told anew
    moves a clock that runs. The register's stops when its entry is whole.
    """
    clocks = {o.duty: o for o in known}
    said = answers(law, told)
    zone = zoneinfo.ZoneInfo(profile.timezone if profile else DEFAULT_TIMEZONE)
    for duty in law.in_force(told.aware_at.astimezone(zone).date()):
        old = clocks.get(duty.id)
        begun = _begun(duty, told, clocks)
        if begun is None or not (binds(duty, profile) or old):
            continue
        against = _against(duty, said)
        if against == "" and _is_asked_for(duty, said):
            running = _running(old, duty, told, begun.astimezone(zone))
            clocks[duty.id] = _entered(running, duty, told)
        elif old is not None or against:
            why = against or _missing(duty, said)
            clocks[duty.id] = _stopped(old, duty, told, begun.astimezone(zone), why)
    order = {duty.id: place for place, duty in enumerate(law.duty)}
    return tuple(sorted(clocks.values(), key=lambda o: order.get(o.duty, len(order))))


def decide(obligation: Obligation, decision: Decision) -> Obligation:
    """The clock with one more decision; the earlier ones stay."""
    return _replace(obligation, state=decision.state, decisions=(*obligation.decisions, decision))


def due_at(duty: Duty, started_at: dt.datetime) -> dt.datetime | None:
    """Elapsed hours; or whole months of the calendar on the wall where `started_at` is told.

    31 January and one month: 28 or 29 February.
    """
    if duty.hours is not None:
        return started_at.astimezone(dt.UTC) + dt.timedelta(hours=duty.hours)
    if duty.months is not None:
        return _months_later(started_at, duty.months).astimezone(dt.UTC)
    return None


def timers(obligation: Obligation, duty: Duty) -> tuple[Timer, ...]:
    """The reminders of a clock that runs; none of one that was decided."""
    if obligation.state is not State.RUNNING:
        return ()
    begun, due = obligation.started_at.astimezone(dt.UTC), obligation.due_at
    if due is not None:
        moments = [(mark, begun + (due - begun) * share) for mark, share in _MARKS]
    else:
        hours = (("orange", duty.orange_hours), ("red", duty.red_hours))
        moments = [(mark, begun + dt.timedelta(hours=h)) for mark, h in hours if h is not None]
    return tuple(
        Timer(incident=obligation.incident, duty=obligation.duty, mark=mark, at=at)
        for mark, at in moments
    )


def look(obligation: Obligation, duty: Duty, now: dt.datetime) -> Look:
    """How the clock stands. A server's clock that went back shows no negative time."""
    end = obligation.sent_at or now
    elapsed = max(0.0, (end - obligation.started_at).total_seconds())
    due = obligation.due_at
    whole = (due - obligation.started_at).total_seconds() if due else 0.0
    return Look(
        obligation=obligation,
        duty=duty,
        colour=_colour(obligation, duty, elapsed, whole),
        elapsed_s=elapsed,
        left_s=(due - now).total_seconds() if due else None,
        share=elapsed / whole if whole else None,
    )


def worst_first(looks: Iterable[Look]) -> tuple[Look, ...]:
    return tuple(sorted(looks, key=urgency))


def urgency(one: Look) -> tuple[int, bool, float]:
    """Late ones, then by colour, then by what is left; without a delay, the longest-running first."""
    left = one.left_s if one.left_s is not None else -one.elapsed_s
    return _WORST_FIRST.index(one.colour), one.left_s is not None, left


def was_in_time(obligation: Obligation) -> bool | None:
    """Of one that was sent and had a delay; None else."""
    if obligation.due_at is None or obligation.sent_at is None:
        return None
    return obligation.sent_at <= obligation.due_at


def _colour(obligation: Obligation, duty: Duty, elapsed: float, whole: float) -> str:
    settled = {State.PARTIAL: "partial", State.DONE: "done", State.NOT_DUE: "none"}
    if obligation.state in settled:
        return settled[obligation.state]
    if whole:
        share = elapsed / whole
        steps = (("late", 1.0), ("red", _RED_SHARE), ("orange", _ORANGE_SHARE))
        return next((colour for colour, least in steps if share >= least), "calm")
    hours = elapsed / 3600
    if duty.red_hours is not None and hours >= duty.red_hours:
        return "red"
    return "orange" if duty.orange_hours is not None and hours >= duty.orange_hours else "calm"


def _begun(duty: Duty, told: Declaration, clocks: Mapping[str, Obligation]) -> dt.datetime | None:
    kind, _, parent = duty.starts.partition(":")
    if not parent:
        moment = getattr(told, duty.starts)
        return moment if isinstance(moment, dt.datetime) else None
    before = clocks.get(parent)
    sent = before.first_sending if before else None
    if sent is None or (kind == "partial" and sent.state is not State.PARTIAL):
        return None
    return sent.sent_at


def _against(duty: Duty, said: Mapping[str, str]) -> str:
    """The answer that makes the duty not due."""
    return next((f"{q}={a}" for q, a in duty.unless.items() if said.get(q) == a), "")


def _is_asked_for(duty: Duty, said: Mapping[str, str]) -> bool:
    return not duty.any_of or any(said.get(q) == a for q, a in duty.any_of.items())


def _missing(duty: Duty, said: Mapping[str, str]) -> str:
    question = next(iter(duty.any_of))
    return f"{question}={said.get(question, 'unknown')}"


def _running(
    old: Obligation | None, duty: Duty, told: Declaration, begun: dt.datetime
) -> Obligation:
    due = due_at(duty, begun)
    begun = begun.astimezone(dt.UTC)
    if old is None:
        return Obligation(
            incident=told.incident,
            duty=duty.id,
            law_from=duty.valid_from,
            started_at=begun,
            due_at=due,
        )
    if old.state is State.NOT_DUE and old.decisions[-1].from_answers:
        again = Decision(state=State.RUNNING, by=told.by, at=told.at, from_answers=True)
        old = decide(old, again)
    if old.state is not State.RUNNING:
        return old
    return _replace(old, law_from=duty.valid_from, started_at=begun, due_at=due)


def missing(duty: Duty, told: Declaration) -> tuple[str, ...]:
    """The texts that the duty's entry in the register still lacks."""
    return tuple(name for name in duty.texts if not told.texts.get(name, "").strip())


def _entered(clock: Obligation, duty: Duty, told: Declaration) -> Obligation:
    """Done by the entry itself, once nothing of it lacks."""
    if clock.state is not State.RUNNING or not duty.texts or missing(duty, told):
        return clock
    whole = Decision(state=State.DONE, by=told.by, at=told.at, sent_at=told.at, from_answers=True)
    return decide(clock, whole)


def _stopped(
    old: Obligation | None, duty: Duty, told: Declaration, begun: dt.datetime, answer: str
) -> Obligation:
    clock = old or _running(None, duty, told, begun)
    if clock.state is not State.RUNNING:
        return clock
    return decide(
        clock,
        Decision(state=State.NOT_DUE, by=told.by, at=told.at, reason=answer, from_answers=True),
    )


def _months_later(at: dt.datetime, months: int) -> dt.datetime:
    years, month = divmod(at.month - 1 + months, 12)
    year = at.year + years
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day)
