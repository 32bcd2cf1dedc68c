"""One vault, opened: what commands and gate share."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from releve.adapters.vault.clock import VaultClock
from releve.adapters.vault.heads import Heads
from releve.adapters.vault.heal import Healed, heal
from releve.adapters.vault.journal import Journal, entries
from releve.adapters.vault.layout import Config, Layout
from releve.adapters.vault.notices import Notices
from releve.adapters.vault.records import Records
from releve.adapters.vault.reports import Reports
from releve.adapters.vault.server import server_of
from releve.adapters.vault.store import is_gone
from releve.flow.vault.book import Book
from releve.model.errors import ReleveError
from releve.model.vault import AnyEntry, Credential, View

log = structlog.get_logger()
_BEHIND_NS = 300_000_000_000


class GateRunningError(ReleveError):
    """Another gate serves this vault."""

    status = 121
    remedy = "Stop it first; one gate serves a vault."

    def __init__(self, data: str) -> None:
        super().__init__(f"A gate serves {data} already.")


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
        self.reports = Reports(self.layout.reporting, self.clock.now_ns)
        self.server = server_of(self.config, self.reports)
        self.notices = Notices(
            self.layout.notices,
            self.clock.now_ns,
            command=self.config.notice_command,
            server=self.server,
            key=hashlib.sha256(b"names\n" + self.layout.key().private_bytes_raw()).digest(),
        )

    def entries(self) -> Iterator[AnyEntry]:
        """The whole chain, in order, read from the disk."""
        return entries(self.layout.journal)

    def heads(self) -> Heads:
        config = self.config
        return Heads(self.layout.heads, self.layout.key(), config.head_places, self.server)

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
        behind_ns = self.journal.end.received_ns - self.clock.now_ns()
        if (
            behind_ns > _BEHIND_NS
        ):  # receipts keep their order; their times stand until it is reached
            self.notices.tell("clock_behind", seconds=f"{behind_ns / 1e9:.0f}")
        for what, count in (("found_at_start", healed.receipted), ("strange", len(healed.strange))):
            if count:
                self.notices.tell(what, count=str(count))
        for name in healed.missing[:20]:
            self.notices.tell("object_missing", name, structure=name.partition("/")[0])
        return healed

    def _tell_book(self) -> None:
        news, self.news[:] = list(self.news), []
        self.book.apply(news)


@contextlib.contextmanager
def only_gate(layout: Layout) -> Iterator[None]:
    """Hold while a gate serves this vault. Raises: GateRunningError."""
    handle = os.open(layout.run / "gate.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise GateRunningError(str(layout.data)) from error
    try:
        if not is_gone(layout):
            raise GateRunningError(str(layout.data))
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def only_writer(layout: Layout) -> Iterator[None]:
    """Hold while the vault's configuration, or what it names, is changed; waits for who holds it.

    The kernel lets go of the lock however its holder dies.
    """
    handle = os.open(layout.run / "config.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
