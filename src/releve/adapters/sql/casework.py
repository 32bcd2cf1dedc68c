"""What people keep beside incidents, of one structure: tasks, records, playbooks that were started."""

from collections.abc import Sequence

import msgspec

from releve.adapters.sql import tables as t
from releve.adapters.sql.incidents import IncidentRows
from releve.adapters.sql.rows import add, text
from releve.model.casework import AnyRecord, CaseTask
from releve.model.playbook import PlaybookRun

_json = msgspec.json.encode
_task = msgspec.json.Decoder(CaseTask).decode
_record: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
_run = msgspec.json.Decoder(PlaybookRun).decode


class CaseRows(IncidentRows):
    """A unit's tasks, records and playbook runs."""

    def put_task(self, task: CaseTask) -> None:
        done_at = text(task.done_at) if task.done_at else None
        self._put(
            t.incident_task, id=task.id, incident=task.incident, done_at=done_at, body=_json(task)
        )

    def task(self, task: str) -> CaseTask | None:
        query = self._select(t.incident_task, t.incident_task.c.body)
        row = self._connection.execute(query.where(t.incident_task.c.id == task)).one_or_none()
        return None if row is None else _task(row.body)

    def tasks(self, incidents: Sequence[str]) -> list[CaseTask]:
        query = self._select(t.incident_task, t.incident_task.c.body)
        query = query.where(t.incident_task.c.incident.in_(incidents))
        return _by_time([_task(r.body) for r in self._connection.execute(query)])

    def waiting_tasks(self) -> list[CaseTask]:
        query = self._select(t.incident_task, t.incident_task.c.body)
        query = query.where(t.incident_task.c.done_at.is_(None))
        return _by_time([_task(r.body) for r in self._connection.execute(query)])

    def add_record(self, record: AnyRecord) -> None:
        row = self._row(
            id=record.id, incident=record.incident, at=text(record.at), body=_json(record)
        )
        add(self._connection, t.incident_record, row)

    def records(self, incidents: Sequence[str]) -> list[AnyRecord]:
        query = self._select(t.incident_record, t.incident_record.c.body)
        query = query.where(t.incident_record.c.incident.in_(incidents))
        query = query.order_by(t.incident_record.c.at, t.incident_record.c.id)
        return [_record.decode(r.body) for r in self._connection.execute(query)]

    def put_run(self, run: PlaybookRun) -> None:
        self._put(t.playbook_run, id=run.id, incident=run.incident, body=_json(run))

    def runs(self, incidents: Sequence[str]) -> list[PlaybookRun]:
        query = self._select(t.playbook_run, t.playbook_run.c.body)
        query = query.where(t.playbook_run.c.incident.in_(incidents))
        found = [_run(r.body) for r in self._connection.execute(query)]
        return sorted(found, key=lambda run: (run.started_at, run.id))


def _by_time(tasks: list[CaseTask]) -> list[CaseTask]:
    return sorted(tasks, key=lambda task: (task.due_at or task.made_at, task.id))
