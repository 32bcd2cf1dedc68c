"""Notices: what a structure or its operator must hear of, at once and on disk."""

import asyncio
import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

log = structlog.get_logger()
_AGAIN_NS = 3_600_000_000_000  # the same notice once an hour
_COMMAND_S = 30


class Notices:
    """Each is a line of DATA/notices.jsonl, then goes to the command and the server, if any."""

    def __init__(
        self,
        file: Path,
        now_ns: Callable[[], int],
        *,
        command: Sequence[str] = (),
        url: str = "",
        token: str = "",
    ) -> None:
        self._file, self._now_ns = file, now_ns
        self._command, self._url, self._token = tuple(command), url, token
        self._told: dict[tuple[str, str], int] = {}
        self._under_way: set[asyncio.Future[None]] = set()

    def tell(self, what: str, about: str = "", **facts: str) -> bool:
        """Keep the notice and send it; False when the same was told within the hour.

        Blocks for as long as the command and the server take: in a loop, use `tell_soon`.
        """
        record = self._kept(what, about, facts)
        if record is not None:
            self._send(record)
        return record is not None

    async def tell_soon(self, what: str, about: str = "", **facts: str) -> None:
        """Keep the notice, send it from a thread."""
        record = self._kept(what, about, facts)
        if record is not None and (self._command or self._url):
            sending = asyncio.get_running_loop().run_in_executor(None, self._send, record)
            self._under_way.add(sending)
            sending.add_done_callback(self._under_way.discard)

    def _kept(self, what: str, about: str, facts: dict[str, str]) -> dict[str, str | int] | None:
        now = self._now_ns()
        if now - self._told.get((what, about), -_AGAIN_NS) < _AGAIN_NS:
            return None
        self._told[what, about] = now
        record: dict[str, str | int] = {"notice": what, "at_ns": now, "about": about, **facts}
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line)
            os.fdatasync(handle)
        except OSError:
            log.exception("notice_not_kept", notice=what)
        finally:
            os.close(handle)
        log.warning("notice", **record)
        return record

    def _send(self, record: dict[str, str | int]) -> None:
        body = json.dumps(record, ensure_ascii=False).encode()
        if self._command:
            try:
                subprocess.run(self._command, input=body, timeout=_COMMAND_S, check=True)
            except (OSError, subprocess.SubprocessError) as error:
                log.warning("notice_command_failed", why=type(error).__name__)
        if self._url:
            post(f"{self._url}/api/v1/vault/notices", body, self._token)


def post(url: str, body: bytes, token: str = "") -> str:
    """POST JSON; why it failed, empty when it was taken."""
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body, headers)  # noqa: S310 (from the vault's configuration)
    try:
        with urllib.request.urlopen(request, timeout=15):  # noqa: S310
            return ""
    except (OSError, ValueError) as error:
        log.warning("not_delivered", url=url, why=str(error))
        return str(error)
