"""`releve leave`: everything of a structure in open formats; then erased, and proved."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import click
import msgspec

from releve.adapters.system import SystemClock, log_to_stderr
from releve.adapters.vault.layout import DEFAULT, ENVIRONMENT
from releve.apps.console.words import Words
from releve.apps.server.home import Home
from releve.apps.server.leaving import (
    Decided,
    Office,
    erase,
    hand_over,
    write_certificate,
)
from releve.apps.server.leaving_accounts import EndingAccount, ending, losses
from releve.apps.server.leaving_elsewhere import (
    Elsewhere,
    close_here,
    elsewhere,
    handed_over,
    lines,
    places,
)
from releve.apps.server.opening import open_store
from releve.apps.server.options import db_option, home_option, json_option
from releve.apps.server.structure_cli import StructureUnknownError, find_structure
from releve.apps.server.trusted_key import own_key
from releve.flow.sealed import SealBroken, fingerprint
from releve.flow.server.certificate import read
from releve.model.access import Role
from releve.model.errors import ReleveError, UsageError
from releve.report.text import Voice


class RowsLeftError(ReleveError):
    """Rows of the structure are in the database after all, or traces in its files."""

    status = 76
    remedy = "Stop the server, then run the same `releve leave … --erase` again."

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name} is not wholly erased: {what}.")


class AccountsEndError(ReleveError):
    """Accounts would end without which other structures, or the erasure itself, have nobody."""

    status = 78
    remedy = (
        "Donner d'abord le même rôle à un autre compte (`releve server user create` dans une structure qui"
        " reste, `releve server grant add`), ou l'accepter par --end-accounts. / Give another account the"
        " same first, or erase all the same with --end-accounts."
    )

    def __init__(self, name: str, losses: Sequence[str]) -> None:
        super().__init__(f"Rien de {name} n'est effacé / nothing is erased: {'; '.join(losses)}.")


class ErasureBadError(ReleveError):
    """The certificate of erasure is not what was signed, or another key signed it."""

    status = 77
    remedy = "Do not rely on it; ask for it again with `releve leave --structure NAME --erase`."

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file} is not a valid certificate: {why}.")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`agreed`: accounts may end that others need."""

    out: Path
    decided: Decided | None
    agreed: bool
    vault: Path  # a vault on this machine, perhaps
    as_json: bool


@click.command()
@home_option
@db_option
@click.option("--structure", default="", help="The structure's name.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder.")
@click.option("--erase", "erases", is_flag=True, help="Then erase it from the server.")
@click.option("--by", default="", help="Who decides: a person's name. Needed with --erase.")
@click.option("--reason", default="", help="Why. Needed with --erase.")
@click.option(
    "--end-accounts",
    "agreed",
    is_flag=True,
    help="Erase although another structure loses its last lead or operator, or --by names an account that ends.",
)
@click.option(
    "--vault-data",
    "vault",
    type=click.Path(path_type=Path),
    default=DEFAULT,
    show_default=True,
    envvar=ENVIRONMENT,
    help="A vault on this machine: with --erase the structure's rights there are closed.",
)
@click.option(
    "--verify",
    "shown",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Check a certificate (effacement.json), and do nothing else.",
)
@click.option(
    "--key",
    default="",
    help="To verify: the key that `releve audit key` prints on the server; the home's own else.",
)
@json_option
def leave(
    home: Path,
    db: str,
    structure: str,
    out: Path | None,
    erases: bool,
    by: str,
    reason: str,
    agreed: bool,
    vault: Path,
    shown: Path | None,
    key: str,
    as_json: bool,
) -> None:
    """Une structure s'en va : tout lui remettre, l'effacer, le prouver / hand over, erase, prove.

    The accounts that end with it are told before, and which of them work in other structures.
    After --erase it closes the structure's rights in a vault of this machine, and names what is left
    to do at other vaults and on its hosts.

    Run again after an interruption: nothing is ever half erased. Once it is erased, it is counted
    again and the certificate is written again.

    Example: releve leave --structure "Cabinet du Parc" --out /srv/departs --erase
    --by "A. Martin" --reason "fin de contrat"
    """
    log_to_stderr()
    if shown is not None:
        facts = _verified(shown, key.lower(), home)
    elif not structure or out is None:
        raise UsageError("Name --structure and --out, or a certificate with --verify.")
    elif erases and not (by.strip() and reason.strip()):
        raise UsageError("--erase needs --by and --reason.")
    else:
        decided = Decided(by=by.strip(), reason=reason.strip()) if erases else None
        wanted = Wanted(out=out, decided=decided, agreed=agreed, vault=vault, as_json=as_json)
        facts = _left(Home(home), db, structure, wanted)
    click.echo(json.dumps(facts, ensure_ascii=False) if as_json else "\n".join(_lines(facts)))


