"""`releve host`: list, show, would-stop; orders are in their module. As the cards on the console tell it."""

import datetime as dt
from pathlib import Path

import click
import msgspec

from releve.apps.console.views import HostView, host_view, names_of
from releve.apps.server.case_options import case_options, desk
from releve.apps.server.host_lines import SEEN, card, row, would_line
from releve.apps.server.host_options import find_host
from releve.apps.server.host_order_cli import order
from releve.apps.server.printable import printable
from releve.flow.server import would_stop
from releve.flow.server.ports import Unit
from releve.model.errors import UsageError
from releve.model.finding import Finding
from releve.model.host import Host

_FINDINGS = 1000


@click.group()
def host() -> None:
    """Les postes d'une structure : les voir, agir / hosts: look at them, and act on them."""


@host.command("list")
@case_options
def list_(home: Path, db: str, structure: str, *, as_json: bool) -> None:
    """Tous les postes : gardien, dernières nouvelles, sauvegarde / all hosts: guard, news, backup.

    Example: releve host list --structure "Cabinet du Parc" --json
    """
    at = desk(home, db, structure)
    with at.unit(writes=False) as unit:
        views = [_view(unit, one, at.now) for one in unit.hosts()]
    if as_json:
        told = {"structure": at.structure, "hosts": [facts(view) for view in views]}
        click.echo(msgspec.json.encode(told).decode())
        return
    for view in views:
        click.echo(printable(row(view, at.now)))


@host.command()
@case_options
@click.argument("name", metavar="HOST")
def show(home: Path, db: str, structure: str, name: str, *, as_json: bool) -> None:
    """Tout d'un poste / all of one: guard, isolation, backup, drill, key sheet, folders.

    HOST is its name, or its id.

    Example: releve host show serveur --structure "Cabinet du Parc"
    """
    at = desk(home, db, structure)
    with at.unit(writes=False) as unit:
        view = _view(unit, find_host(unit, name), at.now)
    if as_json:
        click.echo(msgspec.json.encode(facts(view)).decode())
        return
    for line in card(view, at.now):
        click.echo(printable(line))


@host.command("would-stop")
@case_options
@click.option("--seen", is_flag=True, help="Tout est vu : la liste se vide / all was looked at.")
@click.option("--by", default="", help="Avec --seen : qui l'a regardée / who looked at it.")
def would_stop_(home: Path, db: str, structure: str, *, seen: bool, by: str, as_json: bool) -> None:
    """Mode observation : ce qui aurait été arrêté / watch mode: what would have been stopped.

    Newest first, what nobody has reviewed yet. Look whether it is wanted work before protection is
    switched on; `--seen --by NAME` says so of all of it, and the trail keeps who did.

    Example: releve host would-stop --structure "Cabinet du Parc" --seen --by Claire
    """
    if seen and not by.strip():
        raise UsageError("--seen needs --by NAME.", "--seen demande --by NOM")
    at = desk(home, db, structure)
    with at.unit(writes=seen) as unit:
        found = unit.findings(would_stop.KIND, most=_FINDINGS)
        names = names_of(unit)
        reviewed = would_stop.review(unit, actor=by.strip(), now=at.now) if seen else 0
    if as_json:
        told = {"findings": [_finding(one, names) for one in found], "reviewed": reviewed}
        click.echo(msgspec.json.encode(told).decode())
        return
    for one in found:
        click.echo(printable(would_line(one, names)))
    if seen:
        click.echo(f"{SEEN} : {reviewed}")


host.add_command(order)


def facts(view: HostView) -> dict[str, object]:
    """What the card shows, and the host's own state whole."""
    told: dict[str, object] = {
        "host": view.host.id,
        "name": view.host.name,
        "mood": view.mood,
        "care": view.care,
        "care_role": view.host.care_role,
        "last_seen_at": view.host.last_seen_at,
        "isolation": view.isolation,
        "held_bytes": view.held_bytes,
        "saves": view.saves,
        "worst_p99_ms": view.worst_p99_ms,
        "enrolled_at": view.host.enrolled_at,
        "state": view.host.state,
    }
    return {name: msgspec.to_builtins(value) for name, value in told.items()}


def _finding(one: Finding, names: dict[str, str]) -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(one)
    return {**told, "name": names.get(one.host, "")}


def _view(unit: Unit, one: Host, now: dt.datetime) -> HostView:
    profile = unit.profile()
    return host_view(one, now, profile.services if profile else ())
