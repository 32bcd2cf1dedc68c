"""`releve incident task|evidence|ransom`: what people keep beside an incident."""

import datetime as dt
import hashlib
from pathlib import Path

import click
import msgspec

from releve.adapters.content import playbooks
from releve.adapters.system import new_id
from releve.apps.server.case_options import (
    IncidentNotFoundError,
    WordRefusedError,
    answer,
    case_options,
    desk,
    known,
)
from releve.flow.server import casework
from releve.model.casework import DECISIONS, CaseTask, Evidence, HandOver, RansomDecision

_by = click.option("--by", required=True, help="Qui le dit / who says so.")
_AT_ONCE = 1 << 20


@click.group()
def task() -> None:
    """Les tâches d'un incident / its tasks."""


@task.command("add")
@case_options
@_by
@click.argument("incident")
@click.argument("title")
@click.option("--who", default="", help="Qui la fait / who does it.")
@click.option("--days", type=float, default=None, help="À faire sous tant de jours / due within.")
def add_task(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    title: str,
    *,
    by: str,
    who: str,
    days: float | None,
    as_json: bool,
) -> None:
    """Ajouter une tâche / add one. Pas de nom de patient / no patient's name."""
    at = desk(home, db, structure)
    due_at = at.now + dt.timedelta(days=days) if days is not None else None
    made = CaseTask(
        id=new_id(),
        incident=incident,
        title=title,
        who=who,
        made_at=at.now,
        made_by=by,
        due_at=due_at,
    )
    with at.unit() as unit:
        if not casework.add_task(unit, made):
            raise IncidentNotFoundError(incident)
    answer({"task": made.id, "incident": incident}, as_json=as_json)


@task.command("done")
@case_options
@_by
@click.argument("incident")
@click.argument("identity", metavar="TASK")
def task_done(
    home: Path, db: str, structure: str, incident: str, identity: str, *, by: str, as_json: bool
) -> None:
    """La tâche est faite / the task is done."""
    at = desk(home, db, structure)
    with at.unit() as unit:
        known(unit, incident)
        if not casework.end_task(unit, incident, identity, by, at.now):
            raise WordRefusedError("task")
    answer({"task": identity, "done_at": at.now.isoformat()}, as_json=as_json)


@task.command("list")
@case_options
@click.argument("incident")
def list_tasks(home: Path, db: str, structure: str, incident: str, *, as_json: bool) -> None:
    """Par jour d'échéance / by their day."""
    with desk(home, db, structure).unit(writes=False) as unit:
        found = known(unit, incident)
        for one in unit.tasks((found.id, *found.merged)):
            _row(one, f"[{'x' if one.done_at else ' '}] {one.id}  {one.title}", as_json=as_json)


@click.group()
def evidence() -> None:
    """Les preuves et leur chaîne de garde / evidence and its chain of custody."""


@evidence.command("add")
@case_options
@_by
@click.argument("incident")
@click.argument(
    "path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--name", required=True, help="Ce que c'est, en clair ; jamais le nom du fichier.")
@click.option("--kept", required=True, help="Où elle est gardée / where it is kept.")
def add_evidence(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    path: Path,
    *,
    by: str,
    name: str,
    kept: str,
    as_json: bool,
) -> None:
    """Noter une preuve : FILE est lu pour son empreinte, ni copié ni nommé / read, not copied."""
    at = desk(home, db, structure)
    sha256, size = _digest(path)
    piece = Evidence(
        id=new_id(),
        incident=incident,
        at=at.now,
        by=by,
        name=name,
        sha256=sha256,
        size=size,
        kept=kept,
    )
    with at.unit() as unit:
        if not casework.add_record(unit, piece):
            raise IncidentNotFoundError(incident)
    answer({"evidence": piece.id, "sha256": sha256, "size": size}, as_json=as_json)


@evidence.command("hand-over")
@case_options
@_by
@click.argument("incident")
@click.argument("piece", metavar="EVIDENCE")
@click.option("--from", "giver", required=True, help="Qui remet / who gives it.")
@click.option("--to", "receiver", required=True, help="Qui reçoit / who receives it.")
@click.option("--kept", required=True, help="Où elle est désormais / where it is from now on.")
@click.option("--why", default="", help="Pourquoi / why.")
def hand_over(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    piece: str,
    *,
    by: str,
    giver: str,
    receiver: str,
    kept: str,
    why: str,
    as_json: bool,
) -> None:
    """La preuve change de mains / the piece changes hands; it is written for ever."""
    at = desk(home, db, structure)
    record = HandOver(
        id=new_id(),
        incident=incident,
        at=at.now,
        by=by,
        evidence=piece,
        giver=giver,
        receiver=receiver,
        kept=kept,
        why=why,
    )
    with at.unit() as unit:
        if not casework.add_record(unit, record):
            raise IncidentNotFoundError(incident)
    answer({"hand_over": record.id, "evidence": piece}, as_json=as_json)


@evidence.command("list")
@case_options
@click.argument("incident")
def list_evidence(home: Path, db: str, structure: str, incident: str, *, as_json: bool) -> None:
    """Les preuves et leurs remises, dans l'ordre / pieces and hand-overs, in order."""
    with desk(home, db, structure).unit(writes=False) as unit:
        found = known(unit, incident)
        for one in unit.records((found.id, *found.merged)):
            if isinstance(one, Evidence):
                said = f"{one.id}  {one.sha256}  {one.size}  {one.name}"
            elif isinstance(one, HandOver):
                said = f"{one.evidence}  {one.giver} -> {one.receiver}  {one.kept}"
            else:
                continue
            _row(one, said, as_json=as_json)


@click.command()
@case_options
@_by
@click.argument("incident")
@click.argument("decided", type=click.Choice(DECISIONS))
@click.option("--decider", required=True, help="Qui a décidé / who decided.")
@click.option("--why", required=True, help="Pourquoi / why.")
def ransom(
    home: Path,
    db: str,
    structure: str,
    incident: str,
    decided: str,
    *,
    by: str,
    decider: str,
    why: str,
    as_json: bool,
) -> None:
    """Écrire la décision sur une rançon ; rien n'est payé par Relève / write the decision down.

    French authorities advise never to pay. The record can never be changed.
    """
    at, advice = desk(home, db, structure), playbooks().ransom.advice.fr
    record = RansomDecision(
        id=new_id(),
        incident=incident,
        at=at.now,
        by=by,
        decided=decided,
        decider=decider,
        why=why,
        advice=advice,
    )
    with at.unit() as unit:
        if not casework.add_record(unit, record):
            raise IncidentNotFoundError(incident)
    answer({"decision": record.id, "decided": decided, "advice": advice}, as_json=as_json)


def _digest(path: Path) -> tuple[str, int]:
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_AT_ONCE):
            hashed.update(piece)
            size += len(piece)
    return hashed.hexdigest(), size


def _row(one: msgspec.Struct, said: str, *, as_json: bool) -> None:
    click.echo(msgspec.json.encode(one).decode() if as_json else said)
