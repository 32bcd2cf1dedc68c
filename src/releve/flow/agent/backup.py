"""The hourly backup: runs the backup command and tells how it went."""

from collections.abc import Sequence
from functools import partial
from random import Random

import structlog
from anyio import to_thread

from releve.flow.agent.period import once_a_period
from releve.flow.agent.ports import Commands, Spool
from releve.flow.backup import (
    BackupFolderMissingError,
    BackupHookFailedError,
    BackupSourceEmptyError,
    BackupSourceMissingError,
)
from releve.flow.clock import Clock
from releve.model.event import (
    FOLDER_MISSING,
    HOOK_FAILED,
    SOURCE_EMPTY,
    SOURCE_MISSING,
    BackupRan,
)

log = structlog.get_logger()

LONGEST_SECONDS = 6 * 3600.0
_DETAILS = {
    0: "",
    BackupFolderMissingError.status: FOLDER_MISSING,
    BackupSourceMissingError.status: SOURCE_MISSING,
    BackupSourceEmptyError.status: SOURCE_EMPTY,
    BackupHookFailedError.status: HOOK_FAILED,
}


async def back_up_once(
    commands: Commands, spool: Spool, clock: Clock, command: Sequence[str]
) -> BackupRan:
    outcome = await commands.run(command, seconds=LONGEST_SECONDS)
    if outcome.status is None:
        detail = "command_absent"
    elif outcome.timed_out:
        detail = "timed_out"
    else:
        detail = _DETAILS.get(outcome.status, f"status {outcome.status}")
    if outcome.stderr and outcome.status != 0:
        # restic's words may name files: they stay on the host.
        log.warning("backup_failed", stderr=outcome.stderr[-500:].decode("utf-8", "replace"))
    event = BackupRan(
        seen_at=clock.now(),
        ok=outcome.status == 0,
        ms=outcome.ms,
        status=outcome.status,
        detail=detail,
    )
    await to_thread.run_sync(spool.add, [event])
    return event


async def back_up_forever(
    commands: Commands,
    spool: Spool,
    clock: Clock,
    command: Sequence[str],
    every_seconds: float,
    chance: Random,
) -> None:
    """The first soon after start, then one a period; spread, so that a site's hosts do not meet."""
    run = partial(back_up_once, commands, spool, clock, command)
    await once_a_period(run, every_seconds, chance, (0.002, 0.02))
