"""A small HTTP/1.1 client for our own rest-server: a pool of kept connections on a unix socket.

Bodies go through in pieces, up and down; a general client costs several times the processor for it,
and the backup has to share two cores with the gate.
"""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

_LIMIT = 1 << 20
_PIECE = 1 << 18
_PATIENCE_S = 120.0  # for the store's answer: it syncs the object to the disk first
_MOST_IDLE = 16


class StoreDownError(Exception):
    """The store does not answer, or broke off. Nothing is known of what was sent."""


class Reply:
    """The store's answer; `pieces` is its body, to be read to the end once."""

    def __init__(self, status: int, headers: dict[bytes, bytes], call: "Call") -> None:
        self.status, self.headers, self._call = status, headers, call

    async def pieces(self) -> AsyncIterator[bytes]:
        async for piece in self._call.body(self.headers):
            yield piece


class Call:
    """One request. A call that did not end well takes its connection with it."""

    def __init__(self, upstream: "Upstream") -> None:
        self._upstream = upstream
        self._is_whole = False
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._has_body = True

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await self._upstream.take()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_whole and error is None:
            self._upstream.give(self._reader, self._writer)
        else:
            self._writer.transport.abort()

    def start(self, method: str, path: str, headers: list[tuple[str, str]]) -> None:
        """Say what is asked; nothing waits here."""
        self._has_body = method != "HEAD"
        lines = [f"{method} {path} HTTP/1.1", "Host: store", *self._upstream.headers]
        lines += [f"{name}: {value}" for name, value in headers]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))

    async def send(self, piece: bytes) -> None:
        """Raises: StoreDownError."""
        try:
            self._writer.write(piece)
            await self._writer.drain()
        except OSError as error:
            raise StoreDownError(str(error)) from error

    async def reply(self) -> Reply:
        """Raises: StoreDownError."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                head = await self._reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            raise StoreDownError(str(error)) from error
        first, *lines = head[:-4].split(b"\r\n")
        parted = (line.partition(b":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in parted}
        return Reply(int(first.split()[1]), headers, self)

    async def body(self, headers: dict[bytes, bytes]) -> AsyncIterator[bytes]:
        """Raises: StoreDownError."""
        try:
            if not self._has_body:
                pass
            elif headers.get(b"transfer-encoding", b"").lower() == b"chunked":
                while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                    async for piece in self._exactly(size):
                        yield piece
                    await self._reader.readexactly(2)
                await self._reader.readuntil(b"\r\n")
            else:
                async for piece in self._exactly(int(headers.get(b"content-length", b"0"))):
                    yield piece
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise StoreDownError(str(error)) from error
        self._is_whole = headers.get(b"connection", b"").lower() != b"close"

    async def _exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = await self._reader.read(min(size, _PIECE))
            if not piece:
                raise StoreDownError("it broke off")
            size -= len(piece)
            yield piece


class Upstream:
    """The pool. `headers` are those of every request: the store's own secret."""

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.headers: list[str] = []

    def call(self) -> Call:
        return Call(self)

    async def take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises: StoreDownError."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.transport.abort()
        try:
            return await asyncio.open_unix_connection(self._path, limit=_LIMIT)
        except OSError as error:
            raise StoreDownError(str(error)) from error

    def give(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._idle) < _MOST_IDLE:
            self._idle.append((reader, writer))
        else:
            writer.close()

    def drop(self) -> None:
        """The store is another process now."""
        while self._idle:
            self._idle.pop()[1].transport.abort()
