"""Legal clocks of an incident: what was declared, each clock with its decisions, its timers."""

import datetime as dt
from enum import StrEnum

import msgspec


class State(StrEnum):
    RUNNING = "running"
    PARTIAL = "sent-partial"  # in time with what was known; the rest is owed
    DONE = "done"
    NOT_DUE = "not-due"


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """A person says that an incident is an attack, and what is known of it by now.

    Each further telling is a version of its own; none replaces another. `by` is who says so,
    `login` who typed it in. Moments are UTC.
    """

    incident: str
    version: int
    first_signal: dt.datetime
    aware_at: dt.datetime  # the earliest moment of reasonable certainty
    significant_at: dt.datetime
    answers: dict[str, str] = {}  # question: answer; what nobody answered is not in it
    texts: dict[str, str] = {}  # "happened", "effects", "measures", in their own words
    by: str
    role: str = ""
    login: str
    at: dt.datetime


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided of a clock.

    `reason`: why it is not due, in their words; the answer that says so ("question=answer") when
    it comes from the answers.
    """

    state: State
    by: str
    at: dt.datetime
    sent_at: dt.datetime | None = None
    reference: str = ""
    reason: str = ""
    from_answers: bool = False


class Reminder(msgspec.Struct, frozen=True, kw_only=True):
    """Told once. `mark`: "50", "75", "90" (per cent of the delay), "late"; "orange", "red"."""

    mark: str
    at: dt.datetime
    told_at: dt.datetime


class Obligation(msgspec.Struct, frozen=True, kw_only=True):
    """One clock. `law_from` names the wording of the duty that counts for it."""

    incident: str
    duty: str
    law_from: dt.date
    started_at: dt.datetime
    due_at: dt.datetime | None = None
    state: State = State.RUNNING
    decisions: tuple[Decision, ...] = ()
    reminders: tuple[Reminder, ...] = ()

    @property
    def first_sending(self) -> Decision | None:
        return next((d for d in self.decisions if d.sent_at is not None), None)

    @property
    def sent_at(self) -> dt.datetime | None:
        """Of the first sending: it is the one that the delay asks for."""
        sending = self.first_sending
        return sending.sent_at if sending else None


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """A reminder to come."""

    incident: str
    duty: str
    mark: str
    at: dt.datetime
