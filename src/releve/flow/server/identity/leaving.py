"""Signing out at a provider too (OpenID Connect RP-Initiated Logout 1.0), after the session here ended."""

from urllib.parse import urlencode, urlsplit

import anyio
import structlog
from anyio import to_thread

from releve.flow.clock import Clock
from releve.flow.server.identity.discovery import Discovery
from releve.flow.server.identity.entering import ASKED_FOR, key_of, secret_text
from releve.flow.server.identity_ports import ProviderFailedError
from releve.flow.server.ports import NewSecret, Store
from releve.model.identity import Provider

_PATIENCE_SECONDS = 3.0  # nobody who leaves waits longer for a provider
_LEFT = b"left"
log = structlog.get_logger()


class Leaving:
    """Of one server; `url`: its own address, the only one that providers send people back to."""

    def __init__(
        self, store: Store, discovery: Discovery, clock: Clock, new: NewSecret, url: str
    ) -> None:
        self._store, self._discovery, self._clock = store, discovery, clock
        self._new, self._url = new, url

    async def ask(self, provider: Provider, id_token: str, secret: str) -> str:
        """The provider's address where one signs out, which sends back here; empty: it has none now.

        Args:
            id_token: empty where none is kept: most providers then ask the person first.
            secret: in a cookie of this browser only.
        """
        address = await self._endpoint(provider)
        if not address:
            return ""
        state = secret_text(self._new())
        until = self._clock.now() + ASKED_FOR
        key = key_of(secret, f"{provider.name}/{state}")
        await to_thread.run_sync(self._store.put_challenge, key, _LEFT, until)
        words = {
            "client_id": provider.client_id,
            "post_logout_redirect_uri": f"{self._url}/login/identity/{provider.name}/left",
            "state": state,
        }
        if id_token:
            words["id_token_hint"] = id_token
        return f"{address}{'&' if '?' in address else '?'}{urlencode(words)}"

    async def is_back(self, provider: Provider, secret: str, state: str) -> bool:
        """Whether this browser comes from where it was sent; once. It proves no more than that."""
        key, now = key_of(secret, f"{provider.name}/{state}"), self._clock.now()
        return await to_thread.run_sync(self._store.take_challenge, key, now) == _LEFT

    async def _endpoint(self, provider: Provider) -> str:
        try:
            with anyio.fail_after(_PATIENCE_SECONDS):
                address = (await self._discovery.metadata(provider)).end_session_endpoint
        except (ProviderFailedError, TimeoutError) as error:
            log.warning("identity_provider_failed", provider=provider.name, why=str(error))
            return ""
        # It becomes a link: as encrypted as the provider itself, or none.
        is_safe = urlsplit(address).scheme in ("https", urlsplit(provider.issuer).scheme)
        return address if is_safe else ""
