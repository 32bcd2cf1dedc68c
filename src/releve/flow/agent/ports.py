"""What the agent needs of its host."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from releve.flow.wire import Ack, Batch, Item, Orders
from releve.model.event import AnyEvent, OrderEnded


class TemporaryError(Exception):
    """The server cannot be reached, or is not itself; trying again later is right."""


class UnknownAgentError(TemporaryError):
    """The server itself answers that it does not know this agent (any more).

    Its structure left, or it was removed; or the server was restored from before the enrolment.
    """


class GuardStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A guard that was started on this host, by this agent or by one before it."""

    pid: int
    out: str  # the file it writes its lines to
    running: bool
    status: int | None = None  # once ended, when known


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended. `status` None: it could not be started."""

    status: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    ms: float = 0.0
    timed_out: bool = False


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """Where a guard's file was read to."""

    path: str
    offset: int


class Spool(Protocol):
    """Events on disk, in order, until they are stored by the server. Safe against kill -9."""

    name: str

    def add(
        self,
        events: Sequence[AnyEvent],
        *,
        names: Sequence[tuple[str, str]] = (),
        tail: Tail | None = None,
    ) -> None:
        """Keep events, clear names and the place in the source durably, all or nothing.

        Over its room the spool gives up the least telling, oldest first, and counts them.
        """
        ...

    def next_items(self, *, most: int, most_bytes: int) -> tuple[Item, ...]:
        """The oldest events, in order; what was dropped is told first, as an event."""
        ...

    def forget(self, watermark: int) -> None: ...
    def waiting(self) -> int: ...
    def tail(self) -> Tail | None: ...
    def name_of(self, token: str) -> str | None: ...

    def last_order(self) -> int: ...
    def begin_order(self, number: int, order: str) -> None:
        """Keep durably that the order was taken up, before anything is done."""
        ...

    def end_order(self, event: OrderEnded) -> None:
        """Keep its end as an event, in one step with no longer being at it."""
        ...

    def interrupted_order(self) -> tuple[int, str] | None:
        """The order that was begun and never ended, because the agent was killed."""
        ...


class Server(Protocol):
    """The server, pinned; raises TemporaryError."""

    async def send(self, batch: Batch) -> Ack: ...
    async def wait_orders(self, seconds: float, after: int) -> Orders:
        """Orders with a number above `after`, as soon as there are any; else none, in time."""
        ...


class Guards(Protocol):
    """The one guard process of this host, which outlives the agent."""

    def status(self) -> GuardStatus | None: ...
    def start(self) -> GuardStatus: ...
    def terminate(self) -> None: ...
    def forget_outputs(self, keep: str) -> None:
        """Remove what earlier guards wrote; the caller has read it to its end."""
        ...


class Commands(Protocol):
    async def run(self, arguments: Sequence[str], *, seconds: float) -> Outcome: ...
