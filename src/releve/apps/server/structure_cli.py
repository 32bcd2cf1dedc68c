"""`releve structure`: template, set, show, posture. What a structure says of itself, as a TOML file."""

import json
from importlib.resources import files
from pathlib import Path

import click
import msgspec

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.cli.called import spoken
from releve.apps.console.words import Words
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.told_facts import told
from releve.apps.server.written import NotOfFormError, read_written
from releve.flow.server import profiles
from releve.flow.server.ports import Structure
from releve.model.errors import ReleveError
from releve.model.structure import Profile


class ProfileFileError(ReleveError):
    """The file does not describe a structure."""

    status = 41
    remedy = "Start from `releve structure template`, which explains each line."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be used: {why}")


class StructureUnknownError(ReleveError):
    """No structure of that name, or it has not said anything of itself."""

    status = 42
    remedy = (
        "See `releve structure list` for the names. A new structure is made by"
        " `releve server token create --structure NAME` or `releve onboard FILE`;"
        " then `releve structure set NAME FILE` says what it is."
    )

    def __init__(self, name: str) -> None:
        super().__init__(f"Nothing is known of the structure {name}.")


@click.group()
def structure() -> None:
    """Les structures : leur nature, leurs contacts, leurs soins, leurs données / structures."""
    log_to_stderr()


@structure.command()
def template() -> None:
    """Un fichier à remplir, expliqué / a file to fill in, explained. Nothing else is read or made."""
    click.echo(files("releve.apps.server").joinpath("structure.toml").read_text(), nl=False)


@structure.command("set")
@home_option
@db_option
@click.argument("name")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@json_option
def set_(home: Path, db: str, name: str, path: Path, as_json: bool) -> None:
    """Enregistrer ce que NAME dit d'elle-même / keep what NAME says of itself; it replaces the old."""
    profile = read_profile(path)
    store = open_store(Home(home), db)
    known = find_structure(store, name)
    profiles.put(store, known.id, profile, actor="admin", now=SystemClock().now())
    facts = {
        "structure": known.id,
        "kind": profile.kind.value,
        "contacts": len(profile.contacts),
        "services": len(profile.services),
        "data_sets": len(profile.data_map),
        "ring_on_attack": profile.ring_on_attack,
    }
    said = told({**facts, "structure": known.name})
    click.echo(json.dumps(facts) if as_json else "\n".join(said))


@structure.command()
@home_option
@db_option
@click.argument("name")
def show(home: Path, db: str, name: str) -> None:
    """Ce qui est enregistré, en JSON / what is kept, as JSON."""
    store = open_store(Home(home), db)
    with store.unit(find_structure(store, name).id, writes=False) as unit:
        profile = unit.profile()
    if profile is None:
        raise StructureUnknownError(name)
    click.echo(msgspec.json.format(msgspec.json.encode(profile), indent=2))


@structure.command()
@home_option
@db_option
@click.argument("name")
@json_option
def posture(home: Path, db: str, name: str, as_json: bool) -> None:
    """Jour après jour : incidents, gardiens, sauvegarde, essai / day by day, the worst of each.

    The last 90 days at most, newest first, by the structure's own clock; a day that is not there is one
    on which nothing was heard.

    Example: releve structure posture "Cabinet du Parc" --json
    """
    # Most commands import this module for a structure's name: the console's words are for this one.
    from releve.apps.console.posture_views import drawn
    from releve.apps.server.posture_lines import lines
    from releve.apps.server.printable import printable

    store = open_store(Home(home), db)
    known = find_structure(store, name)
    with store.unit(known.id, writes=False) as unit:
        view = drawn(unit, SystemClock().now())
    if as_json:
        facts = {
            "structure": known.id,
            "since": view.since,
            "until": view.until,
            "days": view.days,
            "lacks": view.lacks,
        }
        click.echo(msgspec.json.encode(facts).decode())
        return
    for line in lines(view, name):
        click.echo(printable(line))


@structure.command("list")
@home_option
@db_option
@json_option
def list_(home: Path, db: str, as_json: bool) -> None:
    """Toutes les structures, et leur nature / all structures, and their kind."""
    store = open_store(Home(home), db)
    for known in store.structures():
        with store.unit(known.id, writes=False) as unit:
            profile = unit.profile()
        facts = {"structure": known.id, "name": known.name, "kind": profile and profile.kind.value}
        kind = Words(spoken())(f"structure_kind.{profile.kind.value}") if profile else "-"
        click.echo(json.dumps(facts) if as_json else f"{known.name}  {kind}")


def read_profile(path: Path) -> Profile:
    """The file's profile. Raises: UsageError, ProfileFileError."""
    try:
        profile = read_written(path, Profile, "releve structure template")
        profiles.check(profile)
    except (NotOfFormError, profiles.ProfileError) as error:
        raise ProfileFileError(path, str(error)) from error
    return profile


def find_structure(store: SqlStore, name: str) -> Structure:
    """By name. Raises: StructureUnknownError."""
    for known in store.structures():
        if known.name == name:
            return known
    raise StructureUnknownError(name)


def structures_meant(store: SqlStore, name: str) -> list[Structure]:
    """The one of that name, or all of them when none is named. Raises: StructureUnknownError."""
    return [find_structure(store, name)] if name else store.structures()
