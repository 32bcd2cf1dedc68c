"""What the desk for recoveries answers: how the right stands, and the repository as of the wanted snapshots."""

from releve.adapters.vault.answers import RefusedError
from releve.adapters.vault.records import Records
from releve.adapters.vault.view import NothingReceivedError
from releve.apps.vault.look import make_view
from releve.apps.vault.opened import Vault
from releve.flow.vault import openings
from releve.model.vault import (
    Credential,
    ObjectKind,
    Opening,
    Receipt,
    Repository,
    Right,
    View,
    ViewWish,
    WhereWish,
)

_FRESH_NS = 600_000_000_000  # a view of now that is asked for again, after a kill perhaps
MOST_VIEWS = 16  # of one opening: each costs a name for every object


class Showing:
    """Rights and views of one vault, for whoever holds an opening."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._openings = Records(vault.layout.openings, Opening)

    def right(self, held: Credential) -> Right | None:
        opening = self._openings.get(held.opening) if held.opening else None
        return openings.right(opening, self._vault.clock.now_ns()) if opening else None

    def view(self, held: Credential, wish: ViewWish) -> View:
        """The view of that wish; asked twice, the same one.

        Of when, is told by the vault's own receipts of the wanted snapshots: no date of a client
        counts, and nothing that came after the newest of them is in it.

        Raises: NothingReceivedError, ViewError, RefusedError.
        """
        where = Repository(structure=held.structure, host=wish.host, generation=wish.generation)
        at_ns = wish.as_of_ns or self._as_of(where, wish.snapshots)
        own = [made for made in self._vault.views.all() if made.by == held.opening]
        for made in own:
            is_named = bool(wish.snapshots or wish.as_of_ns)
            is_same = at_ns - made.as_of_ns < (1 if is_named else _FRESH_NS)
            if made.repository == where and made.as_of_ns <= at_ns and is_same:
                return made
        if len(own) >= MOST_VIEWS:
            raise RefusedError(429, "too many views of this opening stand")
        return make_view(
            self._vault,
            structure=where.structure,
            host=where.host,
            generation=where.generation,
            at_ns=at_ns,
            verify=False,
            by=held.opening,
        )

    def where(self, held: Credential, wish: WhereWish) -> dict[str, str]:
        """The generation of each of these snapshots that was received; the newest, of one sent twice."""
        wanted = set(wish.snapshots)
        return {
            entry.name: entry.repository.generation
            for entry in self._vault.entries()
            if isinstance(entry, Receipt)
            and entry.kind is ObjectKind.SNAPSHOTS
            and (entry.repository.structure, entry.repository.host) == (held.structure, wish.host)
            and entry.name in wanted
        }

    def _as_of(self, where: Repository, snapshots: tuple[str, ...]) -> int:
        """Raises: NothingReceivedError."""
        if not snapshots:
            return self._vault.clock.now_ns()
        lacking, last = set(snapshots), 0
        for entry in self._vault.entries():
            if (
                isinstance(entry, Receipt)
                and entry.kind is ObjectKind.SNAPSHOTS
                and entry.repository == where
                and entry.name in lacking
            ):
                lacking.discard(entry.name)
                last = max(last, entry.received_ns)
        if lacking:
            raise NothingReceivedError(where, f"snapshot {min(lacking)[:8]}")
        return last
