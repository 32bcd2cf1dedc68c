"""The legal clocks of a structure: declared by a person, decided by a person, reminded in time."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from releve.flow.server.duties import NotDeclaredError
from releve.flow.server.ports import Unit
from releve.model.errors import ReleveError
from releve.model.incident import Incident
from releve.model.law import Law
from releve.model.obligation import Decision, Declaration, Obligation, Reminder, State, Timer
from releve.obligation import clocks

TEXTS = ("happened", "effects", "measures")
_MOST_TEXT = 4000
# A person's watch may be a little ahead of the server's.
_AHEAD = dt.timedelta(minutes=5)
_replace = msgspec.structs.replace


class DutyUnknownError(ReleveError):
    """The incident has no clock of that duty."""

    status = 44
    remedy = "See the clocks of the incident with `releve obligation list`."

    def __init__(self, duty: str) -> None:
        super().__init__(f"No clock of the duty {duty} was started.")


class DecisionIncompleteError(ReleveError):
    """A declaration or decision lacks its name or reason, or names a moment that cannot be."""

    status = 45
    remedy = "Give who decides; why, for what is not due; and moments that have passed, in order."

    def __init__(self, what: str) -> None:
        super().__init__(f"This cannot be decided so: {what}.")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a person tells. A moment that is left out: as told before, else the server's own."""

    by: str
    role: str = ""
    first_signal: dt.datetime | None = None
    aware_at: dt.datetime | None = None
    significant_at: dt.datetime | None = None
    answers: Mapping[str, str] = {}
    texts: Mapping[str, str] = {}


def declare(
    unit: Unit, law: Law, incident: str, said: Said, *, login: str, now: dt.datetime
) -> Declaration:
    """The incident is an attack, or more is known of it: clocks start, move or stop accordingly.

    Raises: NotDeclaredError, DecisionIncompleteError.
    """
    unit.hold()
    found = unit.incident(incident)
    if found is None:
        raise NotDeclaredError(incident)
    before = unit.declaration(incident)
    told = _told(found, before, said, law, login, now)
    if not unit.add_declaration(told):
        raise DecisionIncompleteError("somebody else told more at the same moment; look again")
    _start(unit, law, told)
    detail = " ".join(f"{question}={answer}" for question, answer in told.answers.items())
    unit.record(now, login, f"incident/{incident}", "declare", f"{told.by}: {detail}")
    return told


def send(
    unit: Unit,
    law: Law,
    incident: str,
    duty: str,
    decision: Decision,
    *,
    login: str,
) -> Obligation:
    """What was owed was sent, whole or in part, by a person; the clocks that follow it start.

    Raises: NotDeclaredError, DutyUnknownError, DecisionIncompleteError.
    """
    sent_at = decision.sent_at or decision.at
    if sent_at > decision.at + _AHEAD:
        raise DecisionIncompleteError("it was sent in the future")
    decision = _replace(decision, sent_at=sent_at)
    decided = _decide(unit, law, incident, duty, decision, login=login)
    parent = unit.obligation(incident, _completed(law, decided))
    if decision.state is State.DONE and parent and parent.state is State.PARTIAL:
        whole = _replace(decision, sent_at=None)
        _decide(unit, law, incident, parent.duty, whole, login=login)
    told = unit.declaration(incident)
    if told is not None:
        _start(unit, law, told)
    return decided


def not_due(
    unit: Unit, law: Law, incident: str, duty: str, decision: Decision, *, login: str
) -> Obligation:
    """A named person says why a duty is not due; it stays in the register.

    Raises: NotDeclaredError, DutyUnknownError, DecisionIncompleteError.
    """
    if not decision.reason.strip():
        raise DecisionIncompleteError("why it is not due is not said")
    return _decide(unit, law, incident, duty, decision, login=login)


def number(
    unit: Unit, law: Law, clock: Obligation, decision: Decision, *, login: str
) -> Obligation:
    """The number of what was sent already, without moving when that was. Raises: NotDeclaredError."""
    decision = _replace(decision, state=clock.state, sent_at=clock.sent_at)
    return _decide(unit, law, clock.incident, clock.duty, decision, login=login)


