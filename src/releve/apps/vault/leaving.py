"""`releve vault leave`: a structure ends on this vault; what was received of it stays."""

from pathlib import Path

import click
import msgspec

from releve.adapters.durable import write
from releve.adapters.vault.layout import Layout
from releve.adapters.vault.server import read_tokens
from releve.apps.vault.access import Access, VaultNameError
from releve.apps.vault.opened import Vault, only_writer
from releve.apps.vault.show import data_option, json_option, tell
from releve.flow.vault.names import is_word, vault_word
from releve.model.vault import Deed


@click.command()
@click.argument("structure", metavar="STRUCTURE")
@click.option("--by", default="", help="Qui le décide.")
@data_option
@json_option
def leave(structure: str, by: str, data: str, *, as_json: bool) -> None:
    """Une structure s'en va : fermer tous ses droits, ne plus rendre compte d'elle.

    A structure leaves: the paths that were agreed on for it end, all its credentials are closed, at
    once, and no server is told of it any more. What was received of it stays, under the rules of
    retention. Safe to run again. It may be called by its whole name ("Cabinet du Parc").

    Example: releve vault leave cabinet-du-parc --by "A. Martin"
    """
    vault = Vault(data)
    structure = _place(vault, structure)
    agreements = _end_agreements(vault, structure, by)
    closed = _close_all(vault, structure, by)
    with only_writer(vault.layout):
        ended = _end_reporting(vault.layout, structure)
    kept = sorted({str(one.repository) for one in vault.book.generations() if not one.dropped_ns
                   and one.repository.structure == structure})  # fmt: skip
    facts = {
        "event": "leave", "structure": structure, "closed": closed, "agreements": agreements,
        "reporting_ended": ended, "kept": kept,
    }  # fmt: skip
    words = _words(structure, closed, agreements, ended=ended, kept=len(kept))
    tell(facts, words, as_json=as_json)


def _place(vault: Vault, said: str) -> str:
    """Its name here, of the name that people call it by, too. Raises: VaultNameError."""
    if is_word(said):
        return said
    access, place = Access(vault), vault_word(said)
    known = {one.structure for one in vault.credentials.all()}
    known |= {one.structure for one in access.agreements.all()}
    known |= {one.repository.structure for one in vault.book.generations()}
    if place not in known:
        named = ", ".join(sorted(known)) or "-"
        raise VaultNameError(
            said,
            f"no structure is called so here; there are: {named}",
            f"aucune structure ne s'appelle ainsi ici ; il y a : {named}",
        )
    return place


def _end_agreements(vault: Vault, structure: str, by: str) -> list[str]:
    """First of all: by one that stands the vault opens a right to restore by itself, again and again."""
    access = Access(vault)
    standing = [one for one in access.agreements.all() if not one.ended_ns]
    ended = [one for one in standing if one.structure == structure]
    for one in ended:
        access.end_agreement(one, by)
    return [one.name for one in ended]


def _close_all(vault: Vault, structure: str, by: str) -> list[str]:
    """Every right that is not closed yet, those to restore too; their names."""
    access, closed = Access(vault), []
    for held in vault.credentials.all():
        if held.structure != structure or held.closed_ns:
            continue
        if held.opening:
            access.close(held.opening, by)
        else:
            close(vault, held.id, by)
        closed.append(held.id)
    return closed


def close(vault: Vault, name: str, by: str) -> None:
    """A host's right to deposit, at once; `name`: of one that there is."""
    held = vault.credentials.get(name)
    if held is None:
        raise LookupError(name)
    now = vault.clock.now_ns()
    vault.credentials.put(name, msgspec.structs.replace(held, closed_ns=now))
    vault.add(
        Deed(
            what="person:credential:closed",
            structure=held.structure,
            host=held.host,
            by=by,
            about={"credential": name},
        )
    )


def _end_reporting(layout: Layout, structure: str) -> bool:
    """Take its token away; False: there was none of its own."""
    file = Path(layout.config().server_token_file or layout.data / "server.tokens")
    text = file.read_text() if file.exists() else ""
    if not structure or structure not in read_tokens(text):
        return False
    kept = [line for line in text.splitlines() if line.split()[:1] != [structure]]
    write(file, "".join(f"{line}\n" for line in kept).encode())
    return True


def _words(
    structure: str, closed: list[str], agreements: list[str], *, ended: bool, kept: int
) -> str:
    lines = [f"{structure} : " + (f"droits fermés : {', '.join(closed)}" if closed else
             "aucun droit n'était ouvert")]  # fmt: skip
    if agreements:
        lines.append(f"  Chemins convenus finis : {', '.join(agreements)}")
    if ended:
        lines.append(
            "  Son jeton de compte rendu est retiré : la porte le sait à son prochain démarrage."
        )
    if kept:
        lines.append(
            f"  Ce qui a été reçu reste ({kept} dépôts), selon les règles de durée : releve vault retention plan"
        )
    return "\n".join(lines)
