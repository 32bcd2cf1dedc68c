"""The little HTTP that the gate speaks: refusals with their reason, a body in pieces."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

STALL_S = 120.0  # a client that sends nothing for so long is let go


class ClientGoneError(Exception):
    """The client broke off, or went silent."""


class RefusedError(Exception):
    """The answer is this status and these words."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


async def answer(
    send: Send, status: int, body: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    own = [(b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})


class Body:
    """The request's body, to be read once; asked again after its end the server would only wait."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_over = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is left of it, as it comes. Raises: ClientGoneError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(STALL_S) as patience:
                while not self._is_over:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    patience.reschedule(loop.time() + STALL_S)
                    self._is_over = not message.get("more_body", False)
                    if piece := message.get("body", b""):
                        yield piece
        except TimeoutError as error:
            raise ClientGoneError from error

    async def swallow(self, most: int) -> None:
        """Take a refused body in, so that the client reads the answer; `most` bytes at most."""
        taken = 0
        async for piece in self.pieces():
            taken += len(piece)
            if taken > most:
                return


def header(scope: Scope, name: bytes) -> str:
    """A request's header, empty when absent. Names are lower case."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return ""
