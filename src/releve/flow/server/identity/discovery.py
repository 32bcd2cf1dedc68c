"""What a provider says of itself and its keys, remembered for a while, asked again when a key is new."""

import datetime as dt
import ipaddress
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from joserfc.jwk import KeySet

from releve.flow.clock import Clock
from releve.flow.server.identity.tokens import ALGORITHMS, KeyUnknown, NotTrusted, keys_of
from releve.flow.server.identity_ports import ProviderFailedError, ProviderHttp
from releve.model.identity import Provider

T = TypeVar("T")
_REMEMBERED = dt.timedelta(minutes=10)
_ASKED_AGAIN_AFTER = dt.timedelta(seconds=10)  # strangers must not make us a hammer


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Of the provider's own document; what it may leave out has the protocol's default."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    response_types_supported: tuple[str, ...] = ()
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: tuple[str, ...] = ()
    acr_values_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False
    backchannel_logout_supported: bool = False
    end_session_endpoint: str = ""


class _Known(msgspec.Struct):
    of: Provider
    at: dt.datetime
    metadata: Metadata
    keys: KeySet


class Discovery:
    """Of all providers; for the tasks of one event loop."""

    def __init__(self, http: ProviderHttp, clock: Clock) -> None:
        self._http, self._clock = http, clock
        self._known: dict[str, _Known] = {}

    async def reached(self, provider: Provider) -> Metadata:
        """As it said within seconds: nobody is sent to one that is not there. Raises: ProviderFailedError."""
        return (await self._fresh(provider, _ASKED_AGAIN_AFTER)).metadata

    async def metadata(self, provider: Provider) -> Metadata:
        """Raises: ProviderFailedError."""
        return (await self._fresh(provider, _REMEMBERED)).metadata

    async def verified(self, provider: Provider, verify: Callable[[KeySet], T]) -> T:
        """Verify with the keys known; with the newest, if one is not among them.

        Raises: NotTrusted, ProviderFailedError.
        """
        known = await self._fresh(provider, _REMEMBERED)
        try:
            return verify(known.keys)
        except KeyUnknown:
            return verify((await self._fresh(provider, _ASKED_AGAIN_AFTER)).keys)

    async def _fresh(self, provider: Provider, age: dt.timedelta) -> _Known:
        known, now = self._known.get(provider.name), self._clock.now()
        if known is None or known.of != provider or not abs(now - known.at) < age:
            metadata = await self._read(provider)
            try:
                keys = keys_of(await self._http.fetch(provider, metadata.jwks_uri))
            except NotTrusted as error:
                raise ProviderFailedError(error.why) from error
            known = _Known(of=provider, at=now, metadata=metadata, keys=keys)
            self._known[provider.name] = known
        return known

    async def _read(self, provider: Provider) -> Metadata:
        body = await self._http.fetch(provider, provider.discovery)
        try:
            metadata = msgspec.json.decode(body, type=Metadata)
        except msgspec.DecodeError as error:
            raise ProviderFailedError(f"its metadata cannot be read ({error})") from error
        if metadata.issuer != provider.issuer:
            # Exactly so (OpenID Connect Discovery, 4.3): else one provider could speak for another.
            raise ProviderFailedError(f"it calls itself {metadata.issuer}, not {provider.issuer}")
        _check_places(metadata, provider)
        return metadata


def _check_places(metadata: Metadata, provider: Provider) -> None:
    """Nobody is sent, and nothing is asked, where the provider itself is not: least of all on this machine.

    Elsewhere it is https: a service that has no certificate of that name is not spoken to.
    Raises: ProviderFailedError.
    """
    is_here = _is_here(provider.discovery)
    places = [metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri]
    for url in (*places, *filter(None, [metadata.end_session_endpoint])):
        try:
            parts = urlsplit(url)
            is_good = bool(parts.hostname) and "@" not in parts.netloc and url.isprintable()
            is_good &= parts.scheme in (("https", "http") if is_here else ("https",))
        except ValueError:
            is_good = False
        if not is_good or (_is_here(url) and not is_here):
            raise ProviderFailedError(f"it names an address where it cannot be: {url[:200]!r}")


def _is_here(url: str) -> bool:
    """On this machine, or where machines of clouds keep their keys."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    known = inner or address
    return known.is_loopback or known.is_link_local or known.is_unspecified


def shortcomings(metadata: Metadata, provider: Provider) -> list[str]:
    """Why nobody could sign in by it, in words; empty when all is there."""
    found = []
    if "code" not in metadata.response_types_supported:
        found.append("it does not offer the authorization code flow (response type code)")
    if "S256" not in metadata.code_challenge_methods_supported:
        found.append("it does not offer PKCE with S256")
    if not set(ALGORITHMS) & set(metadata.id_token_signing_alg_values_supported):
        found.append("it signs by no algorithm that is allowed (RS, PS or ES)")
    ways = {"client_secret_basic", "client_secret_post"}
    if not ways & set(metadata.token_endpoint_auth_methods_supported):
        found.append("it takes no client secret (basic or post)")
    offered = set(metadata.acr_values_supported)
    if provider.require_acr and offered and not offered & set(provider.require_acr):
        found.append(f"it offers no acr of {', '.join(provider.require_acr)}")
    return found
