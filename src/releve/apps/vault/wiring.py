"""The gate as a whole: store, ledger, heads, clock watch, and the server that listens."""

import asyncio
import socket
from pathlib import Path

import msgspec
import structlog
import uvicorn

from releve.adapters.restic import tools
from releve.adapters.vault.clock import VaultClock
from releve.adapters.vault.gate import Gate
from releve.adapters.vault.giving import Giver
from releve.adapters.vault.heal import Healed, heal
from releve.adapters.vault.journal import Journal
from releve.adapters.vault.layout import Config, Layout
from releve.adapters.vault.ledger import Ledger
from releve.adapters.vault.notices import Notices
from releve.adapters.vault.receiving import Receiver
from releve.adapters.vault.records import Records
from releve.adapters.vault.store import Store
from releve.adapters.vault.upstream import Upstream
from releve.flow.vault.book import Book
from releve.flow.vault.rules import Spent
from releve.model.vault import AnyEntry, Credential, View

log = structlog.get_logger()
_KEEP_ALIVE_S = 120  # Go's client keeps idle connections for 90 s; we must not be first to close


class Vault:
    """One vault, opened: its layout, clock, journal and the book of what it has."""

    def __init__(self, data: str | Path) -> None:
        """Raises: VaultNotMadeError, JournalBrokenError."""
        self.layout = Layout(data)
        self.config: Config = self.layout.config()
        self.clock = VaultClock(self.layout.run / "clock.json")
        self.book = Book()
        self.news: list[AnyEntry] = []
        self.journal = Journal(self.layout.journal, self.clock.now_ns, self.news.extend)
        self.catch_up()
        self.credentials = Records(self.layout.credentials, Credential)
        self.views = Records(self.layout.views, View)
        self.notices = Notices(
            self.layout.notices,
            self.clock.now_ns,
            command=self.config.notice_command,
            url=self.config.server_url,
            token=_token(self.config),
        )

    def catch_up(self) -> None:
        """Hear what other processes of this vault wrote."""
        self.journal.catch_up()
        self._tell_book()

    def add(self, *entries: AnyEntry) -> None:
        """Put entries into the chain, durably (commands; the gate has its ledger)."""
        self.journal.append(entries)
        self._tell_book()

    def heal(self) -> Healed:
        healed = heal(self.layout, self.book, lambda entries: self.add(*entries))
        log.info("healed", **msgspec.structs.asdict(healed))
        for what, count in (("found_at_start", healed.receipted), ("strange", len(healed.strange))):
            if count:
                self.notices.tell(what, count=str(count))
        for name in healed.missing[:20]:
            self.notices.tell("object_missing", name)
        return healed

    def _tell_book(self) -> None:
        news, self.news[:] = list(self.news), []
        self.book.apply(news)


def _token(config: Config) -> str:
    return Path(config.server_token_file).read_text().strip() if config.server_token_file else ""


class Running:
    """What `serve` runs, built by hand."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
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
            disk_full=lambda: notices.tell("disk_full"),
        )
        giver = Giver(
            layout=layout,
            upstream=upstream,
            store=self.store,
            spent=Records(layout.spent, Spent),
            now_ns=clock.now_ns,
            overdrawn=lambda owner: notices.tell_soon("read_budget_used_up", owner.id),
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
        pass

    async def serve(self, listener: socket.socket, certificate: str) -> None:
        """Until SIGTERM or SIGINT."""
        config = uvicorn.Config(
            self.gate,
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
        beside = [asyncio.ensure_future(job) for job in (self.store.keep(), self.ledger.keep())]
        server = asyncio.ensure_future(uvicorn.Server(config).serve(sockets=[listener]))
        try:
            done, _ = await asyncio.wait([server, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a job beside that ended is a bug, or a broken journal: said
        finally:
            for task in (server, *beside):
                task.cancel()
            await asyncio.gather(server, *beside, return_exceptions=True)
