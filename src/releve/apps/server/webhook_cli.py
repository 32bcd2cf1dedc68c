"""`releve server webhook`: add, list, test, remove. Where a structure's tools are told what happens."""

import json
import secrets
import time
from pathlib import Path
from urllib.parse import urlsplit

import click

from releve.adapters.http.addresses import needs_leave
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock, new_id
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.structure_cli import find_structure, structures_meant
from releve.flow.server.ports import Structure
from releve.flow.server.tools import signing, webhooks
from releve.model.errors import ReleveError, UsageError
from releve.model.webhook import EVENT_TYPES, Delivery, Webhook

_LOOK_AGAIN_SECONDS = 0.5
_NEEDS_LEAVE = (
    "Adresse en http ou d'un réseau intérieur : rien n'y part sans `releve server run"
    " --webhook-network RÉSEAU` / plain http or an inner network: nothing is sent there without it."
)


class WebhookUnknownError(ReleveError):
    """The structure has no such webhook."""

    status = 82
    remedy = "See `releve server webhook list`."

    def __init__(self, webhook: str) -> None:
        super().__init__(f"There is no webhook {webhook} in this structure.")


_REASONS = {
    "name": "the name of its address is not known",
    "address": "its address leads into an inner network",
    "tls": "its certificate is not to be trusted",
    "unreachable": "nobody answers there",
    "time": "no answer in time",
}


class WebhookNotTakenError(ReleveError):
    """The message did not reach its receiver, or was not taken."""

    status = 83
    remedy = (
        "Start the server if it does not run. An inner network is allowed with"
        " `releve server run --webhook-network`. Else see docs/api.md."
    )

    def __init__(self, why: str) -> None:
        super().__init__(f"The message was not taken ({_REASONS.get(why, why) or 'not sent yet'}).")


@click.group()
def webhook() -> None:
    """Prévenir des outils / tell tools what happens, signed (Standard Webhooks)."""


@webhook.command()
@home_option
@db_option
@structure_option
@click.option("--event", "events", multiple=True, type=click.Choice(EVENT_TYPES), help="All else.")
@click.argument("url")
@json_option
def add(
    home: Path, db: str, structure: str, events: tuple[str, ...], url: str, as_json: bool
) -> None:
    """Prévenir URL de ce qui arrive ; la clé est dite cette fois / tell URL; its key is told this once.

    Example: releve server webhook add https://outils.exemple.fr/releve --structure "Cabinet du Parc"
    """
    store, now, key = open_store(Home(home), db), SystemClock().now(), secrets.token_bytes(32)
    wanted = Webhook(id=new_id(), url=url, events=events, made_by="admin", made_at=now, after=0)
    try:
        with store.unit(find_structure(store, structure).id) as unit:
            made = webhooks.add(unit, wanted, key)
    except webhooks.WebhookRefused as refused:
        raise UsageError(_REFUSED[refused.why]) from refused
    parts = urlsplit(url)
    if needs_leave(parts.scheme, parts.hostname or ""):
        click.echo(_NEEDS_LEAVE, err=True)
    facts = {"id": made.id, "url": made.url, "secret": signing.told_key(key)}
    if not as_json:
        click.echo(
            "Identifiant, puis clé, dite cette fois / id, then key, told this once:", err=True
        )
    click.echo(json.dumps(facts) if as_json else f"{made.id}\n{facts['secret']}")


@webhook.command("list")
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@json_option
def list_(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Les adresses prévenues, et si elles répondent / addresses that are told, and whether they answer."""
    store = open_store(Home(home), db)
    for known in structures_meant(store, structure):
        with store.unit(known.id, writes=False) as unit:
            found = unit.webhooks()
        for one in found:
            _say(known, one, as_json=as_json)


@webhook.command()
@home_option
@db_option
@structure_option
@click.option("--wait", default=20.0, show_default=True, help="Seconds for the server to send it.")
@click.argument("webhook_id", metavar="WEBHOOK")
@json_option
def test(home: Path, db: str, structure: str, wait: float, webhook_id: str, as_json: bool) -> None:
    """Envoyer un message d'essai par le serveur / have the server send a message that says nothing.

    A webhook that was disabled is tried again from here on.
    """
    store, now = open_store(Home(home), db), SystemClock().now()
    known = find_structure(store, structure)
    with store.unit(known.id) as unit:
        sent = webhooks.test(unit, webhook_id, actor="admin", identity=new_id(), now=now)
    if sent is None:
        raise WebhookUnknownError(webhook_id)
    ended = _outcome(store, known.id, sent, wait)
    if ended.taken_at is None:
        raise WebhookNotTakenError(ended.why)
    facts = {"id": ended.id, "taken_at": ended.taken_at.isoformat()}
    click.echo(json.dumps(facts) if as_json else f"pris / taken {facts['taken_at']}")


@webhook.command()
@home_option
@db_option
@structure_option
@click.argument("webhook_id", metavar="WEBHOOK")
@json_option
def remove(home: Path, db: str, structure: str, webhook_id: str, as_json: bool) -> None:
    """Ne plus prévenir / tell this address no more; messages that wait go with it."""
    store, now = open_store(Home(home), db), SystemClock().now()
    with store.unit(find_structure(store, structure).id) as unit:
        if not webhooks.remove(unit, webhook_id, actor="admin", now=now):
            raise WebhookUnknownError(webhook_id)
    click.echo(json.dumps({"removed": webhook_id}) if as_json else webhook_id)


_REFUSED = {
    "url": "URL begins with https:// (http:// only in networks that the server allows).",
    "events": f"Events are {', '.join(EVENT_TYPES)}.",
    "many": f"A structure has at most {webhooks.MOST} webhooks.",
}


_WHYS = {
    "name": "nom inconnu / name unknown",
    "address": "réseau intérieur / inner network",
    "tls": "connexion non sûre / connection not trusted",
    "unreachable": "ne répond pas / does not answer",
    "time": "pas de réponse à temps / no answer in time",
}


def _outcome(store: SqlStore, structure: str, sent: Delivery, wait: float) -> Delivery:
    """Of the first try, if the server makes it in time."""
    until = time.monotonic() + wait
    while True:
        with store.unit(structure, writes=False) as unit:
            found = unit.delivery(sent.id)
        if found is None or found.tries or time.monotonic() >= until:
            return found or sent
        time.sleep(_LOOK_AGAIN_SECONDS)


def _say(structure: Structure, one: Webhook, *, as_json: bool) -> None:
    facts = {
        "id": one.id,
        "structure": structure.name,
        "url": one.url,
        "events": list(one.events),
        "last_good_at": one.last_good_at.isoformat() if one.last_good_at else None,
        "failing_since": one.failing_since.isoformat() if one.failing_since else None,
        "why": one.why,
        "disabled_at": one.disabled_at.isoformat() if one.disabled_at else None,
    }
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        well = (
            "répond / answers" if one.last_good_at else "aucun message pris encore / none taken yet"
        )
        state = _WHYS.get(one.why, one.why) or well
        if one.disabled_at:
            state = f"arrêté / disabled : {state}"
        click.echo(f"{one.id}  {structure.name}  {one.url}  {state}")
