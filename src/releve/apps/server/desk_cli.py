"""`releve desk`: list, ack, close, phone, attacks. The operator's desk; the rota is in its module."""

import datetime as dt
import json
import secrets
from pathlib import Path

import click
import msgspec

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock, log_to_stderr
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.printable import printable
from releve.apps.server.rota_cli import rota
from releve.apps.server.structure_cli import StructureUnknownError, find_structure
from releve.assist.escalation import Acknowledged
from releve.flow.server import profiles
from releve.flow.server.assist import answering
from releve.flow.server.assist.asking import make_line
from releve.flow.server.ports import Structure
from releve.model.errors import ReleveError, UsageError
from releve.model.help import HelpRequest
from releve.report.text import Voice

_SHORT = 8
_PHASES = {  # of a call that nobody has taken
    "ringing": "on appelle / ringing",
    "ended": "personne n'est venu / nobody came",
    "closed": "close sans réponse / closed without an answer",
    "acknowledged": "prise / taken",
}
_ATTACK = "attaque / attack"
_CLOSED = "close / closed"
_BLOCKED = "soins bloqués / care at a standstill"


class HelpUnknownError(ReleveError):
    """No call for help has this id."""

    status = 58
    remedy = "See `releve desk list`; the first letters are enough when they name one call only."

    def __init__(self, identity: str) -> None:
        super().__init__(f"No call for help is named {identity}.")


as_option = click.option("--as", "name", required=True, help="Who takes it: your own name.")


@click.group()
def desk() -> None:
    """L'astreinte : qui est appelé, qui demande de l'aide / on call, and who asks for help."""
    log_to_stderr()


desk.add_command(rota)


@desk.command("list")
@home_option
@db_option
@click.option("--all", "closed_too", is_flag=True, help="Closed ones too.")
@json_option
def list_(home: Path, db: str, closed_too: bool, as_json: bool) -> None:
    """Les demandes en cours de toutes les structures / open calls of all structures.

    Open ones first where nobody came: with care at a standstill, then the others; the oldest first.
    """
    now = SystemClock().now()
    found = _requests(open_store(Home(home), db), is_open=not closed_too)
    for structure, request in sorted(found, key=lambda pair: _turn(pair[1])):
        facts = _facts(structure, request, now)
        click.echo(json.dumps(facts) if as_json else _line(facts))


@desk.command()
@home_option
@db_option
@click.argument("identity", metavar="ID")
@as_option
@json_option
def ack(home: Path, db: str, identity: str, name: str, as_json: bool) -> None:
    """Prendre une demande en charge / take a call; nobody else is rung any more."""
    store, now = open_store(Home(home), db), SystemClock().now()
    structure, request = _find(store, identity)
    try:
        with store.unit(structure.id) as unit:
            taken = answering.acknowledge(unit, request.id, Acknowledged(now, name, name))
    except answering.OwnCall as error:
        raise UsageError(f"{name} asked for this help, and cannot take it.") from error
    _say(structure, taken or request, now, as_json=as_json)


@desk.command()
@home_option
@db_option
@click.argument("identity", metavar="ID")
@click.option("--done", required=True, help="What was done about it.")
@as_option
@json_option
def close(home: Path, db: str, identity: str, done: str, name: str, as_json: bool) -> None:
    """Clore une demande, en disant ce qui a été fait / close a call."""
    store, now = open_store(Home(home), db), SystemClock().now()
    structure, request = _find(store, identity)
    with store.unit(structure.id) as unit:
        closed = answering.close(unit, request.id, done, actor=name, now=now)
    _say(structure, closed or request, now, as_json=as_json)


