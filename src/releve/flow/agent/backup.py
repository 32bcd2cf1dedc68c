"""The hourly backup: runs the backup command and tells how it went."""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

import msgspec
import structlog
from anyio import to_thread

from releve.flow.agent.period import once_a_period
from releve.flow.agent.ports import Commands, Outcome, Spool
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


class _Made(msgspec.Struct, tag_field="event", tag="backup"):
    """A line of `releve backup run --json`: what it made. Names in it stay on the host."""

    snapshot: str
    at: dt.datetime
    files: int = 0
    bytes: int = 0
    bytes_added: int = 0
    databases: int = 0


class _Judged(msgspec.Struct, tag_field="event", tag="scanned"):
    """Another: what was judged of a snapshot."""

    snapshot: str
    at: dt.datetime
    verdict: str


class _Said(msgspec.Struct):
    made: _Made | None = None
    judged: tuple[_Judged, ...] = ()


_line: Callable[[bytes], _Made | _Judged] = msgspec.json.Decoder(_Made | _Judged).decode


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
    event = _told(outcome, detail, clock.now())
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


def _told(outcome: Outcome, detail: str, now: dt.datetime) -> BackupRan:
    said = _said(outcome.stdout)
    made = said.made
    own = [one.verdict for one in said.judged if made and one.snapshot == made.snapshot]
    return BackupRan(
        seen_at=now,
        ok=outcome.status == 0,
        ms=outcome.ms,
        status=outcome.status,
        detail=detail,
        snapshot_at=made.at if made else None,
        files=made.files if made else 0,
        bytes=made.bytes if made else 0,
        bytes_added=made.bytes_added if made else 0,
        databases=made.databases if made else 0,
        verdict=own[-1] if own else "",
        # Earlier snapshots that waited may be judged with it: the newest clean one counts.
        clean_at=max((one.at for one in said.judged if one.verdict == "clean"), default=None),
    )


def _said(stdout: bytes) -> _Said:
    """What the command's lines tell; progress and lines of another form are left out."""
    made: _Made | None = None
    judged = []
    for line in stdout.splitlines():
        try:
            read = _line(line)
        except msgspec.DecodeError:
            continue
        if isinstance(read, _Made):
            made = read
        else:
            judged.append(read)
    return _Said(made=made, judged=tuple(judged))
