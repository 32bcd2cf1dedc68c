"""`releve audit`: the trail that cannot be changed unseen: read it, verify it, its public key."""

import json
from pathlib import Path

import click
import msgspec

from releve.adapters.audit_heads import read_lines
from releve.apps.server.home import Home
from releve.apps.server.opening import open_to_look
from releve.apps.server.options import db_option, home_option, json_option
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
    "head_forged": "tête que la clé n'a pas signée / head that the key did not sign",
    "shipped_missing": "tête qui manque parmi les transmises / head missing among those shipped",
    "structure_gone": "structure effacée du serveur / structure erased from the server",
}


class TrailNotWholeError(ReleveError):
    """An audit trail is not what was written and signed."""

    status = 100
    remedy = (
        "Keep the database and the heads as they are: they are evidence. Compare with a backup from"
        " before the time that is named, and do not trust this server meanwhile."
    )

    def __init__(self, faults: int) -> None:
        super().__init__(f"{faults} faults in the audit trail; each is listed above.")


@click.group()
def audit() -> None:
    """Le journal d'audit / the audit trail: who did what, provably unchanged."""


@audit.command("verify")
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@click.option(
    "--heads",
    "heads",
    type=click.Path(path_type=Path),
    help="Heads that were shipped: the folder, a file of it, or a syslog file.",
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
    heads: Path | None,
    keys: tuple[str, ...],
    heads_only: bool,
    as_json: bool,
) -> None:
    """Vérifier le journal de bout en bout / verify the trail from end to end.

    Without --heads nothing shows that somebody who owns the database rewrote the trail and took its
    heads away, or, with the server's key, made new ones.

    Example: releve audit verify --heads /mnt/temoin --json
    """
    trusted = [_key(words) for words in keys] or [_own_key(home)]
    shipped = None if heads is None else read_lines(heads)
    if heads_only:
        if shipped is None or not keys:
            raise UsageError("--heads-only needs --heads and --key.")
        found = verify_shipped(shipped, trusted)
    else:
        store = open_to_look(Home(home), db)
        if structure and structure not in [s.name for s in store.structures()]:
            raise UsageError(f"No structure is named {structure}.")
        found = verify(store, trusted, shipped, structure)
    faults = sum(len(one.faults) for one in found)
    if as_json:
        facts = {"whole": not faults, "keys": [key.hex() for key in trusted], "structures": found}
        click.echo(msgspec.json.encode(facts))
    else:
        for one in found:
            _say(one)
    if faults:
        raise TrailNotWholeError(faults)


@audit.command()
@home_option
@db_option
@click.option("--structure", default="", help="Its name; all of them else.")
@click.option("--most", default=100, show_default=True, help="The newest so many of each.")
@json_option
def show(home: Path, db: str, structure: str, most: int, as_json: bool) -> None:
    """Lire le journal, le plus récent d'abord / list the trail, newest first.

    Example: releve audit show --structure "Cabinet du Parc" --most 20
    """
    store = open_to_look(Home(home), db)
    for one in store.structures():
        if structure not in ("", one.name):
            continue
        with store.unit(one.id, writes=False) as unit:
            entries = unit.trail(most=most)
        for entry in entries:
            if as_json:
                facts = {"structure": one.name, **msgspec.to_builtins(entry)}
                click.echo(json.dumps(facts, ensure_ascii=False))
            else:
                at = entry.at.isoformat(timespec="seconds")
                words = (one.name, entry.number, at, entry.actor, entry.verb, entry.object)
                click.echo(_printable("  ".join((*map(str, words), entry.detail)).rstrip()))


@audit.command()
@home_option
@json_option
def key(home: Path, as_json: bool) -> None:
    """La clé publique qui signe les têtes / the public key that signs the heads.

    Give it to whoever keeps shipped heads, on paper: with it they verify without trusting the server.
    """
    public = _own_key(home).hex()
    click.echo(json.dumps({"key": public}) if as_json else public)


def _say(one: Verified) -> None:
    shipped = "" if one.shipped is None else f", {one.shipped} transmises / shipped"
    facts = f"{one.entries} inscriptions / entries, {one.heads} têtes / heads{shipped}"
    verdict = "PAS ENTIER / NOT WHOLE" if one.faults else "entier / whole"
    click.echo(f"{one.name or one.structure or '--heads'}  {facts} : {verdict}")
    for fault in one.faults:
        click.echo(f"  {_place(fault)}  {_WORDS[fault.what]}{_since(fault)}")


def _place(fault: Fault) -> str:
    return f"{fault.first}" if fault.first == fault.last else f"{fault.first}-{fault.last}"


def _since(fault: Fault) -> str:
    if fault.since is None:
        return ""
    at = fault.since.isoformat(timespec="seconds")
    return f" ; après / after {at}"


def _own_key(home: Path) -> bytes:
    if not Home(home).has_key():
        raise UsageError(f"{home} holds no key of a server: name one with --key.")
    return Home(home).public_key()


def _key(words: str) -> bytes:
    try:
        key = bytes.fromhex(words)
    except ValueError:
        key = b""
    if len(key) * 2 != _HEX_KEY:
        raise UsageError("--key: 64 hex digits, as `releve audit key` prints them.")
    return key


def _printable(line: str) -> str:
    """One entry, one line: what people wrote in it can neither begin another nor command a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
