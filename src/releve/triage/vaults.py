"""Vaults as their structure's people must know of them: silence, broken proofs, what lacks."""

import datetime as dt
from collections.abc import Iterable

import msgspec

from releve.model.standing import EnrolledVault, Standing

SILENT_AFTER = dt.timedelta(minutes=5)  # a head comes each minute
_DISK = ("warn", "alarm")


class ToldVault(msgspec.Struct, frozen=True, kw_only=True):
    """A vault with the last standing that it told."""

    vault: EnrolledVault
    standing: Standing | None = None


def is_silent(vault: EnrolledVault, now: dt.datetime) -> bool:
    """Whether no new head came for minutes. One that was removed is not asked for any."""
    if vault.removed_at is not None:
        return False
    last = vault.head.received_at if vault.head else vault.enrolled_at
    return now - last > SILENT_AFTER


def concerns(vaults: Iterable[ToldVault], now: dt.datetime) -> list[tuple[str, str, int]]:
    """(kind, vault, count) of what needs a person."""
    found = []
    for told in vaults:
        if told.vault.removed_at is None:
            kinds = [*_of_vault(told.vault, now), *_of_standing(told.standing)]
            found += [(kind, told.vault.id, count) for kind, count in kinds]
    return found


def _of_vault(vault: EnrolledVault, now: dt.datetime) -> list[tuple[str, int]]:
    found = [("vault_broken", 1)] if vault.broken else []
    return [*found, ("vault_silent", 1)] if is_silent(vault, now) else found


def _of_standing(told: Standing | None) -> list[tuple[str, int]]:
    if told is None:
        return []
    bad = sum(host.bad_objects for host in told.hosts)
    overdue = sum(copy.is_overdue for copy in told.copies)
    # A probe that an attack got through; one that is only old is no concern of the night.
    broken = sum(copy.trials_held < copy.trials for copy in told.copies)
    # A run of a copy that is late is told as the copy.
    late = sum(job.is_overdue and not job.name.startswith("copy-run") for job in told.jobs)
    found = [("vault_bad", bad), ("vault_copy_late", overdue), ("vault_copy_broken", broken)]
    found.append(("vault_job_late", late))
    if told.room is not None and told.room.level in _DISK:
        is_full = told.room.level == "alarm" and not told.room.days_left
        found.append(
            ("vault_full", 1) if is_full else ("vault_disk", max(1, int(told.room.days_left or 0)))
        )
    return [(kind, count) for kind, count in found if count]
