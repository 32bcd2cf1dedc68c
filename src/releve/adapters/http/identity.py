"""The way to identity providers: encrypted, no redirect followed, limits of time and size."""

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import anyio
import httpx
import msgspec

from releve.adapters.http import bounded
from releve.adapters.http.client import PlainHttpError, check_url
from releve.flow.server.identity_ports import ProviderFailedError, ProviderRefusedError
from releve.model.identity import Provider

_SECONDS = 10.0  # for the whole answer: a provider that drips is as good as none
_MOST_BYTES = 256 * 1024


class HttpProviders:
    """One connection per question: they are few, and none outlives its provider's settings."""

    async def fetch(self, provider: Provider, url: str) -> bytes:
        status, body = await _asked(provider, httpx.Request("GET", url))
        if status != httpx.codes.OK:
            raise ProviderFailedError(f"{url} answered {status}")
        return body

    async def redeem(
        self, provider: Provider, url: str, form: dict[str, str], *, in_header: bool
    ) -> bytes:
        headers = {}
        if in_header:
            pair = f"{quote(provider.client_id, safe='')}:{quote(provider.secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form = form | {"client_id": provider.client_id, "client_secret": provider.secret}
        status, body = await _asked(
            provider, httpx.Request("POST", url, data=form, headers=headers)
        )
        if status in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise ProviderRefusedError(_error_of(body))
        if status != httpx.codes.OK:
            raise ProviderFailedError(f"{url} answered {status}")
        return body


class _Error(msgspec.Struct):
    error: str = ""


def _error_of(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Error).error[:60]
    except msgspec.DecodeError:
        return "no reason given"


async def _asked(provider: Provider, request: httpx.Request) -> tuple[int, bytes]:
    """Raises: ProviderFailedError."""
    url = str(request.url)
    try:
        check_url(url)
        with anyio.fail_after(_SECONDS):
            async with _client(provider) as client:
                answer = await client.send(request, stream=True)
                return answer.status_code, await bounded.read_async(answer, _MOST_BYTES)
    except TimeoutError as error:
        raise ProviderFailedError(f"{url} did not answer within {_SECONDS:.0f} s") from error
    except bounded.UnfitAnswerError as error:
        raise ProviderFailedError(f"{url}: {error}") from error
    except (httpx.HTTPError, httpx.InvalidURL, PlainHttpError, ssl.SSLError) as error:
        raise ProviderFailedError(f"{url}: {error}") from error


@asynccontextmanager
async def _client(provider: Provider) -> AsyncIterator[httpx.AsyncClient]:
    verify: ssl.SSLContext | bool = True
    if provider.authority:
        verify = ssl.create_default_context(cadata=provider.authority)
    async with httpx.AsyncClient(
        headers=bounded.PLAIN,
        verify=verify,
        timeout=_SECONDS,
        trust_env=False,
        follow_redirects=False,
    ) as client:
        yield client
