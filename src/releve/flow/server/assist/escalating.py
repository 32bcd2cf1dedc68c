"""Drives every escalation of every structure: one task, no thread per request.

A ring is kept before it is sent, and its outcome after: a server killed in between sends it again under
its own number. Whoever sends holds a lease; on PostgreSQL a row lock lets one server move a request.
"""

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import anyio
import msgspec
import structlog
from anyio import CapacityLimiter, to_thread
from anyio.abc import TaskGroup

from releve.assist import escalation
from releve.assist.escalation import Delivered, Failed, Input, Limits, Tick
from releve.assist.rota import on_call
from releve.flow.clock import Clock
from releve.flow.server.assist.answering import move
from releve.flow.server.assist.asking import again_at
from releve.flow.server.assist.ports import Call, ChannelFailed, Ringer, Tell
from releve.flow.server.live import Live
from releve.flow.server.ports import Store, Unit
from releve.flow.server.profiles import zone_name
from releve.flow.server.signin import digest
from releve.model.help import HelpRequest, Responder, Ringing, Rota, Step

log = structlog.get_logger()

TICK_SECONDS = 0.5  # an escalation is to be within 1 s of its time
_MOST_AT_ONCE = 500
_MOST_SENDS = (
    100  # threads, for as long as a send may take; more wait, and the wait counts as theirs
)
_LEAST_TAIL = dt.timedelta(seconds=1)


class Escalations:
    """One server's part in ringing people."""

    def __init__(  # the ports, each by its name
        self,
        store: Store,
        clock: Clock,
        live: Live,
        *,
        ringer: Ringer,
        tell: Tell,
        new_code: Callable[[], str],
        limits: Limits,
    ) -> None:
        self._store, self._clock, self._live = store, clock, live
        self._ringer, self._tell, self._new_code = ringer, tell, new_code
        self.limits = limits
        self._sends = CapacityLimiter(_MOST_SENDS)
        # The only server of its database: what was being sent before it began is sent by nobody.
        self._alone_since = None if store.is_shared else clock.now()

    async def run_forever(self) -> None:
        """Never returns; what goes wrong with one request is logged and hinders no other."""
        if self._alone_since is not None:
            await to_thread.run_sync(self.wake_all, self._alone_since)
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    await self.look(tasks)
                except Exception:
                    log.exception("help_not_looked_at")
                await anyio.sleep(TICK_SECONDS)

    def wake_all(self, now: dt.datetime) -> None:
        """Look at every request that waits for something: a ring may have been sent by who is gone."""
        for structure in self._store.structures():
            with self._store.unit(structure.id) as unit:
                unit.wake_help(now)

    async def look(self, tasks: TaskGroup) -> None:
        """Move every request whose time has come; the rings go on in `tasks`."""
        for structure, request in await to_thread.run_sync(self.waking):
            await self._move(tasks, structure, request, ())

    def move(self, structure: str, identity: str, outcome: tuple[Input, ...] = ()) -> list[Call]:
        """Fold an outcome and the time into one request, durably; the rings to be made now."""
        now = self._clock.now()
        with self._store.unit(structure) as unit:
            seen = unit.help_request(identity)
            if seen is not None and seen.attacks:
                unit.hold()  # its incident is told; before the request's own lock, as everywhere
            request = unit.help_request(identity, lock=True)
            if request is None:
                return []
            rota = unit.rota()
            request, _ = move(unit, request, outcome, self.limits)
            course, lost = escalation.lost(request.course, now, self.limits, self._alone_since)
            gone = tuple(Failed(now, r.number, "removed") for r in lost if not _way(rota, r))
            request = msgspec.structs.replace(request, course=course)
            unit.put_help(request, escalation.wake_at(course))
            chain = on_call(rota, now, zone_on_call(unit, rota)) if rota else ()
            tick = Tick(now, chain, again_at(unit, request))
            request, steps = move(unit, request, (*gone, tick), self.limits)
            rings: list[Step | Ringing] = [*lost, *(s for s in steps if s.kind == "ring")]
            codes = [self._code(unit, identity, ring, now) for ring in rings]
        return self._calls(request, rota, list(zip(rings, codes, strict=True)))

    def waking(self) -> list[tuple[str, str]]:
        """(structure, request) of what is to be moved now."""
        now = self._clock.now()
        longest = max(self.limits.answer, self.limits.lease) + _LEAST_TAIL
        return self._store.help_waking(now, now + longest, most=_MOST_AT_ONCE)

    def _code(self, unit: Unit, request: str, ring: Step | Ringing, now: dt.datetime) -> str:
        code = self._new_code()
        unit.put_help_code(digest(code), request, ring.number, now + self.limits.code)
        return code

    def _calls(
        self, request: HelpRequest, rota: Rota | None, rings: list[tuple[Step | Ringing, str]]
    ) -> list[Call]:
        if not rings:
            return []
        names = {s.id: s.name for s in self._store.structures()}
        found = [(ring, code, _way(rota, ring)) for ring, code in rings]
        return [
            Call(
                structure=request.structure,
                structure_name=names.get(request.structure, ""),
                request=request.id,
                number=ring.number,
                name=way[0].name,
                language=way[0].language,
                url=way[1],
                phone=request.phone,
                is_blocked=request.is_blocked,
                is_reminder=bool(request.clocks),
                is_attack=bool(request.attacks),
                code=code,
            )
            for ring, code, way in found
            if way is not None
        ]

    async def _move(
        self, tasks: TaskGroup, structure: str, request: str, outcome: tuple[Input, ...]
    ) -> None:
        try:
            calls = await to_thread.run_sync(self.move, structure, request, outcome)
        except Exception:
            # It stays due, so the next look tries again.
            log.exception("help_not_moved", request=request)
            return
        self._live.touch(structure)
        for call in calls:
            tasks.start_soon(self.send, tasks, call)

    async def send(self, tasks: TaskGroup, call: Call) -> None:
        """Make one ring and keep its outcome; whoever is rung next because of it goes on in `tasks`."""
        why = "time"
        with anyio.move_on_after(self.limits.send.total_seconds()):
            # Abandoned, the thread ends when its own socket's time is over.
            why = await to_thread.run_sync(
                self._ring, call, limiter=self._sends, abandon_on_cancel=True
            )
        log.info("help_rung", request=call.request, number=call.number, failed=why)
        now = self._clock.now()
        outcome = Failed(now, call.number, why) if why else Delivered(now, call.number)
        await self._move(tasks, call.structure, call.request, (outcome,))

    def _ring(self, call: Call) -> str:
        """Empty, or why it failed."""
        try:
            self._ringer.ring(call.url, self._tell(call))
        except ChannelFailed as failed:
            return failed.why
        except Exception as error:  # noqa: BLE001  # a library's; its words may hold the address
            log.warning("help_ring_broke", number=call.number, why=type(error).__name__)
            return "broken"
        return ""


def _way(rota: Rota | None, ring: Step | Ringing) -> tuple[Responder, str] | None:
    """The person and the address of a ring; None when the rota has it no longer."""
    person = rota.person(ring.person) if rota else None
    channels = person.channels if person else ()
    url = next((c.url for c in channels if c.name == ring.channel), "")
    return (person, url) if person and url else None


def zone_on_call(unit: Unit, rota: Rota) -> ZoneInfo:
    """The rota's own time zone, else the structure's."""
    return ZoneInfo(rota.timezone or zone_name(unit))
