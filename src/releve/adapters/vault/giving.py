"""Giving objects out: listings, objects, parts of them; `data` within the reader's budget."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import structlog

from releve.adapters.vault.answers import RefusedError, Scope, Send, header
from releve.adapters.vault.layout import Layout, object_in
from releve.adapters.vault.records import Records
from releve.adapters.vault.store import Store
from releve.adapters.vault.upstream import Reply, StoreDownError, Upstream
from releve.flow.vault import rules
from releve.flow.vault.names import Target
from releve.flow.vault.rules import Bucket, Spent, Verdict
from releve.model.vault import Credential, CredentialKind, ObjectKind, Repository

log = structlog.get_logger()
_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")
_AHEAD_BYTES = 1 << 20
_PASSED = (b"content-type", b"content-length", b"content-range")


class Giver:
    """Reads from the store for whoever may."""

    def __init__(
        self,
        *,
        layout: Layout,
        upstream: Upstream,
        store: Store,
        spent: Records[Spent],
        now_ns: Callable[[], int],
        overdrawn: Callable[[Credential], Awaitable[object]],
        read: Callable[[Credential], Awaitable[object]],
    ) -> None:
        """`overdrawn` hears of a used-up budget, `read` of each reading with a restore credential."""
        self._layout, self._upstream, self._store = layout, upstream, store
        self._saved, self._now_ns = spent, now_ns
        self._spent: dict[str, Spent] = {}
        self._overdrawn, self._read = overdrawn, read

    async def give(
        self, credential: Credential, target: Target, bucket: Bucket, scope: Scope, send: Send
    ) -> None:
        """Answer a GET or HEAD. Raises: RefusedError, StoreDownError before the answer began."""
        part = header(scope, b"range")
        if scope["method"] == "GET" and target.kind is ObjectKind.DATA and target.name:
            await self._account(credential, target, part)
        await self._ready()
        wanted = [("Range", part)] if _RANGE.match(part) else []
        if accepted := header(scope, b"accept"):
            wanted.append(("Accept", accepted.translate(_PLAIN)))
        async with self._upstream.call() as call:
            call.start(scope["method"], self._path(target), wanted)
            reply = await call.reply()
            await _pass_back(reply, bucket, send)

    async def delete(self, target: Target) -> None:
        """A lock: the rules let nothing else come here. Raises: RefusedError, StoreDownError."""
        await self._ready()
        await self._say("DELETE", self._path(target))

    async def create(self, repository: Repository) -> None:
        """The folders of a repository. Raises: RefusedError, StoreDownError."""
        await self._ready()
        path = self._layout.served_path(repository, None, "")
        await self._say("POST", f"{path}?create=true")

    async def _say(self, method: str, path: str) -> None:
        async with self._upstream.call() as call:
            call.start(method, path, [("Content-Length", "0")])
            reply = await call.reply()
            async for _ in reply.pieces():
                pass
            if reply.status >= 300:
                raise RefusedError(reply.status, f"the store said {reply.status}")

    async def _ready(self) -> None:
        if not await self._store.ready():
            raise RefusedError(503, "the store is starting")

    def _path(self, target: Target) -> str:
        if target.repository is not None:
            return self._layout.served_path(target.repository, target.kind, target.name)
        return self._layout.served_view_path(target.view, target.kind, target.name)

    async def _account(self, credential: Credential, target: Target, part: str) -> None:
        limits = credential.limits
        if credential.kind is CredentialKind.RESTORE:
            await self._read(credential)
            if not limits.read_bytes:
                return
        size = self._size(target, part)
        saved = self._saved.get(credential.id) or Spent()
        spent = self._spent.get(credential.id, saved)
        # One day without end holds the account of a right that has a budget in all.
        now_ns = 0 if limits.read_bytes else self._now_ns()
        budget = limits.read_bytes or limits.read_bytes_per_day
        after = rules.spend(spent, size, budget, now_ns)
        if after is None:
            await self._overdrawn(credential)
            raise RefusedError(403, Verdict.NOT_FOR_DATA)
        self._spent[credential.id] = after
        if after.day != saved.day or after.bytes > saved.bytes:
            # On disk before a byte is given, some in advance: a gate that is killed forgets none.
            ahead = Spent(day=after.day, bytes=after.bytes + _AHEAD_BYTES)
            self._saved.put(credential.id, ahead)

    def _size(self, target: Target, part: str) -> int:
        if target.kind is None:
            return 0
        folder = self._layout.views / target.view
        if target.repository is not None:
            folder = self._layout.repository(target.repository)
        path = object_in(folder, target.kind, target.name)
        try:
            whole = path.stat().st_size
        except FileNotFoundError:
            return 0
        asked = _RANGE.match(part)
        if asked is None:
            return whole
        first, last = int(asked[1]), int(asked[2]) if asked[2] else whole - 1
        return max(0, min(last, whole - 1) - first + 1)


_PLAIN = dict.fromkeys((*range(32), *range(127, 256)))


async def _pass_back(reply: Reply, bucket: Bucket, send: Send) -> None:
    headers = [(name, reply.headers[name]) for name in _PASSED if name in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    loop = asyncio.get_running_loop()
    try:
        async for piece in reply.pieces():
            if wait_s := bucket.take(len(piece), loop.time()):
                await asyncio.sleep(wait_s)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except StoreDownError:
        # The head is out: only a broken connection tells the client that this is not all.
        log.warning("store_broke_off_in_an_answer")
        raise ConnectionAbortedError("the store broke off") from None
    await send({"type": "http.response.body", "body": b""})
