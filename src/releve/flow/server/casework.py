"""Tasks, evidence and decisions of an incident: kept, told to its timeline and to the audit trail."""

import datetime as dt

import msgspec

from releve.flow.server.incidents import add_lines
from releve.flow.server.ports import Unit
from releve.model.casework import (
    DECISIONS,
    AnyRecord,
    CaseTask,
    Evidence,
    HandOver,
    RansomDecision,
)
from releve.model.finding import Severity
from releve.model.incident import Entry

_LONGEST = 300
_SHA256_LETTERS = 64


class CaseError(ValueError):
    """What was said cannot be kept; `why` has its text in the console."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def tell(unit: Unit, incident: str, line: Entry, verb: str, detail: str) -> bool:
    """Add a person's line to the timeline and to the trail; False: no such incident."""
    unit.hold()
    known = unit.incident(incident)
    if known is None:
        return False
    add_lines(unit, known, (line,))
    unit.record(line.at, line.by, f"incident/{incident}", verb, detail)
    return True


def add_task(unit: Unit, task: CaseTask) -> bool:
    """False: no such incident. Raises: CaseError."""
    if not task.title.strip():
        raise CaseError("empty")
    task = msgspec.structs.replace(
        task, title=task.title.strip()[:_LONGEST], who=task.who.strip()[:_LONGEST]
    )
    line = line_of("task_added", task.id, task.made_at, task.made_by, task.title)
    if not tell(unit, task.incident, line, "add_task", task.id):
        return False
    unit.put_task(task)
    return True


def end_task(unit: Unit, incident: str, task: str, by: str, now: dt.datetime) -> bool:
    """Done, once; False: there is no such task that waits."""
    unit.hold()
    known = unit.task(task)
    if known is None or known.incident != incident or known.done_at is not None:
        return False
    line = line_of("task_done", task, now, by, known.title)
    if not tell(unit, incident, line, "end_task", task):
        return False
    unit.put_task(msgspec.structs.replace(known, done_at=now, done_by=by))
    return True


def add_record(unit: Unit, record: AnyRecord) -> bool:
    """Keep evidence, a hand-over or a decision for ever; False: no such incident. Raises: CaseError."""
    unit.hold()
    kind, said, detail = _checked(unit, record)
    line = line_of(kind, record.id, record.at, record.by, said)
    if isinstance(record, RansomDecision):
        line = msgspec.structs.replace(line, action=record.decided)
    if not tell(unit, record.incident, line, f"record_{kind}", detail):
        return False
    unit.add_record(record)
    return True


def _checked(unit: Unit, record: AnyRecord) -> tuple[str, str, str]:
    """(kind of line, what it says, detail for the trail). Raises: CaseError."""
    match record:
        case Evidence():
            _check_evidence(record)
            return "evidence", record.name, f"sha256 {record.sha256}"
        case HandOver():
            return "hand_over", _handed(unit, record), f"{record.evidence} to {record.receiver}"
        case RansomDecision():
            _check(record.decider, record.why)
            if record.decided not in DECISIONS:
                raise CaseError("decision")
            return "ransom_decided", record.decider, record.decided


def line_of(kind: str, identity: str, at: dt.datetime, by: str, said: str) -> Entry:
    """A line without a finding; the same identity and kind give the same line."""
    return Entry(
        at=at,
        kind=kind,
        finding="",
        id=f"{identity}-{kind}"[:64],
        severity=Severity.INFO,
        why=said[:_LONGEST],
        why_en=said[:_LONGEST],
        by=by,
    )


def _handed(unit: Unit, record: HandOver) -> str:
    """The name of the piece that is handed over."""
    _check(record.giver, record.receiver, record.kept)
    known = unit.incident(record.incident)
    own = unit.records((known.id, *known.merged)) if known else []
    for piece in own:
        if isinstance(piece, Evidence) and piece.id == record.evidence:
            return piece.name
    raise CaseError("evidence")


def _check_evidence(record: Evidence) -> None:
    _check(record.name, record.kept)
    letters = set(record.sha256.lower())
    if len(record.sha256) != _SHA256_LETTERS or not letters <= set("0123456789abcdef"):
        raise CaseError("sha256")
    if record.size < 0:
        raise CaseError("size")


def _check(*said: str) -> None:
    if not all(one.strip() for one in said):
        raise CaseError("empty")