def enter_whole(unit: Unit, law: Law) -> tuple[str, ...]:
    """Stop the register's clocks whose entry is whole already, though nobody declares anew; their incidents.

    An entry that an earlier version kept running counts from when it was told.
    """
    whole = []
    for clock in unit.obligations():
        duty = law.find(clock.duty, clock.law_from)
        if clock.state is not State.RUNNING or duty is None or not duty.texts:
            continue
        told = unit.declaration(clock.incident)
        if told is not None and not clocks.missing(duty, told):
            unit.hold()
            _start(unit, law, told)
            whole.append(clock.incident)
    return tuple(whole)


def tick(unit: Unit, now: dt.datetime) -> tuple[Timer, ...]:
    """Tell what is due to be told: each reminder once, whatever was killed or set back meanwhile.

    Firing, the reminder and its line in the trail are one transaction.
    """
    fired = []
    due = unit.due_timers(now)
    if due:
        unit.hold()
    for timer in due:
        if not unit.fire_timer(timer, now):
            continue
        clock = unit.obligation(timer.incident, timer.duty, lock=True)
        if clock is None or clock.state is not State.RUNNING:
            continue
        told = Reminder(mark=timer.mark, at=timer.at, told_at=now)
        unit.put_obligation(_replace(clock, reminders=(*clock.reminders, told)))
        about = f"obligation/{timer.incident}/{timer.duty}"
        unit.record(now, "server", about, "remind", timer.mark)
        fired.append(timer)
    return tuple(fired)


def _told(
    found: Incident,
    before: Declaration | None,
    said: Said,
    law: Law,
    login: str,
    now: dt.datetime,
) -> Declaration:
    if not said.by.strip():
        raise DecisionIncompleteError("who says so is not said")
    allowed = {question.id: question.answers for question in law.question}
    for question, answer in said.answers.items():
        if answer not in allowed.get(question, ()):
            raise DecisionIncompleteError(f"{question}={answer} is no answer")
    first = said.first_signal or (before.first_signal if before else min(found.opened_at, now))
    aware = said.aware_at or (before.aware_at if before else now)
    significant = said.significant_at or (before.significant_at if before else aware)
    if max(first, aware, significant) > now + _AHEAD:
        raise DecisionIncompleteError("a moment lies in the future")
    if first > aware:
        raise DecisionIncompleteError("the first sign came after it was known")
    texts = {k: v[:_MOST_TEXT] for k, v in said.texts.items() if k in TEXTS}
    return Declaration(
        incident=found.id,
        version=before.version + 1 if before else 1,
        first_signal=first,
        aware_at=aware,
        significant_at=significant,
        answers={**(before.answers if before else {}), **said.answers},
        texts={**(before.texts if before else {}), **texts},
        by=said.by.strip()[:200],
        role=said.role.strip()[:200],
        login=login,
        at=now,
    )


def _start(unit: Unit, law: Law, told: Declaration) -> None:
    known = {clock.duty: clock for clock in unit.obligations(told.incident)}
    for clock in clocks.started(law, unit.profile(), told, tuple(known.values())):
        if clock != known.get(clock.duty):
            _keep(unit, law, clock)


def _decide(
    unit: Unit, law: Law, incident: str, duty: str, decision: Decision, *, login: str
) -> Obligation:
    if not decision.by.strip():
        raise DecisionIncompleteError("who decides is not said")
    unit.hold()
    if unit.declaration(incident) is None:
        raise NotDeclaredError(incident)
    clock = unit.obligation(incident, duty, lock=True)
    if clock is None:
        raise DutyUnknownError(duty)
    decided = clocks.decide(clock, decision)
    _keep(unit, law, decided)
    detail = ": ".join(filter(None, (decision.by, decision.reason or decision.reference)))
    about = f"obligation/{incident}/{duty}"
    unit.record(decision.at, login, about, decision.state.value, detail)
    return decided


def _keep(unit: Unit, law: Law, clock: Obligation) -> None:
    unit.put_obligation(clock)
    duty = law.find(clock.duty, clock.law_from)
    waiting = clocks.timers(clock, duty) if duty else ()
    unit.set_timers(clock.incident, clock.duty, waiting)


def _completed(law: Law, clock: Obligation) -> str:
    """The duty whose first part this one completes."""
    duty = law.find(clock.duty, clock.law_from)
    kind, _, parent = duty.starts.partition(":") if duty else ("", "", "")
    return parent if kind == "partial" else ""
