"""After an incident is closed, it is watched for months: tasks with their days, shown until done."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence

from releve.model.casework import CaseTask
from releve.model.incident import Incident
from releve.model.playbook import AfterTask


def watch(
    closed: Incident, after: Sequence[AfterTask], known: Iterable[CaseTask]
) -> tuple[CaseTask, ...]:
    """The tasks that closing makes; one of before that still waits is not made twice."""
    if closed.closed_at is None:
        return ()
    waiting = {task.after for task in known if task.done_at is None}
    return tuple(_task(closed, row, closed.closed_at) for row in after if row.id not in waiting)


def due(tasks: Iterable[CaseTask], now: dt.datetime) -> tuple[CaseTask, ...]:
    """Those whose day has come, the oldest first."""
    waiting = [(t.due_at, t) for t in tasks if t.done_at is None and t.due_at is not None]
    return tuple(t for day, t in sorted(waiting, key=lambda pair: pair[0]) if day <= now)


def _task(closed: Incident, row: AfterTask, at: dt.datetime) -> CaseTask:
    identity = hashlib.sha256(f"{closed.id}\0{row.id}\0{at.isoformat()}".encode()).hexdigest()
    return CaseTask(
        id=identity[:16],
        incident=closed.id,
        title=row.say.fr,
        title_en=row.say.en,
        made_at=at,
        made_by=closed.closed_by,
        due_at=at + dt.timedelta(days=row.days),
        after=row.id,
    )
