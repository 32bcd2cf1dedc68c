"""The standing path of restore drills: the gate opens a short right to read by itself, on its schedule."""

from collections.abc import Awaitable, Callable

from releve.adapters.system import new_id
from releve.adapters.vault.answers import RefusedError
from releve.apps.vault.access import Access, deed
from releve.apps.vault.opened import Vault
from releve.flow.vault import drill_path, openings
from releve.flow.vault.names import is_object, is_word
from releve.flow.vault.openings import OpeningError
from releve.model.vault import (
    AnyEntry,
    Credential,
    CredentialKind,
    DrillAsk,
    Limits,
    Opening,
    Right,
)


class Drilling:
    """Rights for drills of one vault.

    Args:
        add: puts an entry into the chain; it is durable when that returns.
    """

    def __init__(self, vault: Vault, add: Callable[[AnyEntry], Awaitable[None]]) -> None:
        self._vault, self._add = vault, add
        self._access = Access(vault)

    async def open(self, ask: DrillAsk) -> Right:
        """In the chain and told before it can be used; the room knows the secret already.

        Raises: RefusedError, NotWrittenError.
        """
        agreement = self._access.agreements.get(ask.agreement) if is_word(ask.agreement) else None
        is_right = is_object(ask.secret_sha256) and drill_path.is_from_room(ask, agreement)
        if agreement is None or not is_right:
            raise RefusedError(403, "not opened")
        now = self._vault.clock.now_ns()
        approvers, known = self._access.approvers.all(), self._access.openings.all()
        try:
            made = drill_path.opened(
                ask, agreement, approvers, known, name=f"o-{new_id()}", now_ns=now
            )
        except OpeningError as error:
            facts = {"structure": agreement.structure, "host": agreement.host, "why": error.why}
            await self._vault.notices.tell_soon("drill_refused", agreement.name, **facts)
            raise RefusedError(403, error.why) from error
        # First what counts against the schedule: a kill in between costs a drill, and opens none.
        self._access.openings.put(made.id, made)
        await self._add(deed("opened", made, by=agreement.name))
        limits = Limits(read_bytes=agreement.read_bytes)
        self._vault.credentials.put(made.id, _credential(made, ask.secret_sha256, limits))
        facts = {"structure": made.structure, "host": made.host, "hours": f"{made.hours:g}"}
        await self._vault.notices.tell_soon("drill_opened", made.agreement, **facts)
        return openings.right(made, now)


def _credential(made: Opening, secret_sha256: str, limits: Limits) -> Credential:
    return Credential(
        id=made.id,
        kind=CredentialKind.RESTORE,
        structure=made.structure,
        host=made.host,
        secret_sha256=secret_sha256,
        made_ns=made.opened_ns,
        limits=limits,
        expires_ns=made.expires_ns,
        opening=made.id,
    )
