"""Restore drills on the agent's clock: goes on with an interrupted one, starts what is due, tells.

The command itself knows when a drill is due; here it is only asked once an hour. It answers with
the last one, so that a drill that a person made by hand is told, too.
"""

from collections.abc import Sequence
from functools import partial
from random import Random

import msgspec
import structlog
from anyio import to_thread

from releve.flow.agent.period import once_a_period
from releve.flow.agent.ports import Commands, Outcome, Spool
from releve.flow.clock import Clock
from releve.flow.drill.ports import DrillRunningError
from releve.model.drill import Certificate, StepName
from releve.model.event import DrillRan

log = structlog.get_logger()

LONGEST_SECONDS = 24 * 3600.0


class _Ended(msgspec.Struct):
    """The last line of `releve drill run --json`."""

    event: str
    certificate: Certificate | None = None
    last: Certificate | None = None  # when none was due


async def drill_once(
    commands: Commands, spool: Spool, clock: Clock, command: Sequence[str], told: set[str]
) -> DrillRan | None:
    """Run the command; None when it tells nothing new: no drill was due, or one runs already.

    `told`: ids of drills that were told since the agent's start; again after one, which changes nothing.
    """
    outcome = await commands.run(command, seconds=LONGEST_SECONDS)
    if outcome.status == DrillRunningError.status:
        return None
    said = _said(outcome)
    if said is not None and said.event == "not_due":
        last = said.last
        if last is None or last.verdict != "passed" or last.id in told:
            return None
        event = _told(outcome, last, clock)
    else:
        event = _told(outcome, said.certificate if said else None, clock)
    told.add(event.drill)
    if not event.ok:
        log.warning("drill_failed", status=outcome.status, drill=event.drill)
    await to_thread.run_sync(spool.add, [event])
    return event


async def drill_forever(
    commands: Commands,
    spool: Spool,
    clock: Clock,
    command: Sequence[str],
    every_seconds: float,
    chance: Random,
) -> None:
    """First tell that drills are expected of this host: none that never ran goes unnoticed."""
    await to_thread.run_sync(spool.add, [DrillRan(seen_at=clock.now(), ok=True, is_expected=True)])
    told: set[str] = set()
    run = partial(drill_once, commands, spool, clock, command, told)
    await once_a_period(run, every_seconds, chance, (0.01, 0.1))


def _said(outcome: Outcome) -> _Ended | None:
    lines = outcome.stdout.strip().splitlines()
    try:
        return msgspec.json.decode(lines[-1], type=_Ended) if lines else None
    except msgspec.DecodeError:
        return None


def _told(outcome: Outcome, made: Certificate | None, clock: Clock) -> DrillRan:
    if made is None:
        detail = "timed_out" if outcome.timed_out else f"status {outcome.status}"
        return DrillRan(seen_at=clock.now(), ok=False, status=outcome.status, detail=detail)
    steps = {m.name: None if m.is_interrupted else m.elapsed_s for m in made.rto}
    return DrillRan(
        seen_at=made.ended_at,
        ok=made.verdict == "passed",
        status=outcome.status,
        drill=made.id,
        detail="" if made.verdict == "passed" else "failed",
        first_file_s=steps.get(StepName.FIRST_FILE),
        patient_list_s=steps.get(StepName.PATIENT_LIST),
        databases_s=steps.get(StepName.DATABASES),
        all_local_s=steps.get(StepName.ALL_LOCAL),
        rpo_s=made.rpo_s,
        rpo_judged=made.rpo_judged,
        files=made.files,
        bytes=made.bytes,
    )
