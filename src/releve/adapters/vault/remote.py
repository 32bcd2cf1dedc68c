"""Another vault, asked at its door for copies: its head, its journal, its objects."""

import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import httpx
import msgspec

from releve.adapters.http import bounded
from releve.adapters.vault.door import PREFIX
from releve.adapters.vault.secret import read_pair
from releve.flow.vault import heads
from releve.flow.vault.copying import CopySourceError, CopyUnreachableError, ReplicaError
from releve.model.copies import Copy
from releve.model.vault import Head, ObjectKind, Receipt

_PATIENCE_S = 60.0
_PIECE = 1 << 20
_MOST_BYTES = 32 << 20  # of the journal in one answer: twice what a vault of ours gives


class Remote:
    """A connection to another vault; close it, or use it as a context."""

    def __init__(self, copy: Copy) -> None:
        """Raises: CopyUnreachableError."""
        self._copy = copy
        verify: ssl.SSLContext | bool = True
        if copy.authority_file:
            verify = ssl.create_default_context(cafile=copy.authority_file)
        self._client = httpx.Client(
            base_url=copy.url.rstrip("/"),
            headers=bounded.PLAIN,
            auth=read_pair(copy),
            verify=verify,
            timeout=_PATIENCE_S,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._client.close()

    def head(self) -> Head:
        """Its newest head, signed by the pinned key. Raises: CopyUnreachableError, CopySourceError."""
        try:
            signed = heads.read_line(self._get("head"))
        except msgspec.DecodeError as error:
            raise CopySourceError(self._copy.name, "its head cannot be read") from error
        head = heads.open_head(bytes.fromhex(self._copy.public_key), signed)
        if head is None:
            raise CopySourceError(self._copy.name, "its head is not signed by its key")
        return head

    def lines(self, offset: int) -> list[bytes]:
        """Some of its journal's lines from a byte on; none at the end.

        Raises: CopyUnreachableError, CopySourceError.
        """
        return self._get(f"journal/{offset}").splitlines(keepends=True)

    def fetch(self, receipt: Receipt) -> Iterator[bytes]:
        """Raises: ReplicaError, CopyUnreachableError."""
        name = "config" if receipt.kind is ObjectKind.CONFIG else f"{receipt.kind}/{receipt.name}"
        try:
            path = f"{PREFIX}object/{receipt.repository}/{name}"
            with self._client.stream("GET", path) as reply:
                if reply.status_code == httpx.codes.NOT_FOUND:
                    raise ReplicaError("missing")
                self._check(reply)
                yield from reply.iter_raw(_PIECE)
        except httpx.HTTPError as error:
            raise CopyUnreachableError(self._copy.name, type(error).__name__) from error

    def _get(self, what: str) -> bytes:
        try:
            with self._client.stream("GET", f"{PREFIX}{what}") as reply:
                body = bounded.read(reply, _MOST_BYTES)
        except bounded.UnfitAnswerError as error:
            raise CopySourceError(self._copy.name, f"its answer cannot be: {error}") from error
        except httpx.HTTPError as error:
            raise CopyUnreachableError(self._copy.name, type(error).__name__) from error
        if reply.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise CopySourceError(self._copy.name, "its journal became shorter")
        self._check(reply)
        return body

    def _check(self, reply: httpx.Response) -> None:
        if reply.status_code != httpx.codes.OK:
            raise CopyUnreachableError(self._copy.name, f"it answers {reply.status_code}")
