"""`releve vault retention|approve|forecast`: what may go, who agreed, and how long the room lasts."""

import shutil
import sys
from pathlib import Path

import click
import msgspec

from releve.adapters.durable import write
from releve.adapters.system import new_id
from releve.apps.vault.deciders import read_private
from releve.apps.vault.opened import Vault
from releve.apps.vault.retaining import Retaining
from releve.apps.vault.show import data_option, json_option, size, tell, when
from releve.flow.vault import signoffs
from releve.model.errors import ReleveError, UsageError
from releve.model.retention import Approval, Release, Removal, Request, Verdict
from releve.model.vault import Hold
from releve.recover.forecast import Level, forecast
from releve.recover.generations import DAY_NS, Decided

_SAID = {
    Verdict.MAY_GO: "peut partir",
    Verdict.YOUNG: "gardée : jeune",
    Verdict.LIVE: "gardée : reçoit encore",
    Verdict.NEWEST: "gardée : la dernière complète",
    Verdict.LONG_TERM: "gardée : longue durée",
    Verdict.ON_HOLD: "gardée : conservation légale",
    Verdict.SHOWN: "gardée : une vue est ouverte",
}


class RequestFileError(ReleveError):
    """The file is no request, or no approval, of a vault."""

    status = 125
    remedy = "Give the file that `releve vault retention request` or `releve vault approve` wrote."

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not such a file.")


@click.group()
def retention() -> None:
    """Conservation par génération, sans clé, à deux personnes.

    Whole generations go once they are old by the vault's own time, after a wait and two approvals.
    Legal holds win. A full disk is foreseen (`releve vault forecast`), never solved by erasing.
    """


@retention.command()
@data_option
@json_option
def plan(data: str, *, as_json: bool) -> None:
    """Ce qui reste, ce qui peut partir, et pourquoi / what stays, what may go, and why.

    Example: releve vault retention plan
    """
    kept = Retaining(Vault(data))
    policy = kept.policy()
    for each in kept.plan(policy):
        facts = {"event": "generation", **_facts(each)}
        tell(facts, _line(each), as_json=as_json)
    told = kept.told()
    for hold in told.holds.values():
        if not hold.lifted_ns:
            words = f"Conservation {hold.id} : {_covers(hold)} - {hold.reason} ({hold.by})"
            tell({"event": "hold", **msgspec.to_builtins(hold)}, words, as_json=as_json)
    standing: list[Removal | Release] = [*told.removals.values(), *told.releases.values()]
    for asked in standing:
        if not asked.ended_ns and not _is_lifted(asked, told.holds):
            names = ", ".join(sign.approver for sign in asked.signoffs) or "-"
            words = (
                f"Demande {asked.id} du {when(asked.asked_ns)} par {asked.by} ; signée : {names}"
            )
            tell({"event": "request", **msgspec.to_builtins(asked)}, words, as_json=as_json)
    why = kept.why_clock(policy)
    clock = {"event": "clock", "trusted": not why, "why": why}
    tell(clock, f"Horloge : {why or 'sûre'}", as_json=as_json)


@retention.command()
@click.option("--months", type=int, help="Âge en mois de 31 jours.")
@click.option("--every-months", type=int, help="Garder le premier mois de chaque N ; 0 : aucun.")
@click.option("--wait-days", type=float, help="Attente entre demande et retrait (au moins 1).")
@click.option("--clock-source", "sources", multiple=True, help="URL dont la date est comparée.")
@click.option("--by", default="", help="Qui change.")
@data_option
@json_option
def policy(
    months: int | None,
    every_months: int | None,
    wait_days: float | None,
    sources: tuple[str, ...],
    by: str,
    data: str,
    *,
    as_json: bool,
) -> None:
    """Voir ou changer la règle ; deux personnes la signent avec chaque demande.

    Example: releve vault retention policy --months 13 --every-months 3 --by "A. Martin"
    """
    kept = Retaining(Vault(data))
    asked = {"months": months, "every_months": every_months, "wait_days": wait_days}
    changes: dict[str, object] = {name: said for name, said in asked.items() if said is not None}
    if sources:
        changes["clock_sources"] = sources
    rule = kept.policy()
    if changes:
        if not by:
            raise UsageError("--by: a change of the rule names its author.")
        rule = msgspec.structs.replace(rule, **changes)
        kept.save_policy(rule, by)
    facts = {"event": "policy", **msgspec.to_builtins(rule)}
    words = f"{rule.months} mois, attente {rule.wait_days:g} j, longue durée : {rule.every_months or '-'}"
    tell(facts, words, as_json=as_json)


