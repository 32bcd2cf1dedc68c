"""`releve vault seal`: generations that nothing is added to any more are closed on the disk, too."""

import click
import msgspec

from releve.adapters.vault import seal as sealing
from releve.adapters.vault.seal import State
from releve.apps.vault.opened import Vault
from releve.apps.vault.show import data_option, json_option, tell
from releve.flow.vault import retention
from releve.model.vault import Deed, Repository
from releve.recover.generations import superseded

SEALED = "vault:generation:sealed"
BROKEN = "vault:generation:seal_broken"


class Sealed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="seal"):
    """How one generation stands."""

    repository: str
    state: str
    fresh: bool = False  # sealed just now
    broken: bool = False  # it was sealed, and somebody opened it


class Sealing:
    """The seals of one vault. What was sealed is an entry of the chain."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def run(self, *, dry: bool = False) -> list[Sealed]:
        """Seal what is old, and look whether what was sealed still is."""
        vault = self._vault
        vault.catch_up()
        before = {
            Repository(structure=d.structure, host=d.host, generation=d.generation)
            for d in vault.book.deeds
            if d.what == SEALED
        }
        old = superseded(
            vault.book.generations(), retention.complete(vault.book), vault.clock.now_ns()
        )
        leaving = retention.read(list(vault.book.deeds)).leaving
        return [
            self._one(where, where in before, dry=dry) for where in sorted(old - leaving.keys())
        ]

    def _one(self, where: Repository, was_sealed: bool, *, dry: bool) -> Sealed:
        folder = self._vault.layout.repository(where)
        found = sealing.state(folder)
        is_broken = was_sealed and found in {State.OPEN, State.PART}
        if is_broken:
            self._add(BROKEN, where)
            self._vault.notices.tell("seal_broken", str(where), structure=where.structure)
        if dry or found is State.SEALED:
            return Sealed(repository=str(where), state=found, broken=is_broken)
        if found is State.IMPOSSIBLE or not sealing.seal(folder):
            self._vault.notices.tell("seal_not_possible", str(where), structure=where.structure)
            return Sealed(repository=str(where), state=State.IMPOSSIBLE)
        self._add(SEALED, where)
        return Sealed(repository=str(where), state=State.SEALED, fresh=True, broken=is_broken)

    def _add(self, what: str, where: Repository) -> None:
        deed = Deed(
            what=what, structure=where.structure, host=where.host, generation=where.generation
        )
        self._vault.add(deed)


_SAID = {
    State.SEALED: "fermée",
    State.OPEN: "ouverte",
    State.PART: "en partie ouverte",
    State.IMPOSSIBLE: "ce disque ne sait pas fermer",
}


@click.command()
@click.option("--show", is_flag=True, help="Regarder seulement.")
@data_option
@json_option
def seal(data: str, *, show: bool, as_json: bool) -> None:
    """Fermer les générations remplacées : root même ne peut plus y effacer un nom (chattr +i).

    Closes, on the disk too, generations that a newer one replaced and nothing came into for 31 days.
    Only the retention, decided by two people, opens one again. Needs ext4, xfs or btrfs.

    Example: releve vault seal
    """
    for one in Sealing(Vault(data)).run(dry=show):
        words = f"{one.repository:40} {_SAID[State(one.state)]}"
        words += "  SCEAU ROMPU" if one.broken else ""
        tell(msgspec.to_builtins(one), words, as_json=as_json)
