"""`releve desk rota`: template, set, show, holes. Who is on call, as a TOML file of the operator's."""

import json
from importlib.resources import files
from pathlib import Path

import click

from releve.adapters.apprise import is_address
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.structure_cli import find_structure
from releve.apps.server.told_facts import told
from releve.apps.server.written import NotOfFormError, read_written
from releve.assist.rota import Watch, covered_share, holes, plan
from releve.flow.server.assist.escalating import zone_on_call
from releve.flow.server.assist.rotas import RotaError, check, keep
from releve.model.errors import ReleveError
from releve.model.help import Rota


class RotaFileError(ReleveError):
    """The file does not say who is on call."""

    status = 56
    remedy = "Start from `releve desk rota template`, which explains each line."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be used: {why}")


class NobodyOnCallError(ReleveError):
    """The structure was never told who is on call."""

    status = 57
    remedy = "Write a file from `releve desk rota template`, then `releve desk rota set FILE --structure NAME`."

    def __init__(self, structure: str) -> None:
        super().__init__(f"Nobody is on call for {structure}: it has no rota.")


class RotaHolesError(ReleveError):
    """At some time in the days asked about nobody would be rung."""

    status = 60
    remedy = "Put somebody on call at those times, then `releve desk rota set FILE --structure NAME` again."

    def __init__(self, structure: str, count: int) -> None:
        super().__init__(f"{count} times without anybody on call for {structure}.")


_days = click.option("--days", type=click.IntRange(1, 366), default=14, show_default=True)


@click.group()
def rota() -> None:
    """Qui est d'astreinte, quand, par quels moyens / who is on call, when, and how to reach them."""


@rota.command()
def template() -> None:
    """Un fichier à remplir, expliqué / a file to fill in, explained. Nothing else is read or made."""
    click.echo(files("releve.apps.server").joinpath("rota.toml").read_text(), nl=False)


@rota.command("set")
@home_option
@db_option
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@structure_option
@json_option
def set_(home: Path, db: str, path: Path, structure: str, as_json: bool) -> None:
    """Donner la liste ; elle remplace l'ancienne / give the rota; it replaces the old one."""
    store, now = open_store(Home(home), db), SystemClock().now()
    known, given = find_structure(store, structure), _read(path)
    keep(store, known.id, given, actor="admin", now=now)
    facts = {
        "structure": known.id,
        "people": len(given.people),
        "shifts": len(given.shifts),
        "holes_14_days": len(holes(_watches(store, structure, 14)[1])),
    }
    said = told({**facts, "structure": known.name})
    click.echo(json.dumps(facts) if as_json else "\n".join(said))


@rota.command()
@home_option
@db_option
@structure_option
@_days
@json_option
def show(home: Path, db: str, structure: str, days: int, as_json: bool) -> None:
    """Qui sera appelé, dans l'ordre, jour par jour / who will be rung, in order. No address is shown."""
    known, watches = _watches(open_store(Home(home), db), structure, days)
    if as_json:
        people = [
            {"id": p.id, "name": p.name, "by": [c.name for c in p.channels]} for p in known.people
        ]
        rows = [_facts(watch) for watch in watches]
        click.echo(json.dumps({"people": people, "watches": rows}))
        return
    for watch in watches:
        names = ", ".join(person.name for person in watch.people) or "personne / nobody"
        click.echo(f"{watch.since:%Y-%m-%d %H:%M}  {watch.until:%Y-%m-%d %H:%M}  {names}")


@rota.command("holes")
@home_option
@db_option
@structure_option
@_days
@json_option
def holes_(home: Path, db: str, structure: str, days: int, as_json: bool) -> None:
    """Les moments où personne ne serait appelé / times with nobody on call. For a daily job."""
    _, watches = _watches(open_store(Home(home), db), structure, days)
    found = [watch for watch in watches if not watch.people]
    share = round(covered_share(holes(watches), days), 6)
    if as_json:
        click.echo(json.dumps({"holes": [_facts(w) for w in found], "covered": share}))
    else:
        for watch in found:
            click.echo(f"{watch.since:%Y-%m-%d %H:%M}  {watch.until:%Y-%m-%d %H:%M}")
    if found:
        raise RotaHolesError(structure, len(found))


def _read(path: Path) -> Rota:
    """Raises: UsageError, RotaFileError; it names no address."""
    try:
        given = read_written(path, Rota, "releve desk rota template")
        check(given)
    except (NotOfFormError, RotaError) as error:
        raise RotaFileError(path, str(error)) from error
    if why := unknown_address(given):
        raise RotaFileError(path, why)
    return given


def unknown_address(rota: Rota) -> str:
    """Where an address is that no gateway knows; empty when all are good. It names no address."""
    for person in rota.people:
        for channel in person.channels:
            if not is_address(channel.url):
                return f"people.{person.id}.{channel.name}: Apprise does not know such an address"
    return ""


def _watches(store: SqlStore, structure: str, days: int) -> tuple[Rota, tuple[Watch, ...]]:
    """In the structure's own time."""
    with store.unit(find_structure(store, structure).id, writes=False) as unit:
        known = unit.rota()
        if known is None:
            raise NobodyOnCallError(structure)
        zone = zone_on_call(unit, known)
    now = SystemClock().now()
    return known, tuple(
        Watch(since=w.since.astimezone(zone), until=w.until.astimezone(zone), people=w.people)
        for w in plan(known, now, days, zone)
    )


def _facts(watch: Watch) -> dict[str, object]:
    return {
        "since": watch.since.isoformat(timespec="minutes"),
        "until": watch.until.isoformat(timespec="minutes"),
        "people": [person.id for person in watch.people],
    }
