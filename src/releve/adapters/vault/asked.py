"""The desk of a vault's gate, asked from the clean room: how the right stands, and for a view."""

import ssl
from urllib.parse import urlsplit

import httpx
import msgspec

from releve.adapters.vault.desk import PREFIX
from releve.flow.backup import VaultRefusedError, VaultUnreachableError
from releve.flow.vault.names import is_generation, is_word
from releve.flow.vault.openings import OpeningError
from releve.model.errors import ReleveError
from releve.model.vault import DrillAsk, Right, View, ViewWish, WhereWish

_LONGEST = 300  # of the gate's words
_PATIENCE_S = 120.0  # a view of a million objects takes a while


class NoViewError(ReleveError):
    """The vault answers, and cannot show the repository as it is wanted."""

    status = 35
    remedy = (
        "Look at the gate's words; a snapshot that it never received is in no view. `releve vault view"
        " --as-of` on the vault makes one by hand: name it with --repository."
    )

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address} shows no such view: {why}.")


def open_for_drill(base: str, ask: DrillAsk, authority: str = "") -> Right:
    """A drill's right, on a path agreed beforehand; it opens with the secret whose digest was sent.

    Raises: VaultUnreachableError, OpeningError.
    """
    try:
        with _client(base, authority) as client:
            reply = client.post(f"{PREFIX}drill", content=msgspec.json.encode(ask))
    except httpx.HTTPError as error:
        raise VaultUnreachableError(base, type(error).__name__) from error
    if reply.status_code != httpx.codes.OK:
        raise OpeningError(reply.text.strip()[:_LONGEST])
    return msgspec.json.decode(reply.content, type=Right)


def _client(base: str, authority: str, who: tuple[str, str] | None = None) -> httpx.Client:
    verify: ssl.SSLContext | bool = True
    if authority:
        verify = ssl.create_default_context(cafile=authority)
    return httpx.Client(
        base_url=base.rstrip("/"),
        auth=who,
        verify=verify,
        timeout=_PATIENCE_S,
        trust_env=False,
    )


class AskedDesk:
    """One gate with one restore credential."""

    def __init__(self, base: str, user: str, secret: str, authority: str = "") -> None:
        self._base = base
        self._client = _client(base, authority, (user, secret))

    def right(self) -> Right | None:
        """None: no gate of ours is there.

        Raises: VaultUnreachableError, VaultRefusedError, NoViewError.
        """
        said = self._answer("GET", "right", None)
        return None if said is None else msgspec.json.decode(said, type=Right)

    def view(self, wish: ViewWish) -> View:
        """Raises: VaultUnreachableError, VaultRefusedError, NoViewError."""
        said = self._answer("POST", "view", msgspec.json.encode(wish))
        if said is None:
            raise NoViewError(self._base, "it is no gate of a vault")
        return msgspec.json.decode(said, type=View)

    def where(self, wish: WhereWish) -> dict[str, str]:
        """The generation of each snapshot that the vault received.

        Raises: VaultUnreachableError, VaultRefusedError, NoViewError.
        """
        said = self._answer("POST", "where", msgspec.json.encode(wish))
        found = msgspec.json.decode(said, type=dict[str, str]) if said is not None else {}
        for name in wish.snapshots:
            if name not in found:
                raise NoViewError(self._base, f"snapshot {name[:8]} was not received there")
        return found

    def close(self) -> None:
        self._client.close()

    def _answer(self, method: str, what: str, body: bytes | None) -> bytes | None:
        try:
            reply = self._client.request(method, f"{PREFIX}{what}", content=body)
        except httpx.HTTPError as error:
            raise VaultUnreachableError(self._base, type(error).__name__) from error
        if reply.status_code == httpx.codes.NOT_FOUND:
            return None
        if reply.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise VaultRefusedError(self._base, reply.status_code)
        if reply.status_code != httpx.codes.OK:
            raise NoViewError(self._base, reply.text.strip()[:_LONGEST])
        return reply.content


def place_of(url: str) -> tuple[str, str, str] | None:
    """The gate's own address, host and generation of a repository's; None: it is no such address."""
    bare = url.removeprefix("rest:")
    parts = urlsplit(bare)
    path = [part for part in parts.path.split("/") if part]
    if parts.scheme not in {"http", "https"} or len(path) != 3:
        return None
    structure, host, generation = path
    if not (is_word(structure) and is_word(host) and is_generation(generation)):
        return None
    return f"{parts.scheme}://{parts.netloc}/", host, generation
