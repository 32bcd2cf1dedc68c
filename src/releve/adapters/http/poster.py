"""Posts the messages of webhooks to addresses that strangers may have chosen."""

import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import anyio
import httpx

from releve.adapters.http.addresses import Address, Network, is_own, may_reach
from releve.flow.server.tool_ports import PostFailed

_PORTS = {"https": 443, "http": 80}


class HttpPoster:
    """The name is resolved once, judged, and the connection goes to the judged address and no other.

    No proxy of the environment, no redirect, nothing read but the status. Plain http only into `allowed`.
    """

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        # The system's own authorities: a hospital's tool may have a certificate of the hospital.
        self._tls = ssl.create_default_context()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Raises: PostFailed."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        address = await self._address(host, port)
        if parts.scheme != "https" and not is_own(address, self._allowed):
            raise PostFailed("address")
        pinned = httpx.URL(url).copy_with(host=str(address))
        sent = {"host": parts.netloc, "content-type": "application/json", **headers}
        try:
            async with (
                httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=10) as client,
                client.stream(
                    "POST", pinned, headers=sent, content=body, extensions={"sni_hostname": host}
                ) as answer,
            ):
                return answer.status_code
        except httpx.TimeoutException as error:
            raise PostFailed("time") from error
        except httpx.HTTPError as error:
            raise PostFailed("tls" if _is_tls(error) else "unreachable") from error

    async def _address(self, host: str, port: int) -> Address:
        """One bad address among those of a name, and none is used. Raises: PostFailed."""
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise PostFailed("name") from error
        addresses = [ipaddress.ip_address(sockaddr[0]) for *_, sockaddr in found]
        if not addresses or not all(may_reach(one, self._allowed) for one in addresses):
            raise PostFailed("address")
        return addresses[0]


def _is_tls(error: BaseException) -> bool:
    cause = error.__cause__ or error.__context__
    return isinstance(error, ssl.SSLError) or (cause is not None and _is_tls(cause))
