"""The gate: a small ASGI application between restic and the store. It only lets add and read.

Who asks is settled first, then what; anything unclear is refused before a byte reaches the store.
"""

import asyncio
import datetime as dt
from collections.abc import Callable

import structlog

from releve.adapters.vault.answers import (
    Body,
    ClientGoneError,
    Receive,
    RefusedError,
    Scope,
    Send,
    answer,
    header,
)
from releve.adapters.vault.asking import who
from releve.adapters.vault.giving import Giver
from releve.adapters.vault.layout import Layout
from releve.adapters.vault.ledger import NotWrittenError
from releve.adapters.vault.receiving import Coming, Receiver
from releve.adapters.vault.records import Records
from releve.adapters.vault.upstream import StoreDownError
from releve.flow.vault import rules
from releve.flow.vault.names import Target, read_target
from releve.flow.vault.rules import Bucket, Verdict
from releve.model.vault import Credential, CredentialKind, View

log = structlog.get_logger()
_SWALLOWED = 64 << 20  # of a refused body, so that restic reads why
_CHALLENGE = [(b"www-authenticate", b'Basic realm="vault"')]


class _Buckets:
    """The paces of one credential, as long as its limits stay the same."""

    def __init__(self, credential: Credential) -> None:
        self.limits = credential.limits
        self.bytes = Bucket(credential.limits.bytes_per_s)
        self.requests = Bucket(credential.limits.requests_per_s)


class Gate:
    """ASGI application."""

    def __init__(
        self,
        *,
        layout: Layout,
        credentials: Records[Credential],
        views: Records[View],
        receiver: Receiver,
        giver: Giver,
        now_ns: Callable[[], int],
    ) -> None:
        self._layout, self._credentials, self._views = layout, credentials, views
        self._receiver, self._giver, self._now_ns = receiver, giver, now_ns
        self._buckets: dict[str, _Buckets] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = Body(receive)
        try:
            await self._serve(scope, body, send)
        except ClientGoneError:
            log.info("client_gone", path=scope["path"])
        except RefusedError as refused:
            await self._refuse(refused, scope, body, send)
        except (StoreDownError, NotWrittenError) as error:
            log.warning("not_served", path=scope["path"], why=str(error))
            await self._refuse(RefusedError(503, "try again"), scope, body, send)

    async def _refuse(self, refused: RefusedError, scope: Scope, body: Body, send: Send) -> None:
        log.info("refused", method=scope["method"], status=refused.status, why=refused.why)
        try:
            length = header(scope, b"content-length")
            is_bearable = length.isdecimal() and int(length) <= _SWALLOWED
            if scope["method"] == "POST" and refused.status != 401 and is_bearable:
                await body.swallow(_SWALLOWED)
            extra = _CHALLENGE if refused.status == 401 else ()
            await answer(send, refused.status, f"{refused.why}\n".encode(), extra)
        except ClientGoneError:
            return

    async def _serve(self, scope: Scope, body: Body, send: Send) -> None:
        credential = who(scope, self._credentials, self._now_ns())
        target = read_target(scope["raw_path"].decode("latin-1"))
        if target is None:
            raise RefusedError(404, "not a path of the vault")
        view = self._views.get(target.view) if target.view else None
        shown = Target(repository=view.repository) if view else None
        verdict = rules.decide(credential, scope["method"], target, shown)
        if verdict is not Verdict.ALLOWED:
            raise RefusedError(403, verdict)
        buckets = self._paces(credential)
        if wait_s := buckets.requests.take(1, asyncio.get_running_loop().time()):
            await asyncio.sleep(wait_s)
        match scope["method"]:
            case "POST" if target.kind is None:
                await self._begin(credential, target, scope)
            case "POST":
                await self._receive(credential, target, buckets.bytes, scope, body)
            case "DELETE":
                await self._giver.delete(target)
            case _:
                await self._giver.give(credential, target, buckets.bytes, scope, send)
                return
        await answer(send, 200)

    def _paces(self, credential: Credential) -> _Buckets:
        buckets = self._buckets.get(credential.id)
        if buckets is None or buckets.limits != credential.limits:
            buckets = self._buckets[credential.id] = _Buckets(credential)
        return buckets

    async def _begin(self, credential: Credential, target: Target, scope: Scope) -> None:
        """`restic init`: a new generation."""
        repository = target.repository
        if repository is None or scope["query_string"] != b"create=true":
            raise RefusedError(405, Verdict.METHOD)
        if credential.kind is not CredentialKind.INGEST:
            raise RefusedError(403, Verdict.READ_ONLY)
        today = dt.datetime.fromtimestamp(self._now_ns() / 1e9, dt.UTC)
        if not self._layout.repository(repository).is_dir():
            if not rules.may_begin(repository.generation, today):
                raise RefusedError(403, Verdict.NOT_NOW)
            log.info("generation_begun", repository=str(repository), by=credential.id)
        await asyncio.to_thread(self._layout.serve, repository)
        await self._giver.create(repository)

    async def _receive(
        self,
        credential: Credential,
        target: Target,
        bucket: Bucket,
        scope: Scope,
        body: Body,
    ) -> None:
        length = header(scope, b"content-length")
        if target.repository is None or target.kind is None or not length.isdecimal():
            raise RefusedError(411, "its length must be told")
        coming = Coming(
            repository=target.repository,
            kind=target.kind,
            name=target.name,
            size=int(length),
            by=credential.id,
        )
        await self._receiver.take(coming, credential, bucket, body)
