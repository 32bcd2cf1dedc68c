"""Healing: what the scrub found bad is brought back from a copy, checked against its receipt."""

from collections.abc import Iterator

import msgspec

from releve.adapters.durable import write
from releve.adapters.vault import placing, scrub, seal
from releve.adapters.vault.scrub import Scrub
from releve.apps.vault.opened import Vault
from releve.flow.vault.copying import Replica, ReplicaError, called
from releve.model.vault import Deed, Receipt


class Mended(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="mended"):
    """One bad object and how it ended."""

    name: str
    healed: bool
    why: str = ""


def heal(vault: Vault, replica: Replica, called_copy: str) -> Iterator[Mended]:
    """Bring back every object that the last scrub named; the bad content is put aside as evidence."""
    found = scrub.load(vault.layout)
    bad = {each.seq for each in found.bad} if found else set()
    healed = set[int]()
    for entry in vault.entries():
        if entry.seq in bad and isinstance(entry, Receipt):
            mended = _mend(vault, replica, entry, called_copy)
            if mended.healed:
                healed.add(entry.seq)
            yield mended
    if found and healed:
        _forget(vault, found, healed)


def _mend(vault: Vault, replica: Replica, receipt: Receipt, called_copy: str) -> Mended:
    path = vault.layout.object(receipt.repository, receipt.kind, receipt.name)
    if placing.is_as_received(path, receipt):
        return Mended(name=called(receipt), healed=True, why="it is sound already")
    fresh = vault.layout.strange / f"{receipt.seq}.from-copy"
    try:
        # First here: the bad one goes only when the good one is on this disk.
        placing.place(fresh, receipt, replica.fetch(receipt))
    except ReplicaError as error:
        return Mended(name=called(receipt), healed=False, why=f"in the copy: {error}")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with seal.opened(path.parent):
        if path.exists():
            placing.put_aside(vault.layout, path, receipt)
        fresh.replace(path)
    where = receipt.repository
    vault.add(
        Deed(
            what="vault:object:healed",
            structure=where.structure,
            host=where.host,
            generation=where.generation,
            about={"kind": receipt.kind, "name": receipt.name, "from": called_copy},
        )
    )
    return Mended(name=called(receipt), healed=True)


def _forget(vault: Vault, found: Scrub, healed: set[int]) -> None:
    left = tuple(each for each in found.bad if each.seq not in healed)
    write(vault.layout.scrub_file, msgspec.json.encode(msgspec.structs.replace(found, bad=left)))
