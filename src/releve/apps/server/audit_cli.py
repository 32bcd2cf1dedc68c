"""`releve audit`: the trail that cannot be changed unseen: read it, verify it, its public key."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from releve.adapters.audit_heads import read_lines
from releve.adapters.sql.store import SqlStore
from releve.apps.server.audit_shipped_cli import shipped
from releve.apps.server.audit_show_cli import show
from releve.apps.server.home import Home
from releve.apps.server.left_papers import LACKS, files_of, missing_paper, read_files, unexplained
from releve.apps.server.opening import open_to_look
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.printable import printable
from releve.apps.server.trusted_key import own_key
from releve.flow.server.verify import Verified, verify, verify_shipped
from releve.model.audit import Fault, FaultKind
from releve.model.errors import ReleveError, UsageError

_HEX_KEY = 64
_WORDS: dict[FaultKind, str] = {
    "changed": "inscription changée, ou qui ne suit plus / entry changed, or following no more",
    "removed": "inscriptions retirées / entries removed",
    "cut": "fin coupée : une tête signée va plus loin / end cut: a signed head goes further",
    "rewritten": "chaîne récrite : ce n'est pas celle qui fut signée / chain rewritten after signing",
    "head_missing": "tête signée qui manque au serveur / signed head missing on the server",
    "head_replaced": "tête remplacée sur le serveur / head replaced on the server",
    "head_forged": "tête que la clé n'a pas signée, ou au numéro impossible / head that the key did not sign,"
    " or of a number that cannot be",
    "shipped_missing": "tête qui manque parmi les transmises / head missing among those shipped",
    "structure_gone": "structure effacée du serveur / structure erased from the server",
    "certificate_forged": "certificat que la clé n'a pas signé / certificate that the key did not sign",
}
_OF_PAPER = ("structure_gone", "certificate_forged")


class TrailNotWholeError(ReleveError):
    """An audit trail is not what was written and signed."""

    status = 100
    remedy = (
        "Keep the database and the heads as they are: they are evidence. Compare with a backup from"
        " before the time that is named, and do not trust this server meanwhile."
    )
    remedy_fr = (
        "Garder la base et les têtes telles quelles : ce sont des preuves. Comparer avec une sauvegarde"
        " d'avant le moment nommé ; d'ici là ne pas se fier à ce serveur."
    )

    def __init__(self, faults: int, remedy: str = "") -> None:
        super().__init__(f"{faults} faults in the audit trail; each is listed above.")
        if remedy:
            self.remedy, self.remedy_fr = remedy, ""


@click.group()
def audit() -> None:
    """Le journal d'audit / the audit trail: who did what, provably unchanged."""


audit.add_command(shipped)
audit.add_command(show)


@audit.command("verify")
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@click.option(
    "--heads",
    "heads",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Heads that were shipped: the folder, a file of it, or a syslog file. Several: one each.",
)
@click.option(
    "--left",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="The certificate of erasure of a structure that left, or a folder of them; not the server's copy.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    help="The public key to trust, 64 hex digits, in place of the home's own. Several: one each.",
)
@click.option("--heads-only", is_flag=True, help="Without the server: the shipped heads alone.")
@json_option
def verify_(
    home: Path,
    db: str,
    structure: str,
    heads: tuple[Path, ...],
    left: tuple[Path, ...],
    keys: tuple[str, ...],
    heads_only: bool,
    as_json: bool,
) -> None:
    """Vérifier le journal de bout en bout / verify the trail from end to end.

    Without --heads nothing shows that somebody who owns the database rewrote the trail and took its
    heads away, or, with the server's key, made new ones. A structure that is gone is explained by its
    certificate of erasure (`releve leave`), as it was handed out.

    Example: releve audit verify --heads /mnt/temoin --left /srv/certificats --json
    """
    trusted = [_key(words) for words in keys] or [own_key(home)]
    shipped = [line for place in heads for line in read_lines(place)] if heads else None
    if left and (structure or heads_only or not heads):
        raise UsageError("--left goes with --heads, without --structure or --heads-only.")
    papers, remedy = files_of(left), ""
    if heads_only:
        if shipped is None or not keys:
            raise UsageError("--heads-only needs --heads and --key.")
        found = verify_shipped(shipped, trusted)
    else:
        store = open_to_look(Home(home), db)
        if structure and structure not in [s.name for s in store.structures()]:
            raise UsageError(f"No structure is named {structure}.")
        found = verify(store, trusted, shipped, structure, read_files(papers, trusted))
        remedy = _remedy(found, store, trusted)
    faults = sum(len(one.faults) for one in found)
    if as_json:
        facts = {"whole": not faults, "keys": [key.hex() for key in trusted], "structures": found}
        facts["certificates"] = [str(file) for file in papers]
        click.echo(msgspec.json.encode(facts))
    else:
        for one in found:
            _say(one, papers)
    if faults:
        raise TrailNotWholeError(faults, remedy)


@audit.command()
@home_option
@json_option
def key(home: Path, as_json: bool) -> None:
    """La clé publique qui signe les têtes / the public key that signs the heads.

    Give it to whoever keeps shipped heads, on paper: with it they verify without trusting the server.
    """
    public = own_key(home, can_name=False).hex()
    click.echo(json.dumps({"key": public}) if as_json else public)


def _remedy(found: Sequence[Verified], store: SqlStore, keys: Sequence[bytes]) -> str:
    """Where structures are gone and all else is whole, which paper is missing."""
    faults = [fault for one in found for fault in one.faults]
    gone = unexplained(found)
    if not gone or any(fault.what not in _OF_PAPER for fault in faults):
        return ""
    return printable(missing_paper(gone, store.leavings(), keys))


def _say(one: Verified, papers: Sequence[Path]) -> None:
    shipped = "" if one.shipped is None else f", {one.shipped} transmises / shipped"
    facts = f"{one.entries} inscriptions / entries, {one.heads} têtes / heads{shipped}"
    verdict = "PAS ENTIER / NOT WHOLE" if one.faults else "entier / whole"
    click.echo(printable(f"{one.name or one.structure or '--heads, --left'}  {facts} : {verdict}"))
    if one.left is not None:
        day, by, why = f"{one.left.at:%Y-%m-%d}", one.left.by, one.left.reason
        said = f"  partie le {day}, décidé par {by} ({why}) : certificat valable / left on {day},"
        click.echo(printable(f"{said} decided by {by}: valid certificate"))
    for fault in one.faults:
        place = _place(fault)
        if fault.what == "certificate_forged":
            place = printable(str(papers[fault.first - 1]))
        lack = "" if fault.lack is None else f" ; {LACKS[fault.lack]}"
        click.echo(f"  {place}  {_WORDS[fault.what]}{_since(fault)}{lack}")


def _place(fault: Fault) -> str:
    return f"{fault.first}" if fault.first == fault.last else f"{fault.first}-{fault.last}"


def _since(fault: Fault) -> str:
    if fault.since is None:
        return ""
    at = fault.since.isoformat(timespec="seconds")
    return f" ; après / after {at}"


def _key(words: str) -> bytes:
    try:
        key = bytes.fromhex(words)
    except ValueError:
        key = b""
    if len(key) * 2 != _HEX_KEY:
        raise UsageError("--key: 64 hex digits, as `releve audit key` prints them.")
    return key
