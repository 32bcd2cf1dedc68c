"""`releve host order`: what the console's forms ask of hosts, and the decisions about it."""

import datetime as dt
from pathlib import Path

import click
import msgspec

from releve.adapters.content import playbooks as content
from releve.apps.console.views import task_name
from releve.apps.console.words import Words
from releve.apps.server.case_options import Desk, case_options, desk
from releve.apps.server.host_options import find_host
from releve.apps.server.printable import printable
from releve.flow.server import actions, ordering, playbooks
from releve.flow.server.ports import ActionRecord, Unit
from releve.model.errors import ReleveError, UsageError
from releve.model.order import AnyTask, Isolate, Release, RestoreFile, StopFamily, ThawFamily
from releve.respond.playbooks import Proposal

_T = Words("fr")
_ON = ("proposed", "sent")
_LAST = 50  # orders that have ended


class NotWaitingError(ReleveError):
    """No proposal of this id waits for a decision."""

    status = 64
    remedy = (
        "See `releve host order list --structure NAME`: what waits, what was decided, what is over."
    )

    def __init__(self, identity: str) -> None:
        super().__init__(f"The proposal {identity} does not wait for a decision.")


def _person(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("un nom / a name", ctx, param)
    return value.strip()


by_option = click.option(
    "--by", required=True, callback=_person, help="Qui le demande, ou décide / who asks or decides."
)
why_option = click.option("--why", default="", help="Pourquoi, pour qui décide / the reason.")
hosts_argument = click.argument("names", metavar="HOST...", nargs=-1, required=True)
host_argument = click.argument("name", metavar="HOST")
family_argument = click.argument("family")


@click.group()
def order() -> None:
    """Les ordres aux postes : demander, approuver, refuser / orders to hosts, and who decides.

    To one host an order goes out at once; isolating one that carries care waits until a named person
    approves it. Several hosts, or one more to isolate within an hour, wait for two different people.
    What nobody decided in time is over.
    """


@order.command("list")
@case_options
def list_(home: Path, db: str, structure: str, *, as_json: bool) -> None:
    """Ce qui attend une décision, ce qui est en route, ce qui est fini / what waits, and the rest.

    Example: releve host order list --structure "Cabinet du Parc" --json
    """
    at = desk(home, db, structure)
    with at.unit(writes=False) as unit:
        found = [record for state in _ON for record in unit.actions(state=state, most=1000)]
        recent = unit.actions(most=_LAST)
        found += [record for record in recent if record.action.state not in _ON]
        _tell(unit, [_by_now(record, at.now) for record in found], as_json=as_json)


@order.command()
@case_options
@by_option
@why_option
@hosts_argument
def isolate(
    home: Path, db: str, structure: str, names: tuple[str, ...], *, by: str, why: str, as_json: bool
) -> None:
    """Isoler des postes, une heure / cut hosts from the network but for their server, for an hour.

    Example: releve host order isolate accueil --structure "Cabinet du Parc" --by Claire --why attaque
    """
    _ask(desk(home, db, structure), names, Isolate(), by, why, as_json=as_json)


@order.command()
@case_options
@by_option
@why_option
@hosts_argument
def release(
    home: Path, db: str, structure: str, names: tuple[str, ...], *, by: str, why: str, as_json: bool
) -> None:
    """Lever l'isolement / lift the isolation.

    Example: releve host order release accueil --structure "Cabinet du Parc" --by Claire
    """
    _ask(desk(home, db, structure), names, Release(), by, why, as_json=as_json)


@order.command()
@case_options
@by_option
@why_option
@click.option("--frozen", is_flag=True, help="Le gardien l'a suspendue / the guard froze it.")
@host_argument
@family_argument
def stop(
    home: Path,
    db: str,
    structure: str,
    name: str,
    family: str,
    *,
    frozen: bool,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Mettre fin à un programme / end a program. FAMILY: as `releve incident show --json` tells it.

    Example: releve host order stop accueil FAMILY --frozen --structure "Cabinet du Parc" --by Claire
    """
    task = StopFamily(family=family, is_frozen=frozen)
    _ask(desk(home, db, structure), (name,), task, by, why, as_json=as_json)


@order.command()
@case_options
@by_option
@why_option
@host_argument
@family_argument
def thaw(
    home: Path,
    db: str,
    structure: str,
    name: str,
    family: str,
    *,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Laisser continuer un programme suspendu / let a frozen program go on: a person knows it.

    Example: releve host order thaw accueil FAMILY --structure "Cabinet du Parc" --by Claire
    """
    task = ThawFamily(family=family)
    _ask(desk(home, db, structure), (name,), task, by, why, as_json=as_json)


@order.command()
@case_options
@by_option
@why_option
@click.option("--as-of", required=True, help="Tel qu'à cette heure, ISO 8601 / as it was then.")
@host_argument
@click.argument("token")
def restore(
    home: Path,
    db: str,
    structure: str,
    name: str,
    token: str,
    *,
    as_of: str,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Reprendre un fichier perdu / bring a lost file back as it was.

    TOKEN stands for its path, as `releve incident show --json` tells it: only the host can read it.

    Example: releve host order restore serveur TOKEN --as-of 2026-11-22T03:10:00+01:00 --structure "Cabinet" --by Claire
    """
    task = RestoreFile(token=token, as_of=_moment(as_of))
    _ask(desk(home, db, structure), (name,), task, by, why, as_json=as_json)


@order.command()
@case_options
@by_option
@click.argument("identity", metavar="ID")
def approve(home: Path, db: str, structure: str, identity: str, *, by: str, as_json: bool) -> None:
    """Approuver une proposition / agree; with the last person who is needed the order goes out.

    Example: releve host order approve ID --structure "Cabinet du Parc" --by "Dr Martin"
    """
    at = desk(home, db, structure)
    with at.unit() as unit:
        actions.expire(unit, at.now)
    with at.unit() as unit:
        key = at.home.signing_key()
        if not actions.approve(unit, identity, key, actor=by, now=at.now):
            raise NotWaitingError(identity)
        _tell_one(unit, identity, as_json=as_json)


@order.command()
@case_options
@by_option
@click.option("--why", required=True, help="Pourquoi refuser, dit à qui l'a proposé / the reason.")
@click.argument("identity", metavar="ID")
def refuse(
    home: Path, db: str, structure: str, identity: str, *, by: str, why: str, as_json: bool
) -> None:
    """Refuser une proposition, en disant pourquoi / refuse it; its playbook's incident is told too.

    Example: releve host order refuse ID --structure "Cabinet du Parc" --by "Dr Martin" --why "il soigne"
    """
    at = desk(home, db, structure)
    with at.unit() as unit:
        actions.expire(unit, at.now)
    with at.unit() as unit:
        if not playbooks.refuse(unit, content(), identity, at.doer(by), why):
            raise NotWaitingError(identity)
        _tell_one(unit, identity, as_json=as_json)


def _ask(
    at: Desk, names: tuple[str, ...], task: AnyTask, by: str, why: str, *, as_json: bool
) -> None:
    with at.unit() as unit:
        hosts = {one.id: one for one in (find_host(unit, name) for name in names)}
        shown = [one.name for one in hosts.values() if one.state.is_demonstration]
        if shown:
            raise UsageError(
                f"{shown[0]} is a demonstration, which obeys no order.",
                f"{shown[0]} est une démonstration : elle n'exécute aucun ordre",
            )
        asked = [Proposal(host, task) for host in hosts]
        made = ordering.ask(unit, asked, at.doer(by), why.strip())
        found = [unit.action(identity) for identity in made]
        _tell(unit, [record for record in found if record is not None], as_json=as_json)


def _by_now(record: ActionRecord, now: dt.datetime) -> ActionRecord:
    """Over when its time is, though no server ran to write it down."""
    if record.action.state not in _ON or record.action.expires_at > now:
        return record
    over = msgspec.structs.replace(record.action, state="expired")
    return msgspec.structs.replace(record, action=over)


def _moment(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text} is no time of ISO 8601.", f"{text} n'est pas une heure (ISO 8601)"
        ) from None
    return at if at.tzinfo else at.astimezone()


def _tell_one(unit: Unit, identity: str, *, as_json: bool) -> None:
    record = unit.action(identity)
    if record is None:
        raise NotWaitingError(identity)
    _tell(unit, [record], as_json=as_json)


def _tell(unit: Unit, found: list[ActionRecord], *, as_json: bool) -> None:
    names = {one.id: one.name for one in unit.hosts()}
    if as_json:
        told = {"actions": [_facts(record, names) for record in found]}
        click.echo(msgspec.json.encode(told).decode())
        return
    for record in found:
        click.echo(printable(_line(record, names)))


def _facts(record: ActionRecord, names: dict[str, str]) -> dict[str, object]:
    action = record.action
    return {
        "action": action.id,
        "host": action.host,
        "name": names.get(action.host, ""),
        "task": msgspec.to_builtins(action.task),
        "state": action.state,
        "proposed_by": action.proposed_by,
        "proposed_at": action.proposed_at,
        "expires_at": action.expires_at,
        "people": action.people,
        "agreed_by": action.agreed_by,
        "decided_by": action.decided_by,
        "ended_at": action.ended_at,
        "why": action.why,
        "refused_why": action.refused_why,
        "detail": action.detail,
    }


def _line(record: ActionRecord, names: dict[str, str]) -> str:
    action = record.action
    told = [action.id, _T(f"task.{task_name(record)}"), names.get(action.host, action.host)]
    told.append(_T(f"order.{action.state}"))
    told.append(_T("waiting.by", who=action.proposed_by))
    if action.state == "proposed":
        until = _T.moment(action.expires_at).striptags()
        told += [_T("waiting.people", n=action.people), f"{_T('waiting.until')} {until}."]
        if action.agreed_by:
            told.append(_T("waiting.agreed", who=", ".join(action.agreed_by)))
    elif action.decided_by:
        told.append(f"{_T('health.decided')} {action.decided_by}.")
    told += [f"« {why} »" for why in (action.why, action.refused_why) if why]
    return "  ".join(told)
