"""What another structure has already, and this one cannot have as well."""

from releve.adapters.sql.store import SqlStore
from releve.apps.server.onboard_plan import Wanted
from releve.flow.vault.names import vault_word
from releve.model.errors import ReleveError


class OnboardTakenError(ReleveError):
    """A login, or a structure's name at its vault, is another structure's."""

    status = 74
    remedy = "Choose another one in the file, then run it again: what was done stays."

    def __init__(self, what: str, other: str = "another structure") -> None:
        super().__init__(f"{what} is taken by {other}.")


def check_place(store: SqlStore, wanted: Wanted) -> None:
    """Two names may give one word at a vault: their hosts, rights and notices would be mixed.

    Raises: OnboardTakenError.
    """
    if not wanted.vault_key:
        return
    place = (wanted.vault_key.lower(), vault_word(wanted.name))
    for other in store.structures():
        if other.name == wanted.name:
            continue
        with store.unit(other.id, writes=False) as unit:
            held = [one for one in unit.vaults() if one.removed_at is None]
        if place in [(one.public_key.lower(), one.within) for one in held]:
            raise OnboardTakenError(f"{wanted.name}, at the vault {place[1]},", other.name)
