"""`releve server user`: create, list, reset. Whoever is shut out is let in again from here."""

import json
from pathlib import Path
from typing import TextIO

import click
import msgspec

from releve.adapters.system import SystemClock, new_id
from releve.apps.server.grant_cli import person_named, role_option
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store, open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.owner import owner_of
from releve.apps.server.structure_cli import structures_meant
from releve.flow.server import access, own_means
from releve.flow.server.ports import Structure, Unit
from releve.flow.server.signin import LONGEST_PASSWORD, SHORTEST_PASSWORD, create_person
from releve.model.access import Grant, Role
from releve.model.errors import ReleveError

_password_option = click.option(
    "--password-file",
    type=click.File(),
    default="-",
    help="One line; - is stdin: a terminal is asked.",
)


class WeakPasswordError(ReleveError):
    """A short password is tried out in no time; one that is too long could not be typed at the door."""

    status = 52
    remedy = "Use a sentence."

    def __init__(self, length: int) -> None:
        bounds = f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
        super().__init__(f"The password has {length} characters; {bounds} are taken.")


class LoginTakenError(ReleveError):
    """One login, one person."""

    status = 51
    remedy = "Choose another login."

    def __init__(self, login: str) -> None:
        super().__init__(f"Somebody already signs in as {login}.")


@click.group()
def user() -> None:
    """Personnes / people who sign in."""


@user.command()
@home_option
@db_option
@click.option("--structure", required=True, help="The structure's name; made when it is new.")
@click.option("--login", required=True)
@role_option
@_password_option
@click.option("--show-totp", is_flag=True, help="Print the second factor's key and confirm it.")
@json_option
def create(
    home: Path,
    db: str,
    structure: str,
    login: str,
    role: str,
    password_file: TextIO,
    show_totp: bool,
    as_json: bool,
) -> None:
    """Créer un compte / make an account. Its second factor is set up at the first sign-in.

    With --show-totp the key is printed instead, for whoever sets the account up for another.
    """
    place = Home(home)
    store, now = make_store(place, db), SystemClock().now()
    password = _password_in(password_file)
    owner, _ = owner_of(store, structure, now)
    person = create_person(
        store, owner, login, password, new_id(), now, role=Role(role), actor="admin"
    )
    if person is None:
        raise LoginTakenError(login)
    if show_totp:
        with store.unit(owner.id) as unit:
            unit.put_person(msgspec.structs.replace(person, totp_confirmed=True))
    place.drop_setup_code()
    facts = {"structure": owner.id, "login": person.login, "role": role}
    if show_totp:
        facts["totp_secret"] = person.totp_secret
    told = f"{person.login}  {role}  {owner.name}"
    if show_totp:
        told += f"\nclé du second facteur / second factor's key: {person.totp_secret}"
    click.echo(json.dumps(facts) if as_json else told)


@user.command("list")
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@json_option
def list_(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Les comptes, et par quoi ils entrent / accounts, and what lets them in."""
    store = open_store(Home(home), db)
    for known in structures_meant(store, structure):
        with store.unit(known.id, writes=False) as unit:
            rows = [_facts(known, unit, grant) for grant in access.in_force(unit) if grant.is_home]
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))


@user.command()
@home_option
@db_option
@click.option("--login", required=True)
@_password_option
@click.option(
    "--second-factor",
    "second",
    is_flag=True,
    help="Phone lost: phone, recovery codes, passkeys and linked accounts go too.",
)
@json_option
def reset(
    home: Path, db: str, login: str, password_file: TextIO, second: bool, as_json: bool
) -> None:
    """Redonner l'accès : un nouveau mot de passe / let somebody in again: a new password.

    All sessions of the person end, in whatever structure they act. It is told in the audit trail.
    Printed emergency codes stay as they are: `releve server break-glass revoke`.

    Example: releve server user reset --login claire --second-factor
    """
    store, now = open_store(Home(home), db), SystemClock().now()
    person = person_named(store, login)
    password = _password_in(password_file)
    ended = own_means.reset(store, person, password, second=second, actor="admin", now=now)
    facts = {"login": person.login, "second_factor": second, "sessions_ended": ended}
    fresh = "un téléphone est à relier / a phone is to be linked" if second else ""
    told = f"{person.login}  {ended} sessions  {fresh}".strip()
    click.echo(json.dumps(facts) if as_json else told)


def _password_in(file: TextIO) -> str:
    """A person at a terminal is asked, twice and unseen. Raises: WeakPasswordError."""
    if file.isatty():
        what, twice = "Nouveau mot de passe / new password", "Encore / again"
        password: str = click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True)
    else:
        password = file.readline().rstrip("\n")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise WeakPasswordError(len(password))
    return password


def _facts(structure: Structure, unit: Unit, grant: Grant) -> dict[str, object]:
    person = unit.person(grant.person)
    return {
        "structure": structure.name,
        "login": grant.login,
        "role": grant.role.value,
        "second_factor": person is not None and person.totp_confirmed,
        "recovery_codes": len(person.recovery_hashes) if person else 0,
        "passkeys": len(unit.passkeys_of(grant.person)),
        "linked_accounts": len(unit.identities(person=grant.person)),
        "since": grant.at.isoformat(),
    }


def _line(row: dict[str, object]) -> str:
    second = "second facteur / second factor" if row["second_factor"] else "à relier / to be set up"
    means = f"{second}, {row['recovery_codes']} codes, {row['passkeys']} passkeys"
    means += f", {row['linked_accounts']} comptes reliés / linked accounts"
    return f"{row['structure']}  {row['login']}  {row['role']}  {means}"
