"""One incident as the server folds it: two stops, one still waiting for its rollback."""

import datetime as dt

from releve.model.event import HiddenPath, Reason
from releve.model.finding import Severity
from releve.model.incident import Entry, Incident, Stop

AT = dt.datetime(2026, 11, 22, 0, 41, 7, tzinfo=dt.UTC)


def reasons() -> tuple[Reason, ...]:
    hidden = HiddenPath(token="k1:9f2c", extension="docx", folder="documents")
    return (
        Reason(
            why="type zip devenu inconnu", why_en="type zip became unknown", score=3.0, path=hidden
        ),
        Reason(why="contenu devenu uniforme", score=7.5, path=hidden),
    )


def stop(**changed: object) -> Stop:
    facts: dict[str, object] = {
        "family": "f-12",
        "at": AT,
        "action": "killed",
        "stop_ms": 38.2,
        "files_touched": 3,
        "reasons": reasons(),
        "program": "gpg",
        "user": "secretariat",
        "restored": 3,
        "lost": 0,
        "newest_save_lost": 0,
        "quarantined": 3,
        "kept_both": 0,
        "rollback_ms": 12.5,
    }
    return Stop(**{**facts, **changed})


def incident(*stops: Stop, **changed: object) -> Incident:
    entries = (
        Entry(
            at=AT,
            kind="stopped",
            finding="a1",
            severity=Severity.SERIOUS,
            family="f-12",
            action="killed",
            figures={"stop_ms": 38.2, "files_touched": 3},
        ),
        Entry(
            at=AT + dt.timedelta(milliseconds=60),
            kind="rolled_back",
            finding="a2",
            severity=Severity.SERIOUS,
            family="f-12",
            figures={"restored": 3, "lost": 0, "newest_save_lost": 0, "rollback_ms": 12.5},
        ),
        Entry(
            at=AT + dt.timedelta(seconds=4),
            kind="mass_deletion",
            finding="a3",
            severity=Severity.SERIOUS,
            why="Suppression en masse dans /srv/cabinet/patients",
        ),
        Entry(
            at=AT + dt.timedelta(seconds=9),
            kind="guard_down",
            finding="a4",
            severity=Severity.NOTICE,
            figures={"count": 1},
        ),
    )
    facts: dict[str, object] = {
        "id": "9f2c01aa34bd77e1",
        "structure": "s-1",
        "host": "h-1",
        "opened_at": AT,
        "last_at": AT + dt.timedelta(seconds=9),
        "severity": Severity.SERIOUS,
        "stops": stops or (stop(),),
        "timeline": entries,
    }
    return Incident(**{**facts, **changed})
