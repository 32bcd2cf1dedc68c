"""`releve server glpi`: set, test, show, remove. A structure's own GLPI, which gets a ticket of each call."""

import datetime as dt
import json
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from releve.adapters.glpi import GlpiDesk
from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.structure_cli import find_structure
from releve.apps.web.listening import LOOPBACK
from releve.flow.server.ports import Structure
from releve.flow.server.ticket_ports import GlpiFailed
from releve.model.errors import ReleveError
from releve.model.ticket import Glpi, Mapping

_WHY = {
    "unreachable": "it cannot be reached",
    "tls": "its certificate is not trusted",
    "login": "it refuses the tokens, or this machine's address",
    "refused": "it answers what its API does not say",
    "gone": "there is no API at this address",
}


class GlpiFailedError(ReleveError):
    """GLPI does not do what is needed."""

    status = 67
    remedy = (
        "Check the address of apirest.php, both tokens and GLPI's API settings; then test again."
    )

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url}: {_WHY.get(why, why)}.")


class GlpiFileError(ReleveError):
    """The file does not describe a GLPI."""

    status = 70
    remedy = (
        "See docs/assistance.md for its lines: url, app_token_file, user_token_file, and [mapping]."
    )

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")


class GlpiMissingError(ReleveError):
    """No GLPI was set for this structure."""

    status = 71
    remedy = "Set one: `releve server glpi set FILE --structure NAME`."

    def __init__(self, structure: str) -> None:
        super().__init__(f"{structure} has no GLPI here.")


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    user_token_file: str
    app_token_file: str = ""
    ca_file: str = ""
    mapping: Mapping = Mapping()


@click.group()
def glpi() -> None:
    """Le GLPI d'une structure : un ticket par demande / a structure's GLPI: a ticket of each call."""


@glpi.command("set")
@home_option
@db_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@structure_option
@json_option
def set_(home: Path, db: str, file: Path, structure: str, as_json: bool) -> None:
    """Donner le GLPI d'une structure / name a structure's GLPI. It is tried first.

    Calls from now on become tickets; the tokens are sealed in the database, and shown nowhere.
    """
    store = open_store(Home(home), db)
    owner, now = find_structure(store, structure), SystemClock().now()
    wanted = _read(file, now)
    _try(wanted)
    with store.unit(owner.id) as unit:
        unit.put_glpi(wanted)
        unit.record(now, "admin", f"structure/{owner.id}", "set_glpi", wanted.url)
    _say(_facts(owner, wanted), as_json=as_json)


@glpi.command()
@home_option
@db_option
@structure_option
@json_option
def test(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Essayer / try: a session is opened and ended, nothing is made."""
    owner, known = _known(open_store(Home(home), db), structure)
    _try(known)
    _say(_facts(owner, known) | {"answers": True}, as_json=as_json)


@glpi.command()
@home_option
@db_option
@structure_option
@json_option
def show(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Ce qui est dit à GLPI, et ce qui attend / what is told to GLPI, and what waits."""
    store = open_store(Home(home), db)
    owner, known = _known(store, structure)
    with store.unit(owner.id, writes=False) as unit:
        tickets = unit.tickets()
    waiting = [{"request": t.request, "why": t.trouble} for t in tickets if t.trouble]
    facts = _facts(owner, known) | {
        "tickets": sum(t.number > 0 for t in tickets),
        "waiting": waiting,
    }
    _say(facts, as_json=as_json)


@glpi.command()
@home_option
@db_option
@structure_option
@json_option
def remove(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Ne plus rien lui dire / tell it nothing more. Its tickets stay there."""
    store = open_store(Home(home), db)
    owner, known = _known(store, structure)
    with store.unit(owner.id) as unit:
        unit.put_glpi(None)
        unit.record(SystemClock().now(), "admin", f"structure/{owner.id}", "remove_glpi", known.url)
    _say(_facts(owner, known) | {"removed": True}, as_json=as_json)


def _read(path: Path, now: dt.datetime) -> Glpi:
    """Raises: GlpiFileError."""
    try:
        told = msgspec.toml.decode(path.read_bytes(), type=_File)
        parts = urlsplit(told.url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise GlpiFileError(path, "url: https:// is wanted, for the tokens travel with it")
        beside = path.parent
        return Glpi(
            url=told.url,
            user_token=(beside / told.user_token_file).read_text("utf-8").strip(),
            app_token=(beside / told.app_token_file).read_text("utf-8").strip()
            if told.app_token_file
            else "",
            authority=(beside / told.ca_file).read_text("utf-8") if told.ca_file else "",
            mapping=told.mapping,
            since=now,
        )
    except (msgspec.DecodeError, OSError, ValueError) as error:
        raise GlpiFileError(path, str(error)) from error


def _known(store: SqlStore, name: str) -> tuple[Structure, Glpi]:
    owner = find_structure(store, name)
    with store.unit(owner.id, writes=False) as unit:
        known = unit.glpi()
    if known is None:
        raise GlpiMissingError(name)
    return owner, known


def _try(wanted: Glpi) -> None:
    try:
        GlpiDesk(wanted).close()
    except GlpiFailed as failed:
        raise GlpiFailedError(wanted.url, failed.why) from failed


def _facts(owner: Structure, known: Glpi) -> dict[str, object]:
    return {
        "structure": owner.name,
        "url": known.url,
        "mapping": msgspec.to_builtins(known.mapping),
    }


def _say(facts: dict[str, object], *, as_json: bool) -> None:
    lines = "\n".join(f"{name}: {value}" for name, value in facts.items())
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else lines)
