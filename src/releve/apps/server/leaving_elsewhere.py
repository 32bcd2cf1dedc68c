"""What goes on outside the server when a structure leaves: its rights in vaults, its agents on hosts."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from releve.apps.server.leaving import MANIFEST, MANIFEST_FILE, sha256_of
from releve.apps.server.printable import printable
from releve.flow.sealed import open_
from releve.flow.server.certificate import read
from releve.flow.server.ports import Store, Structure
from releve.flow.vault.names import is_word, vault_word
from releve.model.leaving import KeptErasure
from releve.model.standing import EnrolledVault

_RELEVE = (sys.executable, "-P", "-m", "releve.apps.cli.main")
_SECONDS = 120
_KEY = "head.pub"  # a vault's public key, as `releve vault init` lays it beside what it holds
Place = tuple[str, str]  # a vault's public key, and a structure's name there


class LeftVault(msgspec.Struct, frozen=True, kw_only=True):
    """A vault that served the structure; `within`: the structure's name there.

    `is_guess`: nobody said that name, it is how onboarding would have called it.
    """

    name: str
    within: str
    is_guess: bool = False
    public_key: str = ""
    data: str = ""  # the folder, where it stands on this machine and was asked
    closed: tuple[str, ...] | None = (
        None  # the rights that were closed there; None: a person's to do
    )
    why: str = ""  # it was asked and did not do it
    shared_with: str = ""  # another structure of this server that has the same place there


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    vaults: tuple[LeftVault, ...]
    hosts: tuple[str, ...]


def elsewhere(store: Store, structure: Structure) -> Elsewhere:
    """As the server knows it before its rows go."""
    with store.unit(structure.id, writes=False) as unit:
        vaults = tuple(
            _left(one, structure.name) for one in unit.vaults() if one.removed_at is None
        )
        return Elsewhere(vaults=vaults, hosts=tuple(sorted(one.name for one in unit.hosts())))


def handed_over(kept: KeptErasure, out: Path) -> Elsewhere:
    """Of a structure whose rows are gone (run again, after a kill perhaps): from what was handed over.

    Only a folder that the certificate names is believed, and files as its signed manifest has them.
    """
    folder = _export_of(kept, out)
    vaults = [] if folder is None else _rows(folder, "vault", _VaultRow)
    hosts = [] if folder is None else _rows(folder, "host", _HostRow)
    if not vaults:
        guess = LeftVault(name="", within=vault_word(kept.name), is_guess=True)
        return Elsewhere(vaults=(guess,), hosts=())
    left = (_left(one.body, kept.name) for one in vaults if one.body.removed_at is None)
    return Elsewhere(vaults=tuple(left), hosts=tuple(sorted(one.body.name for one in hosts)))


def _left(vault: EnrolledVault, owner: str) -> LeftVault:
    """A name that no vault gives (a standing may say anything) is none."""
    said = vault.within if is_word(vault.within) else ""
    return LeftVault(
        name=vault.name,
        within=said or vault_word(owner),
        is_guess=not said,
        public_key=vault.public_key,
    )


def places(store: Store) -> dict[Place, str]:
    """Whose each place at a vault is; asked after the erasure, of those who stay."""
    found: dict[Place, str] = {}
    for structure in store.structures():
        for one in elsewhere(store, structure).vaults:
            found[one.public_key, one.within] = structure.name
    return found


class _HostBody(msgspec.Struct):
    name: str


class _HostRow(msgspec.Struct):
    body: _HostBody


class _VaultRow(msgspec.Struct):
    body: EnrolledVault


R = TypeVar("R", _HostRow, _VaultRow)


def _export_of(kept: KeptErasure, out: Path) -> Path | None:
    wanted = read(kept.certificate).made.export
    for manifest in out.glob(f"releve-{kept.structure}-*/{MANIFEST_FILE}"):
        if sha256_of(manifest) == wanted:
            return manifest.parent
    return None


def _rows(folder: Path, table: str, kind: type[R]) -> list[R]:
    """None, where the file is not the one that was handed over."""
    name = f"tables/{table}.jsonl"
    files = msgspec.json.decode(open_(MANIFEST, (folder / MANIFEST_FILE).read_bytes()).body)[
        "files"
    ]
    file = folder / name
    if not file.is_file() or sha256_of(file) != files.get(name):
        return []
    return [msgspec.json.decode(line, type=kind) for line in file.read_bytes().splitlines()]


def close_here(found: Elsewhere, data: Path, by: str, taken: Mapping[Place, str]) -> Elsewhere:
    """Close its rights in the vault of this machine, if that one served it; others stay to be done.

    Args:
        taken: the places of structures that stay: what is closed by name there would be theirs.
    """
    key = _key_of(data)
    vaults = []
    for one in found.vaults:
        shared = taken.get((one.public_key, one.within), "")
        told = msgspec.structs.replace(one, shared_with=shared)
        is_here = key and one.public_key == key and not (shared or one.is_guess)
        vaults.append(_closed(told, data, by) if is_here else told)
    return msgspec.structs.replace(found, vaults=tuple(vaults))


def lines(found: Elsewhere) -> Iterator[str]:
    """What was done elsewhere, and what a person still does there; hosts chose their names themselves."""
    return (printable(line) for line in _lines(found))


def _lines(found: Elsewhere) -> Iterator[str]:
    yield from map(_of_vault, found.vaults)
    where = f"sur {', '.join(found.hosts)}" if found.hosts else "sur chacune de ses machines"
    yield (
        f"  À faire : {where}, en root : systemctl disable --now releve-agent, puis releve agent stop-guard ;"
        " effacer ensuite /etc/systemd/system/releve-agent.service et le dossier de l'agent."
    )
    yield (
        "  À effacer aussi là, en root, quand personne n'y cherchera plus de version d'avant : le magasin"
        " du gardien, qui tient des copies des fichiers gardés ; `releve agent stop-guard` dit où il est"
        " (/var/lib/releve/store-…, ou .releve-… à la racine du disque gardé ; d'un gardien sans root :"
        " à côté du dossier gardé, ou ~/.local/share/releve/store-…)."
    )
    yield (
        "  À garder : la feuille de clé et le dossier de la sauvegarde, tant qu'un coffre tient ses"
        " instantanés ; sans clé, personne ne les relit."
    )


def _of_vault(one: LeftVault) -> str:
    name = f"Coffre « {one.name} »" if one.name else "Coffre"
    if one.closed:
        return f"  {name} ({one.data}) : droits fermés : {', '.join(one.closed)}"
    if one.closed is not None:
        return f"  {name} ({one.data}) : aucun droit n'y était plus ouvert"
    todo = f"  À faire : {name[0].lower()}{name[1:]}"
    if one.shared_with:
        return (
            f"{todo}, en root sur sa machine, fermer un par un les droits de ses machines (releve vault"
            f" credential list, puis credential close NOM) : « {one.within} » y est aussi la place de"
            f" {one.shared_with}, qui reste."
        )
    failed = f" (essayé dans {one.data} : {one.why})" if one.why else ""
    check = " (si c'est bien son nom là-bas)" if one.is_guess else ""
    return (
        f"{todo}{failed}, en root sur sa machine, fermer ses droits :"
        f" releve vault leave {one.within} --data DOSSIER_DU_COFFRE{check}"
    )


def _closed(one: LeftVault, data: Path, by: str) -> LeftVault:
    words: Sequence[str] = ("vault", "leave", one.within, "--by", by, "--data", str(data), "--json")
    here = msgspec.structs.replace(one, data=str(data))
    try:
        done = subprocess.run(
            [*_RELEVE, *words], capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return msgspec.structs.replace(here, why=f"pas fini en {_SECONDS} s")
    if done.returncode:
        return msgspec.structs.replace(here, why=f"statut {done.returncode}")
    told = msgspec.json.decode(done.stdout)
    return msgspec.structs.replace(here, closed=(*told["closed"], *told["agreements"]))


def _key_of(data: Path) -> str:
    try:
        return (data / _KEY).read_text().strip()
    except OSError:  # none, or one that this user may not look into
        return ""
