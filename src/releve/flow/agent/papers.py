"""Tells the server whether this host's recovery key is on a paper that was tried: two dates, nothing else.

The sheet is made and tried by commands of its own, which must work where no agent is. So the agent
looks at what they keep, and tells what changed as an event.
"""

from typing import Protocol

import anyio
import structlog
from anyio import to_thread

from releve.flow.agent.ports import Spool
from releve.flow.clock import Clock
from releve.model.event import PaperKeyTold
from releve.model.host import PaperState

log = structlog.get_logger()

LOOK_SECONDS = 5.0  # at the files: two stats
ASK_SECONDS = 300.0  # again, after the command could not tell


class PaperSight(Protocol):
    """What this host keeps of the papers of the repository in use."""

    def mark(self) -> int:
        """Another number whenever it may have changed; 0 while no backup is set up. Cheap."""
        ...

    async def ask(self) -> PaperState:
        """Raises: OSError if it cannot be told."""
        ...


async def tell_papers_forever(sight: PaperSight, spool: Spool, clock: Clock) -> None:
    """Never returns. After a restart the last state is told again, harmlessly."""
    told: PaperState | None = None
    mark = 0
    while True:
        now = await to_thread.run_sync(sight.mark)
        if now in (0, mark):
            await anyio.sleep(LOOK_SECONDS)
            continue
        try:
            told = await tell_papers(sight, spool, clock, told)
        except OSError as error:
            log.warning("papers_not_seen", why=str(error))
            await anyio.sleep(ASK_SECONDS)
            continue
        mark = now


async def tell_papers(
    sight: PaperSight, spool: Spool, clock: Clock, told: PaperState | None
) -> PaperState:
    """Ask once and tell it if it is not `told`; what is told now. Raises: OSError."""
    state = await sight.ask()
    if state != told:
        event = PaperKeyTold(seen_at=clock.now(), made_at=state.made_at, tried_at=state.tried_at)
        await to_thread.run_sync(spool.add, [event])
        log.info("papers_told", tried=state.tried_at is not None)
    return state
