"""The door for copies, before the gate: another vault reads journal, head and objects, and nothing else.

Objects come straight from the disk; the store has no part in it. Its paths begin with a dot, which no
structure's name does.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from releve.adapters.vault.answers import (
    Message,
    Receive,
    RefusedError,
    Scope,
    Send,
    answer,
)
from releve.adapters.vault.asking import who
from releve.adapters.vault.layout import Layout
from releve.adapters.vault.records import Records
from releve.flow.vault.names import read_target
from releve.flow.vault.rules import Verdict
from releve.model.vault import Credential, CredentialKind

log = structlog.get_logger()
PREFIX = "/.copy/"
_PIECE = 1 << 20
_MOST_LINES = 16 << 20  # of the journal in one answer


class Door:
    """ASGI application: what is not a copy's question goes on to the gate."""

    def __init__(
        self,
        inner: Callable[[Scope, Receive, Send], object],
        layout: Layout,
        credentials: Records[Credential],
        now_ns: Callable[[], int],
    ) -> None:
        self._inner, self._layout = inner, layout
        self._credentials, self._now_ns = credentials, now_ns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._inner(scope, receive, send)  # type: ignore[misc]
            return
        try:
            self._check(scope)
            await self._give(scope, send)
        except RefusedError as refused:
            log.info("copy_refused", status=refused.status, why=refused.why)
            await answer(send, refused.status, f"{refused.why}\n".encode())
        except FileNotFoundError:
            await answer(send, 404, b"not there\n")

    def _check(self, scope: Scope) -> None:
        """Raises: RefusedError."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise RefusedError(405, Verdict.READ_ONLY)
        held = who(scope, self._credentials, self._now_ns())
        if held.kind is not CredentialKind.COPY:
            raise RefusedError(403, Verdict.NOT_YOURS)

    async def _give(self, scope: Scope, send: Send) -> None:
        words = scope["raw_path"].decode("latin-1").removeprefix(PREFIX)
        kind, _, rest = words.partition("/")
        match kind:
            case "head" if not rest:
                await answer(send, 200, (self._layout.heads / "latest.json").read_bytes())
            case "journal" if rest.isdecimal():
                await answer(send, 200, await asyncio.to_thread(self._lines, int(rest)))
            case "object":
                await self._object(f"/{rest}", scope["method"], send)
            case _:
                raise RefusedError(404, "not a path of the vault")

    def _lines(self, offset: int) -> bytes:
        """Whole lines of the journal from a byte on. Raises: RefusedError."""
        with self._layout.journal.open("rb") as file:
            if offset > os.fstat(file.fileno()).st_size:
                raise RefusedError(416, "the journal is not so long")
            file.seek(offset)
            whole, newline, _ = file.read(_MOST_LINES).rpartition(b"\n")
        return whole + newline

    async def _object(self, path: str, method: str, send: Send) -> None:
        target = read_target(path)
        if target is None or target.repository is None or target.kind is None or not target.name:
            raise RefusedError(404, "not a path of the vault")
        await _send_file(
            self._layout.object(target.repository, target.kind, target.name),
            send,
            whole=method == "GET",
        )


async def _send_file(path: Path, send: Send, *, whole: bool) -> None:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        start: Message = {"type": "http.response.start", "status": 200}
        await send(start | {"headers": [(b"content-length", b"%d" % size)]})
        while whole and (piece := await asyncio.to_thread(file.read, _PIECE)):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
