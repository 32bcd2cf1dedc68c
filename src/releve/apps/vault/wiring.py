"""The gate as a whole: store, ledger, heads, clock watch, and the server that listens."""

import asyncio
import socket
from collections.abc import Callable

import msgspec
import structlog
import uvicorn

from releve.adapters.restic import tools
from releve.adapters.vault.desk import Desk
from releve.adapters.vault.door import Door
from releve.adapters.vault.gate import Gate
from releve.adapters.vault.giving import Giver
from releve.adapters.vault.ledger import Ledger
from releve.adapters.vault.receiving import Receiver
from releve.adapters.vault.records import Records
from releve.adapters.vault.store import Store
from releve.adapters.vault.upstream import Upstream
from releve.apps.vault.access import Access, deed
from releve.apps.vault.drilling import Drilling
from releve.apps.vault.keeping import Keeper
from releve.apps.vault.opened import Vault
from releve.apps.vault.showing import Showing
from releve.apps.vault.standing import StandingTeller
from releve.flow.vault.rules import Spent
from releve.flow.vault.standing import backed_up
from releve.model.vault import Credential, Deed, Repository

log = structlog.get_logger()
_KEEP_ALIVE_S = 120  # Go's client keeps idle connections for 90 s; we must not be first to close
_CLOCK_EVERY_S = 5.0
_STANDING_LOOK_S = 2.0
_STEP_NS = 300_000_000_000  # 5 min: more is no drift


class Running:
    """What `serve` runs, built by hand."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._known_read: set[str] = set()
        layout, clock, notices = vault.layout, vault.clock, vault.notices
        upstream = Upstream(str(layout.socket))
        self.store = Store(
            layout, upstream, lambda status: notices.tell_soon("store_fell", status=str(status))
        )
        self.ledger = Ledger(vault.journal, vault.book, vault.news)
        receiver = Receiver(
            layout=layout,
            upstream=upstream,
            store=self.store,
            ledger=self.ledger,
            book=vault.book,
            reserve_bytes=vault.config.reserve_bytes,
            tell=notices.tell_soon,
        )
        giver = Giver(
            layout=layout,
            upstream=upstream,
            store=self.store,
            spent=Records(layout.spent, Spent),
            now_ns=clock.now_ns,
            overdrawn=lambda owner: notices.tell_soon(
                "read_budget_used_up", owner.id, structure=owner.structure
            ),
            read=self._read,
        )
        self.gate = Gate(
            layout=layout,
            credentials=vault.credentials,
            views=vault.views,
            receiver=receiver,
            giver=giver,
            now_ns=clock.now_ns,
        )

    async def _read(self, credential: Credential) -> None:
        """The first reading of an opening ends its clock."""
        if credential.opening in self._known_read:
            return
        self._known_read.add(credential.opening)
        access = Access(self.vault)
        opening = access.openings.get(credential.opening)
        if opening is None or opening.first_read_ns:
            return
        read = msgspec.structs.replace(opening, first_read_ns=self.vault.clock.now_ns())
        access.openings.put(read.id, read)
        await self.ledger.add(deed("first_read", read, by=credential.id))

    async def _watch_clock(self) -> None:
        """Tell when the wall clock goes away from the vault's: a thief's step, or a wrong start."""
        told = 0
        while True:
            ahead_ns = self.vault.clock.ahead_ns()
            if abs(ahead_ns - told) > _STEP_NS:
                told = ahead_ns
                seconds = f"{ahead_ns / 1e9:.0f}"
                await self.ledger.add(Deed(what="vault:clock:stepped", about={"ahead_s": seconds}))
                await self.vault.notices.tell_soon("clock_stepped", seconds, ahead_s=seconds)
            await asyncio.sleep(_CLOCK_EVERY_S)

    async def _keep_heads(self) -> None:
        """Sign and send the head; a place that takes none is told, and gets the next."""
        heads, clock = self.vault.heads(), self.vault.clock
        while True:
            end = self.vault.journal.end
            head = heads.sign(end, clock.now_ns(), clock.wall_ns())
            for place, why, whose in await asyncio.to_thread(heads.send, head):
                # What one structure's server does not take is no other's business.
                facts = {"structure": whose} if whose else {}
                await self.vault.notices.tell_soon("head_not_delivered", place, why=why, **facts)
            await asyncio.to_thread(self.vault.notices.deliver)  # what the server missed
            await asyncio.sleep(self.vault.config.head_every_s)

    async def _tell_standing(self) -> None:
        """Each structure hears how it stands here, once a while, and soon of a host's first backup."""
        teller = StandingTeller(self.vault)
        while True:
            told = backed_up(self.vault.book)
            try:
                await asyncio.to_thread(teller.send)
            except Exception:
                # Backups go on being received whatever becomes of telling about them.
                log.exception("standing_not_told")
            await self._standing_due(told)

    async def _standing_due(self, told: frozenset[Repository]) -> None:
        """A later backup of what was told once, and a server that takes nothing, wait their turn."""
        config, now = self.vault.config, asyncio.get_running_loop().time
        due = now() + config.standing_every_s
        await asyncio.sleep(min(config.standing_soonest_s, config.standing_every_s))
        while True:
            left = due - now()
            if left <= 0 or not backed_up(self.vault.book) <= told:
                return
            await asyncio.sleep(min(left, _STANDING_LOOK_S))

    async def serve(
        self, listener: socket.socket, certificate: str, ready: Callable[[], object]
    ) -> None:
        """Until SIGTERM or SIGINT. `ready` is called when store and gate answer."""
        vault, showing = self.vault, Showing(self.vault)
        door = Door(self.gate, vault.layout, vault.credentials, vault.clock.now_ns)
        config = uvicorn.Config(
            Desk(
                door,
                vault.credentials,
                vault.clock.now_ns,
                right=showing.right,
                view=showing.view,
                where=showing.where,
                drill=Drilling(vault, self.ledger.add).open,
            ),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws="none",
            ssl_certfile=certificate or None,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=5,
        )
        tools.find(tools.REST_SERVER)  # said before anything starts
        jobs = [self.store.keep(), self.ledger.keep(), self._watch_clock(), self._keep_heads()]
        jobs.append(Keeper(vault).forever())
        if self.vault.server:
            jobs.append(self._tell_standing())
        beside = [asyncio.ensure_future(job) for job in jobs]
        server = asyncio.ensure_future(uvicorn.Server(config).serve(sockets=[listener]))
        if await self.store.ready():
            ready()
        try:
            done, _ = await asyncio.wait([server, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a job beside that ended is a bug, or a broken journal: said
        finally:
            for task in (server, *beside):
                task.cancel()
            await asyncio.gather(server, *beside, return_exceptions=True)
