"""`releve audit show`: the trail in the words of the console's page *Santé*."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import sqlalchemy as sa

from releve.adapters.content import forms, law, playbooks
from releve.adapters.sql.store import SqlStore
from releve.apps.cli.called import spoken
from releve.apps.console.trail_known import Around, Known, known
from releve.apps.console.trail_words import Content, TrailRow, row
from releve.apps.console.words import Words
from releve.apps.server.home import Home
from releve.apps.server.opening import open_to_look
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.printable import printable
from releve.flow.server.ports import AuditEntry, Structure


@click.command()
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@click.option("--most", default=100, show_default=True, help="The newest so many of each.")
@json_option
def show(home: Path, db: str, structure: str, most: int, as_json: bool) -> None:
    """Lire le journal, le plus récent d'abord / list the trail, newest first.

    In the words of the console's page Santé; with --json the entries as they are kept and signed.

    Example: releve audit show --structure "Cabinet du Parc" --most 20
    """
    store, t = open_to_look(Home(home), db), Words(spoken())
    for one in store.structures():
        if structure not in ("", one.name):
            continue
        with store.unit(one.id, writes=False) as unit:
            entries = unit.trail(most=most)
        if as_json:
            for entry in entries:
                facts = {"structure": one.name, **msgspec.to_builtins(entry)}
                click.echo(json.dumps(facts, ensure_ascii=False))
            continue
        content = Content(
            law=law(), forms=forms(), playbooks=playbooks(), known=_known(store, one, entries, t)
        )
        for entry in entries:
            click.echo(printable(_line(one, row(entry, content, t), t)))


def _known(store: SqlStore, one: Structure, entries: Sequence[AuditEntry], t: Words) -> Known:
    """None where the rows beside the trail cannot be read: it is shown all the same.

    A database that a version of before made is opened as it is, and may lack tables.
    """
    try:
        around = Around(structure_name=one.name, circles=store.circles())
        with store.unit(one.id, writes=False) as unit:
            return known(unit, entries, around, t)
    except (sa.exc.DBAPIError, msgspec.MsgspecError):
        return Known()


def _line(one: Structure, said: TrailRow, t: Words) -> str:
    entry = said.entry
    about = " · ".join(filter(None, (str(said.object), said.about)))
    at = t.moment(entry.at).striptags()
    words = (one.name, str(entry.number), at, str(said.actor), about, said.verb or entry.verb)
    return "  ".join((*words, said.detail)).rstrip()