@desk.command()
@home_option
@db_option
@structure_option
@json_option
def phone(home: Path, db: str, structure: str, as_json: bool) -> None:
    """Le jeton du standard téléphonique, redit jamais / the phone system's token, told once.

    The phone system posts {"call": "its own id", "caller": "number"} to /api/v1/help/ring at the
    first ring, with the header `Authorization: Bearer TOKEN`. A new token ends the one of before.
    """
    store = open_store(Home(home), db)
    known, token = find_structure(store, structure), secrets.token_urlsafe(24)
    make_line(store, known.id, token, actor="admin", now=SystemClock().now())
    facts = {"structure": known.id, "token": token, "path": "/api/v1/help/ring"}
    click.echo(json.dumps(facts) if as_json else token)


@desk.command()
@home_option
@db_option
@structure_option
@click.option("--ring/--no-ring", "rings", default=None, help="L'appeler ou non / ring it or not.")
@json_option
def attacks(home: Path, db: str, structure: str, rings: bool | None, as_json: bool) -> None:
    """Une attaque appelle-t-elle l'astreinte ? / does an attack ring who is on call? It does at first.

    Without --ring or --no-ring it only says how it is set.
    """
    store = open_store(Home(home), db)
    known = find_structure(store, structure)
    with store.unit(known.id, writes=rings is not None) as unit:
        if rings is not None:
            unit.hold()
        profile = unit.profile()
        if rings is not None:
            if profile is None:
                raise StructureUnknownError(structure)
            profile = msgspec.structs.replace(profile, ring_on_attack=rings)
            profiles.keep(unit, profile, actor="admin", now=SystemClock().now())
    is_on = profile is None or profile.ring_on_attack
    said = "oui / yes" if is_on else "non / no"
    click.echo(json.dumps({"structure": known.id, "ring_on_attack": is_on}) if as_json else said)


def _requests(store: SqlStore, *, is_open: bool) -> list[tuple[Structure, HelpRequest]]:
    found = []
    for structure in store.structures():
        with store.unit(structure.id, writes=False) as unit:
            found += [(structure, request) for request in unit.help_requests(is_open=is_open)]
    return sorted(found, key=lambda pair: pair[1].course.opened_at)


def _turn(request: HelpRequest) -> tuple[bool, bool, bool, dt.datetime]:
    course = request.course
    came = course.acknowledged_at is not None
    return course.phase == "closed", came, not request.is_blocked, course.opened_at


def _find(store: SqlStore, identity: str) -> tuple[Structure, HelpRequest]:
    known = _requests(store, is_open=False)
    found = [pair for pair in known if identity and pair[1].id.startswith(identity)]
    if len(found) != 1:
        raise HelpUnknownError(identity)
    return found[0]


def _facts(structure: Structure, request: HelpRequest, now: dt.datetime) -> dict[str, object]:
    course = request.course
    end = course.acknowledged_at or course.closed_at or now
    return {
        "id": request.id,
        "structure": structure.name,
        "source": request.source,
        "incidents": [attack.incident for attack in request.attacks],
        "phase": course.phase,
        "blocked": request.is_blocked,
        "phone": request.phone,
        "opened_at": course.opened_at.isoformat(),
        "seconds": round((end - course.opened_at).total_seconds(), 3),
        "comes": course.name,
        "done": request.done,
    }


def _line(facts: dict[str, object]) -> str:
    who = facts["comes"] or _PHASES[str(facts["phase"])]
    lasting = Voice("fr").age(float(str(facts["seconds"])))
    told = [str(facts["id"])[:_SHORT], facts["structure"], lasting, who]
    blocked = [_BLOCKED] if facts["blocked"] and facts["phase"] != "closed" else []
    attack = [_ATTACK] if facts["incidents"] else []
    closed = [_CLOSED] if facts["phase"] == "closed" and facts["comes"] else []
    done = [facts["done"]] if facts["done"] else []
    return printable("  ".join(map(str, [*told, *blocked, *attack, *closed, *done])))


def _say(structure: Structure, request: HelpRequest, now: dt.datetime, *, as_json: bool) -> None:
    facts = _facts(structure, request, now)
    click.echo(json.dumps(facts) if as_json else _line(facts))
