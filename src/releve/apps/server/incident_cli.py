"""`releve incident`: list, show, merge, split, close, reopen, resume; its tasks and its evidence."""

import datetime as dt
from pathlib import Path

import click
import msgspec

from releve.adapters.content import law, playbooks
from releve.apps.console.incident_views import case_view, with_duties
from releve.apps.console.views import names_of
from releve.apps.server import incident_records
from releve.apps.server.case_options import (
    IncidentNotFoundError,
    WordRefusedError,
    answer,
    case_options,
    desk,
    known,
    said_options,
)
from releve.apps.server.incident_lines import lines, row, still_open
from releve.apps.server.printable import printable
from releve.flow.server import incidents
from releve.flow.server.assist import alarms
from releve.flow.server.profiles import zone_of
from releve.model.errors import UsageError
from releve.model.incident import Incident


@click.group()
def incident() -> None:
    """Les incidents : les suivre, les réunir, les clore / incidents: follow, merge, close."""


@incident.command("list")
@case_options
@click.option("--open", "only_open", is_flag=True, help="Ceux qui sont ouverts / open ones only.")
def list_(home: Path, db: str, structure: str, *, as_json: bool, only_open: bool) -> None:
    """Du plus récent au plus ancien / newest first."""
    at = desk(home, db, structure)
    with at.unit(writes=False) as unit:
        names, zone = names_of(unit), zone_of(unit)
        found = unit.open_incidents() if only_open else unit.incidents()
        for one in incidents.weighed(unit, found, at.now):
            if as_json:
                answer(_facts(one, names), as_json=True)
            else:
                click.echo(printable(row(one, zone)))


@incident.command()
@case_options
@click.argument("identity", metavar="ID")
def show(home: Path, db: str, structure: str, identity: str, *, as_json: bool) -> None:
    """Tout d'un incident / all of one: hosts, care, reasons, timeline, tasks, evidence, playbooks."""
    at = desk(home, db, structure)
    with at.unit(writes=False) as unit:
        found = known(unit, identity)
        view = case_view(unit, found, names_of(unit), playbooks(), at.now)
        view = with_duties(view, unit, law(), at.now)
        zone = zone_of(unit)
    if as_json:
        told = {**msgspec.to_builtins(view), "hosts": list(view.host_names)}
        click.echo(msgspec.json.encode(told).decode())
        return
    for line in lines(view, zone):
        click.echo(printable(line))


@incident.command()
@case_options
@said_options
@click.argument("kept", metavar="ID")
@click.argument("other", metavar="OTHER")
def merge(
    home: Path, db: str, structure: str, kept: str, other: str, *, by: str, why: str, as_json: bool
) -> None:
    """OTHER fait partie de ID / OTHER is part of ID; all of its lines stay."""
    at = desk(home, db, structure)
    with at.unit() as unit:
        known(unit, other)
        _told(
            names_of(unit),
            alarms.merge(unit, kept, other, at.word(by, why)),
            kept,
            as_json=as_json,
        )


