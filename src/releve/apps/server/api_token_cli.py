"""`releve server api-token`: add, list, revoke. Keys of tools to the API."""

import datetime as dt
import json
import secrets
from pathlib import Path

import click

from releve.adapters.system import SystemClock, new_id
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.structure_cli import find_structure, structures_meant
from releve.flow.server.ports import Structure
from releve.flow.server.tools import tokens
from releve.model.errors import ReleveError, UsageError
from releve.model.tool import ApiToken, Scope, UsedToken


class ApiTokenUnknownError(ReleveError):
    """The structure has no such token that is still good."""

    status = 81
    remedy = "See `releve server api-token list`."

    def __init__(self, token: str) -> None:
        super().__init__(f"There is no token {token} to revoke.")


@click.group("api-token")
def api_token() -> None:
    """Jetons des outils reliés / tokens of connected tools, for the API."""


@api_token.command()
@home_option
@db_option
@click.argument("name")
@click.option(
    "--structure", "structures", multiple=True, required=True, help="Its name; may be repeated."
)
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice([s.value for s in Scope])
)
@click.option(
    "--days",
    type=click.IntRange(1, tokens.LONGEST_LIFE.days),
    default=90,
    show_default=True,
    help="How long it is good.",
)
@json_option
def add(
    home: Path,
    db: str,
    name: str,
    structures: tuple[str, ...],
    scopes: tuple[str, ...],
    days: int,
    as_json: bool,
) -> None:
    """Faire un jeton pour l'outil NAME, dit cette fois / make a token for the tool NAME, told this once.

    Example: releve server api-token add "GLPI, tickets" --structure "Cabinet du Parc" --scope incidents:read
    """
    store, now = open_store(Home(home), db), SystemClock().now()
    known = [find_structure(store, structure) for structure in structures]
    token = ApiToken(
        id=new_id(),
        name=name.strip(),
        scopes=tuple(Scope(scope) for scope in dict.fromkeys(scopes)),
        made_by="admin",
        made_at=now,
        expires_at=now + dt.timedelta(days=days),
    )
    secret = tokens.new_token(lambda: secrets.token_bytes(32))
    try:
        tokens.make(store, [one.id for one in known], token, secret)
    except tokens.TokenRefused as error:
        raise UsageError(f"NAME has 1 to {tokens.LONGEST_NAME} characters.") from error
    facts = {"id": token.id, "token": secret, "expires_at": token.expires_at.isoformat()}
    click.echo(json.dumps(facts) if as_json else secret)


@api_token.command("list")
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@json_option
def list_(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Les jetons, et quand ils ont servi / tokens, and when they were last used."""
    store, now = open_store(Home(home), db), SystemClock().now()
    for known in structures_meant(store, structure):
        with store.unit(known.id, writes=False) as unit:
            found = unit.api_tokens()
        for one in found:
            _say(known, one, now, as_json=as_json)


@api_token.command()
@home_option
@db_option
@click.option("--structure", default="", help="Only there; everywhere else.")
@click.argument("token")
@json_option
def revoke(home: Path, db: str, structure: str, token: str, as_json: bool) -> None:
    """Fermer le jeton TOKEN (son id), tout de suite / end the token TOKEN (its id), at once."""
    store, now = open_store(Home(home), db), SystemClock().now()
    wanted = structures_meant(store, structure)
    ended = []
    for known in wanted:
        with store.unit(known.id) as unit:
            if tokens.revoke(unit, token, actor="admin", now=now) is not None:
                ended.append(known.name)
    if not ended:
        raise ApiTokenUnknownError(token)
    facts = {"id": token, "structures": ended}
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else "\n".join(ended))


def _say(structure: Structure, one: UsedToken, now: dt.datetime, *, as_json: bool) -> None:
    token = one.token
    facts = {
        "id": token.id,
        "structure": structure.name,
        "name": token.name,
        "scopes": list(token.scopes),
        "made_by": token.made_by,
        "expires_at": token.expires_at.isoformat(),
        "used_at": one.used_at.isoformat() if one.used_at else None,
        "revoked_at": token.revoked_at.isoformat() if token.revoked_at else None,
        "good": token.is_good(now),
    }
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        state = "ouvert / open" if facts["good"] else "fini / over"
        scopes = " ".join(token.scopes)
        end = f"{token.expires_at.astimezone():%Y-%m-%d}"
        used = f"{one.used_at.astimezone():%Y-%m-%d %H:%M %Z}" if one.used_at else "jamais / never"
        click.echo(
            f"{token.id}  {structure.name}  {token.name}  {scopes}  {state}"
            f"  jusqu'au / until {end}  a servi / used {used}"
        )
