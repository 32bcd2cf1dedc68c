"""What goes on outside the server when a structure leaves: its rights in vaults, its agents on hosts."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from releve.apps.server.leaving import MANIFEST, MANIFEST_FILE, sha256_of
from releve.flow.sealed import open_
from releve.flow.server.certificate import read
from releve.flow.server.ports import Store, Structure
from releve.flow.vault.names import vault_word
from releve.model.leaving import KeptErasure
from releve.model.standing import EnrolledVault

_RELEVE = (sys.executable, "-P", "-m", "releve.apps.cli.main")
_SECONDS = 120
_KEY = "head.pub"  # a vault's public key, as `releve vault init` lays it beside what it holds


class LeftVault(msgspec.Struct, frozen=True, kw_only=True):
    """A vault that served the structure; `within`: the structure's name there."""

    name: str
    within: str
    public_key: str = ""
    data: str = ""  # the folder, where it stands on this machine and was asked
    closed: tuple[str, ...] | None = (
        None  # the rights that were closed there; None: a person's to do
    )
    why: str = ""  # it was asked and did not do it


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    vaults: tuple[LeftVault, ...]
    hosts: tuple[str, ...]


def elsewhere(store: Store, structure: Structure) -> Elsewhere:
    """As the server knows it before its rows go."""
    with store.unit(structure.id, writes=False) as unit:
        vaults = tuple(
            LeftVault(
                name=one.name,
                within=one.within or vault_word(structure.name),
                public_key=one.public_key,
            )
            for one in unit.vaults()
            if one.removed_at is None
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
        return Elsewhere(vaults=(LeftVault(name="", within=vault_word(kept.name)),), hosts=())
    left = (
        LeftVault(
            name=one.body.name,
            within=one.body.within or vault_word(kept.name),
            public_key=one.body.public_key,
        )
        for one in vaults
        if one.body.removed_at is None
    )
    return Elsewhere(vaults=tuple(left), hosts=tuple(sorted(one.body.name for one in hosts)))


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


def close_here(found: Elsewhere, data: Path, by: str) -> Elsewhere:
    """Close its rights in the vault of this machine, if that one served it; others stay to be done."""
    key = _key_of(data)
    vaults = [
        _closed(one, data, by) if key and one.public_key == key else one for one in found.vaults
    ]
    return msgspec.structs.replace(found, vaults=tuple(vaults))


def lines(found: Elsewhere) -> Iterator[str]:
    """What was done elsewhere, and what a person still does there."""
    for one in found.vaults:
        name = f"Coffre « {one.name} »" if one.name else "Coffre"
        if one.closed:
            yield f"  {name} ({one.data}) : droits fermés : {', '.join(one.closed)}"
        elif one.closed is not None:
            yield f"  {name} ({one.data}) : aucun droit n'y était plus ouvert"
        else:
            failed = f" (essayé dans {one.data} : {one.why})" if one.why else ""
            yield (
                f"  À faire : {name[0].lower()}{name[1:]}{failed}, en root sur sa machine, fermer ses"
                f" droits : releve vault leave {one.within} --data DOSSIER_DU_COFFRE"
            )
    where = f"sur {', '.join(found.hosts)}" if found.hosts else "sur chacune de ses machines"
    yield (
        f"  À faire : {where}, en root : systemctl disable --now releve-agent, puis releve agent stop-guard ;"
        " effacer ensuite /etc/systemd/system/releve-agent.service et le dossier de l'agent."
    )
    yield (
        "  À garder : la feuille de clé et le dossier de la sauvegarde, tant qu'un coffre tient ses"
        " instantanés ; sans clé, personne ne les relit."
    )


def _closed(one: LeftVault, data: Path, by: str) -> LeftVault:
    words: Sequence[str] = ("vault", "leave", one.within, "--by", by, "--data", str(data), "--json")
    done = subprocess.run([*_RELEVE, *words], capture_output=True, timeout=_SECONDS, check=False)
    here = msgspec.structs.replace(one, data=str(data))
    if done.returncode:
        return msgspec.structs.replace(here, why=f"statut {done.returncode}")
    closed = msgspec.json.decode(done.stdout)["closed"]
    return msgspec.structs.replace(here, closed=tuple(closed))


def _key_of(data: Path) -> str:
    try:
        return (data / _KEY).read_text().strip()
    except OSError:  # none, or one that this user may not look into
        return ""