@retention.command()
@click.option("--by", required=True, help="Qui demande.")
@click.option("--out", default="", help="Fichier pour les approbateurs (sinon affiché).")
@data_option
@json_option
def request(by: str, out: str, data: str, *, as_json: bool) -> None:
    """Demander le retrait de ce qui peut partir ; l'attente commence.

    Asks for all that may go. The file goes to two approvers, who sign it on their own machines.

    Example: releve vault retention request --by "A. Martin" --out retrait.json
    """
    kept = Retaining(Vault(data))
    _hand_out(kept, kept.request(by), out, as_json=as_json)


@retention.command("approve")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@data_option
@json_option
def take(files: tuple[str, ...], data: str, *, as_json: bool) -> None:
    """Recevoir des approbations signées (`releve vault approve`) / take signed approvals in.

    Example: releve vault retention approve retrait.martin.json retrait.durand.json
    """
    kept = Retaining(Vault(data))
    for file in files:
        try:
            approval = msgspec.json.decode(Path(file).read_bytes(), type=Approval)
        except msgspec.DecodeError as error:
            raise RequestFileError(file) from error
        signed = kept.take(approval)
        facts = {"event": "signed", "id": approval.id, "by": approval.approver, "people": signed}
        tell(facts, f"{approval.id} : {approval.approver} ({signed} sur 2)", as_json=as_json)


@retention.command()
@click.argument("request_id")
@click.option("--yes", is_flag=True, help="Retirer vraiment ; sinon montrer seulement.")
@data_option
@json_option
def run(request_id: str, data: str, *, yes: bool, as_json: bool) -> None:
    """Retirer ce qu'une demande nomme : attendue, signée par deux personnes, l'horloge sûre.

    Shows what would go; with --yes it goes. What is on hold, or changed since, stays and is said.

    Example: releve vault retention run r-4t2k --yes
    """
    kept = Retaining(Vault(data))
    for outcome in kept.run(request_id, dry=not yes):
        done = "retirée" if yes else "partirait"
        words = f"{outcome.repository}: {done if outcome.removed else 'reste, ' + outcome.why}"
        facts = {"event": "outcome", "done": yes, **msgspec.to_builtins(outcome)}
        tell(facts | {"repository": str(outcome.repository)}, words, as_json=as_json)
    if not yes:
        click.echo(
            "Rien n'a été retiré : ajouter --yes. / Nothing was removed: add --yes.", err=True
        )


@retention.command()
@click.option("--structure", required=True)
@click.option("--host", default="", help="Sinon toutes ses machines.")
@click.option("--generation", default="", help="Sinon toutes ; avec --host.")
@click.option("--reason", required=True)
@click.option("--by", required=True)
@data_option
@json_option
def hold(
    structure: str, host: str, generation: str, reason: str, by: str, data: str, *, as_json: bool
) -> None:
    """Conservation légale, aussitôt ; elle l'emporte sur tout / a legal hold, at once; it wins.

    Example: releve vault retention hold --structure cabinet --reason "réquisition 2026/118" --by "A. Martin"
    """
    opened = Vault(data)
    made = Retaining(opened).hold(
        Hold(
            id=f"h-{new_id()}",
            structure=structure,
            host=host,
            generation=generation,
            reason=reason,
            by=by,
            since_ns=opened.clock.now_ns(),
        )
    )
    tell({"event": "hold", **msgspec.to_builtins(made)}, made.id, as_json=as_json)


