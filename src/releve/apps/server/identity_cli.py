"""`releve server identity`: the services (OpenID Connect) that people may sign in by."""

import json
import re
from pathlib import Path
from typing import Any, TextIO

import anyio
import click
import msgspec

from releve.adapters.content import identity_presets
from releve.adapters.http.client import check_url
from releve.adapters.http.identity import HttpProviders
from releve.adapters.system import SystemClock
from releve.apps.server.break_glass_cli import LoginUnknownError
from releve.apps.server.home import Home
from releve.apps.server.identity_errors import (
    ProviderTakenError,
    ProviderUnusableError,
    known_provider,
)
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.structure_cli import find_structure
from releve.flow.server.identity import links
from releve.flow.server.identity.discovery import Discovery, Metadata, shortcomings
from releve.flow.server.identity_ports import ProviderFailedError
from releve.model.identity import Preset, Provider

_DISCOVERY = "/.well-known/openid-configuration"
_SCOPES = ("openid", "email")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_secret = click.option(
    "--secret-file", type=click.File(), default="-", help="Of the client; one line, - is stdin."
)


@click.group()
def identity() -> None:
    """Entrer par un service d'identité / sign in by an identity service (OpenID Connect)."""


@identity.command()
@home_option
@db_option
@click.argument("name")
@click.option("--like", "kind", default="", help="A known one: `releve server identity known`.")
@click.option("--issuer", default="", help="Its https:// address, exactly as it says it itself.")
@click.option("--client-id", required=True)
@_secret
@click.option("--title", default="", help="What people read on the button.")
@click.option("--structure", default="", help="Only for the people of this structure.")
@click.option("--require-acr", "acr", multiple=True, help="One of these strengths must be said.")
@click.option("--require-amr", "amr", multiple=True, help="One of these means must be said.")
@click.option("--authority", type=click.File(), help="PEM of the authority of its certificate.")
@json_option
def add(  # noqa: PLR0913 - one argument per option
    home: Path,
    db: str,
    name: str,
    kind: str,
    issuer: str,
    client_id: str,
    secret_file: TextIO,
    title: str,
    structure: str,
    acr: tuple[str, ...],
    amr: tuple[str, ...],
    authority: TextIO | None,
    *,
    as_json: bool,
) -> None:
    """Ajouter un service d'identité / add one. Its secret is read from stdin or a file, and kept sealed.

    Without --require-acr or --require-amr it stands for the password only: the second factor is asked
    for here. People link their own account, or are invited: `releve server identity invite`.
    """
    preset = _preset(kind) if kind else None
    issuer = issuer or (preset.issuer if preset else "")
    if not issuer:
        raise click.UsageError("Say where it is: --issuer https://…")
    if not _NAME.fullmatch(name):
        raise click.UsageError("NAME is made of a-z, 0-9 and -: it is a part of an address.")
    check_url(issuer)
    secret = _read(secret_file)
    place = Home(home)
    store, now = open_store(place, db), SystemClock().now()
    if links.provider_named(store, name) is not None:
        raise ProviderTakenError(name)
    provider = Provider(
        name=name,
        title=title or (preset.title if preset else name),
        issuer=issuer,
        discovery=issuer.rstrip("/") + (preset.discovery if preset else _DISCOVERY),
        client_id=client_id,
        secret=secret,
        scopes=preset.scopes if preset else _SCOPES,
        structure=find_structure(store, structure).id if structure else "",
        require_acr=acr or (preset.require_acr if preset else ()),
        require_amr=amr,
        authority=authority.read() if authority is not None else "",
        added_at=now,
    )
    links.keep_provider(store, provider, actor="admin", now=now)
    facts = _facts(provider) | _addresses(place, provider)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    click.echo(f"{name}  {issuer}")
    click.echo(f"À déclarer là-bas / to register there: {facts['redirect_uri']}")
    click.echo(f"Déconnexion / back-channel logout: {facts['logout_uri']}")
    click.echo(f"Retour de sortie / post-logout redirect: {facts['post_logout_redirect_uri']}")


@identity.command()
@json_option
def known(as_json: bool) -> None:
    """Les services connus, et ce qui en a été essayé / known services, and what was tried of them."""
    for preset in identity_presets():
        facts = msgspec.to_builtins(preset)
        said = f"{preset.id}  {preset.issuer or '--issuer …'}\n  {preset.tried}\n  {preset.source}"
        click.echo(json.dumps(facts, ensure_ascii=False) if as_json else said)


