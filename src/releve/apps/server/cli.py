"""`releve server`: run, token create, setup-code; the other groups are in their modules."""

import datetime as dt
import json
import secrets
import sys
from contextlib import ExitStack
from pathlib import Path

import anyio
import click

from releve.adapters.authority import own_names
from releve.adapters.http.addresses import Network
from releve.adapters.loading import loading
from releve.adapters.sql.engine import only_server
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.server.api_token_cli import api_token
from releve.apps.server.break_glass_cli import break_glass
from releve.apps.server.glpi_cli import glpi
from releve.apps.server.grant_cli import grant
from releve.apps.server.home import Home
from releve.apps.server.identity_cli import identity
from releve.apps.server.mailbox_cli import mailbox
from releve.apps.server.opening import make_store, open_store, refuse_others
from releve.apps.server.options import db_option as _db
from releve.apps.server.options import home_option as _home
from releve.apps.server.options import json_option as _json
from releve.apps.server.options import networks_option
from releve.apps.server.owner import owner_of
from releve.apps.server.state_cli import backup, restore
from releve.apps.server.user_cli import user
from releve.apps.server.vault_cli import vault
from releve.apps.server.webhook_cli import webhook
from releve.apps.web.listening import LOOPBACK, PlainListenError, host_of, listener_on
from releve.flow.envelope import write_token
from releve.flow.server.enrol import make_token
from releve.flow.server.retention import KEEP_DAYS
from releve.model.token import EnrolmentToken


@click.group()
def server() -> None:
    """Le serveur et sa console / the server and its console."""
    log_to_stderr()


for command in (
    vault,
    user,
    grant,
    break_glass,
    glpi,
    mailbox,
    backup,
    restore,
    identity,
    api_token,
    webhook,
):
    server.add_command(command)


@server.command()
@_home
@_db
@click.option("--listen", default="127.0.0.1:8443", show_default=True, help="ADDRESS:PORT.")
@click.option("--tls/--no-tls", default=None, help="Default: TLS, but plain http on loopback.")
@click.option("--name", "names", multiple=True, help="A further name or address of this server.")
@click.option(
    "--url", default="", help="The address that agents are told. Default: the first name."
)
@click.option(
    "--keep-events",
    "keep_days",
    type=click.IntRange(0, 36500),
    default=KEEP_DAYS,
    show_default=True,
    envvar="RELEVE_KEEP_EVENTS",
    help="Days; 0: for ever. Events of open incidents always stay. (RELEVE_KEEP_EVENTS)",
)
@click.option(
    "--ship-heads",
    "ship_to",
    multiple=True,
    metavar="DIR|syslog",
    envvar="RELEVE_SHIP_HEADS",
    help="Where signed heads of the audit trail are kept outside this machine: a mounted folder,"
    " or syslog. (RELEVE_SHIP_HEADS)",
)
@networks_option
@_json
def run(
    home: Path,
    db: str,
    listen: str,
    tls: bool | None,
    names: tuple[str, ...],
    url: str,
    keep_days: int,
    ship_to: tuple[str, ...],
    networks: tuple[Network, ...],
    as_json: bool,
) -> None:
    """Servir jusqu'à SIGTERM / serve until SIGTERM. Prints its address on stdout."""
    with loading():
        from releve.adapters.audit_heads import place_of
        from releve.apps.server import wiring

    host = host_of(listen)
    is_secure = host not in LOOPBACK if tls is None else tls
    if not is_secure and host not in LOOPBACK:
        raise PlainListenError(listen)
    place = Home(home)
    refuse_others(place, db)
    place.make()
    with ExitStack() as stack:
        listener = stack.enter_context(listener_on(listen))
        port = listener.getsockname()[1]
        if not db:
            stack.enter_context(only_server(home))
        store = make_store(place, db)
        certificate = place.ensure_certificate((*own_names(host), *names)) if is_secure else None
        shown = names[0] if names else (host if host not in ("0.0.0.0", "::") else own_names("")[0])  # noqa: S104
        scheme = "https" if is_secure else "http"
        url = url or f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"
        place.token_url.write_text(url + "\n")
        code = "" if store.has_people() else place.make_setup_code()
        _say_start(url, code, place, as_json)
        keep = dt.timedelta(days=keep_days) if keep_days else None
        places = [place_of(words) for words in ship_to]
        with loading():
            app, context = wiring.build(
                place,
                store,
                is_secure=is_secure,
                url=url,
                keep=keep,
                places=places,
                networks=networks,
            )
        anyio.run(wiring.serve, app, context, listener, certificate)


def _say_start(url: str, code: str, place: Home, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"url": url, "setup_code": code, "home": str(place.path)}))
    else:
        click.echo(f"Console : {url}")
        if code:
            click.echo(f"Première mise en route, code / first start, code: {code}")
    sys.stdout.flush()


@server.group()
def token() -> None:
    """Jetons d'inscription / enrolment tokens."""


@token.command("create")
@_home
@_db
@click.option("--structure", required=True, help="The structure's name; made when it is new.")
@click.option("--url", default="", help="The address that the agent will use.")
@click.option("--hours", default=24.0, show_default=True, help="How long it is good.")
@_json
def token_create(
    home: Path, db: str, structure: str, url: str, hours: float, as_json: bool
) -> None:
    """Faire un jeton, bon une fois / make a token, good once. It is printed, and not kept.

    A name that no structure has makes one, and stderr says so (--json: new_structure).
    """
    place = Home(home)
    store, now = make_store(place, db), SystemClock().now()
    owner, is_new = owner_of(store, structure, now)
    secret = secrets.token_bytes(32)
    make_token(store, owner.id, secret, now, now + dt.timedelta(hours=hours))
    url = url or _told_url(place)
    text = write_token(
        EnrolmentToken(
            url=url,
            secret=secret,
            server_key=place.public_key(),
            ca_sha256=place.authority_digest() if url.startswith("https:") else b"",
        )
    )
    facts = {"token": text, "structure": owner.id, "new_structure": is_new, "url": url}
    click.echo(json.dumps(facts) if as_json else text)


def _told_url(place: Home) -> str:
    if place.token_url.exists():
        return place.token_url.read_text().strip()
    return "http://127.0.0.1:8443"


@server.command("setup-code")
@_home
@_db
def setup_code(home: Path, db: str) -> None:
    """Redire le code de première mise en route / say the first start's code again."""
    place = Home(home)
    code = "" if open_store(place, db).has_people() else place.make_setup_code()
    click.echo(code or "Mise en route déjà faite / already set up.")
