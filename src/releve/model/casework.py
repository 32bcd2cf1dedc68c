"""What people keep beside an incident: tasks, and records that nobody can change."""

import datetime as dt

import msgspec


class CaseTask(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be done; `after` names the content's row when closing the incident made it."""

    id: str
    incident: str
    title: str
    made_at: dt.datetime
    made_by: str
    title_en: str = ""
    who: str = ""
    due_at: dt.datetime | None = None
    done_at: dt.datetime | None = None
    done_by: str = ""
    after: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="record"):
    """One row of what is never changed and never removed."""

    id: str
    incident: str
    at: dt.datetime
    by: str


class Evidence(Record, frozen=True, kw_only=True, tag="evidence"):
    """A piece that was kept. The file itself stays where `kept` says."""

    name: str  # what it is, in a person's words: never a file's name
    sha256: str
    size: int  # bytes
    kept: str


class HandOver(Record, frozen=True, kw_only=True, tag="hand_over"):
    """A piece of evidence went from one person to another."""

    evidence: str
    giver: str
    receiver: str
    kept: str  # where it is from now on
    why: str = ""


class RansomDecision(Record, frozen=True, kw_only=True, tag="ransom"):
    """Who decided what, and why; `advice` is the sentence that stood beside it."""

    decided: str  # of DECISIONS
    decider: str
    why: str
    advice: str


DECISIONS = ("not_paid", "undecided", "paid")
AnyRecord = Evidence | HandOver | RansomDecision