@retention.command()
@click.argument("hold_id")
@click.option("--reason", required=True)
@click.option("--by", required=True)
@click.option("--out", default="", help="Fichier pour les approbateurs (sinon affiché).")
@data_option
@json_option
def release(hold_id: str, reason: str, by: str, out: str, data: str, *, as_json: bool) -> None:
    """Demander la fin d'une conservation ; la seconde approbation la lève.

    Example: releve vault retention release h-7d2e --reason "classée" --by "A. Martin" --out fin.json
    """
    kept = Retaining(Vault(data))
    _hand_out(kept, kept.release(hold_id, reason=reason, by=by), out, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--approver", required=True, metavar="NAME", help="Nom inscrit au coffre.")
@click.option("--key", required=True, metavar="FILE", help="Clé privée (approver make-key).")
@click.option("--out", default="", help="Sinon FILE.NAME.json.")
@click.option("--yes", is_flag=True, help="Signer sans question.")
@json_option
def approve(file: str, approver: str, key: str, out: str, *, yes: bool, as_json: bool) -> None:
    """Sur sa propre machine : lire une demande du coffre et la signer.

    On the approver's own machine, which needs nothing of the vault: shows what is asked, signs it.

    Example: releve vault approve retrait.json --approver martin --key martin.key
    """
    try:
        asked = msgspec.json.decode(Path(file).read_bytes(), type=Request)
    except msgspec.DecodeError as error:
        raise RequestFileError(file) from error
    private = read_private(key)
    click.echo(asked.statement, err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("--yes: nobody is there to be asked.")
        click.confirm("Signer ? / Sign?", abort=True, err=True)
    text = asked.statement.encode()
    made = Approval(id=asked.id, approver=approver, signature=signoffs.sign(private, text))
    place = out or f"{Path(file).with_suffix('')}.{approver}.json"
    write(Path(place), msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    tell({"event": "approved", "id": asked.id, "file": place}, place, as_json=as_json)


@click.command("forecast")
@data_option
@json_option
def forecast_(data: str, *, as_json: bool) -> None:
    """Quand le disque du coffre sera plein, par les reçus / when the vault's disk will be full.

    To be watched below 90 days, alerts below 30 and 7; nothing is ever erased for room.

    Example: releve vault forecast --json
    """
    vault = Vault(data)
    free = shutil.disk_usage(vault.layout.repos).free - vault.config.reserve_bytes
    told = forecast(vault.entries(), vault.clock.now_ns(), free)
    for host in told.hosts:
        surge = "  afflux" if host.is_surge else ""
        words = f"{host.structure}/{host.host:24} {size(host.bytes_per_day):>10}/j{surge}"
        tell({"event": "host", **msgspec.to_builtins(host)}, words, as_json=as_json)
    left = "-" if told.days_left is None else f"{told.days_left:g} jours"
    words = (
        f"Libre {size(max(0, free))}, {size(told.bytes_per_day)}/j : {left} ({_LEVELS[told.level]})"
    )
    facts = {"event": "forecast", **msgspec.to_builtins(told)}
    tell({name: said for name, said in facts.items() if name != "hosts"}, words, as_json=as_json)
    if told.level in {Level.WARN, Level.ALARM}:
        vault.notices.tell("disk_forecast", str(told.level), days_left=str(told.days_left))


_LEVELS = {
    Level.FINE: "rien à faire",
    Level.WATCH: "à surveiller",
    Level.WARN: "bientôt plein",
    Level.ALARM: "presque plein",
}


def _hand_out(kept: Retaining, asked: Removal | Release, out: str, *, as_json: bool) -> None:
    file = kept.file_for_approvers(asked)
    if out:
        write(Path(out), msgspec.json.format(msgspec.json.encode(file)) + b"\n")
    facts = {"event": "asked", "id": asked.id, "statement": file.statement, "out": out}
    tell(facts, f"{asked.id}\n{out or file.statement}", as_json=as_json)


def _facts(each: Decided) -> dict[str, object]:
    known = each.generation
    return {
        "repository": str(known.repository),
        "verdict": each.verdict.value,
        "age_days": round(each.age_ns / DAY_NS, 1),
        "bytes": known.bytes,
        "first_ns": known.first_ns,
        "hold": each.hold,
    }


def _line(each: Decided) -> str:
    known = each.generation
    age = f"{each.age_ns / DAY_NS:.0f} j"
    return f"{known.repository!s:40} {age:>7} {size(known.bytes):>10}  {_SAID[each.verdict]}"


def _covers(hold: Hold) -> str:
    return f"{hold.structure}/{hold.host or '*'}/{hold.generation or '*'}"


def _is_lifted(asked: Removal | Release, holds: dict[str, Hold]) -> bool:
    return isinstance(asked, Release) and bool(holds[asked.hold].lifted_ns)
