"""Signed orders: checked, noted durably, carried out once, and their end told as an event."""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import anyio
import structlog
from anyio import to_thread

from releve.flow.agent.ports import Commands, Server, Spool, TemporaryError, UnknownAgentError
from releve.flow.agent.send import Pace
from releve.flow.clock import Clock
from releve.flow.envelope import open_order
from releve.model.event import OrderEnded
from releve.model.order import Order, SignedOrder
from releve.respond.orders import why_refused

log = structlog.get_logger()

CommandFor = Callable[[Order], Sequence[str] | None]

ORDER_SECONDS = 600.0
HOLD_SECONDS = 25.0  # of one long question for orders; hospital proxies cut at 30 or 60


class Place(NamedTuple):
    """Who this host is, and whose orders it obeys."""

    structure: str
    host: str
    server_key: bytes
    is_demonstration: bool = (
        False  # the machine is real, what is shown of it is not: no order is obeyed
    )


class Obedience:
    """Obeys the pinned server only, each number once, in order, before it expires."""

    def __init__(
        self,
        place: Place,
        spool: Spool,
        commands: Commands,
        command_for: CommandFor,
        clock: Clock,
    ) -> None:
        self._place, self._spool, self._commands = place, spool, commands
        self._command_for, self._clock = command_for, clock
        self._send, self._receive = anyio.create_memory_object_stream[SignedOrder](100)
        self.newest = spool.last_order()  # handed on; asked for after this one

    def hand_on(self, orders: Sequence[SignedOrder]) -> None:
        """Queue what is newer, without waiting. What finds no room is told again by the server."""
        for sealed in orders:
            order = open_order(self._place.server_key, sealed)
            if order is None:
                log.warning("order_refused", why="forged")
                continue
            if order.number <= self.newest:
                continue  # told again until its end reached the server: silence is right
            try:
                self._send.send_nowait(sealed)
            except anyio.WouldBlock:
                return
            self.newest = order.number

    async def obey_forever(self) -> None:
        await to_thread.run_sync(self._tell_interrupted)
        async for sealed in self._receive:
            await self.obey(sealed)

    async def obey(self, sealed: SignedOrder) -> str:
        """Carry out one order; why it was refused, empty when it was not."""
        order = open_order(self._place.server_key, sealed)
        if order is None:
            log.warning("order_refused", why="forged")
            return "forged"
        last = await to_thread.run_sync(self._spool.last_order)
        why = why_refused(
            order,
            structure=self._place.structure,
            host=self._place.host,
            last_number=last,
            now=self._clock.now(),
        )
        if why:
            log.warning("order_refused", why=why, order=order.id)
        if why in ("replayed", "not_for_this_host"):
            return why
        # Noted before it is done: a kill in between makes it "interrupted", never done twice.
        await to_thread.run_sync(self._spool.begin_order, order.number, order.id)
        detail = why or await self._carry_out(order)
        await to_thread.run_sync(self._end, order.id, order.number, detail)
        return why

    async def _carry_out(self, order: Order) -> str:
        """Empty when it is done, else why not."""
        log.info("order_begun", order=order.id, task=type(order.task).__name__)
        if self._place.is_demonstration:
            return "demonstration"
        command = await to_thread.run_sync(self._command_for, order)
        if command is None:
            return "unknown_name"
        outcome = await self._commands.run(command, seconds=ORDER_SECONDS)
        if outcome.status == 0:
            return ""
        # The command's words may hold clear paths: they stay in the host's own log.
        words = outcome.stderr[-500:].decode("utf-8", "replace")
        log.warning("order_failed", order=order.id, status=outcome.status, stderr=words)
        if outcome.status is None:
            return "command_absent"
        return "timed_out" if outcome.timed_out else f"status {outcome.status}"

    def _end(self, order: str, number: int, detail: str) -> None:
        now = self._clock.now()
        self._spool.end_order(
            OrderEnded(seen_at=now, order=order, number=number, ok=not detail, detail=detail)
        )

    def _tell_interrupted(self) -> None:
        found = self._spool.interrupted_order()
        if found is not None:
            self._end(found[1], found[0], "interrupted")


async def listen_forever(server: Server, obedience: Obedience, pace: Pace, chance: Random) -> None:
    """Hold one question open for orders; never returns."""
    wait = pace.first_retry_seconds
    while True:
        try:
            answer = await server.wait_orders(HOLD_SECONDS, obedience.newest)
        except UnknownAgentError:
            await anyio.sleep(pace.unknown_retry_seconds * chance.uniform(0.5, 1.0))
            continue
        except TemporaryError:
            await anyio.sleep(wait * chance.uniform(0.5, 1.0))
            wait = min(wait * 2, pace.last_retry_seconds)
            continue
        wait = pace.first_retry_seconds
        obedience.hand_on(answer.orders)
        if answer.orders:
            await anyio.sleep(pace.poll_seconds)
