"""The authorization code flow (PKCE, state, nonce, RFC 9207), of one browser, good once, for minutes."""

import base64
import datetime as dt
import hashlib
from urllib.parse import urlencode

import msgspec
import structlog
from anyio import to_thread

from releve.flow.clock import Clock
from releve.flow.server.identity import tokens
from releve.flow.server.identity.discovery import Discovery, Metadata
from releve.flow.server.identity_ports import (
    ProviderFailedError,
    ProviderHttp,
    ProviderRefusedError,
)
from releve.flow.server.ports import NewSecret, Store
from releve.flow.server.signin import digest
from releve.model.identity import Provider, Vouched

ASKED_FOR = dt.timedelta(minutes=10)
_MOST_CODE = 4000  # letters
log = structlog.get_logger()


class Refused(Exception):  # noqa: N818  # a control value of this room
    """`why`: "identity" (not verified), or "identity_" and "down", "denied" (there), "weak", "unknown".

    "otherwise": the person enters by a passkey alone. Of linking also "taken", "own_means", "not_open", "last".
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What came back with the browser: a stranger may have written all of it."""

    state: str = ""
    code: str = ""
    issuer: str = ""
    error: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the provider vouches for. `session`: the digest of the one that asked to link; else empty."""

    vouched: Vouched
    session: str
    id_token: str


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    provider: str
    nonce: str
    verifier: str
    session: str


_asked = msgspec.json.Decoder(_Asked).decode


class Entering:
    """Of one server; `url`: its own address, the only one that providers send people back to."""

    def __init__(
        self, store: Store, http: ProviderHttp, clock: Clock, new: NewSecret, url: str
    ) -> None:
        self._store, self._http, self._clock, self._new, self._url = store, http, clock, new, url
        self.discovery = Discovery(http, clock)

    async def ask(self, provider: Provider, secret: str, *, session: str = "") -> str:
        """The provider's address for this sign-in.

        Args:
            secret: in a cookie of this browser only.
            session: digest of the session that wants to link an account. Empty: to sign in.

        Raises: Refused.
        """
        try:
            metadata = await self.discovery.reached(provider)
        except ProviderFailedError as error:
            raise _down(provider, error) from error
        state, nonce, verifier = (secret_text(self._new()) for _ in range(3))
        asked = _Asked(provider=provider.name, nonce=nonce, verifier=verifier, session=session)
        until = self._clock.now() + ASKED_FOR
        key, value = key_of(secret, state), msgspec.json.encode(asked)
        await to_thread.run_sync(self._store.put_challenge, key, value, until)
        challenge = secret_text(hashlib.sha256(verifier.encode()).digest())
        words = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self._return_to(provider),
            "scope": " ".join(provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if provider.require_acr:
            words["acr_values"] = " ".join(provider.require_acr)
        address = metadata.authorization_endpoint
        return f"{address}{'&' if '?' in address else '?'}{urlencode(words)}"

    async def answer(self, provider: Provider, secret: str, said: Said) -> Answer:
        """Raises: Refused."""
        now = self._clock.now()
        kept = await to_thread.run_sync(self._store.take_challenge, key_of(secret, said.state), now)
        asked = _asked(kept) if kept is not None else None
        # Each provider has an address of its own to come back to: what one says, no other has said.
        if asked is None or asked.provider != provider.name:
            raise Refused("identity")
        if said.error:
            raise Refused("identity_denied" if said.error == "access_denied" else "identity")
        try:
            vouched, token = await self._redeemed(provider, asked, said, now)
        except ProviderFailedError as error:
            raise _down(provider, error) from error
        except tokens.NotStrong as error:
            log.warning("identity_refused", provider=provider.name, why=error.why)
            raise Refused("identity_weak") from error
        except (tokens.NotTrusted, ProviderRefusedError) as error:
            log.warning("identity_refused", provider=provider.name, why=str(error))
            raise Refused("identity") from error
        return Answer(vouched=vouched, session=asked.session, id_token=token)

    async def logged_out(self, provider: Provider, token: str) -> Vouched:
        """Who signed out at the provider, as its logout token says. Raises: Refused."""
        now = self._clock.now()
        try:
            return await self.discovery.verified(
                provider, lambda keys: tokens.read_logout_token(token, keys, provider, now)
            )
        except ProviderFailedError as error:
            raise _down(provider, error) from error
        except tokens.NotTrusted as error:
            raise Refused("identity") from error

    async def _redeemed(
        self, provider: Provider, asked: _Asked, said: Said, now: dt.datetime
    ) -> tuple[Vouched, str]:
        metadata = await self.discovery.metadata(provider)
        told = said.issuer or not metadata.authorization_response_iss_parameter_supported
        if not told or said.issuer not in ("", provider.issuer):
            raise tokens.NotTrusted("another provider answered (iss)")
        if not 0 < len(said.code) <= _MOST_CODE:
            raise tokens.NotTrusted("it brought no code")
        token = await self._id_token(provider, metadata, asked, said.code)
        vouched = await self.discovery.verified(
            provider, lambda keys: tokens.read_id_token(token, keys, provider, asked.nonce, now)
        )
        return vouched, token

    async def _id_token(
        self, provider: Provider, metadata: Metadata, asked: _Asked, code: str
    ) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._return_to(provider),
            "code_verifier": asked.verifier,
        }
        in_header = "client_secret_basic" in metadata.token_endpoint_auth_methods_supported
        body = await self._http.redeem(provider, metadata.token_endpoint, form, in_header=in_header)
        try:
            return msgspec.json.decode(body, type=_Redeemed).id_token
        except msgspec.DecodeError as error:
            raise tokens.NotTrusted("it gave no ID token") from error

    def _return_to(self, provider: Provider) -> str:
        return f"{self._url}/login/identity/{provider.name}/return"


class _Redeemed(msgspec.Struct):
    id_token: str


def _down(provider: Provider, error: ProviderFailedError) -> Refused:
    log.warning("identity_provider_failed", provider=provider.name, why=str(error))
    return Refused("identity_down")


def key_of(secret: str, state: str) -> str:
    return digest(f"identity:{secret}:{state}")


def secret_text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")