_SAID = {
    "export": "Tout est remis dans",
    "certificate": "Certificat d'effacement, signé",
    "page": "Le même, à lire",
    "at": "Effacée le",
    "rows": "Enregistrements effacés",
    "rows_left": "Enregistrements restés",
    "trail_faults": "Défauts du journal d'audit au départ, dits par le certificat",
}

_KEEP = (
    "  À faire : en remettre une copie à la structure, en garder une où les administrateurs du serveur"
    " n'écrivent pas ; `releve audit verify --left` la demandera."
)


def _lines(facts: Mapping[str, object]) -> list[str]:
    lines = [str(facts["structure"])]
    if "erased" in facts:
        lines.append("effacée, et recomptée" if facts["erased"] else "remise ; rien n'est effacé")
    else:
        lines.append("signature valable : le certificat est celui de ce serveur, ou de --key")
    told = {**facts}
    if at := facts.get("at"):
        told["at"] = Voice("fr").moment(str(at))
    kept = [_KEEP] if "certificate" in facts else []
    return [
        " : ".join(lines),
        *(f"  {_SAID[n]} : {v}" for n, v in told.items() if n in _SAID),
        *kept,
        *cast("list[str]", facts.get("todo", [])),
    ]


def _of_accounts(accounts: Sequence[EndingAccount]) -> Iterator[str]:
    """Before anything is erased."""
    if not accounts:
        yield "Comptes qui prennent fin avec elle : aucun"
        return
    yield "Comptes qui prennent fin avec elle :"
    for one in accounts:
        yield f"  {one.login}  {_role(one.role) if one.role else '-'}"
        for at in one.elsewhere:
            last = ", et personne d'autre n'y a ce rôle" if at.is_last else ""
            yield f"    aussi {_role(at.role)} de : {at.structure}{last}"


def _role(role: Role) -> str:
    return Words("fr")(f"access_role.{role}")


def _left(place: Home, db: str, name: str, wanted: Wanted) -> dict[str, object]:
    out, decided = wanted.out, wanted.decided
    store = open_store(place, db)
    office = Office(store=store, key=place.signing_key(), now=SystemClock().now())
    facts: dict[str, object] = {"structure": name, "erased": False}
    try:
        known = find_structure(store, name)
    except StructureUnknownError:
        kept = store.leavings().erasure(name)
        if decided is None or kept is None:
            raise
        facts |= _prove(office, name, out)
        around = handed_over(kept, out)
        done = close_here(around, wanted.vault, decided.by, places(store))
        return facts | _outside(done, wanted)
    accounts = ending(store, known)
    facts["accounts"] = msgspec.to_builtins(accounts)
    if not wanted.as_json:
        click.echo("\n".join(_of_accounts(accounts)), err=True)
    if decided is None:
        return {**facts, "export": str(hand_over(office, known, out))}
    if (lost := losses(accounts, decided.by)) and not wanted.agreed:
        raise AccountsEndError(name, lost)
    around = elsewhere(store, known)
    facts["export"] = str(erase(office, known, decided, out))
    facts |= _prove(office, name, out)
    done = close_here(around, wanted.vault, decided.by, places(store))
    return facts | _outside(done, wanted)


def _outside(found: Elsewhere, wanted: Wanted) -> dict[str, object]:
    """What a person still does, after all that is proved; with --json as facts."""
    return (
        {"elsewhere": msgspec.to_builtins(found)} if wanted.as_json else {"todo": [*lines(found)]}
    )


def _verified(file: Path, key: str, home: Path) -> dict[str, object]:
    """Raises: ErasureBadError."""
    try:
        found = read(file.read_bytes())
    except SealBroken as error:
        raise ErasureBadError(file.name, str(error)) from error
    if found.public_key != (key or own_key(home).hex()):
        raise ErasureBadError(file.name, f"the key {fingerprint(found.public_key)} is unknown")
    made = found.made
    return {"structure": made.name, "at": made.at.isoformat(), "rows": sum(made.rows.values())}


def _prove(office: Office, name: str, out: Path) -> dict[str, object]:
    """Count again, wipe what is freed, write the certificate. Raises: RowsLeftError."""
    leavings = office.store.leavings()
    kept = leavings.erasure(name)
    if kept is None:
        raise RowsLeftError(name, "there is no certificate")
    left = {table: n for table, n in leavings.left(kept.structure).items() if n}
    if left:
        raise RowsLeftError(name, ", ".join(f"{table} {n}" for table, n in left.items()))
    file, page = write_certificate(kept, out)
    if not leavings.wipe():
        raise RowsLeftError(name, "the server was reading, so traces may be in the database's log")
    facts = {"erased": True, "rows_left": 0, "certificate": str(file), "page": str(page)}
    trail = read(kept.certificate).made.trail
    return facts if trail is None else facts | {"trail_faults": trail.faults}
