"""What `releve incident` and `releve playbook` share: options, errors, and finding the incident."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock, new_id
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.structure_cli import find_structure
from releve.apps.server.told_facts import told
from releve.flow.server.casework import CaseError
from releve.flow.server.incidents import HandlingError, Word
from releve.flow.server.ordering import Doer
from releve.flow.server.ports import Unit
from releve.model.errors import ReleveError
from releve.model.incident import Incident
from releve.respond.playbooks import PlaybookError

F = TypeVar("F", bound=Callable[..., Any])


class IncidentNotFoundError(ReleveError):
    """The structure has no such incident."""

    status = 63
    remedy = "See `releve incident list --structure NAME`."

    def __init__(self, incident: str) -> None:
        super().__init__(f"There is no incident {incident} in this structure.")


class WordRefusedError(ReleveError):
    """What was asked makes no sense of this incident as it is."""

    status = 64
    remedy = "See `releve incident show ID`: what it is part of, its hosts, whether it is open."

    def __init__(self, why: str) -> None:
        super().__init__(f"Not done: {_REFUSED.get(why, why)}.")
        self.why = why


_REFUSED = {
    "reason": "a name and a reason are needed",
    "same": "an incident cannot be merged with itself",
    "merged": "it became part of another incident",
    "closed": "it is closed; reopen it first",
    "open": "it is open",
    "hosts": "it has no such hosts",
    "all": "one host at least must stay",
    "time": "the time lies before the first sign, or in the future",
    "not_resumed": "nobody said that this care goes on",
    "service": "it touches no such service of care",
    "step": "the playbook has no such step, or it is not of that kind",
    "nothing": "there is nothing to ask of the hosts for this step",
    "not_done": "this step was not done",
    "task": "there is no such task that waits",
    "empty": "a text is missing",
    "sha256": "this is no SHA-256",
    "evidence": "there is no such piece of evidence",
    "decision": "no such decision",
}


def case_options(command: F) -> F:
    """Structure, database and form of the answer."""
    named = click.option("--structure", "-s", required=True, help="Name of the structure.")
    return home_option(db_option(named(json_option(command))))


def said_options(command: F) -> F:
    """Who says so, and why."""
    by = click.option("--by", required=True, help="Qui le dit / who says so.")
    return by(click.option("--why", default="", help="Pourquoi / why.")(command))


class Desk(msgspec.Struct, frozen=True):
    """One command's store, structure and time."""

    store: SqlStore
    structure: str
    home: Home
    now: dt.datetime

    @contextmanager
    def unit(self, *, writes: bool = True) -> Iterator[Unit]:
        """Raises: WordRefusedError: what was asked makes no sense."""
        try:
            with self.store.unit(self.structure, writes=writes) as unit:
                yield unit
        except (HandlingError, CaseError, PlaybookError) as error:
            raise WordRefusedError(error.why) from error

    def word(self, by: str, why: str) -> Word:
        return Word(by=by, at=self.now, why=why, id=new_id())

    def doer(self, by: str) -> Doer:
        return Doer(by=by, at=self.now, key=self.home.signing_key(), new_id=new_id)


def desk(home: Path, db: str, structure: str) -> Desk:
    """Raises: StructureUnknownError."""
    place = Home(home)
    store = open_store(place, db)
    return Desk(store, find_structure(store, structure).id, place, SystemClock().now())


def known(unit: Unit, incident: str) -> Incident:
    """Raises: IncidentNotFoundError."""
    found = unit.incident(incident)
    if found is None:
        raise IncidentNotFoundError(incident)
    return found


def answer(facts: dict[str, object], *, as_json: bool) -> None:
    """One line of JSON, or a line a fact."""
    if as_json:
        click.echo(msgspec.json.encode(facts).decode())
        return
    for line in told(facts):
        click.echo(line)
