"""`releve server grant`: add, list, remove, admissions. Who may see a structure, as what, and who came in."""

import json
from pathlib import Path

import click

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.cli.called import spoken
from releve.apps.console.words import Words
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.printable import printable
from releve.apps.server.structure_cli import find_structure, structures_meant
from releve.flow.server import access
from releve.flow.server.ports import Person, Structure
from releve.model.access import Admission, Grant, Role
from releve.model.errors import ReleveError

role_option = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.LEAD.value,
    show_default=True,
    help="What the person may do in the structure: docs/access.md.",
)
_login = click.option("--login", required=True, help="Of a person of this or another structure.")


class PersonUnknownError(ReleveError):
    """Nobody signs in with this login."""

    status = 68
    remedy = "Make the account first: `releve server user create`."

    def __init__(self, login: str) -> None:
        super().__init__(f"Nobody signs in as {login}.")


class NothingGrantedError(ReleveError):
    """The person has no access to this structure that could end."""

    status = 69
    remedy = "See `releve server grant list`."

    def __init__(self, login: str, structure: str) -> None:
        super().__init__(f"Nothing is granted to {login} in {structure}.")


@click.group()
def grant() -> None:
    """Qui peut voir une structure / who may see a structure, and as what."""


@grant.command()
@home_option
@db_option
@structure_option
@_login
@role_option
@json_option
def add(home: Path, db: str, structure: str, login: str, role: str, as_json: bool) -> None:
    """Donner un rôle / give a role, in place of the one that the person had there.

    Example: releve server grant add --structure "Cabinet du Parc" --login olga --role operator
    """
    store = open_store(Home(home), db)
    known, person = find_structure(store, structure), person_named(store, login)
    with store.unit(known.id) as unit:
        given = access.give(unit, person, Role(role), actor="admin", now=SystemClock().now())
    _say(known, given, as_json=as_json)


@grant.command()
@home_option
@db_option
@structure_option
@_login
@json_option
def remove(home: Path, db: str, structure: str, login: str, as_json: bool) -> None:
    """Fermer l'accès, tout de suite / end access, at once."""
    store = open_store(Home(home), db)
    known, person = find_structure(store, structure), person_named(store, login)
    with store.unit(known.id) as unit:
        ended = access.end(unit, person.id, actor="admin", now=SystemClock().now())
    if ended is None:
        raise NothingGrantedError(login, structure)
    _say(known, ended, as_json=as_json)


@grant.command("list")
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@json_option
def list_(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Les accès en cours / the grants in force."""
    store = open_store(Home(home), db)
    for known in structures_meant(store, structure):
        with store.unit(known.id, writes=False) as unit:
            there = access.in_force(unit)
        for one in there:
            _say(known, one, as_json=as_json)


@grant.command()
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="The newest so many of each.",
)
@json_option
def admissions(home: Path, db: str, structure: str, most: int, as_json: bool) -> None:
    """Qui est entré, quand et pourquoi / who came in from elsewhere, when and why; newest first.

    As the structure reads it on its page of people. An operator gives a reason each time.

    Example: releve server grant admissions --structure "Cabinet du Parc"
    """
    store = open_store(Home(home), db)
    for known in structures_meant(store, structure):
        with store.unit(known.id, writes=False) as unit:
            came = unit.admissions(most=most)
        for one in came:
            click.echo(_as_facts(known, one) if as_json else _as_line(known, one))


def person_named(store: SqlStore, login: str) -> Person:
    """Raises: PersonUnknownError."""
    person = store.person_by_login(login.strip())
    if person is None:
        raise PersonUnknownError(login)
    return person


def _say(structure: Structure, given: Grant, *, as_json: bool) -> None:
    facts = {
        "structure": structure.name,
        "login": given.login,
        "role": given.role.value,
        "home": given.is_home,
        "since": given.at.isoformat(),
        "ended_at": given.ended_at.isoformat() if given.ended_at else None,
    }
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        ended = "  terminé / ended" if given.ended_at else ""
        click.echo(f"{structure.name}  {given.login}  {given.role.value}{ended}")


def _as_facts(structure: Structure, one: Admission) -> str:
    facts = {
        "structure": structure.name,
        "login": one.login,
        "role": one.role.value,
        "reason": one.reason,
        "since": one.since.isoformat(),
        "until": one.until.isoformat(),
    }
    return json.dumps(facts, ensure_ascii=False)


def _as_line(structure: Structure, one: Admission) -> str:
    t = Words(spoken())
    since, until = (t.moment(at).striptags() for at in (one.since, one.until))
    told = (structure.name, one.login, t(f"access_role.{one.role.value}"), f"{since} → {until}")
    return printable("  ".join((*told, one.reason or "—")))
