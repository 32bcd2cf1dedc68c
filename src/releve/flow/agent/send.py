"""The spool to the server: batches while there are any, heartbeats else, patience throughout."""

from collections.abc import Callable, Sequence
from random import Random

import anyio
import msgspec
import structlog
from anyio import to_thread

from releve.flow.agent.ports import Server, Spool, TemporaryError, UnknownAgentError
from releve.flow.wire import Batch, Vitals
from releve.model.order import SignedOrder

log = structlog.get_logger()

# Hands orders on without waiting: carrying one out may take minutes, heartbeats go on.
HandOn = Callable[[Sequence[SignedOrder]], None]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often the agent speaks."""

    heartbeat_seconds: float = 30.0
    poll_seconds: float = 0.3  # how soon a new event is seen; another process may have spooled it
    first_retry_seconds: float = 1.0
    last_retry_seconds: float = 300.0  # after weeks away the server is found again within minutes
    unknown_retry_seconds: float = (
        900.0  # to a server that does not know us; restored, it may again
    )
    most_events: int = 500
    most_bytes: int = 1024 * 1024


async def send_once(
    spool: Spool, server: Server, vitals: Vitals, pace: Pace, hand_on: HandOn
) -> int:
    """Send the oldest events (or a heartbeat) and forget what is stored; how many were sent."""

    def next_items() -> tuple[Batch, int]:
        items = spool.next_items(most=pace.most_events, most_bytes=pace.most_bytes)
        waiting = max(0, spool.waiting() - len(items))
        told = msgspec.structs.replace(vitals, waiting_events=waiting)
        return Batch(spool=spool.name, items=items, vitals=told), len(items)

    batch, count = await to_thread.run_sync(next_items)
    ack = await server.send(batch)
    if count:
        await to_thread.run_sync(spool.forget, ack.watermark)
    if ack.orders:
        hand_on(ack.orders)
    return count


async def send_forever(
    spool: Spool,
    server: Server,
    vitals: Callable[[], Vitals],
    pace: Pace,
    chance: Random,
    hand_on: HandOn,
) -> None:
    """Never returns. A server that is away costs nothing but waiting: the spool keeps all."""
    wait = pace.first_retry_seconds
    while True:
        try:
            await send_once(spool, server, vitals(), pace, hand_on)
        except UnknownAgentError:  # said once, by who notes it
            await anyio.sleep(pace.unknown_retry_seconds * chance.uniform(0.5, 1.0))
            continue
        except TemporaryError as error:
            log.warning("server_not_reached", why=str(error), retry_seconds=round(wait, 1))
            # Thousands of agents must not come back in one second when their server does.
            await anyio.sleep(wait * chance.uniform(0.5, 1.0))
            wait = min(wait * 2, pace.last_retry_seconds)
            continue
        wait = pace.first_retry_seconds
        await _wait_for_events(spool, pace)


async def _wait_for_events(spool: Spool, pace: Pace) -> None:
    with anyio.move_on_after(pace.heartbeat_seconds):
        # No event can wake us: `releve agent feed` spools from another process.
        while not await to_thread.run_sync(spool.waiting):  # noqa: ASYNC110
            await anyio.sleep(pace.poll_seconds)
