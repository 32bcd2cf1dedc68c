"""Tells the server that this host is cut from the network, since when, by whom, until when; and its end.

A person may cut it at the machine, an order may, the dead man may open it again: none of them is the
agent. So it looks, and tells what changed as events.
"""

from typing import Protocol

import anyio
import structlog
from anyio import to_thread

from releve.flow.agent.ports import Spool
from releve.flow.clock import Clock
from releve.model.event import HostIsolated, HostReleased
from releve.model.host import Isolation

log = structlog.get_logger()

LOOK_SECONDS = 1.0  # at the record: one stat
ASK_SECONDS = 15.0  # the kernel, while the host is cut: a command


class IsolationSight(Protocol):
    """What can be seen of this host's isolation."""

    def mark(self) -> int:
        """Another number whenever it may have changed; 0 while none is on record. Cheap."""
        ...

    async def ask(self) -> Isolation | None:
        """What the kernel does now; None when nothing is cut. Raises: OSError if it cannot be told."""
        ...


class ToldIsolation(Protocol):
    """What was told last, across restarts of the agent."""

    def load(self) -> Isolation | None: ...
    def save(self, isolation: Isolation | None) -> None: ...


async def tell_isolation_forever(
    sight: IsolationSight, told: ToldIsolation, spool: Spool, clock: Clock
) -> None:
    """Never returns. Nothing is asked of a host that is not cut and has told nothing else."""
    last, mark, waited = await to_thread.run_sync(told.load), 0, ASK_SECONDS
    while True:
        now = await to_thread.run_sync(sight.mark)
        if now != mark or (waited >= ASK_SECONDS and (now or last)):
            last, mark, waited = await tell_isolation(sight, told, spool, clock, last), now, 0.0
        await anyio.sleep(LOOK_SECONDS)
        waited += LOOK_SECONDS


async def tell_isolation(
    sight: IsolationSight, told: ToldIsolation, spool: Spool, clock: Clock, last: Isolation | None
) -> Isolation | None:
    """Ask once and tell what changed since `last`; what is told now."""
    try:
        isolation = await sight.ask()
    except OSError as error:
        log.warning("isolation_not_seen", why=str(error))
        return last
    if isolation == last:
        return last
    event = (
        HostReleased(seen_at=clock.now())
        if isolation is None
        else HostIsolated(
            seen_at=clock.now(), since=isolation.since, until=isolation.until, by=isolation.by
        )
    )
    # Spooled before it is noted: a kill in between tells it twice, which is harmless.
    await to_thread.run_sync(spool.add, [event])
    await to_thread.run_sync(told.save, isolation)
    log.info("isolation_told", isolated=isolation is not None)
    return isolation
