"""Whom a command makes something for: a name that is not known makes a structure, and is told."""

import datetime as dt

import click

from releve.adapters.system import new_id
from releve.flow.server.enrol import ensure_structure
from releve.flow.server.ports import Store, Structure


def owner_of(store: Store, name: str, now: dt.datetime) -> tuple[Structure, bool]:
    """The structure of that name, and whether it was made just now: stderr says so."""
    identity = new_id()
    owner = ensure_structure(store, name, identity, now)
    is_new = owner.id == identity
    if is_new:
        click.echo(f"Nouvelle structure / new structure : {name}", err=True)
    return owner, is_new
