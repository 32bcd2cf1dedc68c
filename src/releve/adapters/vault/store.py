"""rest-server as the vault's store: on a unix socket, with a secret of its own, kept running."""

import asyncio
import base64
import fcntl
import hashlib
import os
import secrets
import subprocess
from collections.abc import Awaitable, Callable
from time import monotonic, sleep

import structlog

from releve.adapters.durable import write
from releve.adapters.restic import tools
from releve.adapters.restic.child import dies_with_us
from releve.adapters.vault.layout import Layout
from releve.adapters.vault.upstream import StoreDownError, Upstream

log = structlog.get_logger()
_USER = "gate"
_LONGEST_PAUSE_S = 5.0
_PATIENCE_S = 15.0


def is_gone(layout: Layout, patience_s: float = _PATIENCE_S) -> bool:
    """Wait until the store of a gate that was killed has ended: until then objects may still come."""
    until = monotonic() + patience_s
    while True:
        try:
            os.close(_lock(layout))
        except BlockingIOError:
            if monotonic() > until:
                return False
            sleep(0.02)
        else:
            return True


def _lock(layout: Layout) -> int:
    """Raises: BlockingIOError while a store runs."""
    handle = os.open(layout.run / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


class Store:
    """Starts rest-server, starts it again when it ends, and says when it answers."""

    def __init__(
        self, layout: Layout, upstream: Upstream, fell: Callable[[int], Awaitable[object]]
    ) -> None:
        self._layout, self._upstream, self._fell = layout, upstream, fell
        self._up = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._program = ""  # asked for its version once, not in the middle of a restart
        self.restarts = 0

    @property
    def pid(self) -> int:
        return self._process.pid if self._process and self._process.returncode is None else 0

    async def ready(self, patience_s: float = _PATIENCE_S) -> bool:
        """Wait until it answers; False when it does not in time."""
        try:
            async with asyncio.timeout(patience_s):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    async def keep(self) -> None:
        """Run it until cancelled."""
        pause_s = 0.1
        try:
            while True:
                await self._start()
                began = asyncio.get_running_loop().time()
                await self._await_answer()
                process = self._process
                status = await process.wait() if process else 0
                self._up.clear()
                self._upstream.drop()
                self.restarts += 1
                log.error("store_fell", status=status)
                await self._fell(status)
                lived_s = asyncio.get_running_loop().time() - began
                pause_s = 0.1 if lived_s > 60 else min(2 * pause_s, _LONGEST_PAUSE_S)
                await asyncio.sleep(pause_s)
        finally:
            self._up.clear()
            await self._end()

    async def _start(self) -> None:
        layout = self._layout
        secret = secrets.token_urlsafe(32)  # new with each start; 256 bits need no slow hash
        digest = base64.b64encode(hashlib.sha1(secret.encode()).digest()).decode()  # noqa: S324
        passwords = layout.run / "store.htpasswd"
        write(passwords, f"{_USER}:{{SHA}}{digest}\n".encode())
        layout.socket.unlink(missing_ok=True)
        token = base64.b64encode(f"{_USER}:{secret}".encode()).decode()
        self._upstream.headers = [f"Authorization: Basic {token}"]
        if not self._program:
            found = await asyncio.to_thread(tools.find, tools.REST_SERVER)
            self._program = found.path
        command = [self._program, "--append-only"]
        command += ["--path", str(layout.served), "--listen", f"unix:{layout.socket}"]
        command += ["--htpasswd-file", str(passwords)]
        while not await asyncio.to_thread(is_gone, layout):
            log.warning("store_not_gone")
        lock = _lock(layout)
        try:
            with (layout.run / "store.log").open("wb") as said:
                self._process = await asyncio.create_subprocess_exec(
                    *dies_with_us(command),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    process_group=0,
                    pass_fds=(lock,),  # held until the store itself is gone, whatever became of us
                    env={"PATH": os.environ.get("PATH", "")},
                )
        finally:
            os.close(lock)

    async def _await_answer(self) -> None:
        while self._process and self._process.returncode is None:
            try:
                async with self._upstream.call() as call:
                    call.start("HEAD", "/", [])
                    async for _ in (await call.reply()).pieces():
                        pass
            except StoreDownError:
                await asyncio.sleep(0.02)
                continue
            self._up.set()
            return

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
