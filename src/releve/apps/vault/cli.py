"""`releve vault`: make it, serve it, credentials, receipts, views, scrub."""

import asyncio
import hashlib
import json
import secrets
import socket
import sys

import click

from releve.adapters.system import log_to_stderr
from releve.adapters.vault.layout import DEFAULT, ENVIRONMENT, Config, Layout
from releve.apps.vault.wiring import Running, Vault
from releve.model.vault import Credential, CredentialKind, Limits

_data = click.option(
    "--data", default=DEFAULT, show_default=True, envvar=ENVIRONMENT, help="Dossier du coffre."
)
_json = click.option("--json", "as_json", is_flag=True, help="Un objet JSON par ligne.")


@click.group()
def vault() -> None:
    """Le coffre : recevoir, ne jamais effacer, prouver / the vault: receive, never erase, prove."""
    log_to_stderr()


@vault.command()
@_data
@click.option("--name", default=socket.gethostname, help="Nom du coffre.")
@_json
def init(data: str, name: str, *, as_json: bool) -> None:
    """Créer le coffre. À refaire sans risque / make the vault; harmless when it is there."""
    layout = Layout(data)
    layout.make()
    if not layout.config_file.exists():
        layout.save_config(Config(name=name))
    layout.key()
    Vault(data)
    click.echo(json.dumps({"event": "init", "data": data}) if as_json else f"Coffre : {data}")


@vault.command()
@_data
@click.option("--listen", default="127.0.0.1:8440", show_default=True)
@click.option("--certificate", default="")
@_json
def serve(data: str, listen: str, certificate: str, *, as_json: bool) -> None:
    """Ouvrir la porte du coffre jusqu'à SIGTERM / serve until SIGTERM."""
    host, _, port = listen.rpartition(":")
    opened = Vault(data)
    healed = opened.heal()
    with socket.create_server((host, int(port)), backlog=512) as listener:
        url = f"http{'s' if certificate else ''}://{host}:{listener.getsockname()[1]}/"
        if as_json:
            click.echo(json.dumps({"event": "serving", "url": url, "found": healed.receipted}))
        else:
            click.echo(f"Coffre : {url}")
        sys.stdout.flush()
        asyncio.run(Running(opened).serve(listener, certificate))


@vault.group()
def credential() -> None:
    """Droits d'accès / credentials."""


@credential.command("add")
@_data
@click.argument("name")
@click.option("--structure", required=True)
@click.option("--host", required=True)
@_json
def credential_add(data: str, name: str, structure: str, host: str, *, as_json: bool) -> None:
    """Un droit de dépôt pour une machine / an ingest credential for one host."""
    opened = Vault(data)
    secret = secrets.token_urlsafe(32)
    opened.credentials.put(
        name,
        Credential(
            id=name,
            kind=CredentialKind.INGEST,
            structure=structure,
            host=host,
            secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            made_ns=opened.clock.now_ns(),
            limits=Limits(read_bytes_per_day=256 << 20),
        ),
    )
    click.echo(json.dumps({"credential": name, "secret": secret}) if as_json else secret)
