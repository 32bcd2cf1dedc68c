"""The desk for recoveries, before the gate: whoever holds an opened right asks how it stands, and for a view.

So one command in the clean room is enough at three in the morning: nobody types at the vault.
Its paths begin with a dot, which no structure's name does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog

from releve.adapters.vault.answers import (
    Body,
    ClientGoneError,
    Receive,
    RefusedError,
    Scope,
    Send,
    answer,
)
from releve.adapters.vault.asking import who
from releve.adapters.vault.ledger import NotWrittenError
from releve.adapters.vault.records import Records
from releve.flow.vault.names import is_generation, is_object, is_word
from releve.flow.vault.rules import Verdict
from releve.model.errors import ReleveError
from releve.model.vault import (
    Credential,
    CredentialKind,
    DrillAsk,
    Right,
    View,
    ViewWish,
    WhereWish,
)

log = structlog.get_logger()
PREFIX = "/.recover/"
_MOST_BYTES = 64 << 10
_MOST_SNAPSHOTS = 500
_NO_WISH = "not a wish for a view"
A = TypeVar("A", DrillAsk, ViewWish, WhereWish)


class Desk:
    """ASGI application: what is not a recovery's question goes on."""

    def __init__(
        self,
        inner: Callable[[Scope, Receive, Send], object],
        credentials: Records[Credential],
        now_ns: Callable[[], int],
        *,
        right: Callable[[Credential], Right | None],
        view: Callable[[Credential, ViewWish], View],
        where: Callable[[Credential, WhereWish], dict[str, str]],
        drill: Callable[[DrillAsk], Awaitable[Right]],
    ) -> None:
        """`view` and `where` may take their time: they are called in a thread, one at a time.

        `drill` is asked by who has no right yet: it believes a signature only.
        """
        self._inner, self._credentials, self._now_ns = inner, credentials, now_ns
        self._right, self._view, self._where, self._drill = right, view, where, drill
        self._one = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._inner(scope, receive, send)  # type: ignore[misc]
            return
        try:
            await answer(send, 200, await self._answered(scope, receive))
        except ClientGoneError:
            log.info("client_gone", path=scope["path"])
        except NotWrittenError as error:
            log.warning("recovery_not_served", why=str(error))
            await answer(send, 503, b"try again\n")
        except RefusedError as refused:
            log.info("recovery_refused", status=refused.status, why=refused.why)
            await answer(send, refused.status, f"{refused.why}\n".encode())

    async def _answered(self, scope: Scope, receive: Receive) -> bytes:
        """Raises: RefusedError, ClientGoneError, NotWrittenError."""
        if (scope["method"], scope["path"]) == ("POST", f"{PREFIX}drill"):
            ask = await _read(Body(receive), DrillAsk, "not a request for a drill")
            async with self._one:
                return msgspec.json.encode(await self._drill(ask))
        held = who(scope, self._credentials, self._now_ns())
        if held.kind is not CredentialKind.RESTORE:
            raise RefusedError(403, Verdict.NOT_YOURS)
        match (scope["method"], scope["path"].removeprefix(PREFIX)):
            case ("GET", "right"):
                return self._told(held)
            case ("POST", "view"):
                return await self._shown(held, Body(receive))
            case ("POST", "where"):
                return await self._placed(held, Body(receive))
            case _:
                raise RefusedError(404, "not a path of the vault")

    def _told(self, held: Credential) -> bytes:
        """Raises: RefusedError."""
        found = self._right(held)
        if found is None:
            raise RefusedError(404, "no opening")
        return msgspec.json.encode(found)

    async def _shown(self, held: Credential, body: Body) -> bytes:
        """Raises: RefusedError, ClientGoneError."""
        wish = await _wish(body)
        if held.host and wish.host != held.host:
            raise RefusedError(403, Verdict.NOT_YOURS)
        async with self._one:
            try:
                made = await asyncio.to_thread(self._view, held, wish)
            except ReleveError as error:
                raise RefusedError(409, str(error)) from error
        log.info("view_made", view=made.id, by=held.id, objects=made.objects)
        return msgspec.json.encode(msgspec.structs.replace(made, folder=""))

    async def _placed(self, held: Credential, body: Body) -> bytes:
        """Raises: RefusedError, ClientGoneError."""
        wish = await _read(body, WhereWish, _NO_WISH)
        if held.host and wish.host != held.host:
            raise RefusedError(403, Verdict.NOT_YOURS)
        if not is_word(wish.host) or not _are_snapshots(wish.snapshots):
            raise RefusedError(400, _NO_WISH)
        async with self._one:
            return msgspec.json.encode(await asyncio.to_thread(self._where, held, wish))


async def _read(body: Body, kind: type[A], otherwise: str) -> A:
    """Raises: RefusedError, ClientGoneError."""
    said = bytearray()
    async for piece in body.pieces():
        said += piece
        if len(said) > _MOST_BYTES:
            raise RefusedError(413, "too long")
    try:
        return msgspec.json.decode(said, type=kind)
    except msgspec.DecodeError as error:
        raise RefusedError(400, otherwise) from error


async def _wish(body: Body) -> ViewWish:
    """Raises: RefusedError, ClientGoneError."""
    wish = await _read(body, ViewWish, _NO_WISH)
    is_named = is_word(wish.host) and is_generation(wish.generation)
    if not is_named or not _are_snapshots(wish.snapshots):
        raise RefusedError(400, _NO_WISH)
    return wish


def _are_snapshots(names: tuple[str, ...]) -> bool:
    return len(names) <= _MOST_SNAPSHOTS and all(map(is_object, names))
