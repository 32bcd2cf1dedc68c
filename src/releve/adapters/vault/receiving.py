"""Receiving an object: hashed on its way to the store, receipted before the client is told."""

import asyncio
import hashlib
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from releve.adapters.vault.answers import Body, RefusedError
from releve.adapters.vault.layout import Layout
from releve.adapters.vault.ledger import Ledger
from releve.adapters.vault.store import Store
from releve.adapters.vault.upstream import StoreDownError, Upstream
from releve.flow.vault.book import Book, Held
from releve.flow.vault.rules import LARGEST, Bucket, Verdict
from releve.model.vault import Credential, ObjectKind, Receipt, Repository

_MOST_LOCKS = 200
_BLOCK = 1 << 20


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """An object on its way in."""

    repository: Repository
    kind: ObjectKind
    name: str
    size: int
    by: str

    @property
    def is_named_by_hash(self) -> bool:
        return self.kind is not ObjectKind.CONFIG


class Receiver:
    """Takes objects in. Its promise: 200 is said only when object and receipt are on disk."""

    def __init__(
        self,
        *,
        layout: Layout,
        upstream: Upstream,
        store: Store,
        ledger: Ledger,
        book: Book,
        reserve_bytes: int,
        tell: Callable[..., Awaitable[object]],
    ) -> None:
        self._layout, self._upstream, self._store = layout, upstream, store
        self._ledger, self._book = ledger, book
        self._reserve_bytes, self._tell = reserve_bytes, tell
        self._busy: set[tuple[Repository, ObjectKind, str]] = set()
        self._coming: dict[tuple[str, str], int] = {}  # bytes under way, by structure and host

    async def take(self, coming: Coming, owner: Credential, bucket: Bucket, body: Body) -> None:
        """Return when it is received. Raises: RefusedError, ClientGoneError."""
        await self._check(coming, owner)
        place = (coming.repository, coming.kind, coming.name)
        if place in self._busy:
            raise RefusedError(503, "this object is on its way already")
        host = (coming.repository.structure, coming.repository.host)
        self._busy.add(place)
        self._coming[host] = self._coming.get(host, 0) + coming.size
        try:
            await self._take(coming, bucket, body)
        finally:
            self._busy.discard(place)
            self._coming[host] -= coming.size

    async def _take(self, coming: Coming, bucket: Bucket, body: Body) -> None:
        held = self._book.held(*_place(coming))
        path = self._layout.object(*_place(coming))
        if held or path.exists():
            digest = await _read_through(bucket, body)
            await self._take_again(coming, digest, held, path)
            return
        if not await self._store.ready():
            raise RefusedError(503, "the store is starting")
        try:
            digest, status = await self._pass_on(coming, bucket, body)
        except StoreDownError as error:
            raise RefusedError(503, "the store broke off") from error
        if status == 200:
            await self._receipt(coming, digest)
        elif path.exists():  # it came by the store's other door: an earlier try
            await self._take_again(coming, digest, None, path)
        else:
            raise RefusedError(503 if status >= 500 else status, f"the store said {status}")

    async def _check(self, coming: Coming, owner: Credential) -> None:
        if coming.size > LARGEST[coming.kind]:
            raise RefusedError(403, Verdict.TOO_LARGE)
        if not self._layout.repository(coming.repository).is_dir():
            raise RefusedError(404, "no such repository")
        if self._book.held(*_place(coming)):
            return  # nothing will be added
        quota = owner.limits.quota_bytes
        host = (coming.repository.structure, coming.repository.host)
        used = self._book.host_bytes(*host) + self._coming.get(host, 0)
        if quota and used + coming.size > quota:
            await self._tell("quota_used_up", owner.id, structure=owner.structure)
            raise RefusedError(403, Verdict.QUOTA)
        if shutil.disk_usage(self._layout.repos).free - coming.size < self._reserve_bytes:
            await self._tell("disk_full", "")
            raise RefusedError(507, "the vault's disk is full")
        if coming.kind is ObjectKind.LOCKS:
            locks = self._layout.repository(coming.repository) / ObjectKind.LOCKS
            if locks.is_dir() and len(list(locks.iterdir())) >= _MOST_LOCKS:
                raise RefusedError(403, "too many locks")

    async def _pass_on(self, coming: Coming, bucket: Bucket, body: Body) -> tuple[str, int]:
        """Send the body on as it comes, its end only once the hash is right; hash and status."""
        digest, left, last = hashlib.sha256(), coming.size, b""
        async with self._upstream.call() as call:
            path = self._layout.served_path(coming.repository, coming.kind, coming.name)
            call.start("POST", path, [("Content-Length", str(coming.size))])
            async for piece in body.pieces():
                digest.update(piece)
                left -= len(piece)
                await _pace(bucket, len(piece))
                if left <= 0:
                    last = piece
                    break
                await call.send(piece)
            found = digest.hexdigest()
            if left or (coming.is_named_by_hash and found != coming.name):
                raise RefusedError(400, "the name is not the SHA-256 of the content")
            await call.send(last)
            reply = await call.reply()
            async for _ in reply.pieces():
                pass
            return found, reply.status

    async def _take_again(self, coming: Coming, digest: str, held: Held | None, path: Path) -> None:
        """The same content once more is fine, and changes nothing; a crash may have cost its receipt."""
        if coming.is_named_by_hash and digest != coming.name:
            raise RefusedError(400, "the name is not the SHA-256 of the content")
        if coming.kind is ObjectKind.LOCKS:
            return
        if held is None:
            on_disk = await asyncio.to_thread(file_sha256, path)
            if on_disk != digest:
                raise RefusedError(403, Verdict.NEVER)
            await self._receipt(coming, digest)
        elif not coming.is_named_by_hash and held.sha256 != digest:
            raise RefusedError(403, Verdict.NEVER)

    async def _receipt(self, coming: Coming, digest: str) -> None:
        if coming.kind is ObjectKind.LOCKS:
            return
        await self._ledger.add(
            Receipt(
                repository=coming.repository,
                kind=coming.kind,
                name=coming.name,
                size=coming.size,
                sha256=digest,
                by=coming.by,
            )
        )


def file_sha256(path: Path) -> str:
    """Of a whole file, in blocks."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(coming: Coming) -> tuple[Repository, ObjectKind, str]:
    return coming.repository, coming.kind, coming.name


async def _read_through(bucket: Bucket, body: Body) -> str:
    digest = hashlib.sha256()
    async for piece in body.pieces():
        digest.update(piece)
        await _pace(bucket, len(piece))
    return digest.hexdigest()


async def _pace(bucket: Bucket, size: int) -> None:
    if wait_s := bucket.take(size, asyncio.get_running_loop().time()):
        await asyncio.sleep(wait_s)
