"""Serves a site until it is asked to end: plain on loopback, by TLS with its own authority elsewhere."""

import socket
from pathlib import Path
from typing import Any

import anyio
import msgspec
import uvicorn

from releve.adapters.authority import Authority, own_names
from releve.apps.web.headers import SafeHeaders
from releve.apps.web.listening import LOOPBACK, host_of

_MOST_AT_ONCE = 256  # of a practice; more is somebody who means harm
_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a site is reached."""

    url: str
    certificate: Path | None = None  # None: plain, on loopback

    @property
    def is_secure(self) -> bool:
        return self.certificate is not None


def place_of(listen: str, listener: socket.socket, folder: Path, names: tuple[str, ...]) -> Place:
    """Where people find it; elsewhere than on loopback with a certificate of its own authority."""
    host, port = host_of(listen), listener.getsockname()[1]
    shown = names[0] if names else (socket.gethostname() if host in _ANY else host)
    shown = f"[{shown}]" if ":" in shown else shown
    if host in LOOPBACK:
        return Place(url=f"http://{shown}:{port}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate = Authority(folder).ensure_certificate((*own_names(host), *names))
    return Place(url=f"https://{shown}:{port}", certificate=certificate)


def serve(app: Any, listener: socket.socket, place: Place) -> None:
    """Until SIGTERM or SIGINT. No access log: addresses of pages are nobody's business."""
    config = uvicorn.Config(
        SafeHeaders(app, is_secure=place.is_secure),
        log_level="warning",
        access_log=False,
        ssl_certfile=place.certificate,
        server_header=False,
        timeout_graceful_shutdown=3,
        proxy_headers=False,
        limit_concurrency=_MOST_AT_ONCE,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = uvicorn.Server(config)

    async def run() -> None:
        await server.serve(sockets=[listener])

    anyio.run(run)
