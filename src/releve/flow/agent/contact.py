"""Whether the server answers this agent, kept beside it for `releve agent status`."""

import datetime as dt
from typing import Protocol

import msgspec
import structlog
from anyio import to_thread

from releve.flow.agent.ports import Server, TemporaryError, UnknownAgentError
from releve.flow.clock import Clock
from releve.flow.wire import Ack, Batch, Orders

log = structlog.get_logger()
_replace = msgspec.structs.replace


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands between this agent and its server, by this host's clock."""

    answered_at: dt.datetime | None = None  # it took what was sent, last
    away_since: dt.datetime | None = None  # None: it answers, or was never asked
    why: str = ""
    is_unknown: bool = False  # it answers, but no longer knows this agent


class ContactFile(Protocol):
    """Where it is kept. `save` waits for no disk and raises nothing: losing it costs a renewal."""

    def load(self) -> Contact: ...
    def save(self, contact: Contact) -> None: ...


class NotedServer:
    """The server, with a note of how each sending went.

    The note is written when something changed, and once in `every_seconds` while nothing does.
    Only sending counts: a proxy may cut every long question for orders.
    """

    def __init__(
        self, server: Server, notes: ContactFile, clock: Clock, every_seconds: float
    ) -> None:
        self._server, self._notes, self._clock = server, notes, clock
        self._every = dt.timedelta(seconds=every_seconds)
        self._kept = notes.load()

    async def send(self, batch: Batch) -> Ack:
        try:
            ack = await self._server.send(batch)
        except TemporaryError as error:
            is_unknown = isinstance(error, UnknownAgentError)
            await self._note(refused(self._kept, self._clock.now(), str(error), is_unknown))
            raise
        await self._note(answered(self._kept, self._clock.now(), self._every))
        return ack

    async def wait_orders(self, seconds: float, after: int) -> Orders:
        return await self._server.wait_orders(seconds, after)

    async def _note(self, now: Contact) -> None:
        before, self._kept = self._kept, now
        if now == before:
            return
        if now.is_unknown and not before.is_unknown:
            # Once: nothing that this host does by itself changes it.
            log.error("agent_unknown_to_server", remedy="releve agent status")
        elif before.away_since and not now.away_since:
            log.info("server_answers_again", away_since=before.away_since.isoformat())
        await to_thread.run_sync(self._notes.save, now)


def answered(before: Contact, now: dt.datetime, every: dt.timedelta) -> Contact:
    """The note with this answer in it; the same while the last one is young enough."""
    passed = every if before.answered_at is None else abs(now - before.answered_at)
    if before.away_since is None and passed < every:
        return before
    return Contact(answered_at=now)


def refused(before: Contact, now: dt.datetime, why: str, is_unknown: bool) -> Contact:
    """The note once it was not reached, or did not know us."""
    is_same = before.away_since is not None and before.is_unknown == is_unknown
    since = before.away_since if is_same else now
    return _replace(before, away_since=since, why=why, is_unknown=is_unknown)
