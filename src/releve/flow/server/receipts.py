"""The receipt of a dossier and the clock that asked for it: its number is typed once."""

import datetime as dt

import msgspec

from releve.flow.server import obligations
from releve.flow.server.ports import Unit
from releve.model.dossier import Dossier
from releve.model.law import Duty, Law
from releve.model.obligation import Decision, Obligation, State
from releve.obligation.dossier import is_as_signed


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How it was sent. `sent_at` left out: now. `is_part`: the rest will follow."""

    login: str
    at: dt.datetime
    sent_at: dt.datetime | None = None
    is_part: bool = False


def carry(unit: Unit, law: Law, made: Dossier, sending: Sending) -> tuple[Obligation, ...]:
    """The clocks that the dossier's receipt stops, in the name of who signed it; with its number.

    One that was said sent without a number gets it, and stays as it is. What was said not due stays
    so. Without signature or receipt nothing is carried. Raises: DecisionIncompleteError.
    """
    if made.signature is None or made.receipt is None or not is_as_signed(made):
        return ()
    said = Decision(
        state=State.DONE,
        by=made.signature.name,
        at=sending.at,
        sent_at=sending.sent_at,
        reference=made.receipt.reference,
    )
    asked = _asked(unit, law, made)
    running = [(clock, duty) for clock, duty in asked if clock.state is State.RUNNING]
    if not running:
        return _numbered(unit, law, [clock for clock, _ in asked], said, sending.login)
    return tuple(
        obligations.send(
            unit,
            law,
            made.incident,
            duty.id,
            _with_state(said, sending.is_part and may_be_part(law, duty)),
            login=sending.login,
        )
        for _, duty in running
    )


def may_be_part(law: Law, duty: Duty) -> bool:
    """Whether the law lets the rest follow."""
    return any(other.starts == f"partial:{duty.id}" for other in law.duty)


def number_of(unit: Unit, clock: Obligation, duty: Duty) -> str:
    """The number on the receipt of the duty's dossier that no clock has yet; empty when there is none."""
    made = unit.dossier(clock.incident, duty.dossier) if duty.dossier else None
    if made is None or made.receipt is None or not is_as_signed(made):
        return ""
    told = made.receipt.reference
    taken = (d.reference for other in unit.obligations(clock.incident) for d in other.decisions)
    return "" if told in taken else told


def _asked(unit: Unit, law: Law, made: Dossier) -> list[tuple[Obligation, Duty]]:
    found = []
    for clock in unit.obligations(made.incident):
        duty = law.find(clock.duty, clock.law_from)
        if duty is not None and duty.dossier == made.kind:
            found.append((clock, duty))
    return found


def _with_state(said: Decision, is_part: bool) -> Decision:
    return msgspec.structs.replace(said, state=State.PARTIAL) if is_part else said


def _numbered(
    unit: Unit, law: Law, clocks: list[Obligation], said: Decision, login: str
) -> tuple[Obligation, ...]:
    bare = [
        clock
        for clock in clocks
        if clock.sent_at is not None and not any(d.reference for d in clock.decisions)
    ]
    return tuple(
        obligations.number(
            unit, law, clock, msgspec.structs.replace(said, state=clock.state), login=login
        )
        for clock in bare
    )
