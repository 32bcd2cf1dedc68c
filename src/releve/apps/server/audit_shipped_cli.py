"""`releve audit shipped`: whether the signed heads get to where `releve server run --ship-heads` says."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from releve.adapters.system import SystemClock
from releve.apps.server.home import Home
from releve.apps.server.opening import open_to_look
from releve.apps.server.options import db_option, home_option, json_option
from releve.flow.server.shipping import as_known
from releve.model.audit import ShipFault, Shipment
from releve.model.errors import ReleveError


class HeadsNotShippedError(ReleveError):
    """Signed heads do not get to a place that `releve server run --ship-heads` names."""

    status = 102
    remedy = (
        "Remonter le disque, ou rendre le dossier inscriptible par le serveur : ce qui manque y va dans la"
        " minute. / Mount it again, or let the server's user write there: what is lacking goes there"
        " within the minute."
    )

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(
            f"Têtes non transmises / signed heads are not shipped: {', '.join(places)}."
        )


@click.command()
@home_option
@db_option
@json_option
def shipped(home: Path, db: str, as_json: bool) -> None:
    """Les têtes signées arrivent-elles hors du serveur / do signed heads get off the server?

    As the running server saw it in its last pass, each minute: by structure and place
    (`releve server run --ship-heads`), since when not, and why.

    Example: releve audit shipped --json
    """
    now = SystemClock().now()
    names = {one.id: one.name for one in open_to_look(Home(home), db).structures()}
    told = [as_known(one, now) for one in Home(home).shipments() if one.structure in names]
    for one in told:
        facts = {**msgspec.to_builtins(one), "name": names[one.structure]}
        line = f"{names[one.structure]}  {one.place}  {_shipped_words(one)}"
        click.echo(json.dumps(facts, ensure_ascii=False) if as_json else line)
    if not told and not as_json:
        click.echo("Aucun lieu / no place: releve server run --ship-heads DIR|syslog")
    if missed := sorted({one.place for one in told if one.why}):
        raise HeadsNotShippedError(missed)


_FAULTS: dict[ShipFault, str] = {
    "absent": "le dossier n'est pas là",
    "denied": "le dossier ne se laisse pas écrire",
    "full": "le disque est plein",
    "ahead": "il tient des têtes que ce journal n'a pas",
    "no_log": "aucun journal système ne tourne",
    "failed": "le système refuse ; voir le journal du serveur",
    "unseen": "personne n'a regardé depuis : le serveur ne tourne pas, ou le lieu ne répond plus",
}


def _shipped_words(one: Shipment) -> str:
    complete = "jamais" if one.complete_at is None else _local(one.complete_at)
    if not one.why or one.since is None:
        return f"complet, vérifié le {complete}"
    last = f"dernière fois complet : {complete}"
    if one.why == "unseen":
        return f"PAS VÉRIFIÉ depuis le {_local(one.since)} : {_FAULTS[one.why]}"
    return f"PAS TRANSMIS depuis le {_local(one.since)} : {_FAULTS[one.why]} ({last})"


def _local(at: dt.datetime) -> str:
    return at.astimezone().isoformat(" ", "seconds")
