"""The agent's way to its server: signed requests, verified answers, a pinned authority."""

import datetime as dt
import hashlib
import secrets
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from releve.adapters.system import SystemClock
from releve.flow import envelope
from releve.flow.agent.ports import TemporaryError, UnknownAgentError
from releve.flow.wire import (
    Ack,
    Batch,
    EnrolReply,
    EnrolRequest,
    HelpAsk,
    HelpTold,
    HostTold,
    Orders,
    Refusal,
    encode,
)
from releve.model.errors import ReleveError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class PlainHttpError(ReleveError):
    """Names and states of a practice do not travel in the clear."""

    status = 41
    remedy = "Use the https:// address that the server printed; plain http is for loopback only."

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} is not encrypted and not on this machine.")


class NotTheServerError(ReleveError):
    """Whoever answers cannot prove to be the server of the token."""

    status = 42
    remedy = "Check the address, and that the token was made by this server."

    def __init__(self, what: str) -> None:
        super().__init__(f"The server's identity does not match the token ({what}).")


class EnrolmentRefusedError(ReleveError):
    """The token is unknown, used, or over."""

    status = 43
    remedy = "Make a new one with `releve server token create`; a token works once."

    def __init__(self, why: str) -> None:
        super().__init__(f"The server refused the token ({why}).")


def check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise PlainHttpError(url)


def fetch_authority(url: str, sha256: bytes) -> str:
    """The server's authority (PEM), checked against its digest before anything is trusted."""
    context = ssl.create_default_context()
    context.check_hostname = False
    # Nothing secret is said on this connection, and what it gives is checked below.
    context.verify_mode = ssl.CERT_NONE
    try:
        answer = httpx.get(f"{url}/api/v1/authority", verify=context, timeout=15, trust_env=False)
        answer.raise_for_status()
        certificate = x509.load_pem_x509_certificate(answer.content)
    except httpx.HTTPError as error:
        raise TemporaryError(str(error)) from error
    except ValueError as error:
        raise NotTheServerError("authority") from error
    if hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest() != sha256:
        raise NotTheServerError("authority")
    return answer.text


class HttpServer:
    """One connection pool; safe for the tasks of one event loop."""

    def __init__(
        self,
        url: str,
        *,
        agent: str,
        key: Ed25519PrivateKey,
        server_key: bytes,
        authority: Path | None = None,
    ) -> None:
        check_url(url)
        verify: ssl.SSLContext | bool = True
        if authority is not None:
            verify = ssl.create_default_context(cafile=str(authority))
            verify.minimum_version = ssl.TLSVersion.TLSv1_3
        self._agent, self._key, self._server_key = agent, key, server_key
        self._clock = SystemClock()
        self._skew = dt.timedelta()  # server's clock minus ours, as its signed answers tell
        self._client = httpx.AsyncClient(
            base_url=url, verify=verify, timeout=httpx.Timeout(30, connect=10), trust_env=False
        )

    def now(self) -> dt.datetime:
        """The server's time, as near as its answers told: orders expire by it."""
        return self._clock.now() + self._skew

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, batch: Batch) -> Ack:
        body = zstandard.ZstdCompressor(level=3).compress(encode(batch))
        answer = await self._ask("POST", "/api/v1/batches", body)
        return msgspec.json.decode(answer, type=Ack)

    async def wait_orders(self, seconds: float, after: int) -> Orders:
        target = f"/api/v1/orders?after={after}&wait={int(seconds)}"
        answer = await self._ask("GET", target, b"", timeout=seconds + 20)
        return msgspec.json.decode(answer, type=Orders)

    async def enrol(self, request: EnrolRequest) -> EnrolReply:
        answer = await self._ask("POST", "/api/v1/enrol", encode(request))
        return msgspec.json.decode(answer, type=EnrolReply)

    async def ask_help(self, ask: HelpAsk) -> HelpTold:
        answer = await self._ask("POST", "/api/v1/help", encode(ask))
        return msgspec.json.decode(answer, type=HelpTold)

    async def help_state(self) -> HostTold:
        answer = await self._ask("GET", "/api/v1/help/state", b"")
        return msgspec.json.decode(answer, type=HostTold)

    async def _ask(self, method: str, target: str, body: bytes, *, timeout: float = 30) -> bytes:  # noqa: ASYNC109
        for attempt in (1, 2):
            status, answer = await self._once(method, target, body, timeout)
            if status == httpx.codes.OK:
                return answer
            refusal = _refusal(answer)
            if refusal.refused == "clock" and attempt == 1:
                # This host's clock is off; the answer is signed, so its time can be trusted.
                self._skew = refusal.server_time - self._clock.now()
                continue
            if target == "/api/v1/enrol":
                raise EnrolmentRefusedError(refusal.refused)
            if refusal.refused == "unknown_agent":
                raise UnknownAgentError(refusal.refused)
            raise TemporaryError(refusal.refused or f"status {status}")
        raise TemporaryError("clock")

    async def _once(
        self, method: str, target: str, body: bytes, seconds: float
    ) -> tuple[int, bytes]:
        at = self.now().isoformat()
        stamp = envelope.Stamp(agent=self._agent, time=at, nonce=secrets.token_hex(16))
        message = envelope.request_bytes(method, target, stamp, body)
        headers = {
            envelope.AGENT: stamp.agent,
            envelope.TIME: stamp.time,
            envelope.NONCE: stamp.nonce,
            envelope.SIGNATURE: envelope.sign(self._key, message),
            "content-type": "application/octet-stream",
        }
        try:
            answer = await self._client.request(
                method, target, content=body, headers=headers, timeout=seconds
            )
        except httpx.HTTPError as error:
            raise TemporaryError(type(error).__name__) from error
        signed = envelope.response_bytes(stamp.nonce, answer.status_code, answer.content)
        signature = answer.headers.get(envelope.SIGNATURE, "")
        if not envelope.is_signed(self._server_key, signed, signature):
            raise TemporaryError("the answer is not signed by the server")
        return answer.status_code, answer.content


def _refusal(answer: bytes) -> Refusal:
    try:
        return msgspec.json.decode(answer, type=Refusal)
    except msgspec.DecodeError as error:
        raise TemporaryError("unreadable answer") from error
