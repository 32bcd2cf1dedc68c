"""`releve server vault`: which vaults may tell this server of themselves, and the heads they sent."""

import json
import secrets
from pathlib import Path

import click

from releve.adapters.own_key import public_key_of
from releve.adapters.system import SystemClock, new_id
from releve.apps.server.home import Home
from releve.apps.server.opening import make_store, open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.owner import owner_of
from releve.flow.server import vault_tokens, vaults
from releve.flow.server.ports import Store
from releve.flow.vault.names import is_word
from releve.model.errors import ReleveError, UsageError
from releve.model.standing import EnrolledVault
from releve.triage.vaults import is_silent

_LONGEST_NAME = 100


class VaultTakenError(ReleveError):
    """One name, one vault."""

    status = 55
    remedy = "Choose another name, or remove the old one: `releve server vault remove`."

    def __init__(self, name: str) -> None:
        super().__init__(f"The structure has a vault named {name} already.")


class VaultNotEnrolledError(ReleveError):
    """The structure has no such vault."""

    status = 56
    remedy = "See `releve server vault list`."

    def __init__(self, name: str) -> None:
        super().__init__(f"No vault is named {name}.")


@click.group()
def vault() -> None:
    """Coffres / vaults that tell this server of themselves."""


@vault.command()
@home_option
@db_option
@click.argument("name")
@click.option("--structure", required=True, help="The structure's name; made when it is new.")
@click.option(
    "--public-key",
    required=True,
    help="What `releve vault init` printed, or the vault's file head.pub.",
)
@click.option(
    "--within",
    default="",
    help="The structure's name on the vault; needed when it keeps several. Default: of its first standing.",
)
@json_option
def add(
    home: Path, db: str, name: str, structure: str, public_key: str, within: str, as_json: bool
) -> None:
    """Inscrire un coffre : son jeton est dit une fois / enrol a vault: its token is told once.

    Heads, notices and standings come with the token; what is not signed with the vault's key is an alarm.
    Put the token into a file on the vault, then: releve vault init --server-url ... --server-token-file FILE

    Example: releve server vault add coffre --structure "Cabinet du Parc" --public-key head.pub
    """
    store, now = make_store(Home(home), db), SystemClock().now()
    if not 0 < len(name) <= _LONGEST_NAME:
        raise UsageError(f"NAME has 1 to {_LONGEST_NAME} characters.")
    key = _key(public_key)
    _check_place(store, structure, key, within)
    owner, _ = owner_of(store, structure, now)
    token = vault_tokens.new_token(Home(home).signing_key(), lambda: secrets.token_bytes(32))
    made = EnrolledVault(
        id=new_id(),
        structure=owner.id,
        name=name,
        public_key=key,
        within=within,
        enrolled_at=now,
    )
    if not vaults.enrol(store, made, token, now, "admin"):
        raise VaultTakenError(name)
    facts = {"vault": made.id, "name": name, "structure": owner.id, "token": token}
    click.echo(json.dumps(facts) if as_json else token)


@vault.command("list")
@home_option
@db_option
@json_option
def list_(home: Path, db: str, as_json: bool) -> None:
    """Les coffres inscrits, et leur dernière tête / enrolled vaults, and their last head.

    Example: releve server vault list --json
    """
    store, now = open_store(Home(home), db), SystemClock().now()
    for structure in store.structures():
        with store.unit(structure.id, writes=False) as unit:
            known = unit.vaults()
        for one in known:
            facts = {
                "vault": one.id,
                "name": one.name,
                "structure": structure.name,
                "seq": one.head.seq if one.head else None,
                "head_at": one.head.received_at.isoformat() if one.head else None,
                "silent": is_silent(one, now),
                "broken": one.broken,
                "removed": one.removed_at is not None,
            }
            state = "removed" if one.removed_at else one.broken
            state = state or ("silent" if facts["silent"] else "ok")
            words = f"{structure.name}  {one.name}  {facts['seq']}  {facts['head_at']}  {state}"
            click.echo(json.dumps(facts) if as_json else words)


@vault.command()
@home_option
@db_option
@click.argument("name")
@click.option("--structure", required=True)
@json_option
def remove(home: Path, db: str, name: str, structure: str, as_json: bool) -> None:
    """Retirer un coffre : son jeton ne vaut plus rien / its token is worth nothing from now on.

    Its heads and findings stay. Example: releve server vault remove coffre --structure "Cabinet du Parc"
    """
    store = open_store(Home(home), db)
    owner = _structure(store, structure, name)
    if not vaults.remove(store, owner, name, SystemClock().now(), "admin"):
        raise VaultNotEnrolledError(name)
    click.echo(json.dumps({"removed": name}) if as_json else name)


@vault.command()
@home_option
@db_option
@click.argument("name")
@click.option("--structure", required=True)
@click.option("--most", default=100_000, show_default=True, help="The newest so many.")
def heads(home: Path, db: str, name: str, structure: str, most: int) -> None:
    """Les têtes signées, gardées ici, une par ligne / the signed heads that are kept here.

    On the vault they prove that nothing was removed since: releve vault head --check FILE

    Example: releve server vault heads coffre --structure "Cabinet du Parc" > tetes.jsonl
    """
    store = open_store(Home(home), db)
    with store.unit(_structure(store, structure, name), writes=False) as unit:
        found = [one for one in unit.vaults() if one.name == name]
        if not found:
            raise VaultNotEnrolledError(name)
        # One that was removed and enrolled again has two lives; the newest is asked for.
        newest = max(found, key=lambda one: one.enrolled_at)
        for head in reversed(unit.vault_heads(newest.id, most=most)):
            click.echo(head.signed.decode().strip())


def _structure(store: Store, name: str, vault_name: str) -> str:
    for structure in store.structures():
        if structure.name == name:
            return structure.id
    raise VaultNotEnrolledError(vault_name)


def _check_place(store: Store, structure: str, key: str, within: str) -> None:
    """What the vault says of another structure is not shown to this one. Raises: UsageError."""
    if within and not is_word(within):
        raise UsageError(
            "--within: a name of the vault's: a to z, digits, . _ -",
            "--within : un nom du coffre : a à z, chiffres, . _ -",
        )
    other = vaults.of_other(store, structure, key, within)
    if other and within:
        raise UsageError(
            f"--within: {within} is the place of {other}; `releve vault status` at the vault names them.",
            f"--within : {within} est la place de {other} ; au coffre, `releve vault status` les nomme.",
        )
    if other:
        raise UsageError(
            f"{other} is on this vault, too: say with --within who is who there.",
            f"{other} est aussi sur ce coffre : dire avec --within qui y est qui.",
        )


def _key(said: str) -> str:
    """A public key in hex, or the file that holds it."""
    try:
        return public_key_of(said)
    except (OSError, ValueError) as error:
        raise UsageError("--public-key: the vault's head.pub, or its 64 hex digits.") from error
