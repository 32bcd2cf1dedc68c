"""What the commands on legal clocks and dossiers share: which structure, which person, which moment."""

import datetime as dt
from pathlib import Path

import click

from releve.adapters.sql.store import SqlStore
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.structure_cli import find_structure
from releve.flow.server.obligations import DecisionIncompleteError
from releve.flow.server.ports import Unit
from releve.flow.server.profiles import zone_of
from releve.obligation.times import instant

by_option = click.option("--by", required=True, help="Who decides: a person's name.")


def opened(home: Path, db: str, name: str) -> tuple[SqlStore, str]:
    """The store and the structure's id. Raises: StructureUnknownError."""
    store = open_store(Home(home), db)
    return store, find_structure(store, name).id


def moment(unit: Unit, text: str) -> dt.datetime | None:
    """In the structure's own time; None for nothing. Raises: DecisionIncompleteError."""
    found = instant(text, zone_of(unit))
    if text and found is None:
        raise DecisionIncompleteError(f"{text} is no moment")
    return found