@identity.command("list")
@home_option
@db_option
@json_option
def list_(home: Path, db: str, as_json: bool) -> None:
    """Les services d'identité, sans leurs secrets / identity services, without their secrets."""
    for provider in open_store(Home(home), db).providers():
        facts = _facts(provider)
        stands = "acr/amr" if provider.is_strong else "mot de passe / password"
        said = f"{provider.name}  {provider.title}  {provider.issuer}  ({stands})"
        click.echo(json.dumps(facts, ensure_ascii=False) if as_json else said)


@identity.command()
@home_option
@db_option
@click.argument("name")
@json_option
def test(home: Path, db: str, name: str, as_json: bool) -> None:
    """Demander ses métadonnées et ses clés / fetch its metadata and keys, and say what is wrong."""
    provider = known_provider(open_store(Home(home), db), name)
    discovery = Discovery(HttpProviders(), SystemClock())

    async def look() -> tuple[Metadata, int]:
        metadata = await discovery.metadata(provider)
        return metadata, await discovery.verified(provider, lambda keys: len(keys.keys))

    try:
        metadata, keys = anyio.run(look)
    except ProviderFailedError as error:
        raise ProviderUnusableError(name, str(error)) from error
    if found := shortcomings(metadata, provider):
        raise ProviderUnusableError(name, "; ".join(found))
    facts = {
        "name": name,
        "issuer": metadata.issuer,
        "keys": keys,
        "says_who_answers": metadata.authorization_response_iss_parameter_supported,
        "backchannel_logout": metadata.backchannel_logout_supported,
        "sign_out_there": bool(metadata.end_session_endpoint),
        "acr": list(metadata.acr_values_supported),
    }
    said = f"{name} : en ordre / in order. {metadata.issuer}, {keys} clé(s) / key(s)"
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else said)


@identity.command()
@home_option
@db_option
@click.argument("name")
@click.option("--login", required=True, help="Whose account here.")
@click.option("--email", required=True, help="As that service has verified it.")
@json_option
def invite(home: Path, db: str, name: str, login: str, email: str, as_json: bool) -> None:
    """Inviter une personne par son adresse là-bas / invite somebody by the e-mail known there.

    Good once, for seven days: whoever comes with this verified e-mail is linked to this login.
    """
    store, now = open_store(Home(home), db), SystemClock().now()
    provider, person = known_provider(store, name), store.person_by_login(login.strip())
    if person is None or provider.structure not in ("", person.structure):
        raise LoginUnknownError(login)
    until = links.invite(store, provider, person, email, actor="admin", now=now)
    facts = {"name": name, "login": person.login, "until": until.isoformat()}
    click.echo(
        json.dumps(facts) if as_json else f"{person.login}  {name}  {until:%Y-%m-%d %H:%M} UTC"
    )


@identity.command()
@home_option
@db_option
@click.argument("name")
@_secret
@json_option
def secret(home: Path, db: str, name: str, secret_file: TextIO, as_json: bool) -> None:
    """Changer le secret, les liens restent / change the secret; links stay."""
    store, now = open_store(Home(home), db), SystemClock().now()
    provider = msgspec.structs.replace(known_provider(store, name), secret=_read(secret_file))
    links.keep_provider(store, provider, actor="admin", now=now, verb="change_secret")
    click.echo(json.dumps({"name": name, "changed": True}) if as_json else name)


@identity.command()
@home_option
@db_option
@click.argument("name")
@json_option
def remove(home: Path, db: str, name: str, as_json: bool) -> None:
    """Le retirer, avec ses liens et ses sessions / remove it; its links and sessions end at once."""
    store, now = open_store(Home(home), db), SystemClock().now()
    provider = known_provider(store, name)
    links.forget_provider(store, provider, actor="admin", now=now)
    click.echo(json.dumps({"name": name, "removed": True}) if as_json else name)


def _read(secret_file: TextIO) -> str:
    secret = secret_file.readline().strip()
    if not secret:
        raise click.UsageError("The client's secret is empty: give it by stdin or --secret-file.")
    return secret


def _preset(kind: str) -> Preset:
    presets = {preset.id: preset for preset in identity_presets()}
    if kind not in presets:
        raise click.UsageError(f"--like takes one of: {', '.join(presets)}")
    return presets[kind]


def _addresses(place: Home, provider: Provider) -> dict[str, str]:
    """Of this server, as `releve server run` told it last."""
    url = place.token_url.read_text().strip() if place.token_url.exists() else "https://…"
    own = f"{url}/login/identity/{provider.name}"
    return {
        "redirect_uri": f"{own}/return",
        "logout_uri": f"{own}/ended",
        "post_logout_redirect_uri": f"{own}/left",
    }


def _facts(provider: Provider) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(provider)
    del facts["secret"], facts["authority"]
    return facts
