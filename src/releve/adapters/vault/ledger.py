"""The journal for the gate's many tasks: one writer, one sync for all who wait."""

import asyncio
from collections.abc import Sequence

import structlog

from releve.adapters.vault.journal import Journal
from releve.flow.vault.book import Book
from releve.model.vault import AnyEntry

log = structlog.get_logger()


class NotWrittenError(Exception):
    """The receipt could not be put on disk: what it is of is not yet received."""


class Ledger:
    """Adds entries; the book knows them once they are on disk."""

    def __init__(self, journal: Journal, book: Book, news: list[AnyEntry]) -> None:
        """`news` is where the journal's `heard` puts entries: they reach the book in the loop."""
        self._journal, self._book, self._news = journal, book, news
        self._waiting: list[tuple[AnyEntry, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    @property
    def journal(self) -> Journal:
        return self._journal

    async def add(self, entry: AnyEntry) -> None:
        """Return when the entry is durable. Raises: NotWrittenError."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        self._wake.set()
        await done

    async def keep(self) -> None:
        """Write until cancelled; also, now and then, hear what commands wrote."""
        while True:
            try:
                async with asyncio.timeout(2.0):
                    await self._wake.wait()
            except TimeoutError:
                await asyncio.to_thread(self._journal.catch_up)
                self._tell_book()
                continue
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            await self._write([entry for entry, _ in batch], [done for _, done in batch])

    async def _write(
        self, entries: Sequence[AnyEntry], waiting: Sequence["asyncio.Future[None]"]
    ) -> None:
        problem: NotWrittenError | None = None
        try:
            await asyncio.to_thread(self._journal.append, entries)
        except OSError as error:
            log.exception("receipts_not_written", entries=len(entries))
            problem = NotWrittenError(str(error))
        self._tell_book()
        for done in waiting:
            if done.done():
                continue
            if problem:
                done.set_exception(problem)
            else:
                done.set_result(None)

    def _tell_book(self) -> None:
        news, self._news[:] = list(self._news), []
        self._book.apply(news)
