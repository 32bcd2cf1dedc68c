"""What a ticket is to be told next. A function: whoever drives it performs the word and folds in its end."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from releve.model.help import HelpRequest, Step
from releve.model.ticket import Mapping, Ticket

LOOK_AGAIN = dt.timedelta(minutes=1)
_WAIT, _LONGEST_WAIT = dt.timedelta(seconds=15), dt.timedelta(minutes=30)
# Who was rung is ours; the ticket says what changes for whoever waits.
_TOLD = ("again", "nobody_on_call", "end_of_chain", "acknowledged")
_replace = msgspec.structs.replace


class Create(msgspec.Struct, frozen=True):
    """`may_exist`: an answer was lost before, so it is looked for first."""

    urgency: int
    may_exist: bool


class Follow(msgspec.Struct, frozen=True):
    step: Step


class Solve(msgspec.Struct, frozen=True):
    pass


class Look(msgspec.Struct, frozen=True):
    pass


Word = Create | Follow | Solve | Look


def next_word(
    request: HelpRequest, steps: Sequence[Step], ticket: Ticket, mapping: Mapping
) -> Word | None:
    """None: the ticket and the call are both at their end."""
    if not ticket.number:
        urgency = mapping.urgency_blocked if request.is_blocked else mapping.urgency
        return Create(urgency, may_exist=ticket.tries > 0)
    if ticket.status in mapping.solved:
        return None
    for step in steps:
        if step.number > ticket.told and step.kind in _TOLD:
            return Follow(step)
    if request.course.phase == "closed":
        return None if ticket.is_solved else Solve()
    return Look()


def is_to_close(request: HelpRequest, ticket: Ticket, mapping: Mapping) -> bool:
    """Solved there, and a named person has taken it here. A ticket alone is nobody who came."""
    return ticket.status in mapping.solved and request.course.phase == "acknowledged"


def went_well(ticket: Ticket, word: Word, said: int, now: dt.datetime) -> Ticket:
    """`said`: the number of a created ticket, or the status that was seen."""
    well = _replace(ticket, tries=0, trouble="", due_at=now)
    match word:
        case Create():
            return _replace(well, number=said)
        case Follow(step=step):
            return _replace(well, told=step.number)
        case Solve():
            return _replace(well, is_solved=True)
        case Look():
            return _replace(well, status=said, due_at=now + LOOK_AGAIN)


def went_wrong(ticket: Ticket, why: str, now: dt.datetime) -> Ticket:
    """Tried again later and later."""
    wait = min(_WAIT * 2 ** min(ticket.tries, 10), _LONGEST_WAIT)
    return _replace(ticket, trouble=why, due_at=now + wait)
