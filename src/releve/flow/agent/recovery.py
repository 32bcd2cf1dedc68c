"""Tells the server how far this host's recoveries are, so that the incident's page shows it.

A recovery is driven by a command of its own, which must not depend on the agent: so it looks at the
driver's notes, and tells what changed as events.
"""

from collections.abc import Sequence
from typing import Protocol

import anyio
from anyio import to_thread

from releve.flow.agent.ports import Spool
from releve.flow.clock import Clock
from releve.model.event import RecoveryTold
from releve.model.recovery import RecoveryNote
from releve.sense.path_token import PathKey, hide

LOOK_SECONDS = 1.0
BYTES_EVERY_SECONDS = 3.0  # between tellings that only say that more came home


class RecoverySight(Protocol):
    """What this host's recoveries noted."""

    def notes(self) -> Sequence[RecoveryNote]: ...


class RecoveryTeller:
    """What was told of each recovery; after a restart the last state is told again, harmlessly."""

    def __init__(self, sight: RecoverySight, spool: Spool, clock: Clock, key: PathKey) -> None:
        self._sight, self._spool, self._clock, self._key = sight, spool, clock, key
        self._told: dict[str, RecoveryTold] = {}

    def look(self) -> None:
        """Tell what is new of those that belong to an incident."""
        fresh = []
        for note in self._sight.notes():
            event = self._event(note)
            if note.incident and _is_news(self._told.get(note.id), event):
                self._told[note.id] = event
                fresh.append(event)
        if fresh:
            self._spool.add(fresh)

    def _event(self, note: RecoveryNote) -> RecoveryTold:
        return RecoveryTold(
            seen_at=self._clock.now(),
            recovery=note.id,
            incident=note.incident,
            folder=hide(self._key, note.folder),
            label=self._key.labels.get(note.folder, ""),
            snapshot=note.snapshot,
            clean_at=note.clean_at,
            ordered_at=note.ordered_at,
            phase=note.phase,
            is_running=bool(note.pid),
            seconds=note.seconds,
            files=note.files,
            files_home=note.files_home,
            bytes=note.bytes,
            bytes_home=note.bytes_home,
            laid=note.laid,
            failures=note.failures,
        )


async def tell_recoveries_forever(teller: RecoveryTeller) -> None:
    while True:
        await to_thread.run_sync(teller.look)
        await anyio.sleep(LOOK_SECONDS)


def _is_news(before: RecoveryTold | None, now: RecoveryTold) -> bool:
    if before is None or _step(before) != _step(now):
        return True
    has_moved = (before.files_home, before.bytes_home) != (now.files_home, now.bytes_home)
    passed = abs((now.seen_at - before.seen_at).total_seconds())  # the clock may be set back
    return has_moved and passed >= BYTES_EVERY_SECONDS


def _step(told: RecoveryTold) -> tuple[object, ...]:
    return told.phase, told.is_running, frozenset(told.seconds), told.failures
