"""Vaults as their structure's people must know of them: silence, broken proofs, what lacks."""

import datetime as dt
from collections.abc import Sequence

from releve.model.standing import EnrolledVault

SILENT_AFTER = dt.timedelta(minutes=5)  # a head comes each minute


def is_silent(vault: EnrolledVault, now: dt.datetime) -> bool:
    """Whether no new head came for minutes. One that was removed is not asked for any."""
    if vault.removed_at is not None:
        return False
    last = vault.head.received_at if vault.head else vault.enrolled_at
    return now - last > SILENT_AFTER


def concerns(vaults: Sequence[EnrolledVault], now: dt.datetime) -> list[tuple[str, str]]:
    """(kind, vault) of what needs a person."""
    found = []
    for vault in vaults:
        if vault.removed_at is not None:
            continue
        if vault.broken:
            found.append(("vault_broken", vault.id))
        if is_silent(vault, now):
            found.append(("vault_silent", vault.id))
    return found
