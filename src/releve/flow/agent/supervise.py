"""The guard kept running, and its lines brought into the spool, across deaths of either."""

from collections.abc import Callable
from typing import Protocol

import anyio
import msgspec
import structlog
from anyio import to_thread

from releve.flow.agent.ports import Guards, Spool, Tail
from releve.flow.clock import Clock
from releve.model.event import AnyEvent, FamilyStopped, GuardWentDown, LinesUnreadable, Unreadable
from releve.sense.guard_lines import SOURCE, Sensed, parse
from releve.sense.path_token import PathKey

log = structlog.get_logger()


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    first_seconds: float = 0.2  # a killed guard is back before the attacker has gone far
    last_seconds: float = 30.0
    calm_seconds: float = 60.0  # ran that long: the next death starts from the first wait again


class Source(Protocol):
    def read(self, path: str, offset: int, most: int) -> bytes:
        """Bytes from there; empty at the end, or when the file is not there (yet)."""
        ...

    def release(self, path: str, upto: int) -> None:
        """What is before is spooled: its room on disk may be given back."""
        ...


class Intake:
    """Lines of a file -> events in the spool. A line and its place are kept in one transaction.

    `named` says who a user number is: only this host knows, and the number tells people nothing.
    """

    def __init__(
        self,
        spool: Spool,
        source: Source,
        key: PathKey,
        clock: Clock,
        named: Callable[[str], str] = str,
    ) -> None:
        self._spool, self._source, self._key, self._clock = spool, source, key, clock
        self._named = named

    def drain(self, path: str, *, ended: bool = False) -> int:
        """Bring in all whole lines; a last half line only when its writer has ended."""
        known = self._spool.tail()
        offset = known.offset if known is not None and known.path == path else 0
        lines = 0
        while chunk := self._source.read(path, offset, 1024 * 1024):
            cut = chunk.rfind(b"\n") + 1
            if not cut:
                if not ended and len(chunk) < 1024 * 1024:
                    break
                cut = len(chunk)
            lines += self._take(chunk[:cut], path, offset)
            offset += cut
        if lines:
            self._source.release(path, offset)
        return lines

    def feed(self, data: bytes) -> int:
        """Lines of another source, as this host's events; how many were taken."""
        return self._take(data, "", 0)

    def _take(self, data: bytes, path: str, offset: int) -> int:
        events: list[AnyEvent] = []
        names: list[tuple[str, str]] = []
        unread: list[Unreadable] = []
        at = self._clock.now()
        place = offset
        for record in data.splitlines(keepends=True):
            if record.strip():
                match parse(record, offset=place, key=self._key, read_at=at):
                    case Sensed(event=event, names=more):
                        events.append(self._with_login(event))
                        names += more
                    case Unreadable() as bad:
                        unread.append(bad)
            place += len(record)
        if unread:
            log.warning("guard_lines_unreadable", count=len(unread), offset=unread[0].offset)
            events.append(
                LinesUnreadable(seen_at=at, source=SOURCE, count=len(unread), why=unread[0].why)
            )
        tail = Tail(path=path, offset=place) if path else None
        self._spool.add(events, names=names, tail=tail)
        return len(events)

    def _with_login(self, event: AnyEvent) -> AnyEvent:
        """A client's user is the name it logged on with; a local one's is a number."""
        if isinstance(event, FamilyStopped) and event.user and not event.client:
            return msgspec.structs.replace(event, user=self._named(event.user))
        return event


async def supervise_forever(
    guards: Guards,
    intake: Intake,
    spool: Spool,
    clock: Clock,
    backoff: Backoff,
    poll_seconds: float = 0.2,
) -> None:
    """Adopt a guard that runs, else start one; bring in its lines; start it again when it dies."""
    wait, restarts = backoff.first_seconds, 0
    while True:
        before = await to_thread.run_sync(guards.status)
        if before is not None and not before.running:
            await to_thread.run_sync(_last_lines, intake, before.out)
        status = await to_thread.run_sync(guards.start)
        await to_thread.run_sync(guards.forget_outputs, status.out)
        log.info("guard_runs", pid=status.pid, adopted=before is not None and before.running)
        started = clock.now()
        while status.running:
            await to_thread.run_sync(intake.drain, status.out)
            await anyio.sleep(poll_seconds)
            now = await to_thread.run_sync(guards.status)
            status = status if now is None else now
        await to_thread.run_sync(_last_lines, intake, status.out)
        if (clock.now() - started).total_seconds() >= backoff.calm_seconds:
            wait = backoff.first_seconds
        restarts += 1
        down = GuardWentDown(seen_at=clock.now(), status=status.status, restarts=restarts)
        await to_thread.run_sync(spool.add, [down])
        log.warning("guard_went_down", status=status.status, retry_seconds=wait)
        await anyio.sleep(wait)
        wait = min(wait * 2, backoff.last_seconds)


def _last_lines(intake: Intake, path: str) -> None:
    intake.drain(path, ended=True)