@incident.command()
@case_options
@said_options
@click.argument("identity", metavar="ID")
@click.option("--host", "hosts", multiple=True, required=True, help="Nom de machine / host name.")
def split(
    home: Path,
    db: str,
    structure: str,
    identity: str,
    hosts: tuple[str, ...],
    *,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Ces machines vont à un nouvel incident / these hosts go to a new incident, with their lines."""
    at = desk(home, db, structure)
    with at.unit() as unit:
        names = names_of(unit)
        ids = tuple(next((i for i, n in names.items() if n == host), host) for host in hosts)
        made = incidents.split(unit, identity, ids, at.word(by, why))
        _told(names, made, identity, as_json=as_json)


@incident.command()
@case_options
@said_options
@click.argument("identity", metavar="ID")
def close(
    home: Path, db: str, structure: str, identity: str, *, by: str, why: str, as_json: bool
) -> None:
    """Clore, et commencer la veille renforcée / close, and begin the raised watch; says what stays open."""
    at = desk(home, db, structure)
    with at.unit() as unit:
        shut = alarms.close(unit, identity, at.word(by, why), playbooks().after)
        if shut is None:
            raise IncidentNotFoundError(identity)
        names = names_of(unit)
        view = with_duties(case_view(unit, shut, names, playbooks(), at.now), unit, law(), at.now)
        zone = zone_of(unit)
    shut = msgspec.structs.replace(shut, severity=view.severity)
    answer({**_facts(shut, names), **still_open(view, zone)}, as_json=as_json)


@incident.command()
@case_options
@said_options
@click.argument("identity", metavar="ID")
def reopen(
    home: Path, db: str, structure: str, identity: str, *, by: str, why: str, as_json: bool
) -> None:
    """Rouvrir / open it again."""
    at = desk(home, db, structure)
    with at.unit() as unit:
        again = alarms.reopen(unit, identity, at.word(by, why))
        _told(names_of(unit), again, identity, as_json=as_json)


@incident.command()
@case_options
@click.option("--by", required=True, help="Qui s'en charge / who takes care of it.")
@click.argument("identity", metavar="ID")
def ack(home: Path, db: str, structure: str, identity: str, *, by: str, as_json: bool) -> None:
    """S'en charger : plus personne n'est appelé / take it: nobody else is rung for it."""
    at = desk(home, db, structure)
    with at.unit() as unit:
        known(unit, identity)
        if not by.strip():
            raise WordRefusedError("reason")
        _told(
            names_of(unit),
            alarms.take(unit, identity, at.word(by.strip(), "")),
            identity,
            as_json=as_json,
        )


@incident.command()
@case_options
@said_options
@click.argument("identity", metavar="ID")
@click.argument("service")
@click.option("--at", "since", default="", help="Quand, ISO 8601 ; sinon maintenant / else now.")
@click.option("--undo", is_flag=True, help="Le soin n'a pas repris / it does not go on after all.")
def resume(
    home: Path,
    db: str,
    structure: str,
    identity: str,
    service: str,
    *,
    since: str,
    undo: bool,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Le soin SERVICE a repris / care goes on: its clock ends. SERVICE is its id in the profile."""
    at = desk(home, db, structure)
    when = _moment(since) if since else at.now
    with at.unit() as unit:
        known(unit, identity)
        word = at.word(by, why)
        told = incidents.resume(unit, identity, service, when, word, is_back=not undo)
        if told is None:
            raise WordRefusedError("service")
        clocks = incidents.clocks_of(unit, told, at.now)
    clock = next(c for c in clocks if c.service.id == service)
    facts: dict[str, object] = {
        "incident": identity,
        "service": service,
        "since": clock.since.isoformat(),
        "seconds": round(clock.seconds, 1),
        "consultations_lost_at_most": round(clock.lost, 1),
        "resumed_at": clock.resumed.at.isoformat() if clock.resumed else None,
    }
    answer(facts, as_json=as_json)


incident.add_command(incident_records.task)
incident.add_command(incident_records.evidence)
incident.add_command(incident_records.ransom)


def _moment(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text} is no time of ISO 8601.") from None
    return at if at.tzinfo else at.astimezone()


def _told(names: dict[str, str], made: Incident | None, asked: str, *, as_json: bool) -> None:
    if made is None:
        raise IncidentNotFoundError(asked)
    answer(_facts(made, names), as_json=as_json)


def _facts(one: Incident, names: dict[str, str]) -> dict[str, object]:
    state = "merged" if one.merged_into else "closed" if one.closed_at else "open"
    return {
        "incident": one.id,
        "opened_at": one.opened_at.isoformat(timespec="seconds"),
        "severity": one.severity.value,
        "hosts": [names.get(host, host) for host in one.hosts],
        "state": state,
        "closed_by": one.closed_by,
        "merged_into": one.merged_into,
    }
