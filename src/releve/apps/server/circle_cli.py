"""`releve group` and `releve insurer`: who sees the figures of several structures, and of which."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from releve.adapters.sql.store import SqlStore
from releve.adapters.system import SystemClock, new_id
from releve.apps.server.grant_cli import NothingGrantedError
from releve.apps.server.home import Home
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option, structure_option
from releve.apps.server.structure_cli import StructureUnknownError, find_structure
from releve.apps.server.told_facts import told
from releve.flow.server import circles, sums
from releve.model.circle import Circle, CircleKind
from releve.model.errors import UsageError

_ACTOR = "admin"
_name = click.argument("name")


def _common(command: Callable[..., None]) -> Callable[..., None]:
    return home_option(db_option(json_option(command)))


@click.group()
def group() -> None:
    """Les groupes : comparer leurs structures, en chiffres / groups of structures, compared in figures.

    The group's people: releve server user create --structure "GROUP" --login … --role group
    """


@click.group()
def insurer() -> None:
    """Les assureurs : des chiffres réunis, avec l'accord de chacune / insurers: sums, with consent.

    The insurer's people: releve server user create --structure "INSURER" --login … --role insurer
    """


@group.command("add")
@_name
@_common
def group_add(home: Path, db: str, name: str, as_json: bool) -> None:
    """Créer le groupe NAME / make the group NAME."""
    _make(home, db, name, CircleKind.GROUP, as_json=as_json)


@insurer.command("add")
@_name
@_common
def insurer_add(home: Path, db: str, name: str, as_json: bool) -> None:
    """Créer l'assureur NAME / make the insurer NAME. Each lead consents on the page of settings."""
    _make(home, db, name, CircleKind.INSURER, as_json=as_json)


@group.command("list")
@_common
def group_list(home: Path, db: str, as_json: bool) -> None:
    """Les groupes et leurs structures / the groups and their structures."""
    _list(open_store(Home(home), db), CircleKind.GROUP, as_json=as_json)


@insurer.command("list")
@_common
def insurer_list(home: Path, db: str, as_json: bool) -> None:
    """Les assureurs et les structures qui consentent / the insurers and who consents."""
    _list(open_store(Home(home), db), CircleKind.INSURER, as_json=as_json)


@group.group()
def member() -> None:
    """Les structures d'un groupe / the structures of a group."""


@member.command("add")
@_name
@structure_option
@_common
def member_add(home: Path, db: str, name: str, structure: str, as_json: bool) -> None:
    """Mettre une structure dans le groupe NAME / put a structure into it; its people see it."""
    store = open_store(Home(home), db)
    known, own = _find(store, name, CircleKind.GROUP), find_structure(store, structure)
    if own.id in {circle.id for circle in store.circles()}:
        raise UsageError(f"{structure} is a group or an insurer itself.")
    with store.unit(own.id) as unit:
        circles.join(unit, known, actor=_ACTOR, now=SystemClock().now())
    _say({"group": name, "structure": structure, "in": True}, as_json=as_json)


@member.command("remove")
@_name
@structure_option
@_common
def member_remove(home: Path, db: str, name: str, structure: str, as_json: bool) -> None:
    """L'en retirer, tout de suite / take it out, at once."""
    _end(open_store(Home(home), db), name, CircleKind.GROUP, structure, as_json=as_json)


@insurer.command("withdraw")
@_name
@structure_option
@_common
def withdraw(home: Path, db: str, name: str, structure: str, as_json: bool) -> None:
    """Retirer l'accord d'une structure / withdraw a structure's consent; only its lead can give it."""
    _end(open_store(Home(home), db), name, CircleKind.INSURER, structure, as_json=as_json)


@group.command("show")
@_name
@_common
def group_show(home: Path, db: str, name: str, as_json: bool) -> None:
    """Les chiffres de chaque structure / the figures of each; the look is written in its trail."""
    store, now = open_store(Home(home), db), SystemClock().now()
    for own, _ in circles.members(store, _find(store, name, CircleKind.GROUP).id):
        with store.unit(own.id) as unit:
            seen = unit.situation()
            unit.record(now, _ACTOR, f"group/{name}", "see_group")
        facts = {
            "structure": own.name,
            "incidents": seen.incidents if seen else 0,
            "severity": seen.severity.value if seen and seen.severity else None,
            "hosts": seen.hosts if seen else 0,
            "guard_down": seen.guard_down if seen else 0,
            "backup_at": seen.backup_at.isoformat() if seen and seen.backup_at else None,
            "drill_at": seen.drill_at.isoformat() if seen and seen.drill_at else None,
        }
        _say(facts, as_json=as_json)


@insurer.command("show")
@_name
@_common
def insurer_show(home: Path, db: str, name: str, as_json: bool) -> None:
    """Ce que l'assureur peut voir / what it may see now; the look is written in each trail."""
    store = open_store(Home(home), db)
    seen = sums.look(store, _find(store, name, CircleKind.INSURER).id, _ACTOR, SystemClock().now())
    sheet = None if seen.why else seen.sheet
    shares = sheet.shares if sheet else ()
    facts = {
        "insurer": name,
        "withheld": seen.why or None,
        "week": sheet.week if sheet else None,
        "structures": sheet.structures if sheet else None,
        "per_cent": {share.name: [share.low, share.high] for share in shares},
    }
    _say(facts, as_json=as_json)


def _make(home: Path, db: str, name: str, kind: CircleKind, *, as_json: bool) -> None:
    store, now = open_store(Home(home), db), SystemClock().now()
    made = circles.make(store, name, kind, identity=new_id(), actor=_ACTOR, now=now)
    if made is None:
        raise UsageError(f"{name} is something else already.")
    _say({kind.value: made.name, "id": made.id}, as_json=as_json)


def _list(store: SqlStore, kind: CircleKind, *, as_json: bool) -> None:
    for known in store.circles():
        if known.kind is kind:
            inside = [own.name for own, _ in circles.members(store, known.id)]
            _say({kind.value: known.name, "structures": inside}, as_json=as_json)


def _end(store: SqlStore, name: str, kind: CircleKind, structure: str, *, as_json: bool) -> None:
    known, own = _find(store, name, kind), find_structure(store, structure)
    with store.unit(own.id) as unit:
        if not circles.leave(unit, known, actor=_ACTOR, now=SystemClock().now()):
            raise NothingGrantedError(name, structure)
    _say({kind.value: name, "structure": structure, "in": False}, as_json=as_json)


def _find(store: SqlStore, name: str, kind: CircleKind) -> Circle:
    """Raises: StructureUnknownError."""
    for known in store.circles():
        if known.name == name and known.kind is kind:
            return known
    raise StructureUnknownError(name)


def _say(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        click.echo("  ".join(told(facts)))
