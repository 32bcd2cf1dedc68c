"""`releve recover plan`: where each data set comes back from, and why from there."""

import datetime as dt
import os
from pathlib import Path

import click
import msgspec

from releve.adapters.scan.catalogue import SqliteCatalogue
from releve.apps.backup.judging import catalogue, check_backed_up, is_enabled
from releve.apps.backup.state import State
from releve.apps.web.terminal import plain
from releve.model.clean import DataSet, Plan, SetPlan
from releve.model.errors import ReleveError, UsageError
from releve.model.incident import Incident
from releve.recover.clean_point import plan as make_plan
from releve.triage.stops import first_hostile_write

_SHOWN = 10
SERVER_HOME = Path("/var/lib/releve/server")


class IncidentUnknownError(ReleveError):
    """The incident is not known here, or tells no time of a first write."""

    status = 29
    remedy = (
        "Give the time itself with --first-write, or run it where the server's database is"
        " (--server-home)."
    )

    remedy_fr = (
        "Dire l'heure elle-même par --first-write (la page de l'incident la donne), ou lancer la commande"
        " là où est la base du serveur (--server-home)."
    )

    def __init__(self, incident: str, why: str, fr: str = "") -> None:
        super().__init__(f"Incident {incident}: {why}.")
        self.fr = f"Incident {incident} : {fr or why}."


@click.command()
@click.option("--since-incident", metavar="ID", help="Incident dont part la reprise.")
@click.option("--first-write", metavar="TIME", help="Première écriture malveillante (ISO 8601).")
@click.option("--server-home", type=click.Path(), default=None, help="Dossier du serveur.")
@click.option(
    "--state", metavar="DIR", help="Dossier d'état (sinon RELEVE_BACKUP_STATE, /var/lib/…)."
)
@click.option("--json", "as_json", is_flag=True, help="Un objet JSON.")
def plan(
    since_incident: str | None,
    first_write: str | None,
    server_home: str | None,
    state: str | None,
    *,
    as_json: bool,
) -> None:
    """Nommer, par jeu de données, la dernière sauvegarde saine et ce qui est plus récent.

    A look-up: nothing is read from the vault. Example: releve recover plan --first-write 2026-11-20T03:12
    """
    cut = cut_of(since_incident, first_write, server_home)
    kept = State(state)
    check_backed_up(kept)
    made = known_plan(kept, cut)
    if as_json:
        click.echo(msgspec.json.encode(made).decode())
        return
    for line in sentences(made):
        click.echo(plain(line))


def known_plan(state: State, cut: dt.datetime | None) -> Plan:
    """The plan from this machine's catalogue; where there is none it names nothing, and none is made."""
    if not is_enabled(state):
        return make_plan((), (), {}, first_write=cut, accepted=frozenset())
    with catalogue(state) as kept:
        return plan_of(kept, cut)


def plan_of(kept: SqliteCatalogue, cut: dt.datetime | None) -> Plan:
    """The plan from a catalogue alone."""
    points = kept.points()
    sets: dict[str, DataSet] = {}
    for place in kept.places():
        sets |= {s.name: s for s in kept.sets(place)}
    accepted = kept.accepted()
    # Once to learn how far back versions are asked for, once with them: few files are younger.
    rough = make_plan(points, sets.values(), {}, first_write=cut, accepted=accepted)
    since = {s.data_set: _since(kept, rough, s) for s in rough.sets}
    versions = {name: kept.versions(name, place) for name, place in since.items()}
    return make_plan(points, sets.values(), versions, first_write=cut, accepted=accepted)


def _since(kept: SqliteCatalogue, rough: Plan, one: SetPlan) -> int:
    order = {point.snapshot: place for place, point in enumerate(kept.points())}
    clean = order[one.snapshot] + 1 if one.snapshot else 0
    suspect = order[rough.first_suspect] if rough.first_suspect else clean
    return min(clean, suspect)


def sentences(made: Plan) -> list[str]:
    """The plan in French."""
    lines = []
    if made.cut:
        lines.append(f"Première écriture malveillante : {_local(made.cut)}.")
    if made.first_suspect:
        lines.append(f"Premier doute : sauvegarde {made.first_suspect[:8]}.")
    if not made.sets:
        lines.append("Aucune sauvegarde jugée : lancez `releve recover scan`.")
    for one in made.sets:
        lines += _set_lines(one)
    return lines


def _set_lines(one: SetPlan) -> list[str]:
    if one.snapshot is None or one.at is None:
        lines = [f"{one.path} : aucune sauvegarde saine n'est connue."]
    else:
        lines = [f"{one.path} : sauvegarde {one.snapshot[:8]} du {_local(one.at)}."]
        lines += [f"    {why.fr}" for why in one.why]
    lines += [f"    pas {snapshot[:8]} : {why.fr}" for snapshot, why in one.refused[:_SHOWN]]
    if one.newer:
        lines.append(f"    versions saines plus récentes : {len(one.newer)}")
        lines += [f"      {n.path} ({_local(n.at)})" for n in one.newer[:_SHOWN]]
        lines += _rest(len(one.newer))
    if one.withheld:
        lines.append(f"    versions écartées, qui ne reviennent pas : {len(one.withheld)}")
        lines += [f"      {w.path} : {w.why.fr}" for w in one.withheld[:_SHOWN]]
        lines += _rest(len(one.withheld))
    return lines


def _rest(count: int) -> list[str]:
    return [f"      … et {count - _SHOWN} de plus (toutes : --json)"] if count > _SHOWN else []


def cut_of(incident: str | None, first_write: str | None, home: str | None) -> dt.datetime | None:
    """The first malicious write that is known. Raises: IncidentUnknownError, UsageError."""
    if first_write:
        try:
            return when(first_write)
        except ValueError as error:
            raise UsageError(
                f"--first-write is no time: {first_write}",
                f"--first-write n'est pas une heure : {first_write}",
            ) from error
    return first_hostile_write(_incident(incident, home)) if incident else None


def _incident(name: str, home: str | None) -> Incident:
    """The incident as the server on this machine keeps it. Raises: IncidentUnknownError."""
    try:
        from releve.apps.server.home import Home
        from releve.apps.server.opening import DatabaseMissingError, open_store
    except ImportError as error:
        raise IncidentUnknownError(
            name, "the server is not installed here", "le serveur n'est pas installé ici"
        ) from error
    place = Path(home or os.environ.get("RELEVE_SERVER_HOME") or SERVER_HOME)
    if not (place / "releve.db").exists():
        raise IncidentUnknownError(
            name,
            f"there is no server's database in {place}",
            f"pas de base d'un serveur dans {place}",
        )
    try:
        store = open_store(Home(place))
    except DatabaseMissingError as error:
        raise IncidentUnknownError(name, str(error)) from error
    for structure in store.structures():
        with store.unit(structure.id, writes=False) as unit:
            if found := unit.incident(name):
                return found
    raise IncidentUnknownError(name, "no structure has it", "aucune structure ne l'a")


def when(said: str) -> dt.datetime:
    """A time as people type it; local if it names no zone."""
    return dt.datetime.fromisoformat(said).astimezone(dt.UTC)


def _local(at: dt.datetime) -> str:
    return f"{at.astimezone():%d/%m/%Y %H:%M:%S}"
