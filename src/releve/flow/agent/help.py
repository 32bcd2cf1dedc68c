"""Help asked on a host: kept on its disk until the server has it, and followed until it is closed."""

import datetime as dt
from typing import Protocol

import anyio
import msgspec
import structlog

from releve.flow.agent.ports import TemporaryError
from releve.flow.clock import Clock
from releve.flow.wire import HelpAsk, HelpTold, HostTold

log = structlog.get_logger()

_LOOK_SECONDS, _AWAY_SECONDS, _STATE_SECONDS = 2.0, 5.0, 30.0
_FOLLOWED = dt.timedelta(hours=12)  # as long as a link of a ring is good
_MOST_OPEN = 5  # of one user: nobody keeps the others from asking
_CLOSED, _ENDED = "closed", "ended"


class KeptAsk(msgspec.Struct, frozen=True, kw_only=True):
    """One call of this host. `told`: how far it was when the server last said so; None: not sent."""

    ask: HelpAsk
    asked_at: dt.datetime  # by this host's clock
    told: HelpTold | None = None

    @property
    def is_over(self) -> bool:
        return self.told is not None and self.told.phase == _CLOSED

    @property
    def is_unanswered(self) -> bool:
        """Everybody was rung, and nobody came."""
        return self.told is not None and self.told.phase == _ENDED


class Pad(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page knows, on disk: a host that starts without its server still has the numbers."""

    asks: tuple[KeptAsk, ...] = ()  # oldest first
    state: HostTold | None = None


class TooManyAsks(Exception):  # noqa: N818  # a control value of this module
    """This user has so many open already."""


class Keeper(Protocol):
    def load(self) -> Pad: ...
    def save(self, pad: Pad) -> None:
        """On disk when it returns."""
        ...


class HelpServer(Protocol):
    """Both raise TemporaryError."""

    async def ask_help(self, ask: HelpAsk) -> HelpTold: ...
    async def help_state(self) -> HostTold: ...


class HelpDesk:
    """This host's calls; for the tasks of one event loop."""

    def __init__(self, keeper: Keeper, server: HelpServer, clock: Clock) -> None:
        self._keeper, self._server, self._clock = keeper, server, clock
        self.pad = keeper.load()
        self.is_reached = False
        self._news = anyio.Event()
        self._state_at: dt.datetime | None = None

    def ask(self, wanted: HelpAsk) -> None:
        """Kept when it returns; sent as soon as the server can be reached. Raises: TooManyAsks."""
        now = self._clock.now()
        asks = tuple(
            one for one in self.pad.asks if now - one.asked_at < _FOLLOWED or one.told is None
        )
        if sum(one.ask.by == wanted.by and not one.is_over for one in asks) >= _MOST_OPEN:
            raise TooManyAsks
        self._keep(
            msgspec.structs.replace(self.pad, asks=(*asks, KeptAsk(ask=wanted, asked_at=now)))
        )
        self._news.set()

    async def follow_forever(self) -> None:
        while True:
            self._news = anyio.Event()
            self.is_reached = await self._look()
            with anyio.move_on_after(_LOOK_SECONDS if self.is_reached else _AWAY_SECONDS):
                await self._news.wait()

    async def _look(self) -> bool:
        """Whether the server answered, or nothing had to be asked."""
        try:
            for one in self.pad.asks:
                if not one.is_over and (one.told is None or self._is_recent(one)):
                    self._put(one.ask, await self._server.ask_help(one.ask))
            await self._renew()
        except TemporaryError as error:
            if self.is_reached:
                log.warning("help_not_told", why=str(error))
            return False
        return True

    async def _renew(self) -> None:
        now = self._clock.now()
        last = self._state_at
        if (
            self.is_reached
            and last is not None
            and now - last < dt.timedelta(seconds=_STATE_SECONDS)
        ):
            return
        state = await self._server.help_state()
        self._state_at = now
        self._keep(msgspec.structs.replace(self.pad, state=state))

    def _is_recent(self, one: KeptAsk) -> bool:
        return self._clock.now() - one.asked_at < _FOLLOWED

    def _put(self, ask: HelpAsk, told: HelpTold) -> None:
        asks = tuple(
            msgspec.structs.replace(one, told=told) if one.ask.id == ask.id else one
            for one in self.pad.asks
        )
        self._keep(msgspec.structs.replace(self.pad, asks=asks))

    def _keep(self, pad: Pad) -> None:
        if pad != self.pad:
            self._keeper.save(pad)
            self.pad = pad
